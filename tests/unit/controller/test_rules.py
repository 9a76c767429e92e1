"""Which phase, and why."""

from typing import Any

import pytest

from gateway_common.model import Phase, StopReason
from gateway_common.reasons import Reason
from gateway_controller.core.observed import Observed
from gateway_controller.core.pod_problem import Problem
from gateway_controller.core.rules import judge
from tests.kit.observed import NOW, cluster, new_cluster, observe, scheduler, status

PENDING = cluster(status=status(Phase.PENDING))
RUNNING = cluster()
INVALID = {"worker_cores": -1}
FAILED = Problem(Reason.SCHEDULER_FAILED, "it exited with code 3")
OOM_KILLED = Problem(Reason.OOM_KILLED, "it used more memory than its limit, and was killed")
EVICTED = Problem(Reason.EVICTED, "its pod was evicted: Eviction API: evicting")
NODE_LOST = Problem(Reason.NODE_LOST, "its node was lost")
NO_ROOM = Problem(Reason.UNSCHEDULABLE, "no node has room for it: 0/3 nodes are available")


@pytest.mark.parametrize(
    ("observed", "phase", "reason"),
    [
        pytest.param(observe(new_cluster()), Phase.PENDING, "SchedulerStarting", id="a new cluster starts"),
        pytest.param(
            observe(PENDING, scheduler(running=False, ready=False, ip="")),
            Phase.PENDING,
            "SchedulerStarting",
            id="a scheduler that does not run is waited for",
        ),
        pytest.param(
            observe(PENDING, scheduler(ready=False)),
            Phase.PENDING,
            "SchedulerStarting",
            id="a scheduler that runs but does not serve is waited for",
        ),
        pytest.param(observe(PENDING, scheduler()), Phase.RUNNING, "SchedulerRunning", id="a ready scheduler runs"),
        pytest.param(
            observe(cluster(status=status(Phase.PENDING), scheduler_started=True), scheduler(ready=False)),
            Phase.RUNNING,
            "SchedulerRunning",
            id="a scheduler that says that it serves need not be probed",
        ),
        pytest.param(
            observe(PENDING, scheduler(ip="")),
            Phase.PENDING,
            "SchedulerStarting",
            id="a scheduler without an address can't be reached",
        ),
        pytest.param(
            observe(RUNNING, scheduler(ready=False)),
            Phase.RUNNING,
            "SchedulerRunning",
            id="a failed probe stops nothing",
        ),
        pytest.param(
            observe(PENDING, scheduler(finished=True, problem=FAILED)),
            Phase.STOPPING,
            "SchedulerFailed",
            id="a scheduler that ends while it starts fails its cluster",
        ),
        pytest.param(
            observe(RUNNING, scheduler(finished=True, problem=FAILED)),
            Phase.STOPPING,
            "SchedulerFailed",
            id="a scheduler that ends fails its cluster whatever its exit code",
        ),
        pytest.param(
            observe(RUNNING, scheduler(finished=True, problem=OOM_KILLED)),
            Phase.STOPPING,
            "OOMKilled",
            id="a scheduler that used too much memory says so",
        ),
        pytest.param(
            observe(RUNNING, scheduler(finished=True, problem=EVICTED)),
            Phase.STOPPING,
            "Evicted",
            id="a scheduler whose node needed room says so",
        ),
        pytest.param(
            observe(RUNNING, scheduler(deleting=True, problem=NODE_LOST)),
            Phase.STOPPING,
            "NodeLost",
            id="a scheduler that goes with its node says so",
        ),
        pytest.param(
            observe(PENDING, scheduler(running=False, ready=False, ip="", problem=NO_ROOM)),
            Phase.PENDING,
            "Unschedulable",
            id="what a scheduler waits for is said while it waits",
        ),
        pytest.param(
            observe(cluster(active=False, stop_reason=StopReason.IDLE_TIMEOUT), scheduler()),
            Phase.STOPPING,
            "IdleTimeout",
            id="a scheduler may stop its cluster for want of work",
        ),
        pytest.param(
            observe(cluster(active=False, stop_reason=StopReason.NO_CLIENT_TIMEOUT), scheduler()),
            Phase.STOPPING,
            "NoClientTimeout",
            id="or for want of clients",
        ),
        pytest.param(
            observe(RUNNING), Phase.STOPPING, "SchedulerLost", id="a scheduler that is gone fails its cluster"
        ),
        pytest.param(
            observe(RUNNING, scheduler(deleting=True)),
            Phase.STOPPING,
            "SchedulerLost",
            id="a scheduler that somebody deletes is lost",
        ),
        pytest.param(
            observe(cluster(active=False), scheduler()),
            Phase.STOPPING,
            "Deleted",
            id="a cluster that is asked to stop stops",
        ),
        pytest.param(
            observe(cluster(active=False)),
            Phase.STOPPING,
            "Deleted",
            id="a stop is no failure even if the scheduler is gone already",
        ),
        pytest.param(
            observe(cluster(active=False, stop_reason=StopReason.IDLE_TIMEOUT), scheduler()),
            Phase.STOPPING,
            "IdleTimeout",
            id="a cluster that its scheduler gives up stops for the scheduler's reason",
        ),
        pytest.param(
            observe(new_cluster(config=INVALID)),
            Phase.STOPPING,
            "InvalidConfig",
            id="a configuration that can't be is said, not tried",
        ),
        pytest.param(
            observe(new_cluster(name="a.b")), Phase.STOPPING, "InvalidName", id="a name with a dot is no cluster's"
        ),
        pytest.param(
            observe(new_cluster(name="a" * 59)),
            Phase.STOPPING,
            "InvalidName",
            id="a name of which no Service can be made is said to be too long",
        ),
        pytest.param(
            observe(new_cluster(name="a" * 58)), Phase.PENDING, "SchedulerStarting", id="the longest name starts"
        ),
        pytest.param(
            observe(cluster(config=INVALID), scheduler()),
            Phase.RUNNING,
            "SchedulerRunning",
            id="a configuration that is spoilt later does not end a running cluster",
        ),
        pytest.param(
            Observed(new_cluster(), refusal="spec.containers: wrong"),
            Phase.STOPPING,
            "PodRejected",
            id="a scheduler pod that is refused for good is not tried for ever",
        ),
        pytest.param(
            observe(cluster(active=False, status=status(Phase.STOPPING, reason="SchedulerLost", message="gone"))),
            Phase.STOPPING,
            "SchedulerLost",
            id="a cluster that fails keeps its reason",
        ),
        pytest.param(
            observe(cluster(active=False, status=status(Phase.FAILED, reason="SchedulerLost", message="gone"))),
            Phase.FAILED,
            "SchedulerLost",
            id="what failed stays failed",
        ),
        pytest.param(
            observe(cluster(status=status(Phase.STOPPED, reason="Deleted")), scheduler()),
            Phase.STOPPED,
            "Deleted",
            id="what stopped stays stopped",
        ),
    ],
)
def test_the_first_rule_that_applies_decides(observed: Observed, phase: Phase, reason: str) -> None:
    verdict = judge(observed, NOW)
    assert (verdict.phase, verdict.reason) == (phase, reason)


