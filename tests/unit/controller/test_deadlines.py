"""Time that runs out: of clusters, of schedulers that do not come to serve, of workers that never run."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_common.config import parse_cluster_config
from gateway_common.model import Phase
from gateway_controller.core.deadlines import lifetime_end, next_deadline, scheduler_deadline, seconds_until
from gateway_controller.core.observed import Admission, Entry, Observed, Pod, read_pod
from gateway_controller.core.plan import Delete, Plan, plan
from gateway_controller.core.rules import judge
from gateway_controller.core.scaling import Scaling, scale_workers
from tests.kit.observed import INSTALLATION, NOW, cluster, new_cluster, observe, scheduler, status, worker

INSTANT = timedelta(microseconds=1)
WAITING = Admission(entry=Entry.WAITING, message="Waiting for room")


def text(moment: datetime) -> str:
    """As Kubernetes writes it."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def ago(seconds: int) -> str:
    return text(NOW - timedelta(seconds=seconds))


def limited(observed: Observed, lifetime: float | None) -> Observed:
    return replace(observed, admission=Admission(lifetime=lifetime))


def decide(observed: Observed, now: datetime = NOW) -> Plan:
    return plan(observed, INSTALLATION, now)


def outcome(observed: Observed, now: datetime = NOW) -> tuple[Phase, str | None]:
    verdict = judge(observed, now)
    return verdict.phase, verdict.reason


def running(created: str, **config: Any) -> Observed:
    return observe(cluster(created=created, config=config), scheduler(created=created))


class TestLifetime:
    @pytest.mark.parametrize(
        ("own", "limit", "seconds"),
        [
            pytest.param(100, None, 100, id="its own"),
            pytest.param(0, 60.0, 60, id="the limit's"),
            pytest.param(100, 60.0, 60, id="a smaller limit"),
            pytest.param(30, 60.0, 30, id="a smaller one of its own"),
        ],
    )
    def test_a_cluster_ends_when_its_shortest_lifetime_is_over_and_not_before(
        self, own: float, limit: float | None, seconds: int
    ) -> None:
        observed = limited(running(ago(0), max_lifetime=own), limit)
        end = NOW + timedelta(seconds=seconds)
        assert outcome(observed, end - INSTANT) == (Phase.RUNNING, "SchedulerRunning")
        assert outcome(observed, end) == (Phase.STOPPING, "MaxLifetime")
        assert outcome(observed, end + timedelta(days=9)) == (Phase.STOPPING, "MaxLifetime")

    @pytest.mark.parametrize("limit", [None, 0.0])
    def test_without_a_limit_a_cluster_lives_for_ever_and_is_not_looked_at_again(self, limit: float | None) -> None:
        observed = limited(running(ago(0), scheduler_start_timeout=0, worker_start_timeout=0), limit)
        later = NOW + timedelta(days=50_000)
        assert outcome(observed, later) == (Phase.RUNNING, "SchedulerRunning")
        assert decide(observed, later).requeue_after is None

    def test_a_limit_beyond_the_calendar_is_none(self) -> None:
        assert lifetime_end(limited(running(ago(0)), 1e15)) is None

    def test_a_cluster_is_looked_at_again_exactly_when_its_life_is_over(self) -> None:
        observed = running(ago(40), max_lifetime=100)
        assert decide(observed).requeue_after == 60
        assert decide(observed, NOW + timedelta(seconds=59.5)).requeue_after == 0.5

    def test_its_pods_are_deleted_and_when_they_are_gone_it_has_stopped_not_failed(self) -> None:
        observed = running(ago(100), max_lifetime=100)
        stopping = decide(observed)
        assert (stopping.status.phase, stopping.status.reason) == (Phase.STOPPING, "MaxLifetime")
        assert stopping.actions
        stopped = decide(observe(replace(observed.cluster, status=stopping.status))).status
        assert (stopped.phase, stopped.reason) == (Phase.STOPPED, "MaxLifetime")
        assert stopped.completion_time == text(NOW)

    def test_a_user_who_stops_it_first_is_told_so(self) -> None:
        observed = observe(cluster(active=False, created=ago(100), config={"max_lifetime": 50}), scheduler())
        assert outcome(observed) == (Phase.STOPPING, "Deleted")

    def test_it_ends_while_it_waits_for_room(self) -> None:
        observed = Observed(new_cluster(created=ago(40), config={"max_lifetime": 100}), admission=WAITING)
        assert decide(observed).status.reason == "QuotaExceeded"
        assert decide(observed).requeue_after == 60
        over = decide(observed, NOW + timedelta(seconds=60)).status
        assert (over.phase, over.reason) == (Phase.STOPPED, "MaxLifetime")

    def test_it_ends_while_its_scheduler_starts(self) -> None:
        observed = observe(
            cluster(created=ago(100), config={"max_lifetime": 100}, status=status(Phase.PENDING)),
            scheduler(created=ago(99), running=False, ready=False, ip=""),
        )
        assert outcome(observed) == (Phase.STOPPING, "MaxLifetime")

    def test_a_configuration_that_was_spoilt_later_does_not_lift_the_limit(self) -> None:
        observed = observe(cluster(created=ago(60), config={"worker_cores": -1}), scheduler())
        assert outcome(limited(observed, 61)) == (Phase.RUNNING, "SchedulerRunning")
        assert decide(limited(observed, 61)).requeue_after == 1
        assert outcome(limited(observed, 60)) == (Phase.STOPPING, "MaxLifetime")


