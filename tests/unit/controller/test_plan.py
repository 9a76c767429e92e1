"""Whole plans, as values."""

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway_common.config import parse_cluster_config
from gateway_common.configuration.proxy import GatewayApiGroup
from gateway_common.manifests.scheduler_pod import build_scheduler_pod
from gateway_common.manifests.worker_pod import build_worker_pods
from gateway_common.model import DaskClusterStatus, Phase, StopReason, WorkersStatus
from gateway_common.resources import INGRESSROUTES, INGRESSROUTETCPS, PODS, SECRETS, SERVICES
from gateway_controller.core.build.ingress_route import build_ingress_route
from gateway_controller.core.build.ingress_route_tcp import build_ingress_route_tcp
from gateway_controller.core.build.routes import build_routes
from gateway_controller.core.build.service import build_service
from gateway_controller.core.drift import NO_DRIFT, Drift
from gateway_controller.core.observed import Observed
from gateway_controller.core.plan import Create, CreateCredentials, Delete, DeletePods, Owner, Plan, Renew
from gateway_controller.core.plan import plan as decide
from gateway_controller.core.scaling import MOST_AT_ONCE
from tests.kit.observed import (
    ASPECTS,
    INSTALLATION,
    NOW,
    cluster,
    condition,
    new_cluster,
    observe,
    scheduler,
    status,
    with_condition,
    worker,
)

CONFIG = parse_cluster_config({})
SELECTOR = "gateway.dask.org/instance=test,gateway.dask.org/cluster=c0ffee"
SECRET = Delete(SECRETS, "dask-credentials-c0ffee")
COMPLETED = "2026-11-23T12:00:00Z"
STOP = {"reason": "Deleted", "message": "The cluster was asked to stop"}
#: As far as the first plan comes.
WITHOUT_NODE = with_condition(
    status(Phase.PENDING), "SchedulerScheduled", "False", "SchedulerStarting", "The scheduler is starting"
)
LOST = {"reason": "SchedulerLost", "message": "The scheduler's pod was deleted"}


def plan(observed: Observed) -> Plan:
    return decide(observed, INSTALLATION, NOW)


def all_pods(observed: Observed) -> DeletePods:
    return DeletePods(SELECTOR, frozenset(pod.uid for pod in observed.pods))


def routes() -> tuple[Create, ...]:
    return (
        Create(SERVICES, build_service(INSTALLATION, cluster().full_name), Owner.SCHEDULER),
        Create(INGRESSROUTES, build_ingress_route(INSTALLATION, cluster().full_name), Owner.SCHEDULER),
        Create(INGRESSROUTETCPS, build_ingress_route_tcp(INSTALLATION, cluster().full_name), Owner.SCHEDULER),
    )


def test_everything_of_a_new_cluster_is_made_at_once() -> None:
    pod = Create(PODS, build_scheduler_pod(INSTALLATION, cluster().full_name, CONFIG), Owner.CLUSTER)
    assert plan(observe(new_cluster())) == Plan(WITHOUT_NODE, actions=((CreateCredentials(),), (pod,), routes()))


def test_after_a_restart_between_the_calls_the_scheduler_that_is_there_is_kept() -> None:
    observed = observe(new_cluster(), scheduler(running=False, ready=False, ip=""))
    assert plan(observed) == Plan(status(Phase.PENDING), actions=((CreateCredentials(),), routes()))


def test_when_the_proxy_has_changed_running_clusters_get_routes_that_it_understands() -> None:
    behind = replace(INSTALLATION, gateway_api=GatewayApiGroup(gateway="edge"))
    running = observe(cluster(status=status()), scheduler())
    changed = decide(running, behind, NOW)
    assert changed.actions[-1] == (
        routes()[0],
        *(Create(resource, route, Owner.SCHEDULER) for resource, route in build_routes(behind, cluster().full_name)),
    )
    assert (changed.status.httproute, changed.status.tlsroute) == ("dask-c0ffee", "dask-c0ffee")
    assert changed.status.phase is Phase.RUNNING
    known = replace(running, cluster=replace(running.cluster, status=changed.status))
    assert decide(known, behind, NOW).actions == ()
    assert decide(known, INSTALLATION, NOW).actions == (), "back again: they are still there"


def test_a_cluster_that_starts_is_waited_for_without_doing_anything() -> None:
    pending = cluster(status=status(Phase.PENDING), replicas=3)
    assert plan(observe(pending, scheduler(ready=False))) == Plan(pending.status)


