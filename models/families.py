"""The families of models by trainer's name: the catalogue says what there is, this table what builds it."""

from collections.abc import Callable, Mapping

from models import (
    autoencoder,
    cnn,
    knn,
    language_model,
    linear,
    logistic,
    mlp,
    multitask,
    polynomial,
    pretrained_mlp,
    rnn,
    rnn2d,
    seq2seq,
    svm,
    tree,
    word2vec,
)
from models.catalog import TRAINERS
from models.learner import Model
from models.lockstep import Lockstep, derive_seeds
from models.training import Learner

FAMILIES: dict[str, Callable[..., Model]] = {
    "linear": linear.build,
    "polynomial": polynomial.build,
    "logistic": logistic.build,
    "svm": svm.build,
    "knn": knn.build,
    "tree": tree.build,
    "mlp": mlp.build,
    "multitask": multitask.build,
    "cnn": cnn.build,
    "rnn": rnn.build,
    "rnn2d": rnn2d.build,
    "seq2seq": seq2seq.build,
    "autoencoder": autoencoder.build,
    "pretrained_mlp": pretrained_mlp.build,
    "word2vec": word2vec.build,
    "language_model": language_model.build,
}


def build(trainer: str, params: Mapping[str, object], *, seed: int = 0, seeds: int = 1) -> Learner:
    """A learner with those parameters and defaults for the rest; over several seeds and the split's folds in lockstep.

    Raises ValueError for an unknown trainer, and for an unknown, badly typed or out-of-range parameter, naming it.
    """
    if trainer not in FAMILIES:
        raise ValueError(f"there is no trainer {trainer!r}; there are {', '.join(FAMILIES)}")
    complete = TRAINERS[trainer].complete(params)

    def make(member_seed: int) -> Model:
        return FAMILIES[trainer](seed=member_seed, **complete)

    costs = complete.get("cost_matrix")
    lockstep = Lockstep(make, derive_seeds(seed, seeds))
    return Learner(lockstep, TRAINERS[trainer], costs if isinstance(costs, tuple) else ())
