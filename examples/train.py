"""Training code of your own: a function of a trial, in a file of yours.

Reports a curve, saves checkpoints, goes on from the last one when another worker was lost. Needs NumPy only; your
framework takes the place of these two lines of gradient descent.
"""

import numpy as np


def train(trial):
    """Fit a line to noisy points; the trial's value is the last validation loss."""
    rng = np.random.default_rng(trial.seed)
    x = rng.uniform(-1, 1, size=(200, 1))
    y = 3 * x + 1 + rng.normal(0, 0.1, size=x.shape)
    features = np.hstack([x, np.ones_like(x)])
    seen, unseen = slice(0, 150), slice(150, None)

    saved = trial.load()  # what an earlier attempt at this trial has saved, if there was one
    weights, first = (saved["weights"], trial.resume_step + 1) if saved else (np.zeros((2, 1)), 0)

    for step in range(first, trial.params["steps"]):
        rate = trial.params["learning_rate"] * (1 - trial.params["decay"]) ** step
        weights = weights - rate * features[seen].T @ (features[seen] @ weights - y[seen]) / 75
        losses = {
            f"{part}_loss": float(np.mean((features[rows] @ weights - y[rows]) ** 2))
            for part, rows in (("train", seen), ("val", unseen))
        }
        trial.report(step, **losses)  # raises TrialPruned where the study says that it is hopeless
        if trial.is_save_due():
            trial.save(step, {"weights": weights})
    trial.attach("weights.txt", " ".join(map(str, weights.ravel())).encode())  # a file to keep: bytes, or its path
    return losses["val_loss"]
