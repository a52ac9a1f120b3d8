"""The catalogue of trainers as the API tells of it: plain JSON."""

from typing import Any

from models.catalog import TRAINERS, Parameter, Trainer

JSON = dict[str, Any]  # Any: JSON


def list_trainers() -> list[JSON]:
    """All trainers."""
    return [described(trainer) for trainer in TRAINERS.values()]


def described(trainer: Trainer) -> JSON:
    """One trainer: what it learns, its parameters and metrics, and a spec to begin with."""
    return {
        "name": trainer.name,
        "title": trainer.title,
        "chapter": trainer.chapter,
        "forms": list(trainer.forms),
        "tasks": list(trainer.tasks),
        "parameters": {name: _parameter(one) for name, one in trainer.parameters.items()},
        "metrics": [
            {"name": one.name, "direction": one.direction, "tasks": list(one.tasks)} for one in trainer.metrics
        ],
        "default_spec": dict(trainer.default_spec),
    }


def _parameter(parameter: Parameter) -> JSON:
    return {key: value for key, value in vars(parameter).items() if key == "default" or value not in (None, ())}