def test_a_scheduler_that_serves_makes_its_cluster_run_with_its_address() -> None:
    assert plan(observe(cluster(status=status(Phase.PENDING)), scheduler())) == Plan(status(Phase.RUNNING))


def test_that_a_cluster_runs_does_not_depend_on_workers_that_a_quota_may_forbid() -> None:
    pending = cluster(status=status(Phase.PENDING), replicas=3)
    assert plan(observe(pending, scheduler())) == Plan(status(Phase.RUNNING, workers=WorkersStatus(desired=3)))


def test_a_steady_cluster_needs_nothing() -> None:
    steady = status(workers=WorkersStatus(desired=2, running=2))
    observed = observe(cluster(replicas=2, status=steady), scheduler(), worker(0), worker(1))
    assert plan(observed) == Plan(observed.cluster.status)


def test_workers_are_made_in_growing_batches() -> None:
    manifests = build_worker_pods(INSTALLATION, cluster().full_name, CONFIG, range(5))
    pods = [Create(PODS, pod, Owner.SCHEDULER) for pod in manifests]
    assert plan(observe(cluster(replicas=5), scheduler())) == Plan(
        status(workers=WorkersStatus(desired=5)), actions=((pods[0],), (pods[1], pods[2]), (pods[3], pods[4]))
    )


def test_ended_workers_are_deleted_before_others_take_their_place() -> None:
    ended = worker(0, running=False, finished=True)
    (fresh,) = build_worker_pods(INSTALLATION, cluster().full_name, CONFIG, [1])
    known = status(workers=WorkersStatus(desired=1), next_worker_slot=1)
    assert plan(observe(cluster(replicas=1, status=known), scheduler(), ended)) == Plan(
        known,
        actions=((Delete(PODS, ended.name, ended.uid),), (Create(PODS, fresh, Owner.SCHEDULER),)),
    )


def test_before_a_worker_is_deleted_it_is_written_that_its_name_is_used_up() -> None:
    ended = worker(6, running=False, finished=True)
    first = plan(observe(cluster(), scheduler(), ended))
    assert first == Plan(status(next_worker_slot=7))
    assert plan(observe(cluster(status=first.status), scheduler(), ended)).actions == (
        (Delete(PODS, ended.name, ended.uid),),
    )
    successor = plan(observe(cluster(status=first.status, replicas=1), scheduler()))
    (created,) = (action for batch in successor.actions for action in batch)
    assert isinstance(created, Create)
    assert created.manifest["metadata"]["name"] == worker(7).name


def test_the_rest_of_very_many_workers_follows_at_once() -> None:
    many = plan(observe(cluster(replicas=MOST_AT_ONCE + 1), scheduler()))
    assert sum(map(len, many.actions)) == MOST_AT_ONCE
    assert many.requeue_after == 0.0


def test_a_running_cluster_whose_configuration_was_spoilt_stays_and_says_so() -> None:
    observed = observe(cluster(config={"worker_cores": -1}, replicas=5), scheduler(), worker(0))
    spoilt = plan(observed)
    assert spoilt.actions == ()
    assert (spoilt.status.phase, spoilt.status.reason) == (Phase.RUNNING, "InvalidConfig")
    assert "worker_cores" in (spoilt.status.message or "")


def test_a_stop_deletes_the_pods_and_is_not_over_before_they_are_gone() -> None:
    observed = observe(cluster(active=False), scheduler())
    assert plan(observed) == Plan(
        status(Phase.STOPPING, **STOP, scheduler_address="10.0.0.1"), actions=((all_pods(observed),),)
    )


def test_workers_leave_before_their_scheduler() -> None:
    begun = plan(observe(cluster(active=False), scheduler(), worker(0), worker(1, finished=True)))
    first_workers = DeletePods(f"{SELECTOR},app.kubernetes.io/component=dask-worker", frozenset({"uid-of-worker-0"}))
    assert begun.actions == ((first_workers,),)
    assert begun.requeue_after == 2.0

    stopping = cluster(active=False, status=begun.status)
    waiting = observe(stopping, scheduler(), worker(0, deleting=True, deletion_asked=NOW - timedelta(seconds=0.5)))
    assert plan(waiting) == Plan(begun.status, requeue_after=1.5)

    alone = observe(stopping, scheduler())
    assert plan(alone).actions == ((all_pods(alone),),)


