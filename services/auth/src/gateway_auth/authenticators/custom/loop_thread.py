"""An event loop in a thread of its own: code that blocks it, or ends it, keeps nobody else waiting."""

import asyncio
import logging
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds that work which has begun gets to finish in the end.
PATIENCE = 4.0


class LoopThread:
    """Runs coroutines elsewhere."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()

    def start(self) -> None:
        """Begin to run."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(self._loop,), name=self._name, daemon=True)
        self._thread.start()

    async def run(self, coroutine: Coroutine[Any, Any, T], seconds: float) -> T:
        """Its result. What it raises that is no Exception, such as SystemExit, is a RuntimeError here.

        Raises TimeoutError once so much time is over. The work is cancelled then, which code that blocks notices only
        when it blocks no longer.
        """
        assert self._loop is not None, "it has not been started"
        future = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_contained(coroutine), self._loop))
        # seen: whoever asked may be gone when it fails
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        done, _ = await asyncio.wait({future}, timeout=seconds)
        if not done:
            future.cancel()
            raise TimeoutError
        return future.result()

    def stop(self) -> None:
        """End it once its work is done, unless code that blocks still has it; it does not keep the process then."""
        if self._loop is None or self._thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._end(self._loop), self._loop)
        self._thread.join(timeout=PATIENCE + 1)
        if not self._thread.is_alive():
            self._loop.close()

    def _serve(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self._ending.is_set():
            try:
                loop.run_forever()
            except BaseException:
                # `sys.exit()` in a task that operators' code has started: not the end of the service
                logger.exception("The %s's thread goes on after a task tried to end it", self._name)

    async def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=PATIENCE)
        self._ending.set()
        loop.stop()


async def _contained(coroutine: Coroutine[Any, Any, T]) -> T:
    """Keeps in what would end more than this piece of work."""
    try:
        return await coroutine
    except Exception:
        raise
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        raise RuntimeError(f"it raised {error!r}") from error
