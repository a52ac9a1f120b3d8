"""Autoencoders (chapter 14): undercomplete, sparse, denoising and contractive, with a linear probe on their codes."""

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models.codes import Layer, TiedLayer, contractive_penalty, corrupt, kl_penalty, l1_penalty
from models.datasets import Part, Schema, Split
from models.descent import Descent, Training
from models.goals import EVALUATED_NUMBERS, FEWEST_ROWS, MOST_ROWS
from models.metrics import measure_classes
from models.outputs import LinearOutput
from models.probe import Probe, fit_probe

PROBED_ROWS = 4096  # training examples that a probe is fitted to, at most, evenly spread

# (layers of the encoder, their activations with the code last) → a mean over the examples, as a scalar
Penalty = Callable[[Sequence[Layer], Sequence[Tensor]], Tensor]


class Autoencoder(nn.Module):
    """x (B, …) → reconstruction (B, F) of the flattened x; in training it sees a corrupted x."""

    def __init__(self, corruption: nn.Module, encoder: Sequence[Layer], decoder: Sequence[nn.Module]) -> None:
        super().__init__()
        self.corruption = corruption
        self.code_size = len(encoder[-1].dense.weight)
        self.encoder, self.decoder = nn.ModuleList(encoder), nn.Sequential(*decoder)

    def forward(self, x: Tensor) -> Tensor:
        reconstruction: Tensor = self.decoder(self.activations(x)[-1])
        return reconstruction

    def activations(self, x: Tensor) -> list[Tensor]:
        """Each encoding layer's output (B, width), the code (B, code_size) last."""
        h, each = self.corruption(x.flatten(1)), []
        for layer in self.encoder:
            h = layer(h)
            each.append(h)
        return each


