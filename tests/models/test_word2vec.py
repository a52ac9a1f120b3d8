"""Skip-gram: which pairs, which noise, which loss, against the paper's equations; and what the vectors tell."""

import math
from collections import Counter

import pytest
import torch
from torch import Generator, Tensor

from models.datasets import Part, split
from models.families import build
from models.training import Learner
from models.unigram import noise
from models.word2vec import (
    GAP,
    Neighbourhood,
    Pairs,
    SkipGram,
    close_up,
    negative_sampling_loss,
    neighbourhood,
    neighbours,
    noise_words,
    pair,
    share_kept,
)
from tests.models.tiny import TOPICS, talk, tiny


def counted() -> tuple[list[str], Counter[int]]:
    """The vocabulary of `talk` and how often each of its words stands in the training part."""
    data = tiny("talk")
    return list(data.schema.source), Counter(data.train.x[:, 1:].flatten().tolist())


def test_words_that_stay_close_up_in_order() -> None:
    rows, stays = torch.tensor([[5, 6, 7, 8], [1, 2, 3, 4]]), torch.tensor([[0, 1, 0, 1], [1, 0, 0, 0]]).bool()
    assert close_up(rows, stays).tolist() == [[6, 8, GAP, GAP], [1, GAP, GAP, GAP]]


def test_pairs_are_all_neighbours_within_each_words_reach() -> None:
    random = Generator().manual_seed(0)
    rows = torch.randint(50, (6, 9), generator=random)
    rows[2, 5:], rows[3, 1:] = GAP, GAP
    reach = torch.randint(1, 5, rows.shape, generator=random)
    expected = Counter(
        (row[i], row[j])
        for row, reaches in zip(rows.tolist(), reach.tolist(), strict=True)
        for i in range(9)
        for j in range(9)
        if i != j and abs(i - j) <= reaches[i] and row[i] != GAP and row[j] != GAP
    )
    words, found = pair(rows, reach, window=4)
    assert Counter(zip(words.tolist(), found.tolist(), strict=True)) == expected


def test_measured_pairs_are_all_known_neighbours() -> None:
    x = torch.tensor([[1, 0, 2, 3, 4]])
    assert neighbourhood(x, 2).tolist() == [
        [0, i, j] for i in range(5) for j in range(5) if i != j and abs(i - j) <= 2 and 1 not in (i, j)
    ]


def test_a_dynamic_window_draws_near_neighbours_more_often() -> None:
    row = torch.arange(1, 1001)[None]
    distances: list[Counter[int]] = []
    for dynamic in (True, False):
        pairs = Pairs(4, dynamic, 1, kept=torch.ones(1001), noise=torch.ones(1001))
        words, candidates = pairs.draw(row, Generator().manual_seed(0))
        distances.append(Counter((words - candidates[:, 0]).abs().tolist()))
    assert [distances[0][d] / 2000 for d in range(1, 5)] == pytest.approx([1.0, 0.75, 0.5, 0.25], abs=0.05)
    assert distances[1] == {d: 2 * (1000 - d) for d in range(1, 5)}


def test_frequent_words_are_left_out_as_the_paper_says() -> None:
    source, counts = counted()
    kept, total = share_kept(tiny("talk").schema, 0.05), sum(counts.values())
    for word in range(1, len(source)):
        assert kept[word].item() == pytest.approx(min(1.0, math.sqrt(0.05 / (counts[word] / total))), rel=1e-5)
    assert kept[source.index("the")] < 0.6 < kept[source.index("horse")]
    assert kept[0] == 0
    assert share_kept(tiny("talk").schema, 0.0)[1:].tolist() == [1.0] * (len(source) - 1)


def test_the_share_of_words_that_stay_is_the_one_that_was_asked_for() -> None:
    pairs = Pairs(1, False, 1, kept=torch.tensor([0.0, 0.3, 1.0]), noise=torch.ones(3))
    row = torch.tensor([[1, 2] * 5000])
    words, _ = pairs.draw(row, Generator().manual_seed(0))
    # a row of n words has 2 (n - 1) pairs, and but for its ends each word begins two
    shares = torch.bincount(words) / (2 * 5000)
    assert shares.tolist() == pytest.approx([0.0, 0.3, 1.0], abs=0.02)


@pytest.mark.parametrize("power", [0.0, 0.75, 1.0])
def test_noise_words_come_by_their_raised_frequency(power: float) -> None:
    source, counts = counted()
    raised = torch.tensor([counts[word] ** power if word else 0.0 for word in range(len(source))])
    expected = raised / raised.sum()
    torch.testing.assert_close(noise_words(tiny("talk").schema, power), expected)
    pairs = Pairs(2, False, 20, kept=torch.ones(len(source)), noise=noise_words(tiny("talk").schema, power))
    _, candidates = pairs.draw(tiny("talk").train.x, Generator().manual_seed(0))
    drawn = torch.bincount(candidates[:, 1:].flatten(), minlength=len(source)) / candidates[:, 1:].numel()
    torch.testing.assert_close(drawn, expected, atol=5e-3, rtol=0)