@pytest.mark.parametrize(
    ("observed", "said"),
    [
        (observe(new_cluster(config=INVALID)), "worker_cores: must be greater than 0, got -1"),
        (observe(RUNNING, scheduler(finished=True, problem=FAILED)), "The scheduler ended: it exited with code 3"),
        (Observed(new_cluster(), refusal="a quota of nonsense"), "a quota of nonsense"),
        (observe(RUNNING), "The scheduler's pod was deleted"),
    ],
)
def test_the_message_says_what_is_wrong(observed: Observed, said: str) -> None:
    assert said in (judge(observed, NOW).message or "")


@pytest.mark.parametrize(
    ("reason", "config", "message"),
    [
        (StopReason.DELETED, {}, "The cluster was asked to stop"),
        (
            StopReason.IDLE_TIMEOUT,
            {"idle_timeout": 600},
            "The cluster was idle for longer than its idle timeout of 600 s",
        ),
        (
            StopReason.NO_CLIENT_TIMEOUT,
            {"no_client_timeout": 1_000_000.5},
            "Nobody was connected to the cluster for longer than its no-client timeout of 1000000.5 s",
        ),
        (StopReason.IDLE_TIMEOUT, INVALID, "The cluster was idle for longer than its idle timeout"),
    ],
)
def test_a_cluster_that_stops_says_for_whom(reason: StopReason, config: dict[str, Any], message: str) -> None:
    stopping = observe(cluster(active=False, stop_reason=reason, config=config), scheduler())
    assert judge(stopping, NOW).message == message
