"""Studies of the end-to-end tests."""

RATE = {"learning_rate": {"type": "float", "low": 0.001, "high": 0.1, "log": True}}


def logistic(name, *, epochs, n_trials):
    """Logistic regression on digits; an epoch takes longer than its report, so training is what one waits for."""
    fixed = {"epochs": epochs, "batch_size": 16}
    objective = {"trainer": "logistic", "data": "digits", "metric": "val_loss", "fixed": fixed}
    return {"name": name, "objective": objective, "space": RATE, "budget": {"n_trials": n_trials}}


def mlp(name, *, epochs, n_trials, **fixed):
    """A perceptron on digits, trained as `fixed` says."""
    fixed = {"epochs": epochs, "batch_size": 16, "width": 32, **fixed}
    objective = {"trainer": "mlp", "data": "digits", "metric": "val_loss", "fixed": fixed}
    return {"name": name, "objective": objective, "space": RATE, "budget": {"n_trials": n_trials}}


def own(name, *, n_trials, **changes):
    """A study of the function `train` in the worker's `train.py`."""
    objective = {"trainer": "train:train", "metric": "loss", "direction": "minimize"}
    space = {"x": {"type": "float", "low": -1.0, "high": 1.0}, "y": {"type": "float", "low": -1.0, "high": 1.0}}
    return {"name": name, "objective": objective, "space": space, "budget": {"n_trials": n_trials}, **changes}


def steps(trial):
    """The steps of a trial's curve."""
    return [report.step for report in trial.reports]
