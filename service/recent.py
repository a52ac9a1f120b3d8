"""The values looked up of late. Knows no clock."""

from collections import OrderedDict
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """The values looked up of late, for what never changes."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, if it is remembered."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def clear(self) -> None:
        """Remember nothing any more."""
        self._values.clear()

    def forget(self, key: K) -> None:
        """Remember a value no longer."""
        self._values.pop(key, None)

    def put(self, key: K, value: V) -> V:
        """Remember a value, forgetting the one unused for longest."""
        self._values[key] = value
        if len(self._values) > self._size:
            self._values.popitem(last=False)
        return value
