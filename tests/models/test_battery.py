"""What every trainer of the catalogue promises. A new trainer is one row of ROWS for each form and task that differ."""

import itertools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.augmentation import FORMS
from models.catalog import DATASETS, TRAINERS, Form, Metric, Parameter, Task, Trainer, Value
from models.catalog.descent import DEBUGGING, DESCENT, UNEQUAL
from models.families import FAMILIES, build
from models.learner import EarlyStopping, Epoch
from models.training import Learner
from tests.models.tiny import sixteen, tiny

CHANGED: dict[str, dict[str, Value]] = {  # parameters that only matter beside others
    "learning_rate_decay": {"decay_epochs": 2},
    "decay_factor": {"learning_rate_decay": "linear"},
    "decay_epochs": {"learning_rate_decay": "linear"},
    "damping": {"optimizer": "newton", "hidden_layers": 0},
    "history": {"optimizer": "lbfgs", "epochs": 13},
    "slope": {"activation": "leaky_relu"},
    "autoencoder.optimizer": {"weight_decay": 0.1},
    "autoencoder.penalty": {"kind": "contractive"},
    "autoencoder.sparsity": {"kind": "sparse", "code_activation": "sigmoid"},
    "autoencoder.activity": {"kind": "sparse", "code_activation": "sigmoid", "sparsity": "kl"},
    "autoencoder.corruption": {"kind": "denoising"},
    "autoencoder.noise": {"kind": "denoising"},
    "svm.degree": {"kernel": "poly"},
    "svm.coef0": {"kernel": "poly"},
    "head_width": {"head_layers": 1},
    "rnn.nonlinearity": {"cell": "rnn"},
    "rnn.optimizer": {"weight_decay": 0.1},
    "rnn2d.optimizer": {"weight_decay": 0.1},
    "rnn.forget_bias": {"cell": "lstm"},
    "rnn.dropout": {"layers": 2},
    "language_model.optimizer": {"weight_decay": 0.1},
    "language_model.context": {"kind": "window"},
    "word2vec.optimizer": {"weight_decay": 0.1},
    "seq2seq.optimizer": {"weight_decay": 0.1},
}
TOO_SLOW = ("lbfgs", "newton")  # for every net of the battery; test_second_order.py is about them
ONLY_FOR: dict[str, Task | Form] = {
    "mlp.window": "labelling",
    "rnn.readout": "regression",
    "seq2seq.bidirectional": "tokens",
    "svm.epsilon": "regression",
    "tree.criterion": "classification",
}


@dataclass(frozen=True)
class Row:
    """A trainer on a small set; with `params` and `longer` it overfits sixteen examples: `metric` is then within it."""

    trainer: str
    data: str
    params: Mapping[str, Value] = field(default_factory=dict)
    longer: Mapping[str, Value] = field(default_factory=dict)
    metric: str = "train_error"
    at_most: float = 0.0
    predicting: str = ""  # before the names of the metrics that the predictions are measured by

    def __str__(self) -> str:
        return f"{self.trainer}-{self.data}"

    @property
    def about(self) -> Trainer:
        return TRAINERS[self.trainer]

    def build(self, epochs: int = 4, seed: int = 0, **params: Value) -> Learner:
        passes: dict[str, Value] = {"epochs": epochs} if "epochs" in self.about.parameters else {}
        return build(self.trainer, {**passes, **self.params, **params}, seed=seed)

    def curve(self, epochs: int = 4, seed: int = 0, **params: Value) -> list[Epoch]:
        return list(self.build(epochs, seed, **params).fit(tiny(self.data)))

    @property
    def is_fitted_at_once(self) -> bool:
        return "epochs" not in self.about.parameters


