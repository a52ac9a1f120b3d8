"""Neural language models: loss and perplexity by hand, steps as a whole, windows that see no further than they may."""

import math

import pytest
import torch
from torch import Generator, Tensor
from torch.nn import functional

from models.datasets import Part, Schema, Split, split
from models.descent import Descent
from models.families import build
from models.language_model import MEASURED_ROWS, LanguageNet, NextWord, Window, thin
from models.language_model import build as build_model
from models.rnn import Layer
from models.unigram import unigram, unigram_loss
from tests.models.tiny import talk, tiny

PARAMS = {
    "embedding_size": 5,
    "hidden_size": 6,
    "context": 3,
    "layers": 2,
    "dropout": 0.0,
    "tie_weights": False,
    "learning_rate": 0.01,
    "epochs": 2,
    "batch_size": 16,
}


def prepared(**params: object) -> tuple[LanguageNet, Schema, Split]:
    """An untrained net for `talk`."""
    data = tiny("talk")
    model: Descent = build_model(seed=1, **{**PARAMS, **params})  # type: ignore[arg-type]
    model.prepare(data.schema)
    net = model._net
    assert isinstance(net, LanguageNet)
    return net.eval(), data.schema, data


@pytest.mark.parametrize("tied", [False, True])
def test_loss_is_the_mean_over_words_of_minus_log_probability(tied: bool) -> None:
    net, _, data = prepared(kind="gru", tie_weights=tied)
    goal = NextWord()
    part = goal.prepare(data.validation.first(3))
    losses, right = [], []
    for row in data.validation.x[:3]:
        for last in range(1, len(row)):
            probabilities = goal.predict(net, Part(row[None, :last], torch.empty(1, 0)))[0]
            losses.append(-math.log(probabilities[row[last]].item()))
            right.append(probabilities.argmax().item() == row[last].item())
    mean = sum(losses) / len(losses)
    measured = goal.measure(net, part)
    assert measured["loss"].item() == pytest.approx(mean, rel=1e-5)
    assert goal.loss(net, part).item() == pytest.approx(mean, rel=1e-5)
    assert measured["perplexity"].item() == pytest.approx(math.exp(mean), rel=1e-5)
    assert measured["accuracy"].item() == pytest.approx(sum(right) / len(right))


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
def test_a_recurrence_word_by_word_is_the_whole(kind: str) -> None:
    net, _, data = prepared(kind=kind)
    x = data.validation.x[:2]
    cells = [layer.onwards for layer in net.layers if isinstance(layer, Layer)]
    states = [cell.start(torch.empty(2, 1)) for cell in cells]
    logits = []
    for words in x.unbind(1):
        h = net.vectors[words]
        for i, cell in enumerate(cells):
            states[i] = cell.step(h, states[i])
            h = states[i][0]
        logits.append(h @ net.output.T + net.bias)
    assert len(cells) == 2
    torch.testing.assert_close(net(x), torch.stack(logits, dim=1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(net(x, last=True), logits[-1], atol=1e-5, rtol=1e-5)


def test_a_window_puts_the_last_words_side_by_side() -> None:
    random = Generator().manual_seed(0)
    window = Window(3, 4, 6, random)
    words = torch.empty(2, 5, 4).normal_(generator=random)
    padded = torch.cat([torch.zeros(2, 2, 4), words], dim=1)
    expected = [torch.tanh(padded[:, t : t + 3].flatten(1) @ window.dense.weight.T) for t in range(5)]
    torch.testing.assert_close(window(words), torch.stack(expected, dim=1))


def reach(net: LanguageNet, x: Tensor) -> list[bool]:
    """Of a row (1, T): whether each word moves what is said after the last."""
    whole = net(x, last=True)
    changed = [torch.cat([x[:, :t], x[:, t : t + 1] % 5 + 1, x[:, t + 1 :]], dim=1) for t in range(x.shape[1])]
    return [not torch.equal(net(other, last=True), whole) for other in changed]


def test_a_window_sees_its_context_and_a_recurrence_all() -> None:
    x = tiny("talk").validation.x[:1, :8]
    assert reach(prepared(kind="window")[0], x) == [False] * 5 + [True] * 3
    assert reach(prepared(kind="lstm")[0], x) == [True] * 8


@pytest.mark.parametrize("kind", ["window", "lstm"])
def test_no_word_is_told_from_itself_or_later_ones(kind: str) -> None:
    net, _, data = prepared(kind=kind)
    x = data.validation.x[:1]
    before = net(x)[:, :10]
    later = torch.cat([x[:, :10], x[:, 10:] % 5 + 1], dim=1)
    assert torch.equal(net(later)[:, :10], before)


def test_an_untrained_output_says_how_often_words_come() -> None:
    net, schema, _ = prepared(kind="window")
    torch.testing.assert_close(net.bias.softmax(dim=0), unigram(schema).float())


def test_unigram_model_is_the_shares_of_the_training_words() -> None:
    data = tiny("talk")
    words = data.train.x[:, 1:].flatten()
    shares = (torch.bincount(words, minlength=len(data.schema.source)) + 1.0) / (len(words) + len(data.schema.source))
    torch.testing.assert_close(unigram(data.schema).float(), shares)
    expected = functional.nll_loss(
        shares.log().expand(len(data.validation.x[:, 1:].flatten()), -1), data.validation.x[:, 1:].flatten()
    )
    assert unigram_loss(data.schema, data.validation) == pytest.approx(expected.item(), rel=1e-5)


def test_learns_more_than_the_words_frequencies() -> None:
    data = split(talk())
    model = build(
        "language_model",
        {
            "kind": "window",
            "embedding_size": 8,
            "hidden_size": 16,
            "context": 3,
            "learning_rate": 0.02,
            "dropout": 0.0,
            "epochs": 12,
        },
    )
    last = list(model.fit(data))[-1]
    assert last.metrics["val_perplexity"] < 0.4 * math.exp(unigram_loss(data.schema, data.validation))


def test_large_parts_are_measured_on_rows_from_all_over() -> None:
    rows = 3 * MEASURED_ROWS + 100
    part = Part(torch.arange(rows)[:, None], torch.empty(rows, 0))
    thinned = thin(part, MEASURED_ROWS).x[:, 0]
    assert len(thinned) == MEASURED_ROWS
    assert thinned[0] == 0
    assert set(thinned.diff().tolist()) == {3, 4}
    assert thin(part, rows) is part