class Reconstruction:
    """A goal: mean squared error by feature, against the clean x, plus a penalty; a probe reads the target's labels.

    The label is seen by the probe alone. `loss` is measured without corruption, as dropout's is without masks.
    """

    def __init__(self, schema: Schema, *, strength: float = 0.0, penalty: Penalty | None = None, largest: int = 0):
        """`largest` is how many numbers the penalty needs of one example beyond the activations."""
        self._strength, self._penalty = strength, penalty
        self._rows = max(FEWEST_ROWS, min(MOST_ROWS, EVALUATED_NUMBERS // max(1, schema.size, largest)))
        self._classes = len(schema.classes)
        self._numbers = LinearOutput(schema.target_mean, schema.target_deviation)  # where there are no classes
        self.probe = Probe(torch.zeros(0, 0), torch.zeros(0))

    def prepare(self, part: Part) -> Part:
        return part

    def loss(self, net: nn.Module, batch: Part) -> Tensor:
        return self._losses(cast(Autoencoder, net), batch)[0]

    def measure(self, net: nn.Module, part: Part) -> dict[str, Tensor]:
        sums, codes = torch.zeros(2, dtype=torch.float64), []
        for batch in part.batches(self._rows):
            loss, reconstruction, code = self._losses(cast(Autoencoder, net), batch)
            sums += torch.stack([loss, reconstruction]).double() * len(batch)
            codes.append(code)
        loss, reconstruction = sums / len(part)
        return {
            "loss": loss,
            "reconstruction": reconstruction,
            **self._measure_probe(self.probe(torch.cat(codes)), part.y),
        }

    def predict(self, net: nn.Module, part: Part) -> Tensor:
        outputs = self.probe(self.encode(net, part))
        return outputs.softmax(dim=1) if self._classes else self._numbers.predict(outputs)

    def encode(self, net: nn.Module, part: Part) -> Tensor:
        """The codes of the examples (N, code_size)."""
        coder = cast(Autoencoder, net)
        return torch.cat([coder.activations(batch.x)[-1] for batch in part.batches(self._rows)])

    def start_probe(self, code_size: int) -> None:
        """A probe that knows nothing yet."""
        width = self._classes or 1
        self.probe = Probe(torch.zeros(width, code_size), torch.zeros(width))

    def fit_probe(self, net: nn.Module, part: Part) -> None:
        """Fits the probe anew, to the examples' codes by the present net."""
        y = part.y if self._classes else self._numbers.encode(part.y)[:, 0]
        self.probe = fit_probe(self.encode(net, part), y, self._classes)

    def _measure_probe(self, outputs: Tensor, y: Tensor) -> dict[str, Tensor]:
        if self._classes:
            largest, predicted = outputs.max(dim=1)  # nan where a row holds one
            measured = measure_classes(predicted.masked_fill(largest.isnan(), -1), y)
        else:
            measured = self._numbers.measure(outputs, y)
        return {f"probe_{name}": value for name, value in measured.items()}

    def _losses(self, net: Autoencoder, batch: Part) -> tuple[Tensor, Tensor, Tensor]:
        """What is minimized, the reconstruction's error, and the code (B, code_size)."""
        activations = net.activations(batch.x)
        reconstruction = functional.mse_loss(net.decoder(activations[-1]), batch.x.flatten(1))
        if self._penalty is None:
            return reconstruction, reconstruction, activations[-1]
        penalty = self._penalty(cast(Sequence[Layer], net.encoder), activations)
        return reconstruction + self._strength * penalty, reconstruction, activations[-1]


class Coder(Descent):
    """Trains an autoencoder, and fits the probe after each epoch; `parameters` hold both."""

    def prepare(self, schema: Schema) -> None:
        super().prepare(schema)
        self._reconstruction.start_probe(self.net.code_size)

    def begin(self, split: Split) -> None:
        super().begin(split)
        self._probed = spread(self._parts["train"], PROBED_ROWS)

    def train(self, step: int) -> None:
        super().train(step)
        with torch.no_grad():
            self._reconstruction.fit_probe(self.net.eval(), self._probed)

    def parameters(self) -> dict[str, Tensor]:
        probe = self._reconstruction.probe
        return super().parameters() | {"probe.weight": probe.weight, "probe.bias": probe.bias}

    def encode(self, x: Tensor) -> Tensor:
        """Preprocessed examples (N, …) → codes (N, code_size)."""
        with torch.inference_mode():
            return self.net.eval().activations(x)[-1]

    def reconstruct(self, x: Tensor) -> Tensor:
        """Preprocessed examples (N, …) → the same of the decoder's, flattened (N, F)."""
        with torch.inference_mode():
            reconstruction: Tensor = self.net.eval()(x)
            return reconstruction

    @property
    def net(self) -> Autoencoder:
        return cast(Autoencoder, self._net)

    @property
    def _reconstruction(self) -> Reconstruction:
        return cast(Reconstruction, self._goal)


def spread(part: Part, rows: int) -> Part:
    """At most so many of the examples, evenly spread."""
    if len(part) <= rows:
        return part
    return part.take(torch.linspace(0, len(part) - 1, rows, dtype=torch.float64).long())


def build(
    *,
    seed: int,
    kind: str,
    code_size: int,
    hidden_layers: int,
    width: int,
    activation: str,
    code_activation: str,
    tied: bool,
    penalty: float,
    sparsity: str,
    activity: float,
    corruption: str,
    noise: float,
    **training: Any,  # the catalogue's DESCENT
) -> Coder:
    """[dense → unit] · (hidden_layers + 1) to the code, and the mirror image back; the last layer is linear.

    Raises ValueError for kl with a code that is not sigmoid.
    """
    if kind == "sparse" and sparsity == "kl" and code_activation != "sigmoid":
        raise ValueError("sparsity kl compares mean activities between 0 and 1: code_activation must be sigmoid")
    penalties: dict[str, Penalty] = {
        "contractive": contractive_penalty,
        "sparse": lambda layers, activations: (
            kl_penalty(activations[-1], activity) if sparsity == "kl" else l1_penalty(activations[-1])
        ),
    }

    def make_net(schema: Schema, generator: Generator) -> nn.Module:
        widths = [schema.size, *[width] * hidden_layers, code_size]
        units = [*[activation] * hidden_layers, code_activation]
        there = zip(widths, widths[1:], units, strict=False)
        encoder = [Layer(inputs, outputs, unit, generator) for inputs, outputs, unit in there]
        back = [*[activation] * hidden_layers, "linear"]
        if tied:
            decoder: list[nn.Module] = [TiedLayer(layer, unit) for layer, unit in zip(encoder[::-1], back, strict=True)]
        else:
            back_again = zip(widths[::-1], widths[-2::-1], back, strict=False)
            decoder = [Layer(inputs, outputs, unit, generator) for inputs, outputs, unit in back_again]
        noisy = corrupt(corruption, noise if kind == "denoising" else 0.0, generator)
        return Autoencoder(noisy, encoder, decoder)

    def make_goal(schema: Schema) -> Reconstruction:
        largest = code_size * width if kind == "contractive" and hidden_layers else 0
        return Reconstruction(schema, strength=penalty, penalty=penalties.get(kind), largest=largest)

    return Coder(make_net, Training.of(**training), seed=seed, make_goal=make_goal)
