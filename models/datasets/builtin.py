"""The built-in sets by name: no download."""

from collections.abc import Callable

from models.datasets.bundled import read_digits, read_table
from models.datasets.dataset import Dataset
from models.datasets.generated import read_blobs, read_moons, read_polynomial
from models.datasets.mnist import read_fashion_mnist, read_mnist1d, read_mnist_5k
from models.datasets.pairs import read_dates, read_reversal, read_spelled_digits
from models.datasets.parity import read_digits_parity
from models.datasets.pronunciation import read_cmudict
from models.datasets.sequences import SEQUENCES
from models.datasets.text import read_python_docs


def load(name: str) -> Dataset:
    """A built-in set by its name, never a path: names may come from a request. Raises ValueError for an unknown one."""
    if name not in READERS:
        raise ValueError(f"there is no built-in data set {name!r}; there are {', '.join(READERS)}")
    return READERS[name](name)


READERS: dict[str, Callable[[str], Dataset]] = {
    **dict.fromkeys(("iris", "wine", "breast_cancer", "diabetes"), read_table),
    "digits": read_digits,
    "mnist_5k": read_mnist_5k,
    "fashion_mnist": read_fashion_mnist,
    "mnist1d": read_mnist1d,
    "digits_parity": read_digits_parity,
    "polynomial": read_polynomial,
    "moons": read_moons,
    "blobs": read_blobs,
    "python_docs": read_python_docs,
    "reversal": read_reversal,
    "dates": read_dates,
    "spelled_digits": read_spelled_digits,
    "cmudict": read_cmudict,
    **SEQUENCES,
}
