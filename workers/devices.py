"""Which graphics processors a worker's processes train on: each is given one, and sees no other. Loads no torch."""

from collections.abc import Mapping, Sequence
from pathlib import Path

VISIBLE = "CUDA_VISIBLE_DEVICES"
GPUS = Path("/proc/driver/nvidia/gpus")  # where NVIDIA's driver lists its cards


def find_devices(environ: Mapping[str, str], gpus: Path = GPUS) -> tuple[str, ...]:
    """The machine's devices by CUDA's names for them: those that CUDA_VISIBLE_DEVICES leaves, else all there are."""
    if VISIBLE in environ:
        return split_devices(environ[VISIBLE])
    return tuple(str(i) for i in range(len(list(gpus.iterdir())))) if gpus.is_dir() else ()


def split_devices(text: str) -> tuple[str, ...]:
    """`0,2` or `GPU-4ab…,GPU-9cd…` as its parts; nothing where there are none, or where the first is CUDA's -1."""
    names = tuple(filter(None, (name.strip() for name in text.split(","))))
    return () if names[:1] == ("-1",) else names


def device_of(slot: int, devices: Sequence[str]) -> str | None:
    """The device of a worker's slot, counted from 0: in turn, so that no device has two more processes than another.

    None where there are no devices: then the process is left with the environment as it is.
    """
    return devices[slot % len(devices)] if devices else None
