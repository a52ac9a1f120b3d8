"""Encoder-decoder: what the context is and where it goes, whole sequences against single steps, the loss by hand."""

import itertools
import math

import pytest
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from models import seq2seq
from models.catalog import TRAINERS, Value
from models.datasets import END, Part, Schema, split
from models.datasets.pairs import read_reversal
from models.encoder_decoder import Decoder, EncoderDecoder, Recurrent
from models.families import build
from models.translation import Translation
from models.units import Dropout
from tests.models.tiny import tiny

CONTEXTS, CELLS = ("initial", "each_step", "both"), ("rnn", "lstm", "gru")
SCHEMA = Schema("words", "tokens", "seq2seq", (7,), source=tuple("$abcde"), target=tuple("$uvwx"), target_length=6)
each_context = pytest.mark.parametrize("context", CONTEXTS)
each_cell = pytest.mark.parametrize("cell", CELLS)
each_direction = pytest.mark.parametrize("bidirectional", [False, True])


def net_of(cell: str = "gru", context: str = "initial", schema: Schema = SCHEMA, **changed: Value) -> EncoderDecoder:
    small = {"hidden_size": 5, "embedding_size": 3, "layers": 2, "cell": cell, "context": context}
    model = seq2seq.build(seed=0, **TRAINERS["seq2seq"].complete({**small, **changed}))
    model.prepare(schema)
    assert isinstance(model._net, EncoderDecoder)
    return model._net.eval()


def random_tokens(rows: int, steps: int, tokens: int) -> Tensor:
    return torch.randint(tokens, (rows, steps), generator=Generator().manual_seed(1))


def batch_of(schema: Schema = SCHEMA) -> Part:
    y = torch.tensor([[1, 2, 0, 0, 0, 0], [3, 0, 0, 0, 0, 0], [4, 4, 2, 1, 0, 0]])
    return Translation(schema).prepare(Part(random_tokens(3, 7, 6), y, torch.tensor([7, 2, 5])))


@each_cell
@each_direction
def test_what_is_beyond_a_sequences_end_never_matters(cell: str, bidirectional: bool) -> None:
    net, batch = net_of(cell, bidirectional=bidirectional), batch_of()
    assert batch.lengths is not None
    context = net.encoder(batch.x, batch.lengths)
    longer = torch.cat([batch.x, random_tokens(3, 4, 6)], dim=1)
    longer[torch.arange(11) >= batch.lengths[:, None]] = 3
    assert torch.equal(net.encoder(longer, batch.lengths), context)
    for row, length in enumerate(batch.lengths.tolist()):  # each alone, without its padding or a length
        torch.testing.assert_close(net.encoder(batch.x[row : row + 1, :length], None)[0], context[row])


def test_targets_beyond_the_first_end_never_matter() -> None:
    net, batch, goal = net_of(), batch_of(), Translation(SCHEMA)
    spoiled = batch.y.clone()
    spoiled[0, 3:], spoiled[1, 2:] = 4, 2
    padded = functional.pad(batch.y, (0, 5), value=END)
    for other in (spoiled, padded):
        again = goal.prepare(Part(batch.x, other, batch.lengths))
        assert goal.loss(net, again).item() == pytest.approx(goal.loss(net, batch).item())


@each_cell
@each_context
def test_single_steps_equal_the_whole_on_the_same_tokens(cell: str, context: str) -> None:
    net, y = net_of(cell, context), random_tokens(4, 6, 5)
    read, state, steps = net.encoder(random_tokens(4, 7, 6), None), None, []
    for before in [torch.full((4,), END), *y.T[:-1]]:
        logits, state = net.decoder(before[None], read, state)
        steps.append(logits[0])
    torch.testing.assert_close(torch.stack(steps), net(read, y))