def test_noise_of_power_one_is_the_unigram_distribution() -> None:
    source, counts = counted()
    shares = [counts[word] / sum(counts.values()) for word in range(len(source))]
    assert noise(tiny("talk").schema, 1.0).tolist() == pytest.approx(shares)


def fixed_net(words: Tensor, others: Tensor, kept: float = 1.0) -> SkipGram:
    ones = torch.ones(len(words))
    pairs = Pairs(2, False, 3, kept=ones * kept, noise=ones / len(words))
    return SkipGram(words, others, pairs, Generator().manual_seed(1))


def test_gradient_of_the_loss_is_the_closed_form() -> None:
    """Of -log σ(u·v) - Σ log σ(-n·v): by v it is (σ(u·v) - 1) u + Σ σ(n·v) n, by u and n the factors times v."""
    random = Generator().manual_seed(0)
    words, others = (torch.empty(7, 4).normal_(generator=random) for _ in range(2))
    rows = torch.randint(1, 7, (3, 6), generator=random)
    net = fixed_net(words.clone(), others.clone())
    negative_sampling_loss(net(rows)).backward()

    centres, candidates = net._pairs.draw(rows, Generator().manual_seed(1))
    by_word, by_other = torch.zeros_like(words), torch.zeros_like(others)
    for centre, row in zip(centres.tolist(), candidates.tolist(), strict=True):
        for place, candidate in enumerate(row):
            factor = torch.sigmoid(others[candidate] @ words[centre]) - (1.0 if place == 0 else 0.0)
            by_word[centre] += factor * others[candidate] / len(centres)
            by_other[candidate] += factor * words[centre] / len(centres)
    torch.testing.assert_close(net.words.grad, by_word, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(net.neighbours.grad, by_other, atol=1e-5, rtol=1e-4)


def test_a_batch_without_a_pair_costs_and_moves_nothing() -> None:
    net = fixed_net(torch.ones(3, 2), torch.ones(3, 2), kept=0.0)
    loss = negative_sampling_loss(net(torch.ones(2, 5, dtype=torch.int64)))
    loss.backward()
    assert loss.item() == 0.0
    assert net.words.grad is None or not net.words.grad.any()


def test_measures_as_counted_by_hand() -> None:
    random = Generator().manual_seed(3)
    data = tiny("talk")
    size = (len(data.schema.source), 5)
    net = fixed_net(torch.empty(size).normal_(generator=random), torch.empty(size).normal_(generator=random))
    goal = Neighbourhood(data.schema, negatives=4, power=0.75)
    part = goal.prepare(Part(data.validation.x[:2], data.validation.y[:2]))
    assert part.targets is not None
    losses, reciprocals = [], []
    for row, drawn in zip(part.x.tolist(), part.targets.tolist(), strict=True):
        for i, word in enumerate(row):
            logits = net.neighbours @ net.words[word]
            for j in range(max(0, i - 5), min(len(row), i + 6)):
                if j != i and row[j] and word:
                    others = torch.stack([-torch.nn.functional.logsigmoid(-logits[n]) for n in drawn])
                    losses.append((-torch.nn.functional.logsigmoid(logits[row[j]]) + 4 * others.mean()).item())
                    above = sum(bool(n != row[j] and logits[n] >= logits[row[j]]) for n in drawn)
                    reciprocals.append(1 / (1 + above))
    with torch.inference_mode():
        measured = goal.measure(net, part)
    assert measured["loss"].item() == pytest.approx(sum(losses) / len(losses), rel=1e-5)
    assert measured["mrr"].item() == pytest.approx(sum(reciprocals) / len(reciprocals), rel=1e-6)


@pytest.fixture(scope="module")
def trained() -> Learner:
    """Word vectors of `talk`, whose sentences each keep to one topic."""
    params = {"embedding_size": 8, "window": 2, "subsampling": 0.1, "learning_rate": 0.02, "batch_size": 4}
    learner = build("word2vec", {**params, "epochs": 25})
    list(learner.fit(split(talk())))
    return learner


def test_a_words_nearest_neighbours_are_those_that_could_stand_in_its_place(trained: Learner) -> None:
    schema = split(talk()).schema
    for topic in TOPICS:
        for kind in topic:
            for word in kind:
                nearest = neighbours(trained.parameters(), schema, word, k=2)
                assert {word, *(near for near, _ in nearest)} == set(kind)
                assert 1.0 >= nearest[0][1] >= nearest[1][1] > 0.9
    with pytest.raises(ValueError, match="the model's vocabulary has no word 'zebra'"):
        neighbours(trained.parameters(), schema, "zebra")


def test_predicts_the_neighbours_of_the_last_word(trained: Learner) -> None:
    schema = split(talk()).schema
    row = torch.tensor([[schema.source.index("horse")]])
    probabilities = trained.predict(row)
    assert probabilities.sum().item() == pytest.approx(1.0, abs=1e-5)
    assert probabilities[0, 0] == 0
    own = sum(probabilities[0, schema.source.index(word)].item() for kind in TOPICS[0] for word in kind)
    other = sum(probabilities[0, schema.source.index(word)].item() for kind in TOPICS[1] for word in kind)
    assert own > 5 * other
