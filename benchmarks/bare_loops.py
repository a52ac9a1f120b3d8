"""The loops that a careful user writes by hand in PyTorch, one for each family of models: what ours are measured by.

Each is the same net with the same optimizer, batches and first hyperparameters as ours, and after each epoch the loss
and the main metric of the training and the validation part, as numbers; nothing else. Knows no model of ours, but for
the autoencoder's linear probe.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.metrics import accuracy_score, log_loss
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from torch import Tensor, nn
from torch.nn import functional

from models.datasets import IGNORED, Part, Schema, Split
from models.probe import fit_probe

Params = Mapping[str, Any]  # Any: the trainer's hyperparameters
Metrics = dict[str, float]
Loop = Callable[[Split, Params], Iterator[Metrics]]  # an epoch at each step, without end


def descend(
    net: nn.Module,
    rows: Sequence[Tensor],
    loss: Callable[..., Tensor],
    measure: Callable[[], Metrics],
    params: Params,
) -> Iterator[Metrics]:
    """Epochs: shuffled batches of the rows (N, …), of which `loss` takes as many tensors as there are."""
    optimizer = make_optimizer(net, params)
    while True:
        net.train()
        order = torch.randperm(len(rows[0]))
        for batch in zip(*(t.index_select(0, order).split(params["batch_size"]) for t in rows), strict=True):
            value = loss(*batch)
            optimizer.zero_grad(set_to_none=True)
            value.backward()
            optimizer.step()
        net.eval()
        with torch.inference_mode():
            metrics = measure()
        yield metrics


def make_optimizer(net: nn.Module, params: Params) -> torch.optim.Optimizer:
    if params["optimizer"] == "adam":
        return torch.optim.Adam(net.parameters(), lr=params["learning_rate"], fused=True)
    return torch.optim.SGD(net.parameters(), lr=params["learning_rate"], momentum=params["momentum"], fused=True)


def of_both(data: Split, measure: Callable[[Part], Metrics]) -> Metrics:
    parts = {"train": data.train, "val": data.validation}
    return {f"{name}_{metric}": value for name, part in parts.items() for metric, value in measure(part).items()}


def supervise(net: nn.Module, data: Split, params: Params) -> Iterator[Metrics]:
    """A net from x to the logits of classes, or to the standardized number."""
    mean, deviation = data.schema.target_mean, data.schema.target_deviation

    def classify(x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(net(x), y)

    def regress(x: Tensor, y: Tensor) -> Tensor:
        return functional.mse_loss(net(x)[:, 0], y)

    def measure_classes(part: Part) -> Metrics:
        outputs = net(part.x)
        loss = functional.cross_entropy(outputs, part.y).item()
        return {"loss": loss, "error": (outputs.argmax(dim=1) != part.y).float().mean().item()}

    def measure_numbers(part: Part) -> Metrics:
        numbers = net(part.x)[:, 0]
        loss = functional.mse_loss(numbers, (part.y - mean) / deviation).item()
        return {"loss": loss, "mse": functional.mse_loss(numbers * deviation + mean, part.y).item()}

    x, y = data.train.x, data.train.y
    if data.schema.task == "regression":
        standardized = (y - mean) / deviation
        return descend(net, (x, standardized), regress, lambda: of_both(data, measure_numbers), params)
    return descend(net, (x, y), classify, lambda: of_both(data, measure_classes), params)


def outputs_of(schema: Schema) -> int:
    return len(schema.classes) or 1


def train_affine(data: Split, params: Params) -> Iterator[Metrics]:
    return supervise(nn.Sequential(nn.Flatten(), nn.Linear(data.schema.size, outputs_of(data.schema))), data, params)


def make_hidden(inputs: int, width: int, layers: int, dropout: float) -> list[nn.Module]:
    made: list[nn.Module] = []
    for _ in range(layers):
        made += [nn.Linear(inputs, width), nn.ReLU(), *([nn.Dropout(dropout)] if dropout else [])]
        inputs = width
    return made


def train_mlp(data: Split, params: Params) -> Iterator[Metrics]:
    width = params["width"]
    hidden = make_hidden(data.schema.size, width, params["hidden_layers"], params["dropout"])
    return supervise(nn.Sequential(nn.Flatten(), *hidden, nn.Linear(width, outputs_of(data.schema))), data, params)


def train_multitask(data: Split, params: Params) -> Iterator[Metrics]:
    """Each head's cross-entropy over its known labels, summed; the error is the mean over the heads."""
    width, sizes = params["width"], [len(head.classes) for head in data.schema.heads]
    trunk = nn.Sequential(nn.Flatten(), *make_hidden(data.schema.size, width, params["hidden_layers"], 0.0))
    heads = nn.ModuleList(nn.Linear(width, size) for size in sizes)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        shared = trunk(x)
        each = [
            functional.cross_entropy(head(shared), y[:, i], ignore_index=IGNORED, reduction="sum")
            for i, head in enumerate(heads)
        ]
        return sum(each[1:], each[0]) / len(y)

    def measure(part: Part) -> Metrics:
        shared, losses, errors = trunk(part.x), [], []
        for i, head in enumerate(heads):
            logits, y = head(shared), part.y[:, i]
            known = y != IGNORED
            losses.append(functional.cross_entropy(logits, y, ignore_index=IGNORED).item())
            errors.append((logits.argmax(dim=1) != y)[known].float().mean().item())
        return {"loss": sum(losses) / len(losses), "error": sum(errors) / len(errors)}

    net = nn.ModuleList([trunk, heads])
    return descend(net, (data.train.x, data.train.y), loss, lambda: of_both(data, measure), params)


