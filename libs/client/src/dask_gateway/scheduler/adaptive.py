"""Adaptive scaling: the number of workers that a cluster's load asks for."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

logger = logging.getLogger("distributed.scheduler.gateway")

_TARGET_DURATION = 5  # seconds that the present work should take
_WINDOW = 3  # targets that must agree before workers are given up


class AdaptiveWindow:
    """Decides a worker count out of the last targets: up at once, down only to the highest of them."""

    def __init__(self, minimum: int | None, maximum: int | None) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self._targets: deque[int] = deque(maxlen=_WINDOW)

    def decide(self, target: int, count: int) -> int:
        """The count to have, given what the load asks for and the count there is."""
        if self.minimum is not None:
            target = max(self.minimum, target)
        if self.maximum is not None:
            target = min(self.maximum, target)
        self._targets.append(target)
        return target if target > count else min(count, max(self._targets))


class Adaptive:
    """Asks the scheduler for its target every ``period`` seconds and passes decisions to ``scale``.

    count_others   how many workers there are that others scale; they are part of the scheduler's target
    """

    def __init__(
        self,
        scheduler: Any,
        period: float,
        get_count: Callable[[], int],
        scale: Callable[[int], None],
        count_others: Callable[[], int] = lambda: 0,
    ) -> None:
        self._scheduler = scheduler
        self._period = period
        self._get_count = get_count
        self._scale = scale
        self._count_others = count_others
        self._window = AdaptiveWindow(None, None)
        self._task: asyncio.Task[None] | None = None

    def start(self, minimum: int | None, maximum: int | None) -> None:
        """Scale by load between two bounds (None: no bound); when that goes on already, change the bounds."""
        logger.info("Enabling adaptive scaling, minimum=%r, maximum=%r", minimum, maximum)
        self._window.minimum, self._window.maximum = minimum, maximum
        if self._task is None:
            self._window = AdaptiveWindow(minimum, maximum)
            self._task = asyncio.ensure_future(self._run())

    def stop(self) -> None:
        """End adaptive scaling, keeping the count there is."""
        if self._task is not None:
            logger.info("Disabling adaptive scaling")
            self._task.cancel()
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                target = self._scheduler.adaptive_target(target_duration=_TARGET_DURATION)
                target = max(target - self._count_others(), 0)
                self._scale(self._window.decide(target, self._get_count()))
            except Exception:
                logger.warning("Error in adaptive loop", exc_info=True)
            await asyncio.sleep(self._period)
