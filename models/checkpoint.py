"""A checkpoint's form: flat names to contiguous tensors, as safetensors files hold them. No pickle."""

from collections.abc import Mapping

import torch
from torch import Tensor

from models.learner import Epoch


def join(**groups: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Copies of the groups' tensors under `group.name`."""
    return {
        f"{group}.{name}": tensor.detach().clone(memory_format=torch.contiguous_format)
        for group, tensors in groups.items()
        for name, tensor in tensors.items()
    }


def part(tensors: Mapping[str, Tensor], group: str) -> dict[str, Tensor]:
    """The tensors of one group under their own names; empty if there are none."""
    return {name.removeprefix(f"{group}."): t for name, t in tensors.items() if name.startswith(f"{group}.")}


def encode_epoch(epoch: Epoch | None) -> dict[str, Tensor]:
    """Step as int64 and metrics as float64 scalars; nothing for no epoch."""
    if epoch is None:
        return {}
    metrics = {f"metrics.{name}": torch.tensor(value, dtype=torch.float64) for name, value in epoch.metrics.items()}
    return {"step": torch.tensor(epoch.step), **metrics}


def decode_epoch(tensors: Mapping[str, Tensor]) -> Epoch | None:
    """The inverse of `encode_epoch`."""
    if "step" not in tensors:
        return None
    return Epoch(int(tensors["step"].item()), {name: v.item() for name, v in part(tensors, "metrics").items()})


def require_fit(expected: Mapping[str, Tensor], given: Mapping[str, Tensor]) -> None:
    """Raises ValueError where a checkpoint's names or shapes differ from the model's."""
    for name in sorted(expected.keys() | given.keys()):
        mine, other = expected.get(name), given.get(name)
        if mine is None or other is None:
            raise ValueError(
                f"the checkpoint does not fit: {name} is only in the {'model' if other is None else 'file'}"
            )
        if mine.shape != other.shape:
            raise ValueError(f"the checkpoint does not fit: {name} is {tuple(other.shape)}, not {tuple(mine.shape)}")
