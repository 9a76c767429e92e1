"""An API server that has a bad hour: the controller neither hammers it nor gives up, and needs no restart afterwards.

In virtual time, so that minutes pass at once and calls per second are exact.
"""

import asyncio
import inspect
from bisect import bisect_left
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

import pytest

from gateway_local.apiserver.faults import Fault
from tests.kit.simulated_world import SimulatedWorld, simulated_world
from tests.kit.virtual_time import run_virtually

Scene = Callable[..., Coroutine[Any, Any, None]]
CLUSTERS = 20
#: Lists and watches that a controller tries, and tries again, at the most; for clusters and pods together. A pause of
#: 0.1 s doubles to 10 s, and a list is tried four times.
LISTS_AND_WATCHES_A_SECOND, LISTS_AND_WATCHES_A_MINUTE = 16, 100
#: What it tries for one cluster: ten times in the first minute, and a call that has not arrived is sent four times.
CALLS_A_CLUSTER_A_MINUTE = 40
#: Seconds until it has noticed that the server is well again.
NOTICED = 12.0


class Watchman:
    """Counts the requests that are tried from now on."""

    def __init__(self, world: SimulatedWorld) -> None:
        self._attempts = world.network.attempts
        self._since = len(self._attempts)

    @property
    def total(self) -> int:
        return len(self._attempts) - self._since

    @property
    def busiest_second(self) -> int:
        times = self._attempts[self._since :]
        return max((index + 1 - bisect_left(times, time - 1.0) for index, time in enumerate(times)), default=0)


def in_a_busy_world(scene: Scene) -> Callable[..., None]:
    """A scene in virtual time, with a controller and clusters that run."""

    async def play(*arguments: Any) -> None:
        async with simulated_world() as world:
            world.network.weather.latency = 0.01
            await world.controller()
            for number in range(CLUSTERS):
                world.new_cluster(f"old{number}", replicas=1)
            await is_all_there(world, "first", 60.0)
            await asyncio.sleep(60.0)
            await scene(world, *arguments)

    @wraps(scene)
    def test(**arguments: Any) -> None:
        run_virtually(play(*arguments.values()))

    # without the world, which is no fixture
    _, *parameters = inspect.signature(scene).parameters.values()
    test.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return test


async def is_all_there(world: SimulatedWorld, name: str, seconds: float) -> None:
    """A new cluster and its two workers come to be within so many seconds."""
    world.new_cluster(name, replicas=2)
    async with asyncio.timeout(seconds):
        while world.phase(name) != "Running" or len(world.workers()[name]) < 2:  # noqa: ASYNC110  # no event says so
            await asyncio.sleep(0.1)


async def all_run(world: SimulatedWorld, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while any(world.phase(name) != "Running" for name in world.clusters()):  # noqa: ASYNC110  # no event says so
            await asyncio.sleep(0.1)


@in_a_busy_world
async def test_a_storm_of_410_costs_a_list_every_few_seconds_and_work_goes_on(world: SimulatedWorld) -> None:
    storm = world.server.faults.add(Fault(verb="watch", code=410))
    world.server.faults.drop_watches()
    watchman = Watchman(world)
    await asyncio.sleep(600.0)
    assert watchman.total <= 10 * LISTS_AND_WATCHES_A_MINUTE
    assert watchman.busiest_second <= LISTS_AND_WATCHES_A_SECOND
    await is_all_there(world, "meanwhile", 60.0)
    world.server.faults.remove(storm)
    await asyncio.sleep(NOTICED)
    await is_all_there(world, "afterwards", 10.0)


@in_a_busy_world
async def test_watches_that_fall_silent_are_noticed_within_two_minutes(world: SimulatedWorld) -> None:
    world.network.silence()
    watchman = Watchman(world)
    await is_all_there(world, "unheard", 120.0)
    assert watchman.busiest_second <= LISTS_AND_WATCHES_A_SECOND


@in_a_busy_world
async def test_a_server_that_is_away_for_a_minute_is_asked_now_and_then_and_found_again(world: SimulatedWorld) -> None:
    world.network.weather.refuses = True
    world.network.cut()
    watchman = Watchman(world)
    await asyncio.sleep(60.0)
    assert watchman.total <= LISTS_AND_WATCHES_A_MINUTE
    assert watchman.busiest_second <= LISTS_AND_WATCHES_A_SECOND
    world.network.weather.refuses = False
    await is_all_there(world, "afterwards", NOTICED + 10.0)


@in_a_busy_world
async def test_a_server_that_goes_away_in_the_middle_of_many_starts_finds_them_finished(world: SimulatedWorld) -> None:
    for number in range(CLUSTERS):
        world.new_cluster(f"new{number}", replicas=1)
    await asyncio.sleep(0.03)
    world.network.weather.refuses = True
    world.network.cut()
    watchman = Watchman(world)
    await asyncio.sleep(60.0)
    assert watchman.total <= LISTS_AND_WATCHES_A_MINUTE + CLUSTERS * CALLS_A_CLUSTER_A_MINUTE
    world.network.weather.refuses = False
    # the last pause of the first minute is 51.2 s long, and the clusters' start takes a moment
    await all_run(world, 60.0)


@pytest.mark.parametrize("code", [401, 403, 429, 500])
@in_a_busy_world
async def test_a_server_that_refuses_everything_for_a_while_is_not_hammered(world: SimulatedWorld, code: int) -> None:
    refusal = world.server.faults.add(Fault(code=code, retry_after=5 if code == 429 else None))
    world.server.faults.drop_watches()
    for number in range(CLUSTERS):
        world.new_cluster(f"new{number}", replicas=1)
    watchman = Watchman(world)
    await asyncio.sleep(300.0)
    assert watchman.total <= 5 * LISTS_AND_WATCHES_A_MINUTE
    assert watchman.busiest_second <= LISTS_AND_WATCHES_A_SECOND
    world.server.faults.remove(refusal)
    await all_run(world, NOTICED + 10.0)


@pytest.mark.parametrize("code", [401, 403, 429, 500])
@in_a_busy_world
async def test_creations_that_are_refused_for_a_while_are_tried_ever_more_seldom(
    world: SimulatedWorld, code: int
) -> None:
    refusal = world.server.faults.add(Fault(verb="create", code=code, retry_after=5 if code == 429 else None))
    for number in range(CLUSTERS):
        world.new_cluster(f"new{number}", replicas=1)
    watchman = Watchman(world)
    await asyncio.sleep(60.0)
    first, watchman = watchman.total, Watchman(world)
    assert first <= CLUSTERS * CALLS_A_CLUSTER_A_MINUTE
    await asyncio.sleep(540.0)
    assert watchman.total / 9 < first / 2
    world.server.faults.remove(refusal)
    await is_all_there(world, "afterwards", 10.0)
    await all_run(world, 300.0)
