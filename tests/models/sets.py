"""Built-in data sets for tests that go through all of them."""

import pytest

from models.catalog import DATASETS
from models.datasets import Dataset, load


def load_if_there(name: str) -> Dataset:
    """A built-in set; the test is skipped where a package that the set needs is not installed."""
    try:
        return load(name)
    except ValueError as error:
        if DATASETS[name].package and "needs" in str(error):
            pytest.skip(str(error))
        raise
