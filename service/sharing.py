"""What many ask for at once and takes long to make: made once for all of them, and again after a while."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Any

from service.recent import Recent

REST = 10  # what took a second to make is told again for so many


class Shared:
    """Things by their key. Whoever asks for one that is being made waits for it; no asker's end ends the making."""

    def __init__(self, size: int) -> None:
        self._made: Recent[Hashable, tuple[float, Any]] = Recent(size)  # Any: each key's own kind of thing
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}

    async def get(self, key: Hashable, make: Callable[[], Awaitable[Any]], *, rest: float = REST) -> Any:
        """The thing of this key; one made before if that is no older than `rest` times as long as it took."""
        known = self._made.get(key)
        if known is not None and known[0] > asyncio.get_running_loop().time():
            return known[1]
        if key not in self._under_way:
            self._under_way[key] = asyncio.create_task(self._make(key, make, rest))
        return await asyncio.shield(self._under_way[key])

    async def _make(self, key: Hashable, make: Callable[[], Awaitable[Any]], rest: float) -> Any:
        clock = asyncio.get_running_loop().time
        begun = clock()
        try:
            thing = await make()
            self._made.put(key, (clock() + rest * (clock() - begun), thing))
            return thing
        finally:
            del self._under_way[key]
