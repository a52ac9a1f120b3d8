"""Data sets in memory: the built-in ones, the user's own tables, and their split into parts."""

from models.datasets.builtin import load
from models.datasets.dataset import Dataset, Part, Split
from models.datasets.preprocessing import Column, Preprocessing
from models.datasets.splits import split
from models.datasets.tables import load_table

__all__ = ["Column", "Dataset", "Part", "Preprocessing", "Split", "load", "load_table", "split"]