def starting(pod: Pod, **values: Any) -> Observed:
    """A cluster that was made an hour before its scheduler's pod, and gives that a minute."""
    config = {"scheduler_start_timeout": 60}
    of: dict[str, Any] = {"created": ago(3600), "config": config, "status": status(Phase.PENDING), **values}
    return observe(cluster(**of), pod)


def scheduler_manifest(node: str = "", conditions: Any = (), state: Any = None) -> dict[str, Any]:
    """A scheduler's pod that was made a minute ago, as the API server has it."""
    made = scheduler()
    labels = {"gateway.dask.org/cluster": made.cluster, "app.kubernetes.io/component": made.component}
    statuses = [{"name": "dask-scheduler", "state": state}] if state else []
    return {
        "metadata": {
            "name": made.name,
            "namespace": made.namespace,
            "uid": made.uid,
            "creationTimestamp": ago(60),
            "labels": labels,
            "ownerReferences": [{"uid": made.owner_uid}],
        },
        "spec": {"containers": [{"name": "dask-scheduler"}], **({"nodeName": node} if node else {})},
        "status": {"phase": "Pending", "conditions": list(conditions), "containerStatuses": statuses},
    }


class TestSchedulerStart:
    @pytest.mark.parametrize(
        ("manifest", "said"),
        [
            pytest.param(
                scheduler_manifest(
                    conditions=[
                        {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available: 3 too small."}
                    ]
                ),
                "its pod has no node yet: 0/3 nodes are available: 3 too small.",
                id="not scheduled",
            ),
            pytest.param(scheduler_manifest(), "its pod has no node yet", id="not scheduled, and nobody says why"),
            pytest.param(
                scheduler_manifest("a", state={"waiting": {"reason": "ImagePullBackOff", "message": "no image x:1"}}),
                "its container does not run yet: ImagePullBackOff: no image x:1",
                id="not running",
            ),
            pytest.param(scheduler_manifest("a"), "its container does not run yet", id="on a node that says nothing"),
            pytest.param(
                scheduler_manifest("a", state={"running": {}}), "it runs, but does not serve yet", id="not serving"
            ),
        ],
    )
    def test_a_scheduler_that_takes_too_long_fails_its_cluster_which_says_what_it_waited_for(
        self, manifest: dict[str, Any], said: str
    ) -> None:
        observed = starting(read_pod(manifest))
        assert outcome(observed, NOW - INSTANT) == (Phase.PENDING, "SchedulerStarting")
        stopping = decide(observed)
        assert (stopping.status.phase, stopping.status.reason) == (Phase.STOPPING, "StartTimeout")
        assert stopping.status.message == f"The scheduler did not start in time: {said}"
        failed = decide(observe(replace(observed.cluster, status=stopping.status))).status
        assert (failed.phase, failed.message) == (Phase.FAILED, stopping.status.message)

    def test_time_in_the_queue_does_not_count(self) -> None:
        waiting = Observed(new_cluster(created=ago(3600), config={"scheduler_start_timeout": 60}), admission=WAITING)
        assert outcome(waiting) == (Phase.PENDING, "QuotaExceeded")
        assert decide(waiting).requeue_after is None
        observed = starting(scheduler(created=ago(59), running=False, ready=False, ip=""))
        assert outcome(observed) == (Phase.PENDING, "SchedulerStarting")
        assert decide(observed).requeue_after == 1

    def test_one_that_serves_at_the_last_moment_runs(self) -> None:
        observed = starting(scheduler(created=ago(3600)))
        assert outcome(observed) == (Phase.RUNNING, "SchedulerRunning")

    def test_one_that_has_served_is_never_too_late(self) -> None:
        observed = starting(scheduler(created=ago(3600), ready=False), status=status(Phase.RUNNING))
        assert outcome(observed) == (Phase.RUNNING, "SchedulerRunning")
        assert decide(observed).requeue_after is None

    def test_zero_waits_for_ever(self) -> None:
        pod = scheduler(created=ago(3600), running=False, ready=False, ip="")
        observed = starting(pod, config={"scheduler_start_timeout": 0})
        assert outcome(observed, NOW + timedelta(days=9999)) == (Phase.PENDING, "SchedulerStarting")
        assert decide(observed).requeue_after is None

    def test_a_pod_whose_age_is_unknown_has_no_deadline(self) -> None:
        assert scheduler_deadline(starting(scheduler(ready=False))) is None

    def test_a_user_who_stops_it_first_is_told_so(self) -> None:
        observed = starting(scheduler(created=ago(3600), running=False, ready=False, ip=""), active=False)
        assert outcome(observed) == (Phase.STOPPING, "Deleted")


def slow(slot: int, seconds: int, **values: Any) -> Pod:
    """A worker that was made so long ago and has never run."""
    return worker(slot, **{"created": ago(seconds), "running": False, **values})


def with_workers(replicas: int, *workers: Pod, timeout: float = 60, next_slot: int = 0) -> Observed:
    of = cluster(replicas=replicas, config={"worker_start_timeout": timeout})
    return observe(of, scheduler(), *workers, next_slot=next_slot)


def scale(observed: Observed, now: datetime = NOW) -> Scaling:
    config = parse_cluster_config({"worker_start_timeout": 60})
    return scale_workers(observed, config, now)


class TestWorkerStart:
    def test_a_worker_that_takes_too_long_is_deleted_and_then_another_slot_is_used(self) -> None:
        late = slow(0, 60)
        observed = with_workers(1, late)
        assert scale(observed, NOW - INSTANT) == Scaling()
        assert scale(observed) == Scaling(delete=(late,))
        assert scale(with_workers(1, replace(late, deleting=True))) == Scaling(create=(1,))
        assert scale(with_workers(1, next_slot=1)) == Scaling(create=(1,))

    @pytest.mark.parametrize(
        "pod",
        [
            pytest.param(slow(0, 3600, started=True), id="its container is being restarted"),
            pytest.param(worker(0, created=ago(3600)), id="it runs"),
            pytest.param(slow(0, 3600, deleting=True), id="somebody deletes it already"),
            pytest.param(slow(0, 0, created=""), id="nobody knows when it was made"),
        ],
    )
    def test_only_those_that_never_ran_are_replaced(self, pod: Pod) -> None:
        assert scale(with_workers(1, pod)).delete == ()

    def test_slow_ones_are_the_first_to_go_where_there_are_too_many(self) -> None:
        late, young = slow(0, 60), slow(1, 10)
        assert scale(with_workers(1, late, young)) == Scaling(delete=(late,))
        assert scale(with_workers(0, late, young)) == Scaling(delete=(late, young))

    def test_where_more_are_wanted_slow_ones_go_and_the_missing_are_made(self) -> None:
        late = slow(0, 60)
        assert scale(with_workers(3, late, worker(1))) == Scaling(create=(2,), delete=(late,))

    def test_zero_waits_for_ever(self) -> None:
        observed = with_workers(1, slow(0, 3600), timeout=0)
        decided = decide(observed)
        assert decided.actions == ()
        assert decided.requeue_after is None

    def test_a_running_cluster_is_looked_at_again_when_the_first_of_its_workers_is_due(self) -> None:
        workers = [slow(0, 20), slow(1, 45), worker(2, created=ago(59)), slow(3, 50, started=True)]
        assert decide(with_workers(4, *workers)).requeue_after == 15

    def test_of_a_worker_that_is_overdue_the_plan_deletes_that_very_pod(self) -> None:
        late = slow(0, 60)
        decided = decide(with_workers(2, late, slow(1, 30)))
        (batch,) = decided.actions
        (action,) = batch
        assert isinstance(action, Delete)
        assert (action.name, action.uid) == (late.name, late.uid)
        assert decided.requeue_after == 30


@pytest.mark.parametrize("phase", [Phase.STOPPED, Phase.FAILED])
def test_what_is_over_is_not_looked_at_for_its_deadlines(phase: Phase) -> None:
    over = decide(observe(cluster(created=ago(50), config={"max_lifetime": 100}, status=status(phase))))
    assert over.requeue_after is None
    assert over.status.phase is phase


AGES = st.integers(0, 200)
TIMES = st.integers(0, 200)
PODS = st.lists(st.tuples(AGES, st.booleans(), st.booleans()), max_size=4)


@given(AGES, TIMES, st.none() | st.integers(1, 200), AGES, TIMES, TIMES, st.booleans(), PODS)
def test_between_a_look_and_the_next_one_that_is_due_nothing_would_be_decided_otherwise(
    age: int,
    own: int,
    limit: float | None,
    scheduler_age: int,
    start_timeout: int,
    worker_timeout: int,
    serves: bool,
    workers: list[tuple[int, bool, bool]],
) -> None:
    config = {
        "max_lifetime": own,
        "scheduler_start_timeout": start_timeout,
        "worker_start_timeout": worker_timeout,
    }
    workers = workers if serves else []
    phase = Phase.RUNNING if serves else Phase.PENDING
    of = cluster(created=ago(age), config=config, status=status(phase), replicas=len(workers))
    boss = scheduler(created=ago(scheduler_age), ready=serves)
    pods = [slow(slot, old, started=started, deleting=gone) for slot, (old, started, gone) in enumerate(workers)]
    observed = limited(observe(of, boss, *pods), limit)
    now = decide(observed)
    if now.status.phase is Phase.STOPPING:
        assert now.requeue_after is None or now.requeue_after <= 2
        return
    due = next_deadline(observed, NOW)
    assert now.requeue_after == seconds_until(due, NOW)
    until = due - INSTANT if due else NOW + timedelta(days=9)
    then = decide(observed, until)
    assert (then.status, then.actions) == (now.status, now.actions)
    if due:
        at_last = decide(observed, due)
        assert (at_last.status, at_last.actions) != (now.status, now.actions)
