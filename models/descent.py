"""Gradient descent on mini-batches, for every family whose model is a torch module."""

from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor, nn

from models.checkpoint import part, require_fit
from models.datasets import Part, Split
from models.optimizers import Optimizer, Rule
from models.outputs import Output, choose_output

EVALUATION_ROWS = 4096  # at a time, so that a large part's hidden layers stay within the processor's cache

# (inputs, outputs, generator) → a net (B, inputs) → (B, outputs); all its randomness comes from the generator
MakeNet = Callable[[int, int, Generator], nn.Module]


class Descent:
    """A `Model` that trains a net: shuffled batches, one optimizer step each, from tensors in memory."""

    _net: nn.Module
    _output: Output
    _optimizer: Optimizer
    _random: Generator  # of first weights, order of the rows and dropout
    _split: Split
    _targets: tuple[Tensor, Tensor]  # of the training and the validation part

    def __init__(self, make_net: MakeNet, rule: Rule, *, epochs: int, batch_size: int, seed: int) -> None:
        self.epochs = epochs
        self._make_net, self._rule, self._batch_size, self._seed = make_net, rule, batch_size, seed

    def begin(self, split: Split) -> None:
        self._split = split
        self._output = choose_output(split)
        self._targets = (self._output.encode(split.train.y), self._output.encode(split.validation.y))
        self._random = Generator().manual_seed(self._seed)
        self._net = self._make_net(split.train.x.shape[1], self._output.width, self._random)
        self._optimizer = Optimizer(self._net.parameters(), self._rule)

    def train(self, step: int) -> None:
        net, output, optimizer = self._net.train(), self._output, self._optimizer
        optimizer.start_epoch(step)
        order = torch.randperm(len(self._split.train.y), generator=self._random)
        x, targets = self._split.train.x.index_select(0, order), self._targets[0].index_select(0, order)
        for batch, wanted in zip(torch.split(x, self._batch_size), torch.split(targets, self._batch_size), strict=True):
            torch.autograd.backward(output.loss(net(batch), wanted))
            optimizer.step()

    def evaluate(self) -> Mapping[str, float]:
        with torch.inference_mode():
            self._net.eval()
            measured = {
                **self._measure("train_", self._split.train, self._targets[0]),
                **self._measure("val_", self._split.validation, self._targets[1]),
            }
            values = torch.stack(list(measured.values())).tolist()  # one transfer for all
        return dict(zip(measured, values, strict=True))

    def predict(self, x: Tensor) -> Tensor:
        with torch.inference_mode():
            self._net.eval()
            return self._output.predict(self._forward(x))

    def parameters(self) -> dict[str, Tensor]:
        return {name: parameter.detach() for name, parameter in self._net.named_parameters()}

    def load_parameters(self, tensors: Mapping[str, Tensor]) -> None:
        own = self.parameters()
        require_fit(own, tensors)
        for name, tensor in own.items():
            tensor.copy_(tensors[name])

    def memory(self) -> dict[str, Tensor]:
        moments = {f"optimizer.{name}": tensor for name, tensor in self._optimizer.state().items()}
        return moments | {"random": self._random.get_state()}

    def load_memory(self, tensors: Mapping[str, Tensor]) -> None:
        require_fit({"random": self._random.get_state()}, {n: t for n, t in tensors.items() if n == "random"})
        self._optimizer.load(part(tensors, "optimizer"))
        self._random.set_state(tensors["random"].clone())

    def _measure(self, prefix: str, rows: Part, targets: Tensor) -> dict[str, Tensor]:
        outputs = self._forward(rows.x)
        measured = {"loss": self._output.loss(outputs, targets).double(), **self._output.measure(outputs, rows.y)}
        return {prefix + name: value for name, value in measured.items()}

    def _forward(self, x: Tensor) -> Tensor:
        if len(x) <= EVALUATION_ROWS:
            return self._call(x)
        return torch.cat([self._call(rows) for rows in torch.split(x, EVALUATION_ROWS)])

    def _call(self, x: Tensor) -> Tensor:
        outputs: Tensor = self._net(x)
        return outputs
