"""YAML that people go on editing: studies without their defaults, short mappings on one line. Pure."""

import json
import re
from collections.abc import Mapping
from typing import Any

from trialbook.spec import StudySpec
from trialbook.values import Value

WIDTH = 96
NO_WORDS = ("null", "true", "false", "yes", "no", "on", "off", "y", "n")  # YAML 1.1 takes them for values
WORD = re.compile(r"[A-Za-z_][\w./-]*", re.ASCII)


def text_of(spec: StudySpec) -> str:
    """The study without what it would be by default anyway."""
    kept = spec.model_dump(mode="json", exclude_defaults=True)
    kept["space"] = {name: _ranged(_tagged(one, "type")) for name, one in spec.space.root.items()}
    kept |= {part: _tagged(getattr(spec, part), "name") for part in ("sampler", "pruner")}
    return dump({name: kept[name] for name in StudySpec.model_fields if name in kept})


def _tagged(part: Value, tag: str) -> dict[str, Any]:  # Any: JSON
    return {tag: getattr(part, tag), **part.model_dump(mode="json", exclude_defaults=True)}


def _ranged(parameter: dict[str, Any]) -> dict[str, Any]:  # Any: JSON
    """The same with its range first, as people say it."""
    return dict(sorted(parameter.items(), key=lambda item: item[0] in ("log", "step", "when")))


def dump(value: Mapping[str, Any], indent: str = "") -> str:  # Any: JSON
    """A mapping as YAML in lines; what it holds keeps its order."""
    lines = []
    for key, item in value.items():
        line = f"{indent}{scalar(key)}: {_flow(item)}\n"
        nested = isinstance(item, Mapping) and any(isinstance(one, Mapping) for one in item.values())
        if isinstance(item, Mapping) and item and (len(line) > WIDTH or (nested and not indent)):
            line = f"{indent}{scalar(key)}:\n{dump(item, indent + '  ')}"
        lines.append(line)
    return "".join(lines)


def _flow(value: Any) -> str:  # Any: JSON
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return scalar(value)


def scalar(value: Any) -> str:  # Any: a JSON scalar
    """A value as YAML 1.1 and 1.2 read it alike."""
    if isinstance(value, str) and WORD.fullmatch(value) and value.lower() not in NO_WORDS:
        return value
    text = json.dumps(value, ensure_ascii=False)
    bare = isinstance(value, float) and "." not in text  # 1e-07, which YAML 1.1 takes for text
    return text.replace("e", ".0e") if bare else text