@each_context
def test_free_running_is_fed_with_its_own_likeliest_tokens(context: str) -> None:
    net = net_of("lstm", context)
    read = net.encoder(random_tokens(8, 7, 6), None)
    logits = net.decoder.run(read, 6)
    torch.testing.assert_close(net(read, logits.argmax(dim=2).T), logits)


def recompute(decoder: Decoder, before: Tensor, first: list[Tensor], beside: Tensor | None) -> Tensor:
    """The decoder's logits by torch's own cells, of GRU layers that start at `first`."""
    states, written = list(first), []
    for token in before:
        x = decoder.embedding(token)
        x = x if beside is None else torch.cat([x, beside], dim=1)
        for i, layer in enumerate(decoder.layers):
            assert isinstance(layer, Recurrent)
            cell = nn.GRUCell(x.shape[1], 5)
            cell.load_state_dict({n.removesuffix("_l0"): p for n, p in layer.kernel.named_parameters()})
            states[i] = x = cell(x, states[i])
        written.append(decoder.output(x))
    return torch.stack(written)


@each_context
def test_the_context_goes_where_its_mode_says(context: str) -> None:
    net, before = net_of("gru", context), random_tokens(6, 4, 5)
    read = torch.randn(4, 10, generator=Generator().manual_seed(2))
    first = [torch.zeros(4, 5)] * 2 if context == "each_step" else [read[:, :5], read[:, 5:]]
    expected = recompute(net.decoder, before, first, None if context == "initial" else read)
    torch.testing.assert_close(net.decoder(before, read)[0], expected)


@each_cell
def test_the_context_is_each_layers_last_state(cell: str) -> None:
    net, x = net_of(cell, hidden_size=4), random_tokens(3, 7, 6)
    steps, expected = net.encoder.embedding(x.T), []  # type: ignore[operator, union-attr]
    for layer in net.encoder.layers:  # type: ignore[union-attr]
        steps, last = layer.kernel(steps)
        expected += list(last) if cell == "lstm" else [last]
    torch.testing.assert_close(net.encoder(x, None), torch.cat([state[0] for state in expected], dim=1))


@pytest.mark.parametrize(("form", "shape"), [("image", (2, 3, 4)), ("table", (24,))])
def test_a_vectors_context_is_an_affine_map(form: str, shape: tuple[int, ...]) -> None:
    net = net_of(schema=Schema("vectors", form, "seq2seq", shape, target=tuple("$uvwx"), target_length=6))  # type: ignore[arg-type]
    x = torch.randn(5, *shape, generator=Generator().manual_seed(2))
    at_zero = net.encoder(torch.zeros(1, *shape), None)
    torch.testing.assert_close(net.encoder(3.0 * x, None) - at_zero, 3.0 * (net.encoder(x, None) - at_zero))
    assert net.encoder(x, None).shape == (5, 2 * 5)


def test_the_loss_is_the_mean_over_tokens_up_to_the_first_end() -> None:
    net, batch = net_of(), batch_of()
    logits = net(net.encoder(batch.x, batch.lengths), batch.y).log_softmax(dim=2)
    asked = [(0, [1, 2, 0]), (1, [3, 0]), (2, [4, 4, 2, 1, 0])]
    by_hand = [-logits[step, row, token].item() for row, tokens in asked for step, token in enumerate(tokens)]
    assert Translation(SCHEMA).loss(net, batch).item() == pytest.approx(math.fsum(by_hand) / 10)
    assert Translation(SCHEMA).measure(net, batch)["loss"].item() == pytest.approx(math.fsum(by_hand) / 10)


