"""Requests that wait for a cluster to change."""

import asyncio

from gateway_common.names import ClusterName


class Waiters:
    """Who waits for which cluster. There is never more in here than open requests (E-05)."""

    def __init__(self) -> None:
        self._waiting: dict[ClusterName, set[asyncio.Future[None]]] = {}
        self._closed = False

    def __len__(self) -> int:
        """How many wait."""
        return sum(map(len, self._waiting.values()))

    @property
    def closed(self) -> bool:
        """Whether nobody is to wait any more."""
        return self._closed

    def notify(self, name: ClusterName) -> None:
        """Wake those that wait for `name`: it has changed or is gone."""
        for future in self._waiting.get(name, ()):
            if not future.done():
                future.set_result(None)

    def close(self) -> None:
        """Wake everybody, and let nobody wait from now on: the process is about to end."""
        self._closed = True
        for name in list(self._waiting):
            self.notify(name)

    async def next_change(self, name: ClusterName) -> None:
        """Wait until `name` changes; returns at once when closed."""
        if self._closed:
            return
        future = asyncio.get_running_loop().create_future()
        others = self._waiting.setdefault(name, set())
        others.add(future)
        try:
            await future
        finally:
            others.discard(future)
            if not others and self._waiting.get(name) is others:
                del self._waiting[name]
