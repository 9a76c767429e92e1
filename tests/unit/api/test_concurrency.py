"""Waiting, sharing calls, and running the operator's code aside."""

import asyncio
import threading

from gateway_api.clusters.waiters import Waiters
from gateway_api.options.operator_code import OperatorCode
from gateway_api.single_flight import FreshFlight, SingleFlight
from gateway_common.names import ClusterName
from tests.kit.waiting import until

NAME = ClusterName("dask", "one")


async def test_a_change_wakes_those_that_wait_for_it_and_leaves_nothing_behind() -> None:
    waiters = Waiters()
    ours = [asyncio.create_task(waiters.next_change(NAME)) for _ in range(2)]
    other = asyncio.create_task(waiters.next_change(ClusterName("dask", "two")))
    await until(lambda: len(waiters) == 3)

    waiters.notify(NAME)
    await asyncio.gather(*ours)
    assert len(waiters) == 1
    other.cancel()
    await asyncio.wait([other])

    assert len(waiters) == 0
    assert waiters._waiting == {}


async def test_nobody_waits_after_the_end() -> None:
    waiters = Waiters()
    waiting = asyncio.create_task(waiters.next_change(NAME))
    await until(lambda: len(waiters) == 1)

    waiters.close()

    await waiting
    await waiters.next_change(NAME)


async def test_one_call_answers_all_that_want_the_same_even_if_the_first_goes_away() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    calls = 0
    release = asyncio.Event()

    async def call() -> int:
        nonlocal calls
        calls += 1
        await release.wait()
        return calls

    first, second = (asyncio.create_task(flights.run("key", call)) for _ in range(2))
    await until(lambda: calls == 1)
    first.cancel()
    release.set()

    assert await second == 1
    assert await flights.run("key", call) == 2


async def test_an_error_reaches_all_callers_and_is_not_kept() -> None:
    flights: SingleFlight[str, int] = SingleFlight()

    async def fail() -> int:
        raise ValueError("no")

    results = await asyncio.gather(flights.run("k", fail), flights.run("k", fail), return_exceptions=True)

    assert [type(result) for result in results] == [ValueError, ValueError]
    assert flights._flights == {}


async def test_a_fresh_call_is_never_one_that_began_before() -> None:
    flights: FreshFlight[str, int] = FreshFlight()
    begun = 0
    gates = [asyncio.Event() for _ in range(3)]

    async def call() -> int:
        nonlocal begun
        begun += 1
        number = begun
        await gates[number - 1].wait()
        return number

    first = asyncio.create_task(flights.run("key", call))
    await until(lambda: begun == 1)
    others = [asyncio.create_task(flights.run("key", call)) for _ in range(3)]
    await asyncio.sleep(0)
    assert begun == 1
    gates[0].set()
    await until(lambda: begun == 2)
    late = asyncio.create_task(flights.run("key", call))
    gates[1].set()
    gates[2].set()

    assert await asyncio.gather(first, *others, late) == [1, 2, 2, 2, 3]
    await until(lambda: not flights._last)
    assert flights._waiting == {}


async def test_a_fresh_call_follows_one_that_failed_and_whose_caller_has_gone() -> None:
    flights: FreshFlight[str, int] = FreshFlight()
    gate = asyncio.Event()

    async def fail() -> int:
        await gate.wait()
        raise ValueError("no")

    async def answer() -> int:
        return 1

    first = asyncio.create_task(flights.run("key", fail))
    await asyncio.sleep(0)
    second = asyncio.create_task(flights.run("key", answer))
    await asyncio.sleep(0)
    first.cancel()
    gate.set()

    assert await second == 1


async def test_operator_code_runs_in_a_thread_and_the_event_loop_goes_on() -> None:
    code = OperatorCode(timeout=60)
    enough = threading.Event()

    async def blocking() -> int:
        enough.wait(60)  # what operators do
        return threading.get_ident()

    running = asyncio.create_task(code.run(blocking))
    for _ in range(5):
        await asyncio.sleep(0.001)
    assert not running.done()
    enough.set()

    assert await running != threading.get_ident()
