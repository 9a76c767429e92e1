"""How many calls of the operator's code may be out at a time, in all and for one user. Counts; runs nothing.

A call has one of a few places while it is young. One that takes longer waits for something, or hangs: it goes on
without a place, so that others get theirs. One that takes too long is given up, and counted until it returns after all.
"""

import asyncio
from collections.abc import Callable

#: Calls that run at the same time. More of them would only share one processor.
PLACES = 8
#: Calls without a place; also calls given up at which no more are made. A thread of each is still there.
MOST_WITHOUT_PLACE = 64
#: Calls of one user, those that were given up among them: nobody's request takes everybody's places.
CALLS_PER_USER = 4


class Full(Exception):
    """So many calls were given up and have not returned that no more are made."""


class _Line:
    """One user's calls, and requests that wait to make one."""

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(CALLS_PER_USER)
        self.members = 0
        self.given_up = 0


class Places:
    """All calls that are out."""

    def __init__(self) -> None:
        self.young = asyncio.Semaphore(PLACES)
        self.without_place = 0
        self.given_up = 0
        self._lines: dict[str, _Line] = {}

    async def enter(self, user: str) -> "Place":
        """Wait for a place; raises Full."""
        line = self._lines.setdefault(user, _Line())
        line.members += 1
        try:
            self._check(line)
            await line.turns.acquire()
            try:
                await self.young.acquire()
                try:
                    # of many that are given up at once, the first make room for those that wait
                    self._check(line)
                except Full:
                    self.young.release()
                    raise
            except BaseException:
                line.turns.release()
                raise
        except BaseException:
            self._leave(user, line)
            raise
        return Place(self, line, lambda: self._leave(user, line))

    def _check(self, line: _Line) -> None:
        """Threads are never more than MOST_WITHOUT_PLACE and twice PLACES."""
        out = self.without_place >= MOST_WITHOUT_PLACE + PLACES
        if out or self.given_up >= MOST_WITHOUT_PLACE or line.given_up >= CALLS_PER_USER:
            raise Full

    def _leave(self, user: str, line: _Line) -> None:
        line.members -= 1
        if not line.members:
            del self._lines[user]


class Place:
    """One call's."""

    def __init__(self, places: Places, line: _Line, leave_line: Callable[[], None]) -> None:
        self._places = places
        self._line = line
        self._leave_line = leave_line
        self._young = True
        self._given_up = False

    def make_room(self) -> None:
        """Go on without a place, unless too many do so already."""
        if self._young and self._places.without_place < MOST_WITHOUT_PLACE:
            self._go_without()

    def give_up(self) -> None:
        """Nobody waits for the call any more."""
        if self._young:
            self._go_without()
        self._given_up = True
        self._places.given_up += 1
        self._line.given_up += 1

    def leave(self) -> None:
        """The call has returned, whenever that is."""
        if self._young:
            self._places.young.release()
        else:
            self._places.without_place -= 1
        if self._given_up:
            self._places.given_up -= 1
            self._line.given_up -= 1
        self._line.turns.release()
        self._leave_line()

    def _go_without(self) -> None:
        self._young = False
        self._places.without_place += 1
        self._places.young.release()
