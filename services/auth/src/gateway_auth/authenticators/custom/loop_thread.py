"""An event loop in a thread of its own: code that blocks it keeps nobody else waiting."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

#: Seconds that work which has begun gets to finish in the end.
PATIENCE = 4.0


class LoopThread:
    """Runs coroutines elsewhere."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to run."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True)
        self._thread.start()

    async def run(self, coroutine: Coroutine[Any, Any, T], seconds: float) -> T:
        """Its result; raises TimeoutError, and leaves it alone then: code that blocks can't be stopped."""
        assert self._loop is not None, "it has not been started"
        future = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(coroutine, self._loop))
        # seen: whoever asked may be gone when it fails
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        done, _ = await asyncio.wait({future}, timeout=seconds)
        if not done:
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

    async def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        if others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others, timeout=PATIENCE)
        loop.stop()
