"""Looking into a net that trains (section 11.5): its gradients against finite differences, and histograms by layer."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Generator, Tensor, nn

from models.datasets import Part
from models.learner import JSON
from models.numerics import GradientCheck, check_gradients

CHECKED_ROWS, CHECKED_ENTRIES = 32, 400  # entries of all tensors together, but some of each tensor
RECORDED, BINS = 30, 40  # at most so many epochs
Loss = Callable[[nn.Module, Part], Tensor]


def check_net(net: nn.Module, loss: Loss, batch: Part, random: Generator, seed: int) -> GradientCheck:
    """The gradient check of a net, which becomes float64, on the first rows of a batch; `random` is its dropout's.

    The same masks are drawn for each evaluation. Raises ValueError that names the worst entry if any is wrong.
    """
    rows, state, net = _in_double(batch.first(CHECKED_ROWS)), random.get_state(), net.double().train()
    parameters = dict(net.named_parameters())

    def evaluate() -> Tensor:
        random.set_state(state)
        return loss(net, rows)

    entries = max(2, CHECKED_ENTRIES // max(len(parameters), 1))
    found = check_gradients(evaluate, parameters, entries=entries, generator=Generator().manual_seed(seed))
    found.require()
    return found


def describe_check(found: GradientCheck) -> JSON:
    """`checked` entries in all, `kinks` that could not be judged, and of those judged the `worst`, if there is one."""
    fields = asdict(found)
    return {name: fields[name] for name in ("checked", "kinks", "worst")}


def _in_double(part: Part) -> Part:
    def cast(tensor: Tensor | None) -> Tensor | None:
        return tensor.double() if tensor is not None and tensor.is_floating_point() else tensor

    x = part.x.double() if part.x.is_floating_point() else part.x
    return Part(x, part.y, part.lengths, cast(part.targets))


class Histograms:
    """Of each layer's activations and each parameter's gradients, on one batch, after up to RECORDED epochs.

    The epochs are evenly spread: all at first, and whenever there are too many, every other one is dropped.
    """

    def __init__(self) -> None:
        self._steps: list[int] = []
        self._records: list[Tensor] = []  # of each step: (layers and parameters, 4 + BINS)

    def record(self, step: int, net: nn.Module, loss: Loss, batch: Part) -> None:
        """Measures the net as in evaluation, without dropout; leaves parameters and gradients as they are."""
        stride = 1
        while step // stride >= RECORDED:
            stride *= 2
        if step % stride == 0:
            watched = watch(net, loss, batch)
            rows = [summarize(tensor) for tensors in watched.values() for tensor in tensors.values()]
            self._steps.append(step)
            self._records.append(torch.stack(rows))
        kept = [i for i, recorded in enumerate(self._steps) if recorded % stride == 0]
        self._steps, self._records = [self._steps[i] for i in kept], [self._records[i] for i in kept]

    def describe(self, net: nn.Module, loss: Loss, batch: Part) -> JSON:
        """`steps`, and in `activations` by layer and `gradients` by parameter a record for each of them.

        A record: `low` and `high`, between which BINS bins of equal width hold `counts`; `mean` and `deviation`. Values
        that are not finite count for nothing.
        """
        watched = watch(net, loss, batch)
        columns = iter(torch.stack(self._records, dim=1).tolist() if self._records else [])
        named = {kind: {name: [_named(r) for r in next(columns, [])] for name in of} for kind, of in watched.items()}
        return {"steps": list(self._steps), **named}

    def state(self) -> dict[str, Tensor]:
        """For a checkpoint: a resumed run goes on with what was recorded before."""
        return {"steps": torch.tensor(self._steps), "records": torch.stack(self._records)} if self._steps else {}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        self._steps = tensors["steps"].tolist() if tensors else []
        self._records = list(tensors["records"].clone()) if tensors else []


def watch(net: nn.Module, loss: Loss, batch: Part) -> dict[str, dict[str, Tensor]]:
    """What each module without parts gives (its last call's), and the gradient of each parameter, by their names."""
    activations: dict[str, Tensor] = {}
    hooks = []
    for name, module in net.named_modules():
        if next(module.children(), None) is None:
            title = f"{name} {type(module).__name__}".strip()
            hooks.append(module.register_forward_hook(_keeper(activations, title)))
    try:
        value = loss(net.eval(), batch)
    finally:
        for hook in hooks:
            hook.remove()
    learned = {name: parameter for name, parameter in net.named_parameters() if parameter.requires_grad}
    gradients = torch.autograd.grad(value, list(learned.values()), allow_unused=True, materialize_grads=True)
    return {"activations": activations, "gradients": dict(zip(learned, gradients, strict=True))}


def _keeper(into: dict[str, Tensor], title: str) -> Callable[[nn.Module, Any, Any], None]:  # Any: whatever it gives
    def keep(module: nn.Module, inputs: Any, outputs: Any) -> None:
        first = outputs[0] if isinstance(outputs, tuple) else outputs
        if isinstance(first, Tensor) and first.is_floating_point():
            into[title] = first.detach()

    return keep


def summarize(tensor: Tensor) -> Tensor:
    """Low, high, mean, deviation and the counts of BINS equal bins between: (4 + BINS,) float64."""
    values = tensor.double().flatten()
    values = values[values.isfinite()]
    if not len(values):
        return torch.zeros(4 + BINS, dtype=torch.float64)
    low, high = values.min(), values.max()
    counts = torch.histc(values, BINS, low.item(), high.item())
    return torch.cat([torch.stack([low, high, values.mean(), values.std(correction=0)]), counts])


def _named(record: Sequence[float]) -> JSON:
    low, high, mean, deviation, *counts = record
    return {"low": low, "high": high, "mean": mean, "deviation": deviation, "counts": [int(n) for n in counts]}
