"""The work queue, with a clock that the test turns."""

import asyncio

import pytest

from gateway_common.object_store import ObjectKey
from gateway_controller.queue import WorkQueue

A, B = ObjectKey("dask", "a"), ObjectKey("dask", "b")


class FakeClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def queue(clock: FakeClock) -> WorkQueue:
    return WorkQueue(base_delay=0.1, max_delay=300.0, clock=clock)


def test_a_key_that_is_added_often_is_taken_once(queue: WorkQueue) -> None:
    for key in (A, B, A):
        queue.add(key)
    assert [queue.take(), queue.take(), queue.take()] == [A, B, None]


def test_a_key_in_work_is_given_to_nobody_else_and_comes_again_when_it_is_done(queue: WorkQueue) -> None:
    queue.add(A)
    queue.take()
    queue.add(A)
    queue.add(A)
    assert queue.take() is None
    queue.done(A)
    assert [queue.take(), queue.take()] == [A, None]


def test_a_delayed_key_comes_when_it_is_due(queue: WorkQueue, clock: FakeClock) -> None:
    queue.add_after(A, 5)
    assert (queue.take(), queue.pause()) == (None, 5)
    clock.now += 5
    assert queue.take() == A
    assert queue.pause() is None


def test_the_sooner_of_two_delays_counts(queue: WorkQueue, clock: FakeClock) -> None:
    queue.add_after(A, 5)
    queue.add_after(A, 2)
    queue.add_after(A, 9)
    clock.now += 2
    assert queue.take() == A
    queue.done(A)
    clock.now += 100
    assert queue.take() is None


def test_a_change_does_not_wait_for_a_delay(queue: WorkQueue, clock: FakeClock) -> None:
    queue.add_after(A, 300)
    queue.add(A)
    assert queue.take() == A
    queue.done(A)
    clock.now += 300
    assert queue.take() is None


def test_a_delay_that_ends_while_the_key_is_in_work_is_not_lost(queue: WorkQueue, clock: FakeClock) -> None:
    queue.add(A)
    queue.take()
    queue.add_after(A, 1)
    clock.now += 1
    assert queue.take() is None
    queue.done(A)
    assert queue.take() == A


def test_pauses_double_up_to_the_longest_and_begin_anew_after_a_success(queue: WorkQueue) -> None:
    assert [queue.retry(A) for _ in range(4)] == [0.1, 0.2, 0.4, 0.8]
    assert [queue.retry(A) for _ in range(10)][-1] == 300.0
    assert queue.retry(B) == 0.1
    queue.succeed(A)
    assert queue.retry(A) == 0.1


def test_a_server_that_asks_for_a_longer_pause_gets_it(queue: WorkQueue) -> None:
    assert queue.retry(A, at_least=7.0) == 7.0


def test_a_key_that_fails_for_weeks_is_still_tried(queue: WorkQueue) -> None:
    for _ in range(5000):
        assert queue.retry(A) <= 300.0


def test_nothing_is_remembered_of_keys_that_succeeded(queue: WorkQueue) -> None:
    for number in range(100):
        key = ObjectKey("dask", str(number))
        queue.add(key)
        assert queue.take() == key
        queue.retry(key)
        queue.done(key)
        queue.add(key)
        assert queue.take() == key
        queue.succeed(key)
        queue.done(key)
    assert len(queue) == 0


def test_a_key_that_is_looked_at_often_and_once_more_tomorrow_takes_no_more_memory_each_time(
    queue: WorkQueue, clock: FakeClock
) -> None:
    queue.add_after(B, 50_000)
    for _ in range(10_000):
        queue.add(A)
        assert queue.take() == A
        queue.add_after(A, 86_400)
        queue.done(A)
        clock.now += 0.1
    assert len(queue._heap) < 100
    clock.now += 60_000
    assert queue.take() == B
    assert queue.take() is None
    clock.now += 86_400
    assert queue.take() == A


def test_it_says_how_much_there_is_to_do(queue: WorkQueue) -> None:
    queue.add(A)
    queue.take()
    queue.add(B)
    queue.retry(A)
    assert queue.counts() == {"due": 1, "working": 1, "delayed": 1, "failing": 1}


async def test_a_waiter_wakes_for_a_new_key_and_for_a_delayed_one() -> None:
    queue = WorkQueue()
    waiter = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add(A)
    assert await waiter == A
    queue.add_after(B, 0.01)
    assert await queue.get() == B
