"""What every trainer of the catalogue promises. A new trainer is one row of ROWS for each task."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.catalog import TRAINERS, Metric, Parameter, Trainer, Value
from models.datasets import load, split
from models.families import FAMILIES, build
from models.learner import Epoch
from models.training import Learner

CHANGED: dict[str, dict[str, Value]] = {  # parameters that only matter beside others
    "learning_rate_decay": {"decay_epochs": 2},
    "decay_factor": {"learning_rate_decay": "linear"},
    "decay_epochs": {"learning_rate_decay": "linear"},
    "slope": {"activation": "leaky_relu"},
}


@dataclass(frozen=True)
class Row:
    trainer: str
    data: str
    params: Mapping[str, Value] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.trainer}-{self.data}"

    def build(self, epochs: int = 4, seed: int = 0, **params: Value) -> Learner:
        return build(self.trainer, {**self.params, "epochs": epochs, **params}, seed=seed)

    def curve(self, epochs: int = 4, seed: int = 0, **params: Value) -> list[Epoch]:
        return list(self.build(epochs, seed, **params).fit(split(load(self.data))))


ROWS = (
    Row("linear", "diabetes"),
    Row("logistic", "breast_cancer"),
    Row("logistic", "iris"),
    Row("mlp", "iris", {"width": 12, "dropout": 0.2}),
    Row("mlp", "diabetes", {"width": 12, "dropout": 0.2, "learning_rate": 0.01}),
)
each_row = pytest.mark.parametrize("row", ROWS, ids=str)
each_trainer = pytest.mark.parametrize("trainer", TRAINERS.values(), ids=lambda trainer: trainer.name)


def another(parameter: Parameter) -> Value:
    """A permitted value that is not the default."""
    if parameter.type == "categorical":
        return next(choice for choice in reversed(parameter.choices) if choice != parameter.default)
    if isinstance(parameter.default, bool):
        return not parameter.default
    return parameter.default + 1 if isinstance(parameter.default, int) else float(parameter.default) / 2 or 0.3


def metrics_for(trainer: Trainer, data: str) -> tuple[Metric, ...]:
    return tuple(metric for metric in trainer.metrics if load(data).task in metric.tasks)


def test_every_trainer_and_task_is_in_the_battery_and_can_be_built() -> None:
    assert {(row.trainer, load(row.data).task) for row in ROWS} == {
        (trainer.name, task) for trainer in TRAINERS.values() for task in trainer.tasks
    }
    assert FAMILIES.keys() == TRAINERS.keys()


@each_row
def test_reports_exactly_the_catalogues_metrics_at_each_epoch(row: Row) -> None:
    names = {metric.name for metric in metrics_for(TRAINERS[row.trainer], row.data)}
    curve = row.curve(epochs=3)
    assert [epoch.step for epoch in curve] == [0, 1, 2]
    assert all(set(epoch.metrics) == names for epoch in curve)
    assert any(n.startswith("train_") for n in names) and any(n.startswith("val_") for n in names)


@each_row
def test_learns(row: Row) -> None:
    curve = row.curve(epochs=8)
    assert curve[-1].metrics["train_loss"] < curve[0].metrics["train_loss"]


@each_row
def test_repeats_exactly_by_its_seed(row: Row) -> None:
    assert row.curve(seed=5) == row.curve(seed=5)
    assert row.curve(seed=5) != row.curve(seed=6)


@each_row
def test_a_learner_that_is_fitted_again_starts_again(row: Row) -> None:
    learner, data = row.build(), split(load(row.data))
    assert list(learner.fit(data)) == list(learner.fit(data))


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
    data, whole = split(load(row.data)), row.build(epochs=7)
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
def test_state_is_a_snapshot_that_later_training_does_not_change(row: Row) -> None:
    learner = row.build()
    epochs = learner.fit(split(load(row.data)))
    next(epochs)
    state = learner.state()
    copy = {name: tensor.clone() for name, tensor in state.items()}
    list(epochs)
    assert all(torch.equal(state[name], copy[name]) for name in copy)


@each_row
def test_refuses_a_checkpoint_of_another_shape(row: Row) -> None:
    learner, data = row.build(epochs=1), split(load(row.data))
    list(learner.fit(data))
    state = {name: torch.zeros(3, 3, 3) if ".weight" in name else t for name, t in learner.state().items()}
    with pytest.raises(ValueError, match="checkpoint does not fit"):
        list(row.build().fit(data, resume=state))
    with pytest.raises(ValueError, match="checkpoint does not fit"):
        list(row.build().fit(data, resume={"foreign": torch.zeros(1)}))


@each_row
def test_predicts_probabilities_or_numbers(row: Row) -> None:
    learner, data = row.build(), split(load(row.data))
    last = list(learner.fit(data))[-1]
    predicted = learner.predict(data.validation.x)
    if data.task == "regression":
        mse = (predicted - data.validation.y).square().mean().item()
        assert mse == pytest.approx(last.metrics["val_mse"], rel=1e-6)
    else:
        assert predicted.sum(dim=1).tolist() == pytest.approx([1.0] * len(predicted), rel=1e-5)
        wrong = (predicted.argmax(dim=1) != data.validation.y).double().mean().item()
        assert wrong == pytest.approx(last.metrics["val_error"])


@each_trainer
def test_refuses_a_task_that_it_does_not_learn(trainer: Trainer) -> None:
    wrong = [name for name in ("iris", "diabetes") if load(name).task not in trainer.tasks]
    for name in wrong:
        with pytest.raises(ValueError, match=f"{trainer.name} learns .*, not {load(name).task}"):
            next(build(trainer.name, {}).fit(split(load(name))))


@each_trainer
def test_refuses_unknown_and_badly_typed_parameters_by_name(trainer: Trainer) -> None:
    for params, message in (
        ({"lerning_rate": 0.1}, "has no parameter 'lerning_rate'; did you mean 'learning_rate'"),
        ({"learning_rate": "0.1"}, "learning_rate must be a number"),
        ({"epochs": 2.5}, "epochs must be an integer"),
        ({"epochs": True}, "epochs must be an integer"),
        ({"optimizer": "newton"}, "optimizer must be one of"),
        ({"l2": -1.0}, "l2 must be at least 0"),
        ({"l1": float("nan")}, "l1 must be a number"),
    ):
        with pytest.raises(ValueError, match=message):
            build(trainer.name, params)


@pytest.mark.parametrize(
    ("row", "name"),
    [(row, name) for row in ROWS for name in TRAINERS[row.trainer].parameters],
    ids=lambda value: str(value),
)
def test_every_parameter_of_the_catalogue_changes_what_is_learned(row: Row, name: str) -> None:
    beside = CHANGED.get(name, {})
    changed = {"epochs": 3, **beside, name: another(TRAINERS[row.trainer].parameters[name])}
    assert row.curve(**changed) != row.curve(**{"epochs": 3, **beside})  # type: ignore[arg-type]


@each_trainer
def test_the_default_spec_names_only_what_the_catalogue_has(trainer: Trainer) -> None:
    objective, space = trainer.default_spec["objective"], trainer.default_spec["space"]
    metric = next(metric for metric in trainer.metrics if metric.name == objective["metric"])
    assert objective["trainer"] == trainer.name
    assert objective["direction"] == metric.direction
    assert load(objective["data"]).task in metric.tasks
    for name, domain in space.items():
        for value in domain.get("choices") or (domain["low"], domain["high"]):
            trainer.parameters[name].check(name, value)
        for condition, values in domain.get("when", {}).items():
            assert set(values) <= set(space[condition]["choices"])
    trainer.complete(objective["fixed"])
