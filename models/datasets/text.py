"""Running text as rows of word ids: a user's own, and the built-in one from the standard library's own pages."""

import re
from collections.abc import Iterator, Sequence
from pydoc_data.topics import topics

import torch
from torch import Tensor

from models.datasets.dataset import Dataset

STRETCH = 32  # words to be predicted in each row
FEWEST_WORDS, MOST_WORDS = 2_000, 2_000_000
UNKNOWN = "<unk>"  # position 0 of each vocabulary; no text holds it, since its brackets are words by themselves
PYTHON_DOCS_ROWS = 2048  # what every Python from 3.11 on has: later ones have some more

# letters and digits, joined by hyphens or apostrophes; a character of Chinese or Japanese, or any other sign, by itself
_LETTER = r"[^\W\u3040-\u30ff\u3400-\u9fff]"
_WORD = re.compile(rf"{_LETTER}+(?:[-'’]{_LETTER}+)*|\S")
_RULE = re.compile(r"^[ \t]*[-+|=*~^\"#][-+|=*~^\"# \t]*$", re.MULTILINE)  # a heading's underline, a table's border
_MARKS = re.compile(r"[*|\"“”]")  # emphasis, columns, and the quotes around code


def tokenize(text: str) -> list[str]:
    """Words in lower case and punctuation marks, in order; spaces and line ends only part them."""
    return _WORD.findall(text.lower())


def encode(words: Sequence[str], source: Sequence[str]) -> Tensor:
    """Words → (L,) int64, their positions in a vocabulary such as a schema's `source`; 0 for a word that it lacks."""
    positions = {word: position for position, word in enumerate(source)}
    return torch.tensor([positions.get(word, 0) for word in words], dtype=torch.int64)


def from_text(name: str, text: str) -> Dataset:
    """Rows of 33 words (N, 33), each beginning with the last word of the one before, so that each is predicted once.

    The words of a last, shorter row are left out. Raises ValueError for a text of fewer than 2,000 words or more than
    2,000,000 (punctuation marks count), or in which no word comes twice.
    """
    words = tokenize(text)
    if not FEWEST_WORDS <= len(words) <= MOST_WORDS:
        raise ValueError(
            f"{name} has {len(words):,} words, punctuation marks included; a text must have from {FEWEST_WORDS:,} "
            f"to {MOST_WORDS:,}"
        )
    source = (UNKNOWN, *sorted(set(words)))
    if len(source) > len(words):
        raise ValueError(f"no word of {name} comes twice, so there is nothing to be learned of any")
    rows = encode(words, source).unfold(0, STRETCH + 1, STRETCH).contiguous()
    return Dataset(name, "language", rows, torch.empty(len(rows), 0), form="text", source=source)


def read_python_docs(name: str) -> Dataset:
    """The language's own help pages, in the order of their titles, without markup; cut to the same rows everywhere."""
    data = from_text(name, "\n".join(_paragraphs(topics[title] for title in sorted(topics))))
    rows = data.x[:PYTHON_DOCS_ROWS]
    return Dataset(name, data.task, rows, data.y[: len(rows)], form=data.form, source=data.source)


def _paragraphs(pages: Iterator[str]) -> Iterator[str]:
    """Each paragraph once: some pages repeat others whole, and what is repeated could be known by heart in the test."""
    seen: set[str] = set()
    for page in pages:
        for paragraph in re.split(r"\n\s*\n", _RULE.sub("", page)):
            words = " ".join(_MARKS.sub(" ", paragraph).split())
            if words and words not in seen:
                seen.add(words)
                yield words