class Channels(nn.Module):
    """Sequences (B, T, F) with their features as channels (B, F, T)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.transpose(1, 2)


def train_cnn(data: Split, params: Params) -> Iterator[Metrics]:
    """Images channels-last, as a careful user has them; sequences by one-dimensional layers."""
    is_image, filters, size = data.schema.form == "image", params["filters"], params["filter_size"]
    channels, *area = data.schema.shape if is_image else data.schema.shape[::-1]
    convolution, pool = (nn.Conv2d, nn.MaxPool2d) if is_image else (nn.Conv1d, nn.MaxPool1d)
    layers: list[nn.Module] = [] if is_image else [Channels()]
    for _ in range(params["blocks"]):
        layers += [convolution(channels, filters, size, padding=size // 2), nn.ReLU(), pool(2, ceil_mode=True)]
        channels, filters, area = filters, 2 * filters, [-(-side // 2) for side in area]
    dense = make_hidden(channels * math.prod(area), params["fc_width"], params["fc_layers"], 0.0)
    net = nn.Sequential(*layers, nn.Flatten(), *dense, nn.Linear(params["fc_width"], outputs_of(data.schema)))
    return supervise(net.to(memory_format=torch.channels_last) if is_image else net, data, params)


class Recurrent(nn.Module):
    """One layer of torch's own over (B, T, F), read at the last step."""

    def __init__(self, cell: str, features: int, size: int, outputs: int) -> None:
        super().__init__()
        self.layer = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell](features, size, batch_first=True)
        self.output = nn.Linear(size, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.layer(x)[0][:, -1])


def train_rnn(data: Split, params: Params) -> Iterator[Metrics]:
    size, features = params["hidden_size"], data.schema.shape[1]
    return supervise(Recurrent(params["cell"], features, size, outputs_of(data.schema)), data, params)


class Recurrent2d(nn.Module):
    """h[i, j] = tanh(W x[i, j] + U h[i, j-1] + V h[i-1, j] + b) from each corner of an image, diagonal by diagonal."""

    def __init__(self, channels: int, size: int, outputs: int) -> None:
        super().__init__()
        self.W = nn.Parameter(torch.randn(4, channels, size))
        self.U = nn.Parameter(torch.randn(4, size, size) / math.sqrt(2 * size))
        self.V = nn.Parameter(torch.randn(4, size, size) / math.sqrt(2 * size))
        self.b = nn.Parameter(torch.zeros(4, 1, size))
        self.output = nn.Linear(4 * size, outputs)

    def forward(self, x: Tensor) -> Tensor:
        batch, _, rows, columns = x.shape
        corners = torch.stack([x, x.flip(3), x.flip(2), x.flip(2, 3)])  # (4, B, C, R, S)
        diagonals = skew(corners)  # (4, B, C, R, D)
        inputs = diagonals.permute(4, 0, 1, 3, 2).flatten(2, 3)  # (D, 4, B·R, C)
        z = inputs @ self.W + self.b  # (D, 4, B·R, H)
        inside = skew(x.new_ones(rows, columns)).T.repeat(1, batch)[:, :, None]  # (D, B·R, 1)
        h = x.new_zeros(4, batch, rows, z.shape[3])
        for z_d, there in zip(z, inside, strict=True):
            above = functional.pad(h, (0, 0, 1, -1)).flatten(1, 2)
            h = (torch.tanh(z_d + h.flatten(1, 2) @ self.U + above @ self.V) * there).reshape(h.shape)
        return self.output(h[:, :, -1].transpose(0, 1).flatten(1))


