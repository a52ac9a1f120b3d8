"""The one training loop: epochs as a generator, early stopping, checkpoint and exact resume. Knows no model."""

import math
from collections.abc import Iterator, Mapping, Sequence

from torch import Tensor

from models.catalog import Trainer
from models.checkpoint import decode_epoch, encode_epoch, join, part
from models.datasets import PartName, Schema, Split
from models.learner import JSON, EarlyStopping, Epoch, Inspectable
from models.lockstep import Lockstep
from models.metrics import Costs
from models.mistakes import judge


class Learner:
    """A trainer with its parameters and seed, to be fitted: `for epoch in learner.fit(split): …`."""

    def __init__(self, model: Lockstep, trainer: Trainer, costs: Costs = ()) -> None:
        self._split: Split | None = None
        self._costs = costs
        self._model = model
        self._trainer = trainer
        self._last: Epoch | None = None
        self._best: Epoch | None = None
        self._kept: dict[str, Tensor] = {}  # the best epoch's parameters, under early stopping
        self._final: dict[str, Tensor] | None = None

    def fit(
        self,
        split: Split,
        *,
        early_stopping: EarlyStopping | None = None,
        resume: Mapping[str, Tensor] | None = None,
    ) -> Iterator[Epoch]:
        """Trains and yields epoch after epoch; the caller may stop at any. `resume` is an earlier `state()`.

        A resumed run gives the same further epochs and parameters as an uninterrupted one, bit for bit. Training ends
        after the last epoch, by early stopping (the best parameters are then restored), or after an epoch whose
        train_loss is not finite: such metrics are reported like any other, but parameters that are nan stay nan.
        Raises ValueError for a task that the trainer does not learn, a metric it does not report, or a checkpoint
        that does not fit.
        """
        self._require(split.schema)
        self._begin(split, early_stopping, resume or {})
        while not self._is_over(early_stopping):
            step = 0 if self._last is None else self._last.step + 1
            self._model.train(step)
            self._last = Epoch(step, _prefixed("train_", self._model) | _prefixed("val_", self._model))
            self._keep(self._last, early_stopping)
            yield self._last
        if early_stopping is not None:
            self._final = self.state()
            self._model.load_parameters(self._kept)

    def best_parameters(self) -> dict[str, Tensor]:
        """Copies of the parameters of `best`, also in the middle of a fit: what is worth keeping of a stopped one."""
        return _copy(self._kept or self._model.parameters())

    def prepare(self, schemas: Sequence[Schema], parameters: Mapping[str, Tensor]) -> None:
        """Takes parameters that were learned before from data of those schemas, one for each fold: then it predicts.

        Raises ValueError where they don't fit.
        """
        self._require(schemas[0])
        self._model.prepare_folds(schemas)
        self._model.load_parameters(parameters)

    def restore(self, split: Split, parameters: Mapping[str, Tensor]) -> None:
        """Takes the data and parameters that were learned before, to be measured. Raises ValueError as `fit` does."""
        self._require(split.schema)
        self._model.begin(split)
        self._model.load_parameters(parameters)

    def measure_test(self) -> dict[str, float]:
        """The metrics of the untouched test part, by the present parameters, as `test_…`."""
        return _prefixed("test_", self._model)

    def artifacts(self) -> dict[str, JSON]:
        """What is worth looking at after a fit, as plain JSON by name; of the first fold and seed where there are more.

        For classification `confusion` and `mistakes` of the validation part (models.mistakes); by the trainer's options
        `gradient_check` and `histograms` (models.debugging).
        """
        first, split = self._model.first, self._split
        found = dict(first.artifacts()) if isinstance(first, Inspectable) else {}
        if split is not None and split.schema.task == "classification":
            part = split.validation
            probabilities = first.predict(part.x, part.lengths)
            found |= judge(probabilities, part.y, split.schema.classes, self._costs)
        return found

    @property
    def best(self) -> Epoch | None:
        """The epoch whose parameters are kept: the best under early stopping, else the last."""
        return self._best

    def state(self) -> dict[str, Tensor]:
        """A checkpoint at the present epoch, complete for `fit(…, resume=…)`: flat names to contiguous tensors."""
        if self._final is not None:
            return dict(self._final)
        return join(
            last=encode_epoch(self._last),
            best=encode_epoch(self._best),
            kept=self._kept,
            parameters=self._model.parameters(),
            memory=self._model.memory(),
        )

    def parameters(self) -> dict[str, Tensor]:
        """Copies of what was learned; after an ended fit under early stopping, the best epoch's."""
        return _copy(self._model.parameters())

    def predict(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Preprocessed examples (N, …) → what the model says of them, as in `Model.predict`."""
        return self._model.predict(x, lengths)

    def predict_folds(self, xs: Sequence[Tensor], lengths: Tensor | None = None) -> Tensor:
        """The same of examples that are preprocessed as each fold's were: the folds' mean."""
        return self._model.predict_folds(xs, lengths)

    def _require(self, schema: Schema) -> None:
        trainer = self._trainer
        if schema.task not in trainer.tasks:
            raise ValueError(f"{trainer.name} learns {' and '.join(trainer.tasks)}, not {schema.task}")
        if schema.form not in trainer.forms:
            raise ValueError(f"{trainer.name} takes data of the form {' or '.join(trainer.forms)}, not {schema.form}")

    def _begin(self, split: Split, early_stopping: EarlyStopping | None, resume: Mapping[str, Tensor]) -> None:
        self._model.begin(split)
        self._split = split
        self._last, self._best, self._kept, self._final = None, None, {}, None
        if not resume:
            return
        self._model.load_parameters(part(resume, "parameters"))
        self._model.load_memory(part(resume, "memory"))
        self._last, self._best = decode_epoch(part(resume, "last")), decode_epoch(part(resume, "best"))
        if self._last is None or self._best is None:
            raise ValueError("the checkpoint does not fit: it holds no epoch")
        if early_stopping is None:
            self._best = self._last
        else:
            self._kept = part(resume, "kept") or _copy(self._model.parameters())

    def _is_over(self, early_stopping: EarlyStopping | None) -> bool:
        if self._last is None or self._best is None:
            return False
        if self._last.step + 1 >= self._model.epochs or not math.isfinite(self._last.metrics.get("train_loss", 0.0)):
            return True
        return early_stopping is not None and early_stopping.is_over(self._last, self._best)

    def _keep(self, epoch: Epoch, early_stopping: EarlyStopping | None) -> None:
        if early_stopping is None:
            self._best = epoch
        elif early_stopping.is_gain(epoch, self._best):
            self._best = epoch
            self._kept = _copy(self._model.parameters())


PARTS: dict[str, PartName] = {"train_": "train", "val_": "validation", "test_": "test"}


def _prefixed(prefix: str, model: Lockstep) -> dict[str, float]:
    return {prefix + name: value for name, value in model.measure(PARTS[prefix]).items()}


def _copy(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}
