"""A trained model as two files: its parameters (safetensors) and what else predicting needs (JSON). No pickle."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors import torch as safetensors
from torch import Tensor

from models.catalog import TRAINERS, Value
from models.datasets import Schema
from models.datasets.schemas import from_json, to_json
from models.families import build
from models.training import Learner

PARAMETERS, DESCRIPTION = "model.safetensors", "model.json"
FORMAT = 1


@dataclass(frozen=True)
class Description:
    """What a model is besides its parameters: one schema for each fold that it was trained on."""

    trainer: str
    params: Mapping[str, Value]
    seed: int
    seeds: int
    schemas: tuple[Schema, ...]
    split_seed: int  # of `models.datasets.split`, so that the test part can be known again
    version: str  # of the program that trained it


def describe(trainer: str, params: Mapping[str, object], **others: Any) -> Description:  # Any: Description's fields
    """A description with the trainer's defaults for the parameters that are not given."""
    return Description(trainer, TRAINERS[trainer].complete(params), **others)


def encode(description: Description, parameters: Mapping[str, Tensor]) -> dict[str, bytes]:
    """The files by their names."""
    tensors = safetensors.save({name: tensor.contiguous() for name, tensor in parameters.items()})
    fields = {
        "format": FORMAT,
        **vars(description),
        "schemas": [to_json(schema) for schema in description.schemas],
        "sha256": hashlib.sha256(tensors).hexdigest(),
    }
    return {PARAMETERS: tensors, DESCRIPTION: json.dumps(fields, indent=1, ensure_ascii=False).encode()}


def save(folder: Path | str, description: Description, parameters: Mapping[str, Tensor]) -> None:
    """Write a model's files into a folder, which is made where it is not there."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in encode(description, parameters).items():
        (folder / name).write_bytes(content)


def read(folder: Path | str) -> tuple[Description, dict[str, Tensor]]:
    """The inverse of `save`. Raises ValueError for a folder that holds no model, or a damaged one."""
    try:
        fields = json.loads((Path(folder) / DESCRIPTION).read_bytes())
        content = (Path(folder) / PARAMETERS).read_bytes()
    except OSError as error:
        raise ValueError(f"{folder} holds no model: {error.strerror or error}: {error.filename}") from error
    except ValueError as error:
        raise ValueError(f"{folder}/{DESCRIPTION} is damaged: {error}") from error
    if not isinstance(fields, dict) or fields.pop("format", None) != FORMAT:
        raise ValueError(f"{folder}/{DESCRIPTION} is of another version than this library reads: {FORMAT}")
    if hashlib.sha256(content).hexdigest() != fields.pop("sha256", None):
        raise ValueError(f"{folder}/{PARAMETERS} is damaged: its SHA-256 is not the one in {DESCRIPTION}")
    try:
        fields["schemas"] = tuple(from_json(schema) for schema in fields["schemas"])
        known = {name: fields[name] for name in Description.__dataclass_fields__}
        return Description(**known), safetensors.load(content)
    except (KeyError, TypeError, SafetensorError) as error:
        raise ValueError(f"the model in {folder} cannot be read: {error!r}") from error


def restore(description: Description, parameters: Mapping[str, Tensor]) -> Learner:
    """A learner with those parameters, ready to predict. Raises ValueError where they do not fit."""
    learner = unfitted(description)
    learner.prepare(description.schemas, parameters)
    return learner


def unfitted(description: Description) -> Learner:
    """The learner that the model was trained by, as it was before."""
    return build(description.trainer, description.params, seed=description.seed, seeds=description.seeds)
