"""Who may use the one thing that all need, and when."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class NoTurn(Exception):
    """Too many wait already, or it took too long."""


class Turns:
    """Lets in one at a time, and those of different origins by turns: many of one keep nobody else waiting.

    most
        Of one origin that may wait.
    patience
        Seconds after which whoever waits gives up: nobody listens to the answer any more.
    """

    def __init__(self, *, most: int, patience: float) -> None:
        self._most = most
        self._patience = patience
        self._is_taken = False
        #: By origin, the one whose turn is next first.
        self._lines: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, origin: str) -> AsyncGenerator[None, None]:
        """Entered when it is the caller's turn, which ends with the block; raises NoTurn."""
        if self._is_taken:
            await self._wait(origin)
        self._is_taken = True
        try:
            yield
        finally:
            self._pass_on()

    async def _wait(self, origin: str) -> None:
        line = self._lines.setdefault(origin, deque())
        if len(line) >= self._most:
            raise NoTurn
        turn = asyncio.get_running_loop().create_future()
        line.append(turn)
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except BaseException as error:
            if turn in line:
                line.remove(turn)
            else:
                # it was given in the very moment in which it was given up
                self._pass_on()
            if isinstance(error, TimeoutError):
                raise NoTurn from error
            raise

    def _pass_on(self) -> None:
        while self._lines:
            origin, line = self._lines.popitem(last=False)
            turn = line.popleft() if line else None
            if line:
                self._lines[origin] = line
            if turn and not turn.done():
                turn.set_result(None)
                return
        self._is_taken = False