@pytest.mark.parametrize(
    ("said", "error", "token_error"),
    [
        ([[1, 2, 0, 4, 4], [3, 0, 1, 1, 1], [4, 4, 2, 1, 0]], 0.0, 0.0),  # what is said behind END does not matter
        ([[1, 2, 0, 0, 0], [3, 3, 0, 0, 0], [4, 4, 2, 2, 0]], 2 / 3, 2 / 10),
        ([[1, 2, 2, 0, 0], [3, 0, 0, 0, 0], [0, 4, 2, 1, 0]], 2 / 3, 2 / 10),  # too long, and too short
    ],
)
def test_a_sequence_is_right_if_each_token_up_to_its_end_is(
    said: list[list[int]], error: float, token_error: float
) -> None:
    net, batch = net_of(), batch_of()
    logits = functional.one_hot(torch.tensor(said), 5).float().transpose(0, 1)  # (U, B, V)
    net.forward = lambda context, y: logits[: y.shape[1]]  # type: ignore[method-assign, assignment]
    net.decoder.run = lambda context, steps: logits[:steps]  # type: ignore[method-assign]
    measured = Translation(SCHEMA).measure(net, batch)
    assert measured["error"].item() == pytest.approx(error)
    assert measured["token_error"].item() == pytest.approx(token_error)


def test_a_net_that_says_nan_has_nothing_right() -> None:
    net, batch = net_of(), batch_of()
    for parameter in net.parameters():
        parameter.data.fill_(math.nan)
    measured = Translation(SCHEMA).measure(net, batch)
    assert measured["error"] == measured["token_error"] == 1.0


def test_predictions_are_ended_and_filled_up() -> None:
    net, said = net_of(), torch.tensor([[1, 2, 0, 4, 4, 1], [0, 1, 0, 0, 0, 2], [4, 4, 2, 1, 3, 3]])
    net.decoder.run = lambda context, steps: functional.one_hot(said, 5)[:, :steps].transpose(0, 1)  # type: ignore[method-assign]
    tokens = Translation(SCHEMA).predict(net, Part(random_tokens(3, 7, 6), torch.empty(3, 0)))
    assert tokens.tolist() == [[1, 2, 0, 0, 0, 0], [0] * 6, [4, 4, 2, 1, 3, 3]]


@pytest.mark.parametrize("forcing", [0.0, 0.5])
def test_without_teacher_forcing_a_resumed_run_goes_on_exactly(forcing: float) -> None:
    params: dict[str, Value] = {"hidden_size": 8, "epochs": 4, "batch_size": 18, "teacher_forcing": forcing}
    whole, broken, resumed = (build("seq2seq", params) for _ in range(3))
    curve = list(whole.fit(tiny("reversal")))
    list(itertools.islice(broken.fit(tiny("reversal")), 2))
    assert list(resumed.fit(tiny("reversal"), resume=broken.state())) == curve[2:]


def test_teacher_forcing_is_the_share_of_forced_batches() -> None:
    net, y = net_of(teacher_forcing=0.3), random_tokens(4, 6, 5)
    read = net.encoder(random_tokens(4, 7, 6), None)
    free = net.decoder.run(read, 6)
    said = [net.train()(read, y) for _ in range(100)]
    assert sum(torch.equal(logits, free) for logits in said) / 100 == pytest.approx(0.7, abs=0.1)
    assert not torch.equal(net.eval()(read, y), free)


def test_dropout_acts_within_the_encoder_and_the_decoder_in_training_alone() -> None:
    net, x = net_of(dropout=0.5), random_tokens(4, 7, 6)
    assert isinstance(net.encoder.dropout, Dropout)  # type: ignore[union-attr]
    net.train()
    assert not torch.equal(net.encoder(x, None), net.encoder(x, None))
    assert torch.equal(net.eval().encoder(x, None), net.encoder(x, None))


@pytest.mark.slow
@each_context
def test_learns_to_reverse_words_with_each_context(context: str) -> None:
    data = split(read_reversal("reversal"))
    params = {**TRAINERS["seq2seq"].default_spec["objective"]["fixed"], "context": context, "epochs": 2}
    last = list(build("seq2seq", params).fit(data))[-1]
    assert last.metrics["val_error"] < 0.6  # 2 of the 15 epochs that it takes to come below 0.05
