"""Data sets in memory: the built-in ones, the user's own files, and their split into parts."""

from models.datasets.arrays import load_arrays
from models.datasets.builtin import load
from models.datasets.dataset import END, IGNORED, Dataset, Head, Part, PartName, Schema, Split
from models.datasets.preprocessing import Column, Preprocessing
from models.datasets.splits import split
from models.datasets.tables import load_table
from models.datasets.text import from_text

__all__ = [
    "END",
    "IGNORED",
    "Column",
    "Dataset",
    "Head",
    "Part",
    "PartName",
    "Preprocessing",
    "Schema",
    "Split",
    "from_text",
    "load",
    "load_arrays",
    "load_table",
    "split",
]
