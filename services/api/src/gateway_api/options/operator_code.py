"""Running the operator's code where it can't hold up other requests, for a limited time.

OperatorCodeError             no result; the text is for the user
├── OperatorCodeFailed        it raised, or answered what it must not; the cause says what
├── OperatorCodeTimeout       it did not answer in time
└── OperatorCodeBusy          too many earlier calls have not returned yet
"""

import asyncio
import ctypes
import logging
from collections.abc import Callable, Coroutine
from functools import partial
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

from gateway_api.options.places import MOST_WITHOUT_PLACE, Full, Place, Places
from gateway_common.errors import GatewayError

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: Seconds after which a call makes room for others.
PATIENCE = 1.0
#: Seconds from giving a call up to cancelling it in its own event loop, and from there to interrupting its thread.
LEEWAY = 0.1


class OperatorCodeError(GatewayError):
    """The operator's code gave no result. The text is for the user."""


class OperatorCodeFailed(OperatorCodeError, RuntimeError):
    """The operator's code raised, or answered what it must not. `function` is what ran."""

    def __init__(self, text: str, function: str = "") -> None:
        super().__init__(text)
        self.function = function


class OperatorCodeTimeout(OperatorCodeError):
    """The operator's code did not return in time."""


class OperatorCodeBusy(OperatorCodeError):
    """Too many calls have not returned."""


class OperatorCode:
    """Runs coroutines, each in a thread and on an event loop of its own.

    Parameters
    ----------
    timeout
        Seconds until a call must have returned, those in which it waits for its turn included.
    patience
        Seconds after which a call makes room for others.
    """

    def __init__(self, timeout: float, *, patience: float = PATIENCE) -> None:
        self._timeout = timeout
        self._patience = patience
        self._places = Places()

    async def run(
        self,
        call: Callable[[], Coroutine[Any, Any, T]],
        *,
        user: str = "",
        function: Callable[[], str] = lambda: "the options",
    ) -> T:
        """The result of `call`; raises what it raises, and OperatorCodeError.

        Parameters
        ----------
        user
            For whom it is made.
        function
            Says which of the operator's functions runs at the moment, for the log.
        """
        deadline = asyncio.get_running_loop().time() + self._timeout
        try:
            async with asyncio.timeout_at(deadline):
                place = await self._places.enter(user)
        except Full:
            raise OperatorCodeBusy(
                "The options can't be worked out now: the operator's code has not returned from earlier requests. Try "
                "again later, and tell the operator of this gateway."
            ) from None
        except TimeoutError:
            raise self._too_late() from None
        running = _Call(place, call, deadline - asyncio.get_running_loop().time() + LEEWAY)
        timers = [
            running.loop.call_later(self._patience, place.make_room),
            running.loop.call_at(deadline, partial(self._give_up, running, user, function)),
        ]
        return await running.start(timers)

    def _give_up(self, running: "_Call[Any]", user: str, function: Callable[[], str]) -> None:
        logger.warning(
            "%s has not returned within %g seconds for user %r, and nobody waits for it any more: it is one of %d such "
            "calls whose threads are still there, at most %d",
            function(),
            self._timeout,
            user,
            self._places.given_up + 1,
            MOST_WITHOUT_PLACE,
        )
        running.give_up(self._too_late())

    def _too_late(self) -> OperatorCodeTimeout:
        return OperatorCodeTimeout(f"The options did not answer within {self._timeout:g} seconds")


class _GivenUp(BaseException):
    """Raised in a thread whose result nobody wants. It ends an endless loop, and no call that blocks."""


class _Call(Generic[T]):
    """One call, in a thread. What `_work` calls runs there, all else on the service's event loop."""

    def __init__(self, place: Place, call: Callable[[], Coroutine[Any, Any, T]], longest: float) -> None:
        self._longest = longest
        self.loop = asyncio.get_running_loop()
        self._place = place
        self._call = call
        self._outcome: asyncio.Future[T] = self.loop.create_future()
        self._lock = Lock()
        self._interruptible = False
        self._timers: list[asyncio.TimerHandle] = []
        self._thread = Thread(target=self._work, name="operator-code", daemon=True)

    def start(self, timers: list[asyncio.TimerHandle]) -> asyncio.Future[T]:
        """The result to come; `timers` end when the thread does."""
        self._timers = timers
        self._thread.start()
        return self._outcome

    def give_up(self, error: OperatorCodeError) -> None:
        """Answer the caller, and see whether the thread can be brought to an end."""
        self._place.give_up()
        if not self._outcome.done():
            self._outcome.set_exception(error)
        self._timers.append(self.loop.call_later(2 * LEEWAY, self._interrupt))

    def _interrupt(self) -> None:
        """End a loop that never ends: beside a few of them this service would hardly get a turn."""
        with self._lock:
            if self._interruptible:
                thread = ctypes.c_ulong(self._thread.ident or 0)
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(_GivenUp))

    def _work(self) -> None:
        result: T | None = None
        failure: Exception | None = None
        try:
            result = asyncio.run(asyncio.wait_for(self._guarded(), self._longest))
        except Exception as error:
            failure = error
        except BaseException as error:  # SystemExit must end neither this process nor the request's task
            failure = OperatorCodeFailed(f"The options ended with {type(error).__name__}: {error}")
            failure.__cause__ = error
        self._report(result, failure)

    async def _guarded(self) -> T:
        """The call. It alone may be interrupted: an event loop would be left open."""
        with self._lock:
            self._interruptible = True
        try:
            return await self._call()
        finally:
            with self._lock:
                self._interruptible = False
            # an interruption that is on its way arrives at a loop's end, so here and not in the event loop
            for _ in range(2):
                pass

    def _report(self, result: T | None, failure: Exception | None) -> None:
        try:
            self.loop.call_soon_threadsafe(self._settle, result, failure)
        except RuntimeError:
            logger.debug("The options answered after the service had ended")

    def _settle(self, result: T | None, failure: Exception | None) -> None:
        for timer in self._timers:
            timer.cancel()
        self._place.leave()
        if self._outcome.done():
            logger.debug("The options answered after their caller had gone")
        elif failure is not None:
            self._outcome.set_exception(failure)
        else:
            self._outcome.set_result(result)  # type: ignore[arg-type]  # T may be None itself
