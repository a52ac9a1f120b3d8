"""Which trials an audit of the pruner lets run on. Pure: decided before anything is known of a trial, by its number."""

from hashlib import blake2b

from trialbook import spec


def spares(options: spec.Pruner, seed: int, number: int) -> bool:
    """Whether this trial runs on where it would be pruned. With a larger share the same trials do, and others.

    A hash, not a generator: whoever replays the study finds the same trials, in whatever order it asks.
    """
    share = 0.0 if isinstance(options, spec.NoPruner) else options.audit
    return _place(seed, number) < share


def _place(seed: int, number: int) -> float:
    """Even over [0, 1), whatever the seed. No sampler draws by this hash, so the choice knows nothing of the point."""
    digest = blake2b(f"{seed}/{number}".encode(), digest_size=8, person=b"audit").digest()
    return int.from_bytes(digest) / 2**64
