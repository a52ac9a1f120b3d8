"""The bare loops of the families that take tokens and text: see `bare_loops`."""

import math
from collections.abc import Iterator

import torch
from bare_loops import Metrics, Params, descend, of_both
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import pack_padded_sequence

from models.datasets import IGNORED, Part, Split
from models.datasets.preprocessing import Vocabulary


class Translator(nn.Module):
    """A GRU reads, and another writes from its last state; sequences stand in columns (T, B)."""

    def __init__(self, source: int, target: int, embedding: int, size: int) -> None:
        super().__init__()
        self.source, self.target = nn.Embedding(source, embedding), nn.Embedding(target, embedding)
        self.encoder, self.decoder = nn.GRU(embedding, size), nn.GRU(embedding, size)
        self.output = nn.Linear(size, target)

    def read(self, x: Tensor, lengths: Tensor) -> Tensor:
        return self.encoder(pack_padded_sequence(self.source(x.T), lengths, enforce_sorted=False))[1]

    def write(self, before: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        states, h = self.decoder(self.target(before), h)
        return self.output(states), h


def train_seq2seq(data: Split, params: Params) -> Iterator[Metrics]:
    """Teacher forced; the error is of whole sequences, written greedily."""
    schema, at_once = data.schema, 2048
    net = Translator(len(schema.source), len(schema.target), params["embedding_size"], params["hidden_size"])

    def mask(y: Tensor) -> Tensor:  # nothing counts behind the first end, which is 0
        return y.masked_fill((y == 0).cumsum(1) - (y == 0).long() > 0, IGNORED)

    def trim(y: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:  # to the longest of the batch, in columns
        longest = int((targets != IGNORED).sum(1).max())
        return functional.pad(y[:, : longest - 1], (1, 0)).T, targets[:, :longest].T

    def loss(x: Tensor, y: Tensor, lengths: Tensor, targets: Tensor) -> Tensor:
        before, wanted = trim(y, targets)
        logits, _ = net.write(before, net.read(x, lengths))
        return functional.cross_entropy(logits.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED)

    def measure(part: Part) -> Metrics:
        total, tokens, wrong = 0.0, 0, 0
        assert part.lengths is not None
        for x, y, lengths in zip(*(t.split(at_once) for t in (part.x, part.y, part.lengths)), strict=True):
            before, wanted = trim(y, mask(y))
            h = net.read(x, lengths)
            logits, _ = net.write(before, h)
            total += functional.cross_entropy(
                logits.flatten(0, 1), wanted.flatten(), ignore_index=IGNORED, reduction="sum"
            ).item()
            asked, written = wanted != IGNORED, [before[:1]]
            for _ in wanted:
                step, h = net.write(written[-1], h)
                written.append(step.argmax(dim=2))
            tokens += int(asked.sum())
            wrong += int(((torch.cat(written[1:]) != wanted) & asked).any(dim=0).sum())
        return {"loss": total / tokens, "error": wrong / len(part)}

    train = data.train
    assert train.lengths is not None
    rows = (train.x, train.y, train.lengths, mask(train.y))
    return descend(net, rows, loss, lambda: of_both(data, measure), params)


def train_language_model(data: Split, params: Params) -> Iterator[Metrics]:
    """An LSTM with dropout before and behind it; 512 rows are measured, evenly spread, 32 at a time."""
    words = len(data.schema.source)
    embedding, lstm = (
        nn.Embedding(words, params["embedding_size"]),
        nn.LSTM(params["embedding_size"], params["hidden_size"], batch_first=True),
    )
    output, drop = nn.Linear(params["hidden_size"], words), nn.Dropout(params["dropout"])

    def logits_of(x: Tensor) -> Tensor:
        return output(drop(lstm(drop(embedding(x)))[0])).flatten(0, 1)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return functional.cross_entropy(logits_of(x), y.flatten())

    def measure(part: Part) -> Metrics:
        rows = thin(part.x)
        total = sum(
            functional.cross_entropy(logits_of(some[:, :-1]), some[:, 1:].flatten(), reduction="sum").item()
            for some in rows.split(32)
        )
        mean = total / rows[:, 1:].numel()
        return {"loss": mean, "perplexity": math.exp(mean)}

    x = data.train.x
    net = nn.ModuleList([embedding, lstm, output, drop])
    return descend(net, (x[:, :-1], x[:, 1:]), loss, lambda: of_both(data, measure), params)


def thin(x: Tensor, rows: int = 512) -> Tensor:
    return x if len(x) <= rows else x[torch.arange(rows) * len(x) // rows]


def train_word2vec(data: Split, params: Params) -> Iterator[Metrics]:
    """Skip-gram with negative samples; all pairs of a batch are drawn at once, from a mask of places (B, T, T)."""
    assert isinstance(data.schema.preprocessing, Vocabulary)
    counts = torch.tensor(data.schema.preprocessing.counts).float()
    kept = (params["subsampling"] * counts.sum() / counts).sqrt().clamp(max=1.0)
    noise, measured = (counts**power for power in (params["noise_power"], 0.75))
    kept[0] = noise[0] = measured[0] = 0.0  # an unknown word is none
    size, negatives = params["embedding_size"], params["negatives"]
    words, neighbours = nn.Embedding(len(counts), size), nn.Embedding(len(counts), size)
    nn.init.uniform_(words.weight, -0.5 / size, 0.5 / size)
    nn.init.zeros_(neighbours.weight)

    def loss(x: Tensor) -> Tensor:
        stays = torch.rand(x.shape) < kept[x]
        place = stays.cumsum(dim=1)
        distance = (place[:, :, None] - place[:, None]).abs()
        reach = torch.randint(1, params["window"] + 1, x.shape)[:, :, None]
        near = stays[:, :, None] & stays[:, None] & (distance > 0) & (distance <= reach)
        row, i, j = near.nonzero(as_tuple=True)
        others = noise.multinomial(len(row) * negatives, replacement=True).reshape(-1, negatives)
        candidates = neighbours(torch.cat([x[row, j][:, None], others], dim=1))  # (P, 1 + negatives, E)
        logits = (candidates @ words(x[row, i])[:, :, None])[:, :, 0]
        return (functional.softplus(-logits[:, 0]) + functional.softplus(logits[:, 1:]).sum(dim=1)).mean()

    def measure(part: Part) -> Metrics:
        total, reciprocal, pairs = 0.0, 0.0, 0
        rows = thin(part.x)
        for x, others in zip(rows.split(128), fixed[len(part)].split(128), strict=True):
            own, place = words(x), torch.arange(x.shape[1])
            distance = (place[:, None] - place).abs()
            known = x > 0
            near = known[:, :, None] & known[:, None] & (distance > 0) & (distance <= 5)
            row, i, j = near.nonzero(as_tuple=True)
            true = (own @ neighbours(x).transpose(1, 2))[row, i, j]
            beside = (own @ neighbours(others).transpose(1, 2))[row, i]  # (P, 20)
            total += (functional.softplus(-true) + negatives * functional.softplus(beside).mean(dim=1)).sum().item()
            lost = (others[row] != x[row, j][:, None]) & (beside >= true[:, None])
            reciprocal += (1.0 / (1 + lost.sum(dim=1))).sum().item()
            pairs += len(row)
        return {"loss": total / pairs, "mrr": reciprocal / pairs}

    fixed = {  # by the parts' sizes, which differ
        len(part): measured.multinomial(20 * len(thin(part.x)), replacement=True).reshape(-1, 20)
        for part in (data.train, data.validation)
    }
    net = nn.ModuleList([words, neighbours])
    return descend(net, (data.train.x,), loss, lambda: of_both(data, measure), params)
