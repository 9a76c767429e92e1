"""One thing that many need: who may use it, and when."""

import asyncio

import pytest

from gateway_auth.authenticators.turns import NoTurn, Turns
from tests.kit.waiting import until


class Uses:
    """Callers that each use the thing until they are told to end."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.order: list[str] = []
        self.end = asyncio.Event()

    def call(self, origin: str, name: str = "") -> asyncio.Task[None]:
        return asyncio.create_task(self._use(origin, name or origin))

    async def _use(self, origin: str, name: str) -> None:
        async with self.turns.turn(origin):
            self.order.append(name)
            await self.end.wait()


async def begun(uses: Uses) -> asyncio.Task[None]:
    """Somebody who uses it now, so that all others wait."""
    first = uses.call("first")
    await until(lambda: uses.order == ["first"])
    return first


async def test_those_of_different_origins_take_turns() -> None:
    uses = Uses(Turns(most=10, patience=60))
    await begun(uses)
    waiting = [uses.call("many", f"many {number}") for number in range(3)]
    waiting += [uses.call("few"), uses.call("other")]
    await asyncio.sleep(0)
    uses.end.set()
    await asyncio.gather(*waiting)
    assert uses.order == ["first", "many 0", "few", "other", "many 1", "many 2"]


async def test_of_one_origin_no_more_wait_than_may() -> None:
    uses = Uses(Turns(most=2, patience=60))
    first = await begun(uses)
    waiting = [uses.call("many") for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(NoTurn):
        await uses.call("many")
    other = uses.call("other")
    uses.end.set()
    await asyncio.gather(first, *waiting, other)


async def test_whoever_has_waited_for_long_gives_up_and_costs_nothing() -> None:
    uses = Uses(Turns(most=2, patience=0.01))
    first = await begun(uses)
    for _ in range(3):
        with pytest.raises(NoTurn):
            await uses.call("late")
    uses.end.set()
    await first
    await uses.call("next")
    assert uses.order == ["first", "next"]


@pytest.mark.parametrize("turns_later", range(4))
async def test_a_turn_that_is_given_to_somebody_who_leaves_at_that_moment_goes_on_to_the_next(turns_later: int) -> None:
    uses = Uses(Turns(most=2, patience=60))
    await begun(uses)
    leaving, staying = uses.call("leaving"), uses.call("staying")
    await asyncio.sleep(0)
    uses.end.set()
    for _ in range(turns_later):
        await asyncio.sleep(0)
    leaving.cancel()
    await asyncio.wait_for(staying, 30)
    await asyncio.wait_for(uses.call("next"), 30)


async def test_an_error_ends_the_turn() -> None:
    turns = Turns(most=1, patience=60)
    with pytest.raises(ZeroDivisionError):
        async with turns.turn("one"):
            raise ZeroDivisionError
    async with turns.turn("two"):
        pass