SEQ2SEQ: dict[str, Value] = {"hidden_size": 8, "embedding_size": 4, "teacher_forcing": 0.7, "dropout": 0.1}
SEQ2SEQ_LONGER: dict[str, Value] = {
    "hidden_size": 48,
    "embedding_size": 16,
    "teacher_forcing": 1.0,
    "dropout": 0.0,
    "epochs": 20,
    "learning_rate": 0.02,
}
ROWS = (
    Row(
        "pretrained_mlp",
        "iris",
        {"hidden_layers": 1, "pretraining_epochs": 1, "width": 12, "dropout": 0.2},
        {"epochs": 50, "dropout": 0.0, "learning_rate": 0.2},
    ),
    Row(
        "pretrained_mlp",
        "diabetes",
        {"hidden_layers": 1, "pretraining_epochs": 1, "width": 12, "dropout": 0.2, "learning_rate": 0.01},
        {"epochs": 100, "dropout": 0.0, "width": 64},
        metric="train_mse",
        at_most=100.0,
    ),
    Row(
        "autoencoder",
        "iris",
        {"code_size": 3, "width": 8},
        {"epochs": 60, "width": 32, "learning_rate": 0.02},
        metric="train_reconstruction",
        at_most=0.02,
        predicting="probe_",
    ),
    Row(
        "autoencoder",
        "diabetes",
        {"code_size": 4, "width": 8},
        {"epochs": 60, "width": 64, "code_size": 8, "learning_rate": 0.01},
        metric="train_reconstruction",
        at_most=0.02,
        predicting="probe_",
    ),
    Row("linear", "diabetes", longer={"epochs": 300, "learning_rate": 0.05}, metric="train_mse", at_most=1500.0),
    Row("logistic", "breast_cancer", longer={"epochs": 100}),
    Row("logistic", "iris", longer={"epochs": 200, "learning_rate": 0.3}),
    Row("mlp", "iris", {"width": 12, "dropout": 0.2}, {"epochs": 150, "dropout": 0.0}),
    Row(
        "mlp",
        "diabetes",
        {"width": 12, "dropout": 0.2, "learning_rate": 0.01},
        {"epochs": 300, "dropout": 0.0, "width": 32},
        metric="train_mse",
        at_most=100.0,
    ),
    Row("cnn", "digits", {"filters": 4, "fc_width": 8, "dropout": 0.2}, {"epochs": 50, "dropout": 0.0, "fc_width": 32}),
    Row(
        "cnn",
        "adding",
        {"filters": 4, "fc_width": 8, "dropout": 0.2},
        {"filters": 16, "fc_width": 32, "dropout": 0.0, "epochs": 120},
        metric="train_mse",
        at_most=0.01,
    ),
    Row("multitask", "digits_parity", {"width": 16, "dropout": 0.2}, {"epochs": 100, "dropout": 0.0}),
    Row("polynomial", "diabetes", {"degree": 2}, {"degree": 6, "interactions": False}, "train_mse", 1e-6),
    Row("svm", "digits", longer={"C": 1000.0}),
    Row("svm", "diabetes", longer={"C": 1000.0, "epsilon": 0.0}, metric="train_mse", at_most=1.0),
    Row("knn", "digits", longer={"k": 1}),
    Row("knn", "diabetes", longer={"k": 1}, metric="train_mse", at_most=1e-6),
    Row("tree", "digits", longer={"max_depth": 20}),
    Row("tree", "diabetes", longer={"max_depth": 20}, metric="train_mse", at_most=1e-6),
    Row("mlp", "copy_memory", {"width": 12, "dropout": 0.2}, {"width": 32, "dropout": 0.0, "epochs": 80}),
    Row("rnn", "digits", {"hidden_size": 6}, {"hidden_size": 16, "learning_rate": 0.02, "epochs": 25}),
    Row(
        "rnn",
        "adding",
        {"hidden_size": 6, "cell": "rnn"},
        {"hidden_size": 16, "cell": "lstm", "learning_rate": 0.03, "epochs": 60},
        metric="train_mse",
        at_most=0.01,
    ),
    Row(
        "language_model",
        "talk",
        {"embedding_size": 6, "hidden_size": 8, "dropout": 0.2},
        {"embedding_size": 16, "hidden_size": 64, "dropout": 0.0, "epochs": 60, "learning_rate": 0.03},
        "train_perplexity",
        1.5,
    ),
    Row(
        "word2vec",
        "talk",
        {"embedding_size": 6, "subsampling": 0.1, "batch_size": 8},
        {"epochs": 20, "learning_rate": 0.05},
        "train_loss",
        2.85,
    ),
    Row("seq2seq", "reversal", SEQ2SEQ, SEQ2SEQ_LONGER),
    Row("seq2seq", "spelled_digits", SEQ2SEQ, SEQ2SEQ_LONGER),
    Row(
        "rnn",
        "copy_memory",
        {"hidden_size": 6, "cell": "rnn"},
        {"hidden_size": 32, "cell": "lstm", "learning_rate": 0.03, "epochs": 80},
    ),
    Row("rnn2d", "digits", {"hidden_size": 4, "patch": 4}, {"hidden_size": 16, "learning_rate": 0.02, "epochs": 25}),
    Row(
        "rnn2d",
        "ink",
        {"hidden_size": 4},
        {"hidden_size": 16, "learning_rate": 0.01, "epochs": 20},
        metric="train_mse",
        at_most=0.001,
    ),
)
each_row = pytest.mark.parametrize("row", ROWS, ids=str)
each_trainer = pytest.mark.parametrize("trainer", TRAINERS.values(), ids=lambda trainer: trainer.name)


