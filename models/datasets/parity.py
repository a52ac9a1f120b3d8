"""Handwritten digits with two labels: the digit, known of each; and its parity, known of few (section 7.7)."""

import torch
from torch import Generator

from models.datasets.bundled import digit_images
from models.datasets.dataset import IGNORED, Dataset, Head

LABELLED = 80  # rows for training and validation whose parity is known: by the usual split, 60 of them train
OWN_TEST = 397


def read_digits_parity(name: str, rows: int = 1797, labelled: int = LABELLED, own_test: int = OWN_TEST) -> Dataset:
    """The first `labelled` of the shuffled rows know their parity, and so does the test part, to measure well."""
    images, digits = digit_images()
    order = torch.randperm(len(images), generator=Generator().manual_seed(0))[:rows]
    digit = digits[order]
    parity = digit % 2
    parity[labelled : rows - own_test] = IGNORED
    return Dataset(
        name=name,
        task="multitask",
        x=images[order],
        y=torch.stack([digit, parity], dim=1),
        form="image",
        heads=(Head("digit", tuple(str(digit) for digit in range(10))), Head("parity", ("even", "odd"))),
        own_test=own_test,
    )