def skew(maps: Tensor) -> Tensor:
    """(…, R, S) → (…, R, D): row i moved right by i, zeros around, so that a column holds a diagonal."""
    rows, columns = maps.shape[-2:]
    wide = functional.pad(maps, (0, rows)).flatten(-2)
    return wide[..., : rows * (rows + columns - 1)].unflatten(-1, (rows, rows + columns - 1))


def train_rnn2d(data: Split, params: Params) -> Iterator[Metrics]:
    net = Recurrent2d(data.schema.shape[0], params["hidden_size"], outputs_of(data.schema))
    return supervise(net, data, params)


def train_autoencoder(data: Split, params: Params) -> Iterator[Metrics]:
    """The error is that of a linear probe, fitted to the codes after each epoch."""
    inputs, width = data.schema.size, params["width"]
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(inputs, width), nn.Tanh(), nn.Linear(width, params["code_size"]))
    decoder = nn.Sequential(nn.Linear(params["code_size"], width), nn.Tanh(), nn.Linear(width, inputs))

    def measure_all() -> Metrics:
        probe = fit_probe(encoder(data.train.x), data.train.y, len(data.schema.classes))

        def measure(part: Part) -> Metrics:
            code = encoder(part.x)
            error = (probe(code).argmax(dim=1) != part.y).float().mean().item()
            return {"loss": functional.mse_loss(decoder(code), part.x.flatten(1)).item(), "probe_error": error}

        return of_both(data, measure)

    def loss(x: Tensor) -> Tensor:
        return functional.mse_loss(decoder(encoder(x)), x.flatten(1))

    return descend(nn.ModuleList([encoder, decoder]), (data.train.x,), loss, measure_all, params)


def train_pretrained(data: Split, params: Params) -> Iterator[Metrics]:
    """Layer by layer as denoising autoencoders, by the error of x there and back; then the whole, by its labels."""
    sizes = [data.schema.size, *[params["width"]] * params["hidden_layers"]]
    encoders = [nn.Sequential(nn.Linear(i, o), nn.ReLU()) for i, o in pairwise(sizes)]
    decoders = [nn.Linear(o, i) for i, o in pairwise(sizes)]
    stage = {**params, "optimizer": "adam", "learning_rate": params["pretraining_rate"]}
    codes = data.train.x.flatten(1)
    for depth, (encoder, decoder) in enumerate(zip(encoders, decoders, strict=True), start=1):

        def loss(x: Tensor, there: nn.Module = encoder, back: nn.Module = decoder) -> Tensor:
            kept = torch.empty_like(x).bernoulli_(1.0 - params["noise"])
            return functional.mse_loss(back(there(x * kept)), x)

        way = nn.Sequential(nn.Flatten(), *encoders[:depth], *decoders[:depth][::-1])

        def measure(part: Part, way: nn.Module = way) -> Metrics:
            return {"loss": functional.mse_loss(way(part.x), part.x.flatten(1)).item()}

        epochs = descend(nn.ModuleList([encoder, decoder]), (codes,), loss, lambda m=measure: of_both(data, m), stage)
        for _ in range(params["pretraining_epochs"]):
            yield next(epochs)
        with torch.no_grad():
            codes = encoder(codes)
    yield from supervise(
        nn.Sequential(nn.Flatten(), *encoders, nn.Linear(sizes[-1], outputs_of(data.schema))), data, params
    )


def fit_svm(data: Split, params: Params) -> Iterator[Metrics]:
    return fit_again(lambda: CalibratedClassifierCV(SVC(C=params["C"]), cv=3, ensemble=False), data)


def fit_tree(data: Split, params: Params) -> Iterator[Metrics]:
    return fit_again(lambda: DecisionTreeClassifier(max_depth=params["max_depth"]), data)


def fit_again(make: Callable[[], Any], data: Split) -> Iterator[Metrics]:  # Any: scikit-learn has no types
    """An epoch is a whole fit."""
    while True:
        fitted = make().fit(data.train.x.flatten(1).numpy(), data.train.y.numpy())

        def measure(part: Part, fitted: Any = fitted) -> Metrics:
            probabilities = fitted.predict_proba(part.x.flatten(1).numpy())
            error = 1.0 - accuracy_score(part.y.numpy(), probabilities.argmax(axis=1))
            return {"loss": log_loss(part.y.numpy(), probabilities), "error": error}

        yield of_both(data, measure)