def another(parameter: Parameter) -> Value:
    """A permitted value that is not the default."""
    if parameter.type == "categorical":
        return next(c for c in reversed(parameter.choices) if c not in (parameter.default, *TOO_SLOW))
    if parameter.type == "matrix":
        return ((0.0, 1.0), (5.0, 0.0))
    if isinstance(parameter.default, bool):
        return not parameter.default
    return parameter.default + 1 if isinstance(parameter.default, int) else float(parameter.default) / 2 or 0.3


def metrics_for(row: Row) -> tuple[Metric, ...]:
    return tuple(metric for metric in row.about.metrics if tiny(row.data).schema.task in metric.tasks)


def test_every_trainer_and_task_is_in_the_battery_and_can_be_built() -> None:
    assert {(row.trainer, tiny(row.data).schema.task) for row in ROWS} == {
        (trainer.name, task) for trainer in TRAINERS.values() for task in trainer.tasks
    }
    assert FAMILIES.keys() == TRAINERS.keys()


@each_row
def test_reports_exactly_the_catalogues_metrics_at_each_epoch(row: Row) -> None:
    names = {metric.name for metric in metrics_for(row)}
    curve = row.curve(epochs=3)
    assert [epoch.step for epoch in curve] == ([0] if row.is_fitted_at_once else [0, 1, 2])
    assert all(set(epoch.metrics) == names for epoch in curve)
    assert any(n.startswith("train_") for n in names) and any(n.startswith("val_") for n in names)


@pytest.mark.slow  # all together
@each_row
def test_overfits_sixteen_examples(row: Row) -> None:
    learner = row.build(**row.longer)
    last = list(learner.fit(sixteen(row.data)))[-1]
    assert last.metrics[row.metric] <= row.at_most


@each_row
def test_repeats_exactly_by_its_seed(row: Row) -> None:
    assert row.curve(seed=5) == row.curve(seed=5)
    if not row.is_fitted_at_once:
        assert row.curve(seed=5) != row.curve(seed=6)


@each_row
def test_a_learner_that_is_fitted_again_starts_again(row: Row) -> None:
    learner = row.build()
    assert list(learner.fit(tiny(row.data))) == list(learner.fit(tiny(row.data)))


@each_row
def test_leaves_torchs_global_random_state_alone(row: Row) -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = row.curve(epochs=2)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert row.curve(epochs=2) == first