def test_a_scheduler_does_not_wait_long_for_a_worker_that_does_not_leave() -> None:
    stopping = cluster(active=False, status=status(Phase.STOPPING, **STOP))
    stuck = observe(stopping, scheduler(), worker(0, deleting=True, deletion_asked=NOW - timedelta(seconds=2)))
    assert plan(stuck) == Plan(stopping.status, actions=((all_pods(stuck),),))


def test_a_stopping_cluster_waits_for_its_pods() -> None:
    stopping = cluster(active=False, status=status(Phase.STOPPING, **STOP))
    assert plan(observe(stopping, scheduler(deleting=True))) == Plan(stopping.status)


def test_a_pod_that_turns_up_while_a_cluster_stops_is_deleted_too() -> None:
    stopping = cluster(active=False, status=status(Phase.STOPPING, **STOP))
    observed = observe(stopping, scheduler(deleting=True), worker(0))
    assert plan(observed) == Plan(stopping.status, actions=((all_pods(observed),),))


@pytest.mark.parametrize("reason", list(StopReason))
def test_a_cluster_that_was_given_back_is_stopped_when_no_pod_is_left_and_its_secret_goes_last(
    reason: StopReason,
) -> None:
    stopping = cluster(active=False, stop_reason=reason, status=status(Phase.STOPPING, **{**STOP, "reason": reason}))
    assert plan(observe(stopping)) == Plan(
        status(Phase.STOPPED, **{**STOP, "reason": reason}, completion_time=COMPLETED), actions=((SECRET,),)
    )


def test_a_cluster_that_is_stopped_before_anything_was_made_is_over_in_one_step() -> None:
    conditions = [condition(kind, "False", **STOP) for kind in ASPECTS]
    stopped = DaskClusterStatus(phase=Phase.STOPPED, **STOP, conditions=conditions, completion_time=COMPLETED)
    assert plan(observe(new_cluster(active=False))) == Plan(stopped, actions=((SECRET,),))


def test_a_lost_scheduler_fails_its_cluster_which_keeps_the_reason_over_the_clean_up() -> None:
    observed = observe(cluster(), worker(0))
    stopping = plan(observed)
    assert stopping.actions == ((all_pods(observed),),)
    assert (stopping.status.phase, stopping.status.reason) == (Phase.STOPPING, "SchedulerLost")

    failed = plan(observe(replace(observed.cluster, status=stopping.status)))
    assert failed.actions == ((SECRET,),)
    assert failed.status == status(Phase.FAILED, **LOST, completion_time=COMPLETED, scheduler_address="10.0.0.1")


def test_a_configuration_that_can_not_be_fails_at_once() -> None:
    failed = plan(observe(new_cluster(config={"worker_cores": -1})))
    assert failed.actions == ((SECRET,),)
    assert (failed.status.phase, failed.status.reason) == (Phase.FAILED, "InvalidConfig")


@pytest.mark.parametrize("phase", [Phase.STOPPED, Phase.FAILED])
def test_what_is_over_is_left_alone(phase: Phase) -> None:
    over = cluster(active=False, status=status(phase, completion_time=COMPLETED))
    assert plan(observe(over)) == Plan(over.status)
    assert plan(observe(over, worker(0, deleting=True))) == Plan(over.status)


def test_a_pod_that_turns_up_after_the_end_is_deleted() -> None:
    over = cluster(active=False, status=status(Phase.STOPPED, completion_time=COMPLETED))
    observed = observe(over, scheduler())
    assert plan(observed) == Plan(over.status, actions=((all_pods(observed),),))


def test_the_children_of_a_cluster_that_is_being_deleted_go_with_it() -> None:
    observed = observe(new_cluster(deleting=True))
    assert plan(observed) == Plan(observed.cluster.status)


def test_what_leads_to_a_cluster_is_mended_where_it_is_not_as_it_should_be() -> None:
    service, web, tcp = routes()
    drift = Drift(missing=frozenset({SERVICES, INGRESSROUTETCPS}), outdated=frozenset({INGRESSROUTES}))
    running = replace(observe(cluster(status=status()), scheduler()), drift=drift)
    assert plan(running).actions == ((service, tcp, Renew(INGRESSROUTES, web.manifest)),)
    assert plan(running).status == plan(replace(running, drift=NO_DRIFT)).status


def test_what_leads_to_a_cluster_that_ends_is_left_alone() -> None:
    drift = Drift(missing=frozenset({SERVICES}))
    ending = replace(observe(cluster(status=status(), active=False), scheduler()), drift=drift)
    assert plan(ending) == plan(replace(ending, drift=NO_DRIFT))
