"""Views of manifests: what is kept of them, and which difference wakes anybody."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway_common.model import Phase, StopReason
from gateway_common.reasons import Reason
from gateway_controller.core.observed import Pod, Wake, classify_change, read_cluster, read_pod
from gateway_controller.core.pod_problem import Problem
from tests.kit.clusters import dask_cluster
from tests.kit.observed import CLUSTER_UID, NAME, cluster, observe, scheduler, worker


def pod_manifest(component: str = "dask-scheduler", name: str = "", **status: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name or f"dask-scheduler-{NAME}",
            "namespace": "dask",
            "uid": "uid",
            "labels": {"gateway.dask.org/cluster": NAME, "app.kubernetes.io/component": component},
            "ownerReferences": [{"kind": "DaskCluster", "name": NAME, "uid": CLUSTER_UID}],
        },
        "spec": {"containers": [{"name": "istio-proxy"}, {"name": component}]},
        "status": status,
    }


def containers(state: dict[str, Any], name: str = "dask-scheduler") -> list[dict[str, Any]]:
    return [{"name": "istio-proxy", "state": {"running": {}}}, {"name": name, "state": state}]


def test_a_pod_that_nobody_has_scheduled_is_seen() -> None:
    pod = read_pod(pod_manifest(phase="Pending"))
    assert pod == scheduler(uid="uid", running=False, ready=False, ip="", has_node=False)


def test_a_scheduler_serves_when_its_own_container_runs_and_its_pod_is_ready() -> None:
    status: dict[str, Any] = {
        "phase": "Running",
        "podIP": "10.0.0.1",
        "containerStatuses": containers({"running": {"startedAt": "2026-11-23T10:00:00Z"}}),
        "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
    }
    assert read_pod(pod_manifest(**status)) == scheduler(uid="uid", log_container="dask-scheduler")


def test_a_worker_whose_container_is_restarted_in_place_is_not_finished() -> None:
    state = {"terminated": {"exitCode": 1}}
    pod = read_pod(
        pod_manifest(
            "dask-worker", "dask-worker-a-3", phase="Running", containerStatuses=containers(state, "dask-worker")
        )
    )
    assert (pod.slot, pod.running, pod.finished) == (3, False, False)


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_a_worker_pod_that_ended_is_finished(phase: str) -> None:
    pod = read_pod(pod_manifest("dask-worker", "dask-worker-a-3", phase=phase))
    assert (pod.running, pod.finished) == (False, True)


@pytest.mark.parametrize("name", ["dask-worker-a-xk2v4", "dask-worker-a-", "worker"])
def test_a_worker_with_a_name_of_another_kind_has_no_slot(name: str) -> None:
    assert read_pod(pod_manifest("dask-worker", name)).slot == -1


def test_a_heartbeat_of_the_kubelet_changes_nothing() -> None:
    def at(time: str) -> Pod:
        conditions = [{"type": "Ready", "status": "True", "lastProbeTime": time}]
        return read_pod(pod_manifest(phase="Running", conditions=conditions))

    assert at("2026-11-23T10:00:00Z") == at("2026-11-23T10:00:01Z")


CRASHING = Problem(Reason.CRASH_LOOP_BACK_OFF, "it exited with code 1")
NO_NODE = scheduler(running=False, ready=False, ip="", has_node=False)
NO_ROOM = replace(NO_NODE, problem=Problem(Reason.UNSCHEDULABLE, "no node has room for it"))


@pytest.mark.parametrize(
    ("old", "new", "wake"),
    [
        (None, worker(0), Wake.LATER),
        (worker(0), None, Wake.NOW),
        (worker(0, running=False), worker(0), Wake.LATER),
        (worker(0, running=False), worker(0, running=False, problem=CRASHING), Wake.LATER),
        (worker(0), worker(0, running=False), Wake.NOW),
        (worker(0), worker(0, running=False, finished=True), Wake.NOW),
        (worker(0), worker(0, deleting=True), Wake.NOW),
        (worker(0), worker(0), Wake.NEVER),
        (None, NO_NODE, Wake.NOW),
        (NO_NODE, replace(NO_NODE, has_node=True, scheduled_at="2026-11-23T12:00:00Z"), Wake.LATER),
        (NO_NODE, NO_ROOM, Wake.NOW),
        (NO_ROOM, NO_NODE, Wake.NOW),
        (NO_ROOM, replace(NO_NODE, has_node=True), Wake.NOW),
        (scheduler(ready=False), scheduler(), Wake.NOW),
        (scheduler(), scheduler(), Wake.NEVER),
    ],
)
def test_what_only_changes_the_words_of_a_status_can_wait(old: Pod | None, new: Pod | None, wake: Wake) -> None:
    assert classify_change(old, new) is wake


def test_a_hand_made_cluster_has_defaults_for_everything() -> None:
    manifest = dask_cluster(name=NAME)
    manifest["spec"] = {"username": "alice"}
    view = read_cluster(manifest)
    assert (view.active, view.stop_reason, view.replicas, view.config) == (True, StopReason.DELETED, 0, b"{}")
    assert view.status.phase is Phase.PENDING


def test_what_an_older_schema_let_through_counts_as_absent() -> None:
    spec = {"active": None, "replicas": "many", "config": "none"}
    view = read_cluster(dask_cluster(spec=spec, status={"phase": "Sleeping"}))
    assert (view.active, view.replicas, view.config) == (True, 0, b"{}")
    assert view.status.phase is Phase.PENDING


@pytest.mark.parametrize(
    ("given", "read"),
    [("IdleTimeout", "IdleTimeout"), ("Deleted", "Deleted"), ("Bored", "Deleted"), ([], "Deleted"), (None, "Deleted")],
)
def test_a_stop_reason_that_nobody_knows_is_that_it_was_deleted(given: Any, read: str) -> None:
    assert read_cluster(dask_cluster(spec={"active": False, "stopReason": given})).stop_reason == read


def test_equal_configurations_are_equal_whatever_their_order() -> None:
    one = read_cluster(dask_cluster(config={"image": "a", "worker_cores": 1}))
    other = read_cluster(dask_cluster(config={"worker_cores": 1, "image": "a"}))
    assert one.config == other.config


def test_pods_belong_to_a_cluster_by_owner_and_not_by_name_alone() -> None:
    mine, earlier = worker(0), worker(5, owner_uid="an earlier scheduler")
    observed = observe(cluster(), scheduler(), mine, earlier)
    assert (observed.scheduler, observed.workers, observed.strays) == (scheduler(), (mine,), (earlier,))
    assert observed.next_slot == 6


def test_a_scheduler_of_an_earlier_cluster_of_that_name_is_a_stray() -> None:
    earlier = scheduler(owner_uid="an earlier cluster")
    observed = observe(cluster(), earlier)
    assert (observed.scheduler, observed.strays) == (None, (earlier,))


@pytest.mark.parametrize(("grace", "allowed"), [(60, 60), (1, 30), (0, 30), (None, 30)])
def test_a_pod_that_is_deleted_has_its_grace_and_as_long_again(grace: int | None, allowed: int) -> None:
    manifest = pod_manifest()
    manifest["metadata"] |= {"deletionTimestamp": "2026-11-23T12:00:00Z", "deletionGracePeriodSeconds": grace}
    pod = read_pod(manifest)
    over = datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert (pod.deletion_asked, pod.deletion_due) == (
        over - timedelta(seconds=grace or 0),
        over + timedelta(seconds=allowed),
    )
