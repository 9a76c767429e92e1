"""Which of several replicas acts: the one that holds the Lease, as long as it renews it.

Two never act at once. A leader counts its time from before it sent a renewal, and ends what it does after
`renew_deadline`, whether the API server can be reached or not. The others count from when they saw that renewal, which
was later, and wait longer: for `duration`. Each counts on a clock of its own that never goes back; the times in the
Lease are for people. (The protocol of client-go's tools/leaderelection.)

A process that was paused does not know it when it wakes. So `check` is asked before each write, by the clock.
"""

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from gateway_common.backoff import system_random
from gateway_common.clock import Clock, system_clock
from gateway_common.errors import AlreadyExists, Conflict, KubeError, KubeUnavailable, NotFound
from gateway_controller.lease import Found, LeaseLock, LeaseRecord

logger = logging.getLogger(__name__)

#: What the leader does. It gets the note that the last leader left if it gave the lease back, else "". It ends by
#: itself once it was told to stop, and returns the note to leave; or it is cancelled.
Work = Callable[[str], Coroutine[Any, Any, str]]


class NotLeading(KubeUnavailable):
    """This replica may not write: it does not hold the Lease, or not for certain."""


@dataclass(frozen=True, slots=True)
class LeaseTiming:
    """In seconds. A crashed leader is replaced within `duration` + `renew_period` + a look or two."""

    #: Others take a lease that has not changed for so long.
    duration: int = 10
    #: A leader that could not renew for so long leads no more. Less than `duration`, by what ending may take.
    renew_deadline: float = 7.0
    renew_period: float = 2.0
    #: Between two looks of those that wait, at the most; also between two tries to renew.
    retry_period: float = 0.8
    #: That giving the lease back may take.
    release_timeout: float = 1.0


