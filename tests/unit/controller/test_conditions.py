"""What a cluster says of each of its aspects, and since when."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gateway_common.errors import Forbidden, Invalid, KubeError
from gateway_common.model import DaskClusterStatus, Phase, WorkersStatus
from gateway_common.reasons import Reason
from gateway_controller.core.observed import Admission, Entry, Observed, Pod
from gateway_controller.core.plan import plan, refused
from gateway_controller.core.pod_problem import Problem
from tests.kit.observed import ASPECTS, INSTALLATION, NOW, cluster, new_cluster, observe, scheduler, status, worker

LATER = NOW + timedelta(minutes=5)
NO_ROOM = Problem(Reason.UNSCHEDULABLE, "no node has room for it: 0/3 nodes are available")
NO_IMAGE = Problem(Reason.IMAGE_PULL_BACK_OFF, "its image can't be pulled: not found")
CRASHING = Problem(Reason.CRASH_LOOP_BACK_OFF, "it exited with code 1, and is started again")
OOM_KILLED = Problem(Reason.OOM_KILLED, "it used more memory than its limit, and was killed")
QUOTA = (
    'pods "x" is forbidden: exceeded quota: team, requested: limits.cpu=2, used: limits.cpu=8, limited: limits.cpu=8'
)


def said(observed: Observed, now: Any = NOW) -> DaskClusterStatus:
    return plan(observed, INSTALLATION, now).status


def aspects(of: DaskClusterStatus) -> dict[str, tuple[str, str]]:
    assert tuple(one.type for one in of.conditions) == ASPECTS
    return {one.type: (one.status, one.reason) for one in of.conditions}


def since(of: DaskClusterStatus) -> dict[str, str]:
    return {one.type: one.last_transition_time for one in of.conditions}


def message(of: DaskClusterStatus, kind: str) -> str:
    return next(one.message for one in of.conditions if one.type == kind)


def starting(**values: Any) -> Pod:
    return scheduler(**{"running": False, "ready": False, "ip": "", **values})


def test_a_start_is_told_step_by_step_with_the_time_of_each() -> None:
    first = said(observe(new_cluster()))
    assert aspects(first) == {
        "SchedulerCreated": ("True", "ObjectsCreated"),
        "SchedulerScheduled": ("False", "SchedulerStarting"),
        "SchedulerReady": ("Unknown", "SchedulerStarting"),
        "RoutesReady": ("True", "ObjectsCreated"),
        "WorkersReady": ("False", "SchedulerStarting"),
        "Ready": ("False", "SchedulerStarting"),
    }
    pod = scheduler(
        created="2026-11-23T12:00:01Z", scheduled_at="2026-11-23T12:00:02Z", ready_at="2026-11-23T12:00:09Z"
    )
    running = said(observe(cluster(status=first), pod), LATER)
    assert aspects(running) == {
        "SchedulerCreated": ("True", "ObjectsCreated"),
        "SchedulerScheduled": ("True", "SchedulerScheduled"),
        "SchedulerReady": ("True", "SchedulerRunning"),
        "RoutesReady": ("True", "ObjectsCreated"),
        "WorkersReady": ("True", "WorkersRunning"),
        "Ready": ("True", "SchedulerRunning"),
    }
    assert since(running) == {
        "SchedulerCreated": "2026-11-23T12:00:00Z",
        "SchedulerScheduled": "2026-11-23T12:00:02Z",
        "SchedulerReady": "2026-11-23T12:00:09Z",
        "RoutesReady": "2026-11-23T12:00:00Z",
        "WorkersReady": "2026-11-23T12:05:00Z",
        "Ready": "2026-11-23T12:05:00Z",
    }


def test_a_pod_that_was_found_there_was_created_when_it_says() -> None:
    found = said(observe(new_cluster(), starting(created="2026-11-23T11:59:00Z")))
    assert since(found)["SchedulerCreated"] == "2026-11-23T11:59:00Z"


def test_what_stands_in_the_way_is_the_reason_of_all_that_waits_for_it() -> None:
    waiting = said(observe(cluster(status=status(Phase.PENDING)), starting(has_node=False, problem=NO_ROOM)))
    assert (waiting.reason, waiting.message) == (
        "Unschedulable",
        "The scheduler can't start yet: no node has room for it: 0/3 nodes are available",
    )
    assert aspects(waiting) == {
        "SchedulerCreated": ("True", "ObjectsCreated"),
        "SchedulerScheduled": ("False", "Unschedulable"),
        "SchedulerReady": ("Unknown", "SchedulerStarting"),
        "RoutesReady": ("True", "ObjectsCreated"),
        "WorkersReady": ("False", "Unschedulable"),
        "Ready": ("False", "Unschedulable"),
    }


def test_an_error_of_the_pod_makes_its_readiness_false_and_not_unknown() -> None:
    waiting = said(observe(cluster(status=status(Phase.PENDING)), starting(problem=NO_IMAGE)))
    assert aspects(waiting)["SchedulerReady"] == ("False", "ImagePullBackOff")
    assert message(waiting, "SchedulerReady") == "The scheduler can't start yet: its image can't be pulled: not found"


def test_a_cluster_that_waits_for_room_has_nothing_yet() -> None:
    admission = Admission(entry=Entry.WAITING, message="Waiting for room: 2 of 2 clusters are yours")
    waiting = said(Observed(new_cluster(), admission=admission))
    states = aspects(waiting)
    assert states.pop("SchedulerReady") == ("Unknown", "SchedulerStarting")
    assert set(states.values()) == {("False", "QuotaExceeded")}
    assert message(waiting, "Ready") == "Waiting for room: 2 of 2 clusters are yours"


def test_the_end_is_told_and_the_steps_before_it_stay() -> None:
    ended = said(observe(cluster(), scheduler(finished=True, problem=OOM_KILLED)), LATER)
    assert aspects(ended) == {
        "SchedulerCreated": ("True", "ObjectsCreated"),
        "SchedulerScheduled": ("True", "SchedulerScheduled"),
        "SchedulerReady": ("False", "OOMKilled"),
        "RoutesReady": ("False", "OOMKilled"),
        "WorkersReady": ("False", "OOMKilled"),
        "Ready": ("False", "OOMKilled"),
    }
    assert since(ended)["Ready"] == "2026-11-23T12:05:00Z"
    assert ended.workers is None


def test_a_start_that_took_too_long_still_says_what_it_waited_for() -> None:
    of = cluster(status=status(Phase.PENDING), config={"scheduler_start_timeout": 60})
    waiting = said(observe(of, starting(has_node=False, problem=NO_ROOM, created="2026-11-23T12:00:00Z")))
    over = observe(replace(of, status=waiting), starting(problem=NO_ROOM, created="2026-11-23T11:00:00Z"))
    ended = said(over)
    assert ended.reason == "StartTimeout"
    assert aspects(ended)["SchedulerScheduled"] == ("False", "Unschedulable")
    assert aspects(ended)["Ready"] == ("False", "StartTimeout")


def test_the_generation_that_was_looked_at_is_said() -> None:
    assert said(observe(cluster(generation=4), scheduler())).observed_generation == 4


def workers_of(*pods: Pod, replicas: int, **values: Any) -> DaskClusterStatus:
    return said(replace(observe(cluster(replicas=replicas), scheduler(), *pods), **values))


def test_workers_are_counted_by_state() -> None:
    found = workers_of(
        worker(0),
        worker(1),
        worker(2, running=False),
        worker(3, running=False, problem=NO_ROOM),
        worker(4, running=False, problem=CRASHING),
        worker(5, running=False, problem=NO_IMAGE),
        worker(6, running=False, finished=True, problem=Problem(Reason.WORKER_FAILED, "it exited with code 1")),
        worker(7, running=False, finished=True),
        worker(8, deleting=True),
        replicas=9,
    )
    assert found.workers == WorkersStatus(desired=9, pending=2, running=2, failed=3)


@pytest.mark.parametrize(
    ("pods", "ready", "words"),
    [
        pytest.param((worker(0), worker(1)), ("True", "WorkersRunning"), "2 of 2 workers run", id="all run"),
        pytest.param(
            (worker(0), worker(1, running=False)), ("False", "WorkersStarting"), "1 of 2 workers run", id="one starts"
        ),
        pytest.param(
            (worker(0), worker(1, running=False, problem=NO_ROOM)),
            ("False", "Unschedulable"),
            "1 of 2 workers run; 1 can't: no node has room for it: 0/3 nodes are available",
            id="one has no node",
        ),
        pytest.param(
            (worker(0, running=False, problem=CRASHING), worker(1, running=False, problem=OOM_KILLED)),
            ("False", "CrashLoopBackOff"),
            "0 of 2 workers run; 1 can't: it exited with code 1, and is started again",
            id="of several reasons always the same",
        ),
    ],
)
def test_why_workers_do_not_run_is_said(pods: tuple[Pod, ...], ready: tuple[str, str], words: str) -> None:
    found = workers_of(*pods, replicas=2)
    assert (aspects(found)["WorkersReady"], message(found, "WorkersReady")) == (ready, words)
    assert aspects(found)["Ready"] == ("True", "SchedulerRunning")
    complains = ready[1] not in ("WorkersRunning", "WorkersStarting")
    assert (found.phase, found.reason) == (Phase.RUNNING, ready[1] if complains else "SchedulerRunning")


def test_fewer_workers_than_asked_for_are_explained_by_the_limit() -> None:
    shortage = "1 of 3 workers: your clusters use 8 of 8 CPUs"
    found = workers_of(worker(0), replicas=3, admission=Admission(workers=1, shortage=shortage))
    assert found.workers == WorkersStatus(desired=1, running=1)
    assert aspects(found)["WorkersReady"] == ("False", "QuotaExceeded")
    assert (found.reason, found.message) == ("QuotaExceeded", shortage)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Forbidden(QUOTA), "QuotaExceeded"),
        (Forbidden('pods "x" is forbidden: failed quota: team: must specify limits.memory for: dask'), "PodRejected"),
        (
            Forbidden(
                'pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false'
            ),
            "PodRejected",
        ),
        (Forbidden('admission webhook "validate.kyverno.svc-fail" denied the request: no team label'), "PodRejected"),
        (
            Invalid("ValidatingAdmissionPolicy 'team' with binding 'team' denied request: no team label"),
            "PodRejected",
        ),
        (
            Forbidden('pods "x" is forbidden: maximum memory usage per Container is 1Gi, but limit is 2Gi'),
            "PodRejected",
        ),
        (
            Forbidden('pods is forbidden: User "system:serviceaccount:gw:controller" cannot create resource "pods"'),
            "Forbidden",
        ),
    ],
)
def test_what_the_api_server_refuses_is_said_while_it_starts(error: KubeError, reason: str) -> None:
    found = refused(observe(new_cluster()), error, NOW)
    assert (found.phase, found.reason, found.message) == (Phase.PENDING, reason, str(error))
    assert aspects(found)["SchedulerCreated"] == ("False", reason)
    assert aspects(found)["Ready"] == ("False", reason)


def test_workers_that_are_refused_leave_the_cluster_ready() -> None:
    found = refused(observe(cluster(replicas=2), scheduler(), worker(0)), Forbidden(QUOTA), NOW)
    assert (found.phase, found.reason, found.message) == (Phase.RUNNING, "QuotaExceeded", QUOTA)
    assert found.workers == WorkersStatus(desired=2, running=1)
    assert aspects(found)["WorkersReady"] == ("False", "QuotaExceeded")
    assert aspects(found)["Ready"] == ("True", "SchedulerRunning")


@pytest.mark.parametrize("phase", [Phase.STOPPING, Phase.STOPPED, Phase.FAILED])
def test_a_cluster_that_ends_goes_on_saying_why(phase: Phase) -> None:
    ending = status(phase, reason="SchedulerLost")
    assert refused(observe(cluster(status=ending)), Forbidden("no"), NOW) == ending


def test_a_long_answer_is_cut() -> None:
    assert len(refused(observe(), Forbidden("x" * 5000), NOW).message or "") == 1024


def test_a_scheduler_that_failed_leaves_its_exit_code_and_the_wish_for_its_log() -> None:
    pod = scheduler(finished=True, problem=OOM_KILLED, exit_code=137, log_container="dask-scheduler")
    decided = plan(observe(cluster(), pod), INSTALLATION, NOW)
    assert decided.log_container == "dask-scheduler"
    assert decided.status.scheduler_failure
    assert decided.status.scheduler_failure.exit_code == 137
    # once: what is stopping has its reason and its log
    again = plan(observe(cluster(status=decided.status), pod), INSTALLATION, NOW)
    assert again.log_container == ""
    assert again.status == decided.status


def test_a_scheduler_that_was_asked_to_stop_leaves_nothing() -> None:
    pod = scheduler(exit_code=None, log_container="dask-scheduler")
    decided = plan(observe(cluster(active=False), pod), INSTALLATION, NOW)
    assert (decided.log_container, decided.status.scheduler_failure) == ("", None)
