"""The operator's code, whatever it does: one that hangs or ends takes nothing from others for long."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from gateway_api.options import places
from gateway_api.options.operator_code import (
    OperatorCode,
    OperatorCodeBusy,
    OperatorCodeFailed,
    OperatorCodeTimeout,
)
from gateway_api.options.places import CALLS_PER_USER, MOST_WITHOUT_PLACE, PLACES
from tests.kit.waiting import until


class Blocked:
    """Calls that block until they are let go, which is when a test ends."""

    def __init__(self) -> None:
        self.running = 0
        self._gate = threading.Event()

    async def call(self) -> None:
        self.running += 1
        self._gate.wait(60)

    def release(self) -> None:
        self._gate.set()


async def answer() -> int:
    return 1


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "operator-code"]


@asynccontextmanager
async def blocked() -> AsyncIterator[Blocked]:
    """All threads are gone when it ends, so that no test counts another's."""
    calls = Blocked()
    try:
        yield calls
    finally:
        calls.release()
        await until(lambda: not threads())


async def test_what_it_returns_and_raises_is_the_callers() -> None:
    async def fail() -> None:
        raise LookupError("nothing there")

    code = OperatorCode(timeout=5)

    assert await code.run(answer) == 1
    with pytest.raises(LookupError, match="nothing there"):
        await code.run(fail)


@pytest.mark.parametrize("end", [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), asyncio.CancelledError()])
async def test_it_can_end_neither_the_process_nor_the_request(end: BaseException) -> None:
    async def leave() -> None:
        raise end

    with pytest.raises(OperatorCodeFailed, match=type(end).__name__):
        await OperatorCode(timeout=5).run(leave)
    await until(lambda: not threads())


async def test_a_call_that_hangs_is_given_up_and_named_once_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with blocked() as calls:
        code = OperatorCode(timeout=0.05)
        with (
            caplog.at_level(logging.WARNING),
            pytest.raises(OperatorCodeTimeout, match=r"did not answer within 0\.05 seconds"),
        ):
            await code.run(calls.call, user="alice", function=lambda: "site.handler")
        assert await code.run(answer, user="alice") == 1

    (record,) = caplog.records
    assert record.getMessage().startswith("site.handler has not returned within 0.05 seconds for user 'alice'")


async def test_an_endless_loop_is_ended_when_it_is_given_up() -> None:
    async def loop() -> None:
        while True:
            pass

    with pytest.raises(OperatorCodeTimeout):
        await OperatorCode(timeout=0.05).run(loop)
    await until(lambda: not threads())


async def test_a_coroutine_that_waits_for_ever_is_ended_when_it_is_given_up() -> None:
    ended = threading.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    with pytest.raises(OperatorCodeTimeout):
        await OperatorCode(timeout=0.05).run(wait)
    await until(lambda: ended.is_set() and not threads())


async def test_slow_calls_make_room_for_others_long_before_they_are_given_up() -> None:
    async with blocked() as calls:
        code = OperatorCode(timeout=30, patience=0.01)
        slow = [asyncio.create_task(code.run(calls.call, user=f"user-{index}")) for index in range(2 * PLACES)]
        await until(lambda: calls.running == 2 * PLACES)

        assert await code.run(answer, user="bob") == 1
        calls.release()
        await asyncio.gather(*slow)


async def test_young_calls_wait_for_their_turn() -> None:
    async with blocked() as calls:
        code = OperatorCode(timeout=30, patience=30)
        first = [asyncio.create_task(code.run(calls.call, user=f"user-{index}")) for index in range(PLACES)]
        await until(lambda: calls.running == PLACES)
        late = asyncio.create_task(code.run(answer, user="bob"))
        done, _ = await asyncio.wait([late], timeout=0.05)
        assert not done

        calls.release()
        assert await late == 1
        await asyncio.gather(*first)


async def test_no_user_has_more_than_their_share_of_calls() -> None:
    async with blocked() as calls:
        code = OperatorCode(timeout=30, patience=0.01)
        alices = [asyncio.create_task(code.run(calls.call, user="alice")) for _ in range(100)]
        await until(lambda: calls.running == CALLS_PER_USER)

        assert await code.run(answer, user="bob") == 1
        assert calls.running == CALLS_PER_USER
        for task in alices:
            task.cancel()
        await asyncio.wait(alices)


async def test_a_user_whose_calls_all_hang_is_told_at_once_and_others_are_served() -> None:
    async with blocked() as calls:
        code = OperatorCode(timeout=0.05)
        hanging = [code.run(calls.call, user="alice") for _ in range(CALLS_PER_USER)]
        assert all(
            isinstance(outcome, OperatorCodeTimeout)
            for outcome in await asyncio.gather(*hanging, return_exceptions=True)
        )

        with pytest.raises(OperatorCodeBusy, match="has not returned from earlier requests"):
            await code.run(answer, user="alice")
        assert await code.run(answer, user="bob") == 1
        calls.release()
        await until(lambda: not threads())
        await until(lambda: not code._places._lines)
        assert await code.run(answer, user="alice") == 1


async def test_threads_are_bounded_whoever_hangs_and_the_code_is_called_again_when_some_return(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(places, "MOST_WITHOUT_PLACE", 10)
    async with blocked() as calls:
        code = OperatorCode(timeout=0.3, patience=0.01)
        crowd = [code.run(calls.call, user=f"user-{index}") for index in range(100)]
        outcomes = await asyncio.gather(*crowd, return_exceptions=True)

        assert {type(outcome) for outcome in outcomes} <= {OperatorCodeTimeout, OperatorCodeBusy}
        assert 10 <= len(threads()) <= 10 + 2 * PLACES
        with pytest.raises(OperatorCodeBusy):
            await code.run(answer, user="bob")
        calls.release()
        await until(lambda: not threads())
        await until(lambda: not code._places.given_up)
        assert await code.run(answer, user="bob") == 1
        assert not code._places.without_place
        assert MOST_WITHOUT_PLACE == 64


async def test_callers_who_leave_do_not_let_more_calls_in() -> None:
    async with blocked() as calls:
        code = OperatorCode(timeout=30, patience=30)
        for _ in range(3):
            gone = [asyncio.create_task(code.run(calls.call, user=f"user-{index}")) for index in range(PLACES)]
            await asyncio.sleep(0.01)
            for task in gone:
                task.cancel()
            await asyncio.wait(gone)
        assert calls.running <= PLACES
        calls.release()
        assert await code.run(answer) == 1
