"""What a scheduler decides for its gateway, without a scheduler: counts, pauses, idleness."""

from types import SimpleNamespace
from typing import Any

import pytest

from dask_gateway.scheduler.adaptive import AdaptiveWindow
from dask_gateway.scheduler.heartbeat import retry_delay
from dask_gateway.scheduler.unused import ClientClock, IdleClock, is_busy


def make_scheduler(**changes: Any) -> SimpleNamespace:
    idle = {"queued": [], "unrunnable": {}, "workers": {}, "transition_counter": 0, "transition_log": []}
    return SimpleNamespace(**{**idle, **changes})


def test_pauses_double_up_to_the_longest() -> None:
    assert [retry_delay(n, 3600) for n in range(1, 10)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    assert retry_delay(10**6, 3600) == 60
    assert retry_delay(9, longest=15) == 15


def test_more_workers_are_asked_for_at_once_and_fewer_when_three_targets_agree() -> None:
    window = AdaptiveWindow(None, None)
    count = 0
    counts = [count := window.decide(target, count) for target in (5, 2, 1, 3, 0, 0, 0)]
    assert counts == [5, 5, 5, 3, 3, 3, 0]


def test_bounds_apply_to_every_target() -> None:
    window = AdaptiveWindow(minimum=1, maximum=4)
    assert [window.decide(target, 2) for target in (9, 0)] == [4, 2]


@pytest.mark.parametrize(
    "work",
    [
        {"queued": ["task"]},
        {"unrunnable": {"task": None}},
        {"_active_graph_updates": 1},
        {"workers": {"w": SimpleNamespace(processing={"task": 1})}},
    ],
)
def test_any_work_is_work(work: dict[str, Any]) -> None:
    assert is_busy(make_scheduler(**work))
    assert not is_busy(make_scheduler())


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(time=1000.0)
    monkeypatch.setattr("dask_gateway.scheduler.unused.time", lambda: clock.time)
    return clock


def test_idleness_counts_from_the_last_transition_between_two_looks(now: SimpleNamespace) -> None:
    scheduler = make_scheduler()
    clock = IdleClock(scheduler)
    now.time = 1010
    assert clock.idle_seconds() == 10
    scheduler.transition_counter, scheduler.transition_log = 1, [("key", "a", "b", {}, "why", 1008.0)]
    assert clock.idle_seconds() == 2
    now.time = 1020
    assert clock.idle_seconds() == 12


def test_a_scheduler_that_keeps_no_log_is_idle_from_the_look_that_saw_no_change(now: SimpleNamespace) -> None:
    scheduler = make_scheduler()
    clock = IdleClock(scheduler)
    now.time, scheduler.transition_counter = 1010, 7
    assert clock.idle_seconds() == 0
    now.time = 1015
    assert clock.idle_seconds() == 5


def test_a_scheduler_that_nobody_ever_connected_to_is_unused_since_its_start(now: SimpleNamespace) -> None:
    clock = ClientClock(make_scheduler(client_comms={}))
    now.time = 1010
    assert clock.unconnected_seconds() == 10


def test_whoever_connects_is_there_until_they_leave(now: SimpleNamespace) -> None:
    scheduler = make_scheduler(client_comms={"Client-1": None, "Client-2": None})
    clock = ClientClock(scheduler)
    now.time = 1010
    assert clock.unconnected_seconds() == 0
    for client in list(scheduler.client_comms):
        now.time += 5
        clock.remove_client(scheduler, client)
        del scheduler.client_comms[client]
    now.time = 1030
    assert clock.unconnected_seconds() == 10


def test_a_visit_between_two_looks_counts(now: SimpleNamespace) -> None:
    scheduler = make_scheduler(client_comms={})
    clock = ClientClock(scheduler)
    now.time = 1008
    clock.add_client(scheduler, "Client-1")
    now.time = 1010
    assert clock.unconnected_seconds() == 2


def test_a_client_of_a_clusters_own_task_is_nobody(now: SimpleNamespace) -> None:
    scheduler = make_scheduler(client_comms={"Client-worker-1": None})
    clock = ClientClock(scheduler)
    now.time = 1010
    clock.add_client(scheduler, "Client-worker-1")
    clock.remove_client(scheduler, "Client-worker-2")
    assert clock.unconnected_seconds() == 10
