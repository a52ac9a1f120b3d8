"""How often each word of a text comes: the simplest language model, which the others must beat, and noise words."""

import torch
from torch import Tensor

from models.datasets import Part, Schema
from models.datasets.preprocessing import Vocabulary


def count_words(schema: Schema) -> Tensor:
    """(V,) float64: how often each word of the schema's `source` stands in the training part."""
    assert isinstance(schema.preprocessing, Vocabulary)  # noqa: S101  # of every text
    return torch.tensor(schema.preprocessing.counts, dtype=torch.float64)


def unigram(schema: Schema) -> Tensor:
    """(V,) float64 probabilities of each word wherever it stands; counts plus one, so that none is impossible."""
    counts = count_words(schema) + 1.0
    return counts / counts.sum()


def noise(schema: Schema, power: float) -> Tensor:
    """(V,) float64 probabilities in proportion to count ** power (Mikolov 2013: 0.75); 1 is the words' own, 0 equal.

    A word that never comes in training is never noise.
    """
    counts = count_words(schema)
    raised = counts.pow(power).where(counts > 0, 0.0)
    return raised / raised.sum()


def unigram_loss(schema: Schema, part: Part) -> float:
    """The unigram model's cross-entropy per predicted word of a part's rows (N, T + 1); its exp is the perplexity."""
    return -unigram(schema).log()[part.x[:, 1:]].mean().item()
