"""A study's best trial as code to paste: its parameters in Python, and how the model it trained is loaded. Pure."""

import json
import keyword
from collections.abc import Mapping
from typing import Any

from models.catalog import TRAINERS
from trialbook.spec import StudySpec
from trialbook.wire import Best
from trialbook.words import shown

MODEL = """
# The model that this trial trained; needs: pip install 'trialbook[worker]', and a token in TRIALBOOK_TOKEN
import models
from trialbook import Client

with Client({url}) as client:
    client.download_model({study}, {number}, {folder})
model = models.load({folder})
# model.predict("new.csv")
"""


def python_of(spec: StudySpec, best: Best, url: str) -> str:
    """What the trainer was called with as a dict, and for a trainer of the book how its model is loaded."""
    told = f"# trial {best.number} of {spec.name}: {spec.objective.metric or 'value'} {shown(best.value)}\n"
    code = f"{told}params = {_dict(spec.full_params(best.params))}\n"
    if spec.objective.trainer not in TRAINERS:
        return code
    named = {"url": url, "study": spec.name, "folder": f"{spec.name}-{best.number}"}
    return code + MODEL.format(number=best.number, **{name: json.dumps(text) for name, text in named.items()})


def _dict(params: Mapping[str, Any]) -> str:  # Any: JSON
    """As `dict(…)` where the names allow it, which is how people write parameters; else in braces."""
    named = all(name.isidentifier() and not keyword.iskeyword(name) for name in params)
    pairs = [f"    {f'{name}=' if named else f'{name!r}: '}{value!r},\n" for name, value in params.items()]
    return f"dict(\n{''.join(pairs)})" if named else f"{{\n{''.join(pairs)}}}"
