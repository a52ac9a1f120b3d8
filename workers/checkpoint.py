"""A checkpoint's file: safetensors, never pickle, of torch tensors or NumPy arrays. Loads torch only for torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

Tensors = Mapping[str, Any]  # Any: torch.Tensor or numpy.ndarray, all of one kind


class Unreadable(Exception):
    """The checkpoint's file is damaged."""


def write(path: Path, tensors: Tensors, step: int) -> None:
    """Write tensors to a file, torch's as they are on the CPU. Raises TypeError for what is no tensor."""
    kinds = {type(tensor).__module__.partition(".")[0] for tensor in tensors.values()} or {"numpy"}
    if kinds == {"numpy"}:
        _write_arrays(path, tensors, {"kind": "numpy", "step": str(step)})
    elif "numpy" not in kinds and all(hasattr(tensor, "detach") for tensor in tensors.values()):
        _write_torch(path, tensors, {"kind": "torch", "step": str(step)})
    else:
        raise TypeError("save takes a dict of torch tensors or of NumPy arrays, not of both or of anything else")


def read(path: Path) -> dict[str, Any]:  # Any: as in Tensors
    """The tensors in a file, of the kind that was written. Raises Unreadable."""
    try:
        with safe_open(path, framework="numpy") as file:
            kind = (file.metadata() or {}).get("kind", "torch")
        with safe_open(path, framework="numpy" if kind == "numpy" else "pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise Unreadable(str(error)) from error


def step_of(path: Path) -> int | None:
    """The step that a checkpoint was saved at; None for a file that does not tell. Raises Unreadable."""
    try:
        with safe_open(path, framework="numpy") as file:
            step = (file.metadata() or {}).get("step")
    except (SafetensorError, OSError) as error:
        raise Unreadable(str(error)) from error
    return int(step) if step is not None and step.isdigit() else None


def _write_arrays(path: Path, tensors: Tensors, metadata: dict[str, str]) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    save_file({name: np.ascontiguousarray(array) for name, array in tensors.items()}, path, metadata)


def _write_torch(path: Path, tensors: Tensors, metadata: dict[str, str]) -> None:
    from safetensors.torch import save_file

    # Copies: tensors that share memory (tied weights) are refused by safetensors.
    copies = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    save_file(copies, path, metadata)
