"""Greedy layer-wise unsupervised pretraining of a perceptron, then fine-tuning of the whole (section 15.1)."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Generator, Tensor, nn

from models.autoencoder import Autoencoder, Reconstruction
from models.checkpoint import part, require_fit
from models.codes import Layer, corrupt
from models.datasets import Part, PartName, Schema, Split
from models.descent import Descent, Training
from models.goals import rows_at_once
from models.learner import JSON
from models.lockstep import derive_seeds
from models.outputs import choose_output
from models.units import Dense, Dropout, Flat


@dataclass(frozen=True)
class Pretraining:
    """How each layer is pretrained, by Adam; `labelled` is how many rows fine-tuning sees, 0 for all."""

    epochs: int
    rate: float
    corruption: str
    noise: float
    labelled: int


class Tuning(Descent):
    """Trains the whole net; its hidden layers are open to their pretraining."""

    @property
    def layers(self) -> list[Layer]:
        return [module for module in self._net.modules() if isinstance(module, Layer)]


class PretrainedMLP:
    """A `Model` in stages: each hidden layer as an autoencoder of the codes before it, those fixed; then the whole net.

    Its epochs are those of all stages. Until the last stage the output layer is zero, as it starts, so the metrics of
    the labels stand still. `reconstruction` is the squared error by feature of x through the layers pretrained so far
    and back; in fine-tuning it tells how far the layers have left what they had learned.
    """

    _decoders: list[Layer]
    _whole: Tuning
    _parts: dict[PartName, Part]

    def __init__(
        self,
        *,
        seed: int,
        hidden_layers: int,
        width: int,
        activation: str,
        slope: float,
        dropout: float,
        pretraining: Pretraining,
        training: Training,
    ) -> None:
        self.epochs = training.epochs
        self._seed, self._widths = seed, [width] * hidden_layers
        self._unit, self._slope, self._dropout = activation, slope, dropout
        self._pretraining, self._training = pretraining, training

    def prepare(self, schema: Schema) -> None:
        sizes = list(zip([schema.size, *self._widths], self._widths, strict=False))
        seeds = derive_seeds(self._seed, len(sizes) + 2)
        random = Generator().manual_seed(seeds[1])
        self._schema = schema
        self._decoders = [Layer(width, inputs, "linear", random) for inputs, width in sizes]
        self._seeds = torch.tensor(seeds[2:])  # of the layers' stages
        self._whole = Tuning(self._make_whole, self._training, seed=self._seed)
        self._whole.prepare(schema)
        self._depth = torch.tensor(1 if self._pretraining.epochs else len(sizes))  # layers pretrained so far
        self._stage: Descent | None = None  # of the layer that is being pretrained

    def begin(self, split: Split) -> None:
        self.prepare(split.schema)
        self._parts = split.parts
        self._whole.begin(replace(split, train=choose_labelled(split.train, self._pretraining.labelled)))

    def train(self, step: int) -> None:
        each = self._pretraining.epochs
        layers = len(self._widths)
        index = min(step // each, layers) if each else layers
        if index == layers:
            self._stage = None
            self._whole.train(step - each * layers)
            return
        if self._stage is None or self._depth != index + 1:
            self._stage = self._enter(index)
        self._stage.train(step - each * index)

    def measure(self, which: PartName) -> Mapping[str, float]:
        rows, squared = self._parts[which], torch.zeros((), dtype=torch.float64)
        with torch.inference_mode():
            for batch in rows.batches(rows_at_once(rows.x)):
                x = batch.x.flatten(1)
                squared += (self._reconstruct(x) - x).square().sum()
        return {**self._whole.measure(which), "reconstruction": squared.item() / rows.x.numel()}

    def artifacts(self) -> Mapping[str, JSON]:
        """Of the fine-tuning, as `Descent.artifacts`."""
        return self._whole.artifacts()

    def predict(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        return self._whole.predict(x, lengths)

    def parameters(self) -> dict[str, Tensor]:
        decoders = {
            f"decoder.{i}.{name}": parameter.detach()
            for i, decoder in enumerate(self._decoders)
            for name, parameter in decoder.named_parameters()
        }
        return {**self._whole.parameters(), **decoders, "depth": self._depth}

    def load_parameters(self, tensors: Mapping[str, Tensor]) -> None:
        own = self.parameters()
        require_fit(own, tensors)
        for name, tensor in own.items():
            tensor.copy_(tensors[name])

    def memory(self) -> dict[str, Tensor]:
        groups = {"whole": self._whole.memory(), "stage": {} if self._stage is None else self._stage.memory()}
        tensors = {f"{group}.{name}": tensor for group, own in groups.items() for name, tensor in own.items()}
        return tensors | {"seeds": self._seeds}

    def load_memory(self, tensors: Mapping[str, Tensor]) -> None:
        self._whole.load_memory(part(tensors, "whole"))
        require_fit({"seeds": self._seeds}, {name: t for name, t in tensors.items() if name == "seeds"})
        self._seeds = tensors["seeds"].clone()
        stage = part(tensors, "stage")
        if stage:
            self._stage = self._enter(int(self._depth) - 1)
            self._stage.load_memory(stage)

    def _enter(self, index: int) -> Descent:
        """Begins a layer's pretraining, on the codes of the layers before it."""
        rows = self._parts["train"]
        with torch.no_grad():
            codes = torch.cat([self._encode(b.x.flatten(1), index) for b in rows.batches(rows_at_once(rows.x))])
        schema = replace(self._schema, form="table", shape=tuple(codes.shape[1:]))
        coded = Part(codes, rows.y)
        stage = self._make_stage(index)
        stage.begin(Split(schema, coded, coded, coded))  # it is measured as a part of the whole
        self._depth.fill_(index + 1)
        return stage

    def _encode(self, x: Tensor, depth: int) -> Tensor:
        for layer in self._whole.layers[:depth]:
            x = layer(x)
        return x

    def _reconstruct(self, x: Tensor) -> Tensor:
        depth = int(self._depth)
        h = self._encode(x, depth)
        for decoder in reversed(self._decoders[:depth]):
            h = decoder(h)
        return h

    def _make_stage(self, index: int) -> Descent:
        def make_net(schema: Schema, generator: Generator) -> nn.Module:
            noisy = corrupt(self._pretraining.corruption, self._pretraining.noise, generator)
            return Autoencoder(noisy, [self._whole.layers[index]], [self._decoders[index]])

        training = Training.of(
            learning_rate=self._pretraining.rate,
            optimizer="adam",
            epochs=self._pretraining.epochs,
            batch_size=self._training.batch_size,
        )
        return Descent(make_net, training, seed=int(self._seeds[index]), make_goal=Reconstruction)

    def _make_whole(self, schema: Schema, generator: Generator) -> nn.Module:
        modules: list[nn.Module] = [Flat()]
        inputs = schema.size
        for width in self._widths:
            modules.append(Layer(inputs, width, self._unit, generator, slope=self._slope))
            if self._dropout:
                modules.append(Dropout(self._dropout, generator))
            inputs = width
        return nn.Sequential(*modules, Dense(torch.zeros(choose_output(schema).width, inputs)))


def choose_labelled(rows: Part, count: int) -> Part:
    """So many of the rows, or all for 0: always the same, evenly spread over the sorted labels."""
    if not 0 < count < len(rows):
        return rows
    places = ((torch.arange(count) + 0.5) * (len(rows) / count)).long()
    return rows.take(rows.y.argsort(stable=True)[places].sort().values)


def build(
    *,
    seed: int,
    hidden_layers: int,
    width: int,
    activation: str,
    slope: float,
    dropout: float,
    pretraining_epochs: int,
    pretraining_rate: float,
    corruption: str,
    noise: float,
    labelled: int,
    **training: Any,  # the catalogue's DESCENT
) -> PretrainedMLP:
    """[dense → unit → dropout] · hidden_layers → dense, whose hidden layers are pretrained one after the other."""
    return PretrainedMLP(
        seed=seed,
        hidden_layers=hidden_layers,
        width=width,
        activation=activation,
        slope=slope,
        dropout=dropout,
        pretraining=Pretraining(pretraining_epochs, pretraining_rate, corruption, noise, labelled),
        training=Training.of(**training),
    )
