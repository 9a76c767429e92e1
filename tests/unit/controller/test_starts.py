"""Workers that fail to start: which have, what is remembered of them, and when others take their places."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_common.config import parse_cluster_config
from gateway_common.model import StartFailures
from gateway_controller.core.observed import Cluster, Pod
from gateway_controller.core.plan import Create, Delete, Plan, plan
from gateway_controller.core.runs import Run, read_run
from gateway_controller.core.scaling import Scaling, scale_workers
from gateway_controller.core.starts import pause_after
from tests.kit.observed import INSTALLATION, NOW, cluster, observe, scheduler, status, worker, written

SECOND = timedelta(seconds=1)


def text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def failures(count: int, *, ago: float = 0, replicas: int = 2, **values: Any) -> StartFailures:
    last = text(NOW - timedelta(seconds=ago))
    return StartFailures(**{"count": count, "last": last, "message": "it broke", "replicas": replicas, **values})


def cluster_of(replicas: int, known: StartFailures | None = None, **config: Any) -> Cluster:
    return cluster(replicas=replicas, config=config, status=status(start_failures=[known] if known else []))


def scale(replicas: int, *workers: Pod, known: StartFailures | None = None, **config: Any) -> Scaling:
    observed = written(observe(cluster_of(replicas, known, **config), scheduler(), *workers))
    (scaling,) = scale_workers(observed, parse_cluster_config(config), NOW)
    return scaling


def decide(of: Cluster, *pods: Pod, now: datetime = NOW) -> Plan:
    return plan(written(observe(of, scheduler(), *pods)), INSTALLATION, now)


def ended(slot: int, seconds: float | None, **run: Any) -> Pod:
    """A worker whose pod is over after so many seconds."""
    return worker(slot, running=False, finished=True, started=True, run=Run(last=seconds, problem="it broke", **run))


def looping(slot: int, seconds: float) -> Pod:
    return worker(slot, running=False, started=True, run=Run(last=seconds, looping=True, problem="it broke"))


def running(slot: int, seconds: float) -> Pod:
    return worker(slot, run=Run(since=NOW - timedelta(seconds=seconds)))


def young(slot: int, **run: Any) -> Pod:
    """One that ended soon after it was made, of whose container nothing is told."""
    return worker(
        slot, running=False, finished=True, started=False, created=text(NOW - timedelta(seconds=9)), run=Run(**run)
    )


FAILED = [
    pytest.param(ended(0, 59.9), id="it ended too soon"),
    pytest.param(looping(0, 1), id="it ends again and again"),
    pytest.param(ended(0, 1, succeeded=True), id="it ended too soon with code 0, and is wanted"),
    pytest.param(young(0), id="its pod ended and nobody tells how"),
    pytest.param(young(0, disrupted=True), id="it was evicted before it ran"),
]
NOT_FAILED = [
    pytest.param(ended(0, 60), id="it had run for a minute"),
    pytest.param(ended(0, 1, disrupted=True), id="it ran and was evicted"),
    pytest.param(ended(0, None), id="it is old, and nobody tells how long it ran"),
]


@pytest.mark.parametrize("pod", FAILED)
def test_a_worker_that_fails_to_start_is_deleted_counted_and_replaced_after_a_pause(pod: Pod) -> None:
    scaling = scale(2, pod, worker(1))
    assert scaling.delete == (pod,)
    assert scaling.create == ()
    assert scaling.starts.failures == failures(1, message=pod.run.problem or "it did not run in time")

    gone = cluster_of(2, scaling.starts.failures)
    assert decide(gone, worker(1), now=NOW + 5 * SECOND - SECOND / 1000).actions == ()
    assert len(decide(gone, worker(1), now=NOW + 5 * SECOND).actions) == 1


@pytest.mark.parametrize("pod", NOT_FAILED)
def test_what_had_run_is_replaced_at_once(pod: Pod) -> None:
    scaling = scale(2, pod, worker(1))
    assert (scaling.create, scaling.delete) == ((2,), (pod,))
    assert scaling.starts.failures is None


@pytest.mark.parametrize("seconds", [60.0, 3600.0])
def test_one_that_had_run_for_a_minute_is_left_to_the_kubelet_when_it_ends_again_and_again(seconds: float) -> None:
    assert scale(1, looping(0, seconds)) == Scaling()


def test_a_worker_that_was_retired_at_once_has_not_failed() -> None:
    scaling = scale(1, ended(0, 1, succeeded=True), worker(1))
    assert scaling.starts.failures is None
    assert (scaling.create, [pod.slot for pod in scaling.delete]) == ((), [0])


def test_of_several_that_ended_by_themselves_only_those_that_are_missed_have_failed() -> None:
    scaling = scale(2, *(ended(slot, 1, succeeded=True) for slot in range(3)), worker(3))
    assert scaling.starts.failures == failures(1)
    assert len(scaling.delete) == 3


@pytest.mark.parametrize(
    ("count", "seconds"), [(1, 5), (2, 10), (3, 20), (4, 40), (6, 160), (7, 300), (8, 300), (100_000, 300)]
)
def test_the_pause_doubles_up_to_five_minutes(count: int, seconds: float) -> None:
    assert pause_after(count) == timedelta(seconds=seconds)


def test_after_so_many_failures_in_a_row_no_more_are_made_and_those_that_run_go_on() -> None:
    of = cluster_of(2, failures(5, ago=9999))
    decided = decide(of, running(0, 99_999))
    assert decided.actions == ()
    assert decided.requeue_after is None
    assert decided.status.reason == "WorkerFailed"
    assert decided.status.message == (
        "Workers fail to start, 5 in a row, the last one: it broke. No more are made until the cluster is scaled anew"
    )


def test_a_limit_of_zero_goes_on_for_ever() -> None:
    assert scale(2, worker(0), known=failures(1000, ago=301), worker_start_failure_limit=0).create == (1,)


def test_scaling_anew_forgets_the_failures() -> None:
    decided = decide(cluster_of(3, failures(5)), worker(0))
    assert sum(isinstance(action, Create) for batch in decided.actions for action in batch) == 2
    assert decided.status.start_failures == []
    assert decided.status.reason == "SchedulerRunning"


def test_a_worker_that_has_run_for_a_minute_since_then_makes_the_failures_forgotten() -> None:
    known = failures(5, ago=30)
    assert scale(2, running(0, 60), known=known).create == (1,)
    assert scale(2, running(0, 60), ended(1, 1), known=known).starts.failures == failures(1)


@pytest.mark.parametrize("seconds", [59, 100])
def test_a_worker_that_has_not_run_long_enough_or_had_before_says_nothing_about_a_start(seconds: float) -> None:
    assert scale(2, running(0, seconds), known=failures(5, ago=30)).create == ()


def test_a_cluster_is_looked_at_again_when_a_worker_may_have_proved_that_they_can_start() -> None:
    of = cluster_of(3, failures(5, replicas=3))
    assert decide(of, running(0, 20), worker(1, running=False), running(2, 99)).requeue_after == 40
    assert decide(of, worker(1, running=False), running(2, 99)).requeue_after == 60
    assert decide(of, running(2, 99)).requeue_after is None


def test_a_cluster_is_looked_at_again_when_the_pause_is_over() -> None:
    assert decide(cluster_of(2, failures(2)), running(0, 99)).requeue_after == 10


def test_the_status_is_written_when_a_worker_fails_and_not_as_time_goes_by() -> None:
    of = cluster_of(2)
    first = decide(of, running(0, 99), ended(1, 1))
    assert first.status != of.status
    of = replace(of, status=first.status)
    for seconds in range(1, 5):
        assert decide(of, running(0, 99), now=NOW + seconds * SECOND).status == of.status


def over(seconds: int, code: int = 1, **values: Any) -> dict[str, Any]:
    began = NOW - timedelta(hours=1)
    times = {"startedAt": text(began), "finishedAt": text(began + seconds * SECOND)}
    return {"exitCode": code, "reason": "Error", **times, **values}


LOOP = {"waiting": {"reason": "CrashLoopBackOff"}}


@pytest.mark.parametrize(
    ("pod", "container", "run"),
    [
        ({"phase": "Pending"}, {}, Run()),
        ({"phase": "Running"}, {"state": {"running": {"startedAt": text(NOW)}}}, Run(since=NOW)),
        ({"phase": "Running"}, {"state": {"terminated": over(7)}}, Run(last=7)),
        (
            {"phase": "Running"},
            {"state": LOOP, "lastState": {"terminated": over(7)}},
            Run(last=7, looping=True, problem="it exited with code 1 (Error)"),
        ),
        (
            {"phase": "Running"},
            {"state": {"running": {"startedAt": text(NOW)}}, "lastState": {"terminated": over(7)}},
            Run(since=NOW, last=7),
        ),
        (
            {"phase": "Failed"},
            {"state": {"terminated": over(7, 137, reason="OOMKilled")}},
            Run(last=7, problem="it exited with code 137 (OOMKilled)"),
        ),
        (
            {"phase": "Failed", "reason": "Evicted", "message": "low on memory"},
            {},
            Run(disrupted=True, problem="its pod was Evicted: low on memory"),
        ),
        (
            {"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True"}]},
            {"state": {"terminated": over(7, 143)}},
            Run(last=7, disrupted=True, problem="it exited with code 143 (Error)"),
        ),
        (
            {"phase": "Succeeded"},
            {"state": {"terminated": over(7, 0, reason="Completed")}},
            Run(last=7, succeeded=True, problem="it exited with code 0 (Completed)"),
        ),
        (
            {"phase": "Failed"},
            # as containerd tells of a command that is not there
            {"state": {"terminated": over(0, 128, reason="StartError", startedAt="1970-01-01T00:00:00Z")}},
            Run(last=0, problem="it exited with code 128 (StartError)"),
        ),
        (
            {"phase": "Pending", "initContainerStatuses": [{"state": LOOP, "lastState": {"terminated": over(1, 2)}}]},
            {"state": {"waiting": {"reason": "PodInitializing"}}},
            Run(looping=True, problem="it exited with code 2 (Error)"),
        ),
    ],
)
def test_runs_are_read_from_what_the_kubelet_says(pod: dict[str, Any], container: dict[str, Any], run: Run) -> None:
    assert read_run(pod, container) == run


LIMIT = 3


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(["fail", "fail", "run well", "wait", "scale", "restart"]), max_size=60), st.data())
def test_pods_that_crash_are_never_made_without_end(events: list[str], data: st.DataObject) -> None:
    """A kubelet that may break every worker at once, over hours."""
    of = cluster_of(2, worker_start_failure_limit=LIMIT)
    now, pods, slots = NOW, dict[int, Pod](), 0
    made_since_hope = failed_since_hope = 0
    for event in events:
        match event:
            case "fail" if pods:
                slot = data.draw(st.sampled_from(sorted(pods)))
                pods[slot] = ended(slot, 1)
                failed_since_hope += 1
            case "run well":
                pods = {slot: worker(slot, run=Run(since=now)) for slot, pod in pods.items() if not pod.finished}
                now += timedelta(seconds=61)
                if pods:
                    made_since_hope = failed_since_hope = 0
            case "wait":
                now += timedelta(seconds=data.draw(st.integers(0, 400)))
            case "scale":
                of = replace(of, replicas=3 if of.replicas == 2 else 2)
                made_since_hope = failed_since_hope = 0
        for _ in range(2):  # that names are used up is written before pods go
            observed = observe(of, scheduler(), *pods.values(), next_slot=slots)
            decided = plan(observed, INSTALLATION, now)
            for action in (action for batch in decided.actions for action in batch):
                match action:
                    case Delete(_, name):
                        pods = {slot: pod for slot, pod in pods.items() if pod.name != name}
                    case Create():
                        assert slots not in pods
                        pods[slots] = worker(slots, running=False)
                        slots += 1
                        made_since_hope += 1
            of = replace(of, status=decided.status)
        live = [pod for pod in pods.values() if not pod.finished]
        assert len(live) <= 3
        assert made_since_hope <= of.replicas + LIMIT + 2, "those that are wanted, and one for each that may fail"
        known = of.status.start_failures
        assert (known[0].count if known else 0) <= max(failed_since_hope, 0)
    later = plan(
        observe(of, scheduler(), *pods.values(), next_slot=slots), INSTALLATION, now + timedelta(minutes=5, seconds=1)
    )
    given_up = of.status.start_failures and of.status.start_failures[0].count >= LIMIT
    makes = any(isinstance(action, Create) for batch in later.actions for action in batch)
    missing = len([pod for pod in pods.values() if not pod.finished]) < of.replicas
    assert makes == (missing and not given_up)