@each_row
def test_resumes_from_a_file_to_the_same_curve_and_parameters(row: Row, tmp_path: Path) -> None:
    data, whole = tiny(row.data), row.build(epochs=7)
    curve = list(whole.fit(data))
    broken = row.build(epochs=7)
    list(itertools.islice(broken.fit(data), 3))
    save_file(broken.state(), tmp_path / "checkpoint.safetensors")

    resumed = row.build(epochs=7, seed=99)  # all that the seed decides is in the checkpoint
    assert list(resumed.fit(data, resume=load_file(tmp_path / "checkpoint.safetensors"))) == curve[3:]
    assert resumed.best == whole.best
    for name, tensor in whole.state().items():
        assert torch.equal(tensor, resumed.state()[name]), name


@each_row
def test_stopped_in_the_middle_it_leaves_the_best_parameters_in_its_checkpoint(row: Row) -> None:
    data, learner = tiny(row.data), row.build(epochs=7)
    epochs = learner.fit(data, early_stopping=EarlyStopping("val_loss", "minimize", patience=100))
    list(itertools.islice(epochs, 4))
    again = row.build(epochs=7)
    again.restore(data, learner.best_parameters())
    best = learner.best
    assert best is not None
    measured = again.measure_test()
    assert measured.keys() == {name.replace("val_", "test_") for name in best.metrics if name.startswith("val_")}
    assert all(math.isfinite(value) for value in measured.values())


@each_row
def test_state_is_a_snapshot_that_later_training_does_not_change(row: Row) -> None:
    learner = row.build()
    epochs = learner.fit(tiny(row.data))
    next(epochs)
    state = learner.state()
    copy = {name: tensor.clone() for name, tensor in state.items()}
    list(epochs)
    assert all(torch.equal(state[name], copy[name]) for name in copy)


@each_row
def test_refuses_a_checkpoint_of_another_shape(row: Row) -> None:
    learner, data = row.build(epochs=1), tiny(row.data)
    list(learner.fit(data))
    state = {n: torch.zeros(3, 3, 3, 3, 3) if n.startswith("parameters") else t for n, t in learner.state().items()}
    with pytest.raises(ValueError, match="checkpoint does not fit"):
        list(row.build().fit(data, resume=state))
    with pytest.raises(ValueError, match="checkpoint does not fit"):
        list(row.build().fit(data, resume={"foreign": torch.zeros(1)}))


@each_row
def test_predicts_what_it_is_measured_by(row: Row) -> None:
    learner, data = row.build(), tiny(row.data)
    last = list(learner.fit(data))[-1]
    predicted = learner.predict(data.validation.x, data.validation.lengths)
    assert len(predicted) == len(data.validation)
    if data.schema.task == "regression":
        mse = (predicted - data.validation.y).square().mean().item()
        assert mse == pytest.approx(last.metrics[f"val_{row.predicting}mse"], rel=1e-5)
    elif data.schema.task == "classification" and predicted.dim() == 2:
        assert predicted.sum(dim=1).tolist() == pytest.approx([1.0] * len(predicted), rel=1e-5)
        wrong = (predicted.argmax(dim=1) != data.validation.y).double().mean().item()
        assert wrong == pytest.approx(last.metrics[f"val_{row.predicting}error"])
    elif data.schema.task == "seq2seq":
        wrong = (predicted != data.validation.y).any(dim=1).double().mean().item()
        assert wrong == pytest.approx(last.metrics["val_error"])


@each_row
def test_predicts_the_same_from_its_schema_and_parameters_alone(row: Row) -> None:
    learner, data = row.build(epochs=2), tiny(row.data)
    list(learner.fit(data))
    again = row.build(epochs=2)
    again.prepare([data.schema], learner.best_parameters())
    x, lengths = data.validation.x, data.validation.lengths
    assert torch.equal(again.predict(x, lengths), learner.predict(x, lengths))


@each_row
def test_what_is_worth_looking_at_is_plain_json(row: Row) -> None:
    learner, data = row.build(epochs=2), tiny(row.data)
    list(learner.fit(data))
    found = learner.artifacts()
    json.dumps(found, allow_nan=False)
    if data.schema.task == "classification":
        assert sum(map(sum, found["confusion"]["counts"])) == len(data.validation)


