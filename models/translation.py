"""What an encoder-decoder is trained for: each next token of the target, and in the end whole sequences."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.datasets import END, IGNORED, Part, Schema
from models.encoder_decoder import EncoderDecoder

EVALUATED_TOKENS = 2**14  # of the targets, at a time


class Translation:
    """A sequence of tokens for each example, up to and including its first END (a `Goal`).

    The loss is the mean cross-entropy of these tokens, each after the true ones before it (teacher forcing), and
    token_error the share of them that are not the likeliest, just so. error is the share of sequences that greedy
    decoding, fed with its own tokens, does not give exactly. Predictions: greedy tokens (N, U), filled up with END.
    """

    def __init__(self, schema: Schema) -> None:
        self._longest = schema.target_length

    def prepare(self, part: Part) -> Part:
        """Targets are y (N, U) with IGNORED behind the first END."""
        behind = (part.y == END).cumsum(dim=1) - (part.y == END).long() > 0
        return Part(part.x, part.y, part.lengths, part.y.masked_fill(behind, IGNORED))

    def loss(self, net: nn.Module, batch: Part) -> Tensor:
        targets = _targets(batch)
        logits = net(_encode(net, batch), batch.y[:, : targets.shape[1]])
        return functional.cross_entropy(logits.flatten(0, 1), targets.T.flatten(), ignore_index=IGNORED)

    def measure(self, net: nn.Module, part: Part) -> dict[str, Tensor]:
        sums = torch.stack([_count(net, batch) for batch in self._batches(part)]).sum(dim=0)
        loss, right_tokens, tokens, right = sums.unbind()
        token_accuracy, accuracy = right_tokens / tokens, right / len(part)
        return {
            "loss": loss / tokens,
            "error": 1.0 - accuracy,
            "accuracy": accuracy,
            "token_error": 1.0 - token_accuracy,
            "token_accuracy": token_accuracy,
        }

    def predict(self, net: nn.Module, part: Part) -> Tensor:
        written = [_write(net, _encode(net, batch), self._longest) for batch in self._batches(part)]
        tokens = torch.cat([logits.argmax(dim=2) for logits in written])
        return tokens.masked_fill((tokens == END).cumsum(dim=1) > 0, END)

    def _batches(self, part: Part) -> Iterator[Part]:
        return part.batches(max(1, EVALUATED_TOKENS // self._longest))


def _count(net: nn.Module, batch: Part) -> Tensor:
    """(4,) float64 sums over the batch: cross-entropy, likeliest tokens that are right, tokens, sequences right."""
    targets, context = _targets(batch), _encode(net, batch)
    asked = targets != IGNORED  # (B, U)
    logits = net(context, batch.y[:, : targets.shape[1]]).transpose(0, 1)[asked]  # (tokens, V)
    loss = functional.cross_entropy(logits, targets[asked], reduction="sum")
    right_tokens = (_likeliest(logits) == targets[asked]).sum()
    right = (_likeliest(_write(net, context, targets.shape[1])) == targets).where(asked, True).all(dim=1).sum()
    return torch.stack([loss.double(), right_tokens.double(), asked.sum().double(), right.double()])


def _targets(batch: Part) -> Tensor:
    """(B, U') up to the longest of the batch."""
    assert batch.targets is not None  # noqa: S101  # prepared
    return batch.targets[:, : int((batch.targets != IGNORED).sum(dim=1).max())]


def _encode(net: nn.Module, batch: Part) -> Tensor:
    assert isinstance(net, EncoderDecoder)  # noqa: S101  # what this goal is for
    context: Tensor = net.encoder(batch.x, batch.lengths)
    return context


def _write(net: nn.Module, context: Tensor, steps: int) -> Tensor:
    """Logits (B, U, V) of greedy decoding, also behind the first END."""
    assert isinstance(net, EncoderDecoder)  # noqa: S101  # what this goal is for
    return net.decoder.run(context, steps).transpose(0, 1)


def _likeliest(logits: Tensor) -> Tensor:
    """(…, V) → (…); -1, which is no token, where a number is none."""
    largest, tokens = logits.max(dim=-1)
    return tokens.masked_fill(largest.isnan(), -1)
