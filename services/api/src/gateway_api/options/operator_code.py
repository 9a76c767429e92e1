"""Running the operator's code where it can't hold up other requests, for a limited time."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from threading import Thread
from typing import Any, TypeVar

from gateway_common.errors import GatewayError

T = TypeVar("T")

logger = logging.getLogger(__name__)

#: Calls that run at the same time. One that never returns keeps its place for ever: Python can't end a thread.
CONCURRENT_CALLS = 8


class OperatorCodeTimeout(GatewayError):
    """The operator's code did not return in time."""


class OperatorCode:
    """Runs coroutines, each in a thread and on an event loop of its own.

    The threads are daemons: code that hangs does not keep the process from ending.
    """

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._places = asyncio.Semaphore(CONCURRENT_CALLS)

    async def run(self, call: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of `call`; raises what it raises, and OperatorCodeTimeout."""
        try:
            async with asyncio.timeout(self._timeout):
                await self._places.acquire()
                return await self._start(call)
        except TimeoutError as error:
            raise OperatorCodeTimeout(f"The options did not answer within {self._timeout:g} seconds") from error

    def _start(self, call: Callable[[], Coroutine[Any, Any, T]]) -> asyncio.Future[T]:
        loop = asyncio.get_running_loop()
        outcome: asyncio.Future[T] = loop.create_future()

        def settle(result: T | None, error: BaseException | None) -> None:
            self._places.release()
            if outcome.done():
                logger.warning("The options answered at last, after their caller had gone")
            elif error is not None:
                outcome.set_exception(error)
            else:
                outcome.set_result(result)  # type: ignore[arg-type]  # T may be None itself

        def work() -> None:
            result, failure = None, None
            try:
                result = asyncio.run(call())
            except Exception as error:
                failure = error
            except BaseException as error:  # SystemExit must end neither this process nor the request's task
                failure = RuntimeError(f"The options ended with {type(error).__name__}: {error}")
            try:
                loop.call_soon_threadsafe(settle, result, failure)
            except RuntimeError:
                logger.debug("The options answered after the service had ended")

        Thread(target=work, name="operator-code", daemon=True).start()
        return outcome
