"""A trial number's own seed, from the study's. Pure."""

import numpy as np


def seed(study_seed: int, number: int) -> int:
    """The same for the same two numbers, unlike for any others: 32 bits."""
    return int(np.random.SeedSequence([study_seed, number]).generate_state(1)[0])