def steady_clock() -> float:
    """Seconds that never go back, and go on while the machine sleeps, where the system can tell."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


class Election:
    """One replica's part in the election.

    `identity` is this replica's name. Who starts anew under a name takes back the lease that is held by it at once, so
    two processes never share one.
    """

    def __init__(
        self,
        lock: LeaseLock,
        identity: str,
        *,
        timing: LeaseTiming | None = None,
        clock: Callable[[], float] = steady_clock,
        wall_clock: Clock = system_clock,
        rng: random.Random | None = None,
    ) -> None:
        self._lock = lock
        self._identity = identity
        self._timing = timing or LeaseTiming()
        self._clock = clock
        self._wall_clock = wall_clock
        self._rng = rng or system_random()
        self._leads_until = float("-inf")
        self._seen: Found | None = None
        self._seen_at = 0.0
        #: What the Lease may say because this process wrote it: the last success, and tries since.
        self._own: deque[LeaseRecord] = deque(maxlen=16)
        self._failing = False
        self._note = ""

    @property
    def is_leading(self) -> bool:
        return self._clock() < self._leads_until

    def check(self) -> None:
        """Raises NotLeading unless this replica leads now, for certain."""
        if not self.is_leading:
            raise NotLeading("another replica may be leading: nothing is written")

    async def run(self, work: Work, stopping: asyncio.Event) -> None:
        """Do the work whenever elected, until `stopping` is set; then `work` has to end, and the lease is given back.

        `work` is cancelled when the lease is lost, and called again when it was won again. What it raises is raised.
        """
        while not stopping.is_set():
            if await self._campaign():
                await self._lead(work)
            else:
                with suppress(TimeoutError):
                    async with asyncio.timeout(self._timing.retry_period * self._rng.uniform(0.75, 1.0)):
                        await stopping.wait()

    # winning

    async def _campaign(self) -> bool:
        """Take the lease if that can be done now."""
        try:
            async with asyncio.timeout(self._timing.renew_deadline):
                await self._take_if_free()
        except (Conflict, AlreadyExists):
            # somebody else was faster, or the answer to a try of our own was lost: the next look tells
            return False
        except (KubeError, TimeoutError) as error:
            level = logging.DEBUG if self._failing else logging.WARNING
            logger.log(level, "Cannot use the %s: %s", self._lock, str(error) or "no answer in time")
            self._failing = True
            return False
        self._failing = False
        return self.is_leading

    async def _take_if_free(self) -> None:
        found = await self._lock.read()
        if not self._is_free(found):
            return
        began, now = self._clock(), self._now()
        if found is None:
            self._own.append(record := LeaseRecord(self._identity, self._timing.duration, now, now))
            self._won(await self._lock.create(record), began)
            self._note = ""
        else:
            transitions = found.record.transitions + (found.record.holder != self._identity)
            self._own.append(record := LeaseRecord(self._identity, self._timing.duration, now, now, transitions))
            self._won(await self._lock.replace(found.version, record), began)
            self._note = "" if found.record.holder else found.record.note

    def _is_free(self, found: Found | None) -> bool:
        """Whether nobody leads, as far as this replica has watched the lease."""
        first_look = self._seen is None
        if found and (self._seen is None or self._seen.record != found.record):
            self._seen_at = self._clock()
        # Who leads by a lease that somebody has deleted does not know it yet.
        self._seen = found or self._seen
        if self._seen is None:
            return True
        record = self._seen.record
        if not record.holder or record in self._own or (first_look and record.holder == self._identity):
            return True
        return self._clock() - self._seen_at >= (record.duration or self._timing.duration)

    def _won(self, found: Found, began: float) -> None:
        self._seen, self._seen_at = found, self._clock()
        self._own.clear()
        self._own.append(found.record)
        self._leads_until = began + self._timing.renew_deadline

    def _now(self) -> str:
        return datetime.fromtimestamp(self._wall_clock(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")

    # leading

    async def _lead(self, work: Work) -> None:
        logger.info("%s leads by the %s", self._identity, self._lock)
        working = asyncio.create_task(work(self._note), name="leading")
        renewing = asyncio.create_task(self._keep_renewing(), name="renewing the lease")
        try:
            await asyncio.wait({working, renewing}, return_when=asyncio.FIRST_COMPLETED)
            await _end(working, renewing)
            if self.is_leading:
                await self._release(_note_of(working))
        finally:
            self._leads_until = float("-inf")
            await _end(working, renewing)
        for task in (working, renewing):
            if not task.cancelled():
                task.result()

    async def _keep_renewing(self) -> None:
        """Ends when the lease is lost."""
        while True:
            await asyncio.sleep(self._timing.renew_period)
            try:
                async with asyncio.timeout(max(self._leads_until - self._clock(), 0.0)):
                    renewed = await self._renew()
            except TimeoutError:
                logger.warning("The %s could not be renewed in time: %s leads no more", self._lock, self._identity)
                return
            if not renewed:
                logger.warning("The %s was taken by another: %s leads no more", self._lock, self._identity)
                self._leads_until = float("-inf")
                return

    async def _renew(self) -> bool:
        """Try until it is renewed; False: somebody else has written the lease."""
        while True:
            began = self._clock()
            try:
                self._won(await self._replace_own(renewed=self._now()), began)
            except (Conflict, AlreadyExists):
                return False
            except KubeError as error:
                logger.info("Cannot renew the %s: %s", self._lock, error)
                await asyncio.sleep(self._timing.retry_period)
            else:
                return True

    async def _replace_own(self, **changes: Any) -> Found:
        """Write the lease that this replica holds; raises Conflict or AlreadyExists if it does not any more."""
        assert self._seen, "who leads has seen the lease"
        self._own.append(record := replace(self._seen.record, **changes))
        try:
            return await self._lock.replace(self._seen.version, record)
        except Conflict:
            # by an earlier try of ours, perhaps, whose answer was lost
            found = await self._lock.read()
            if found and found.record in self._own:
                return await self._lock.replace(found.version, record)
            raise
        except NotFound:
            return await self._lock.create(record)

    async def _release(self, note: str) -> None:
        """Let others take the lease at once. If that fails, they take it when it has expired."""
        now = self._now()
        try:
            async with asyncio.timeout(self._timing.release_timeout):
                await self._replace_own(holder="", duration=1, acquired=now, renewed=now, note=note)
        except (KubeError, TimeoutError) as error:
            logger.warning("Cannot give back the %s: %s", self._lock, str(error) or "no answer in time")
        else:
            logger.info("%s has given back the %s", self._identity, self._lock)


def _note_of(working: asyncio.Task[str]) -> str:
    """Who was cut off or failed does not know what others need to know."""
    return "" if working.cancelled() or working.exception() else working.result()


async def _end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks and wait until they have ended; what they raised stays with them."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
