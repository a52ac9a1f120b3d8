"""A schema as JSON, beside a trained model's parameters: with both it predicts anywhere."""

from dataclasses import asdict
from typing import Any

from models.datasets.dataset import Head, Schema
from models.datasets.preprocessing import (
    Category,
    ChannelScaling,
    Number,
    Preprocessing,
    TableEncoding,
    Unchanged,
    Vocabulary,
)

JSON = dict[str, Any]  # Any: JSON


def to_json(schema: Schema) -> JSON:
    """Plain values: lists, numbers and texts."""
    return asdict(schema)


def from_json(fields: JSON) -> Schema:
    """The inverse of `to_json`, also after a way through a file. Raises KeyError or TypeError for another shape."""
    words = {name: tuple(fields[name]) for name in ("shape", "classes", "source", "target")}
    heads = tuple(Head(head["name"], tuple(head["classes"])) for head in fields["heads"])
    return Schema(**{**fields, **words, "heads": heads, "preprocessing": _preprocessing(fields["preprocessing"])})


def _preprocessing(fields: JSON) -> Preprocessing:
    if fields["kind"] == "unchanged":
        return Unchanged()
    if fields["kind"] == "channels":
        return ChannelScaling(fields["axis"], tuple(fields["means"]), tuple(fields["deviations"]))
    if fields["kind"] == "vocabulary":
        return Vocabulary(tuple(fields["kept"]), tuple(fields["counts"]))
    categories = tuple(
        Category(c["position"], c["name"], tuple(c["levels"]), tuple(c["kept"])) for c in fields["categories"]
    )
    return TableEncoding(tuple(Number(**number) for number in fields["numbers"]), categories)