@each_trainer
def test_refuses_a_task_or_a_form_that_it_does_not_learn(trainer: Trainer) -> None:
    for name in ("iris", "diabetes", "digits"):
        about = DATASETS[name]
        if not trainer.learns(about.form, about.task):
            with pytest.raises(ValueError, match=rf"{trainer.name} (learns|takes) .*, not ({about.form}|{about.task})"):
                next(build(trainer.name, {}).fit(tiny(name)))


@each_trainer
def test_refuses_unknown_and_badly_typed_parameters_by_name(trainer: Trainer) -> None:
    with pytest.raises(ValueError, match=f"{trainer.name} has no parameter 'no_such_parameter'"):
        build(trainer.name, {"no_such_parameter": 1})
    for name, parameter in trainer.parameters.items():
        with pytest.raises(ValueError, match=f"{name} must be"):
            build(trainer.name, {name: {"of": "another type"}})
        for bound, beyond in ((parameter.low, -1), (parameter.high, 1)):
            if bound is not None:
                value = bound + beyond if parameter.type == "float" else int(bound) + beyond
                with pytest.raises(ValueError, match=rf"{name}\S* must be at (least|most)"):
                    build(trainer.name, {name: [[value]] if parameter.type == "matrix" else value})


def _changes() -> list[tuple[Row, str]]:
    """Each trainer's own parameters; those that all descents share once, where they suit the data."""
    own = [(row, n) for row in ROWS for n, p in row.about.parameters.items() if p is not {**DESCENT, **UNEQUAL}.get(n)]
    nets = [row for row in ROWS if row.trainer in ("mlp", "cnn")]
    suited = {name: [row for row in nets if _suits(row, name)] for name in DESCENT if name not in DEBUGGING}
    unequal = [(row, name) for row in ROWS if str(row) == "logistic-breast_cancer" for name in UNEQUAL]
    return own + unequal + [(rows[0], name) for name, rows in suited.items() if rows]


def _suits(row: Row, name: str) -> bool:
    return name not in FORMS or tiny(row.data).schema.form in FORMS[name]


def _matters(row: Row, name: str) -> bool:
    return ONLY_FOR.get(f"{row.trainer}.{name}") in (None, tiny(row.data).schema.task, tiny(row.data).schema.form)


@pytest.mark.slow  # all together
@pytest.mark.parametrize(("row", "name"), [pair for pair in _changes() if _matters(*pair)], ids=str)
def test_every_parameter_of_the_catalogue_changes_what_is_learned(row: Row, name: str) -> None:
    beside = CHANGED.get(f"{row.trainer}.{name}", CHANGED.get(name, {}))
    changed = {**beside, name: another(row.about.parameters[name])}
    assert row.curve(**{"epochs": 3, **changed}) != row.curve(**{"epochs": 3, **beside})  # type: ignore[arg-type]


def test_looking_on_changes_nothing() -> None:
    row = next(row for row in ROWS if row.trainer == "mlp")
    assert row.curve(**dict.fromkeys(DEBUGGING, True)) == row.curve()


@each_trainer
def test_the_default_spec_names_only_what_the_catalogue_has(trainer: Trainer) -> None:
    objective, space = trainer.default_spec["objective"], trainer.default_spec["space"]
    metric = next(metric for metric in trainer.metrics if metric.name == objective["metric"])
    about = DATASETS[objective["data"]]
    assert objective["trainer"] == trainer.name
    assert objective["direction"] == metric.direction
    assert trainer.learns(about.form, about.task)
    assert about.task in metric.tasks
    for name, domain in space.items():
        for value in domain.get("choices") or (domain["low"], domain["high"]):
            trainer.parameters[name].check(name, value)
        for condition, values in domain.get("when", {}).items():
            assert set(values) <= set(space[condition]["choices"])
    trainer.complete(objective["fixed"])
