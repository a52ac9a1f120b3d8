"""Built-in data sets for tests that go through all of them."""

from functools import cache

import pytest

from models.catalog import DATASETS
from models.datasets import Dataset, load

SLOW = ("mnist1d", "fashion_mnist")  # seconds to make or to read
each_set = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in DATASETS]
)


@cache
def load_if_there(name: str) -> Dataset:
    """A built-in set; the test is skipped where a package that the set needs is not installed."""
    try:
        return load(name)
    except ValueError as error:
        if DATASETS[name].package and "needs" in str(error):
            pytest.skip(str(error))
        raise
