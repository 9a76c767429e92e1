"""One call for many callers that want the same thing at the same time."""

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Calls in flight by key. A caller that goes away does not take the others' answer with it."""

    def __init__(self) -> None:
        self._flights: dict[K, asyncio.Task[V]] = {}

    async def run(self, key: K, call: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The result, or the error, of the call for `key` that is under way, else of a new one."""
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(call())
            flight.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(flight)

    def _land(self, key: K, flight: asyncio.Task[V]) -> None:
        del self._flights[key]
        if not flight.cancelled():
            # seen: its callers may all have gone away
            flight.exception()


class FreshFlight(Generic[K, V]):
    """The same for those whom an older answer does not serve: nobody joins a call that began before they asked.

    However many ask, there is one call under way and one that waits for its end.
    """

    def __init__(self) -> None:
        self._waiting: dict[K, asyncio.Task[V]] = {}
        self._last: dict[K, asyncio.Task[V]] = {}

    async def run(self, key: K, call: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The result, or the error, of a call for `key` that begins now or later."""
        flight = self._waiting.get(key)
        if flight is None:
            flight = asyncio.create_task(self._fly(key, call, self._last.get(key)))
            self._waiting[key] = self._last[key] = flight
            flight.add_done_callback(lambda done: self._land(key, done))
        return await asyncio.shield(flight)

    async def _fly(self, key: K, call: Callable[[], Coroutine[Any, Any, V]], before: asyncio.Task[V] | None) -> V:
        if before is not None:
            await asyncio.wait((before,))
        del self._waiting[key]
        return await call()

    def _land(self, key: K, flight: asyncio.Task[V]) -> None:
        if self._last.get(key) is flight:
            del self._last[key]
        if not flight.cancelled():
            # seen: its callers may all have gone away
            flight.exception()
