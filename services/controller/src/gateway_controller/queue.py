"""Which cluster is looked at next: each key once, never by two workers at a time, later again after a failure (K-041).

It knows nothing of clusters. All but `get` is synchronous and takes its time from a clock, so that tests set it.
"""

import asyncio
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from gateway_common.object_store import ObjectKey

#: Entries that are no longer meant, beyond as many as are, before they are thrown out.
_SLACK = 64


def _loop_time() -> float:
    """By the clock that wakes those who wait."""
    return asyncio.get_running_loop().time()


class WorkQueue:
    """Keys that are due now or later. Times are in seconds of `clock`, which never goes back."""

    def __init__(
        self, *, base_delay: float = 0.1, max_delay: float = 300.0, clock: Callable[[], float] = _loop_time
    ) -> None:
        self._base_delay = base_delay
        self._max_delay = max_delay
        self._clock = clock
        self._due: dict[ObjectKey, None] = {}
        self._in_work: set[ObjectKey] = set()
        #: Keys that became due while somebody worked on them.
        self._again: set[ObjectKey] = set()
        self._delayed: dict[ObjectKey, float] = {}
        #: May hold entries that `_delayed` no longer agrees with; these are passed over.
        self._heap: list[tuple[float, ObjectKey]] = []
        self._failures: dict[ObjectKey, int] = {}
        self._changed = asyncio.Event()

    def add(self, key: ObjectKey) -> None:
        """The key is due now."""
        if key in self._in_work:
            self._again.add(key)
        else:
            self._due[key] = None
            self._changed.set()

    def add_after(self, key: ObjectKey, delay: float) -> None:
        """The key is due in `delay` seconds, or sooner if that was said before."""
        if delay <= 0:
            self.add(key)
            return
        due = self._clock() + delay
        if due < self._delayed.get(key, float("inf")):
            self._delayed[key] = due
            heappush(self._heap, (due, key))
            if len(self._heap) > 2 * len(self._delayed) + _SLACK:
                # a cluster that is looked at often, and each time once more in a day, would fill it
                self._heap = [(due, key) for key, due in self._delayed.items()]
                heapify(self._heap)
            self._changed.set()

    def retry(self, key: ObjectKey, at_least: float = 0.0) -> float:
        """The key failed: it is due after a pause that doubles with each failure. Returns the pause."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        # 2.0**failures would overflow after days of failures
        delay = max(min(self._base_delay * 2.0 ** min(failures, 64), self._max_delay), at_least)
        self.add_after(key, delay)
        return delay

    def succeed(self, key: ObjectKey) -> None:
        """The key's next failure is a first one again."""
        self._failures.pop(key, None)

    def take(self) -> ObjectKey | None:
        """A key that is due, if there is one. Whoever takes it calls `done`.

        What it was to be looked at later for is forgotten: each look decides anew when the next one is.
        """
        self._promote()
        if not self._due:
            return None
        key = next(iter(self._due))
        del self._due[key]
        self._delayed.pop(key, None)
        self._in_work.add(key)
        return key

    def done(self, key: ObjectKey) -> None:
        """Nobody works on the key any more."""
        self._in_work.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def pause(self) -> float | None:
        """Seconds until the next delayed key is due; None: nothing is waited for."""
        while self._heap and self._delayed.get(self._heap[0][1]) != self._heap[0][0]:
            heappop(self._heap)
        return max(self._heap[0][0] - self._clock(), 0.0) if self._heap else None

    async def get(self) -> ObjectKey:
        """Wait for a key that is due. For one waiter only."""
        while True:
            self._changed.clear()
            if (key := self.take()) is not None:
                return key
            try:
                async with asyncio.timeout(self.pause()):
                    await self._changed.wait()
            except TimeoutError:
                pass

    def __len__(self) -> int:
        """Keys that are due, delayed or in work, and failures that are remembered."""
        return len({*self._due, *self._in_work, *self._delayed, *self._failures})

    def counts(self) -> dict[str, int]:
        """How many keys are due, in work, delayed, and failing: the last are in one of the others, too."""
        return {
            "due": len(self._due),
            "working": len(self._in_work),
            "delayed": len(self._delayed),
            "failing": len(self._failures),
        }

    def _promote(self) -> None:
        while self.pause() == 0.0:
            _, key = heappop(self._heap)
            del self._delayed[key]
            self.add(key)
