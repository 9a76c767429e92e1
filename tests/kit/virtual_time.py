"""Time that passes only while nobody has anything to do: an hour of waiting costs nothing, and no machine is too slow.

All that takes part lives in one thread and reads its time from the event loop, or from a `Clock` made of it. Then the
order of everything that happens depends on the program alone, and repeats.
"""

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

#: 2026-11-23T12:00:00Z, a whole second.
EPOCH = 1795435200.0


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps to the next timer when nothing else is to be done.

    `turns` counts the rounds of callbacks so far: a finer measure than time of how far everybody has come.
    """

    def __init__(self) -> None:
        self._elapsed = 0.0
        self.turns = 0
        self._at_turn: dict[int, list[Callable[[], object]]] = {}
        super().__init__(_Selector(self._pass))

    def time(self) -> float:
        return self._elapsed

    def clock(self) -> float:
        """Seconds since the epoch, as a `gateway_common.clock.Clock`."""
        return EPOCH + self._elapsed

    def call_at_turn(self, turn: int, callback: Callable[[], object]) -> None:
        """Call before that round of callbacks, which may be long after now or very soon."""
        self._at_turn.setdefault(max(turn, self.turns + 1), []).append(callback)

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> "asyncio.Future[T]":
        """At once and in this thread: another one's pace would be the machine's."""
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def _pass(self, seconds: float | None) -> None:
        self.turns += 1
        for callback in self._at_turn.pop(self.turns, ()):
            self.call_soon(callback)
        if seconds is None:
            raise RuntimeError("everybody waits, and nobody will ever go on")
        self._elapsed += seconds


class _Selector(selectors.DefaultSelector):
    """Waits for nothing but says how long it would have."""

    def __init__(self, passed: Callable[[float | None], None]) -> None:
        super().__init__()
        self._passed = passed

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(0)
        self._passed(0.0 if events else timeout)
        return events


def run_virtually(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end on a loop of its own."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


def virtual_loop() -> VirtualLoop:
    """The loop that runs this."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    return loop
