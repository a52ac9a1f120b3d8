"""One thread for all numerics here, as in the processes that fit: on small matrices more threads only wait."""

import pytest
import skopt  # noqa: F401  # loads the libraries whose threads are limited
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="package", autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield
