"""A book trainer's model as its trial keeps it: files to predict with, and to be evaluated by. Loads models."""

import json

from models.datasets import Split
from models.saved import describe, encode
from models.training import Learner
from trialbook import __version__
from trialbook.wire import Lease
from workers.trial import Trial


def keep_model(trial: Trial, lease: Lease, learner: Learner, parts: Split, split_seed: int) -> None:
    """Attach the best epoch's model to the trial, and what else of it is worth looking at.

    That there is no room is no reason for the trial to fail.
    """
    description = describe(
        lease.objective.trainer,
        trial.params,
        seed=trial.seed,
        seeds=lease.seeds,
        schemas=tuple(fold.schema for fold in parts.folds or (parts,)),
        split_seed=split_seed,
        version=__version__,
    )
    try:
        for name, content in encode(description, learner.best_parameters()).items():
            trial.attach(name, content)
        for name, found in learner.artifacts().items():
            trial.attach(f"{name}.json", json.dumps(found).encode())
    except OSError as error:
        trial.note(f"the model is not kept whole: {error}")
