"""What a ReplicaSet does about its pods."""

from typing import Any

import pytest

from gateway_common.clock import to_rfc3339
from gateway_common.resources import Manifest
from gateway_local.workloads.pods import build_pod, template_hash
from gateway_local.workloads.replicas import build_status, plan

NOW = 1_800_000_000.0
LABELS = {"app": "api"}


def replica_set(replicas: int = 2, **spec: Any) -> Manifest:
    template = {"metadata": {"labels": LABELS, "annotations": {"a": "1"}}, "spec": {"containers": [{"name": "api"}]}}
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "api-1", "namespace": "gateway", "uid": "r-1", "generation": 4},
        "spec": {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template, **spec},
    }


def pod(name: str, phase: str = "Running", ready_for: float | None = 100.0, **metadata: Any) -> Manifest:
    since = to_rfc3339(NOW - (ready_for or 0))
    ready = {"type": "Ready", "status": "False" if ready_for is None else "True", "lastTransitionTime": since}
    return {
        "metadata": {"name": name, "labels": LABELS, **metadata},
        "spec": {"nodeName": "local"},
        "status": {"phase": phase, "conditions": [ready]},
    }


def unbound(name: str) -> Manifest:
    return {**pod(name, "Pending", None), "spec": {}}


@pytest.mark.parametrize(
    ("pods", "create"),
    [
        ([], 2),
        ([pod("a")], 1),
        ([pod("a"), pod("b")], 0),
        ([pod("a"), pod("b", "Failed")], 1),
        ([pod("a"), pod("b", deletionTimestamp="2026-11-26T10:00:00Z")], 1),
        ([pod("a"), pod("b"), pod("c")], 0),
    ],
)
def test_pods_that_are_over_or_going_are_replaced(pods: list[Manifest], create: int) -> None:
    assert plan(replica_set(), pods, NOW).create == create


@pytest.mark.parametrize(
    ("pods", "delete"),
    [
        ([pod("old", ready_for=100), pod("new", ready_for=1)], ["new"]),
        ([pod("ready"), pod("unready", ready_for=None)], ["unready"]),
        ([pod("unready", ready_for=None), pod("pending", "Pending", None)], ["pending"]),
        ([pod("pending", "Pending", None), unbound("unbound")], ["unbound"]),
    ],
)
def test_of_too_many_pods_the_one_that_is_missed_least_goes(pods: list[Manifest], delete: list[str]) -> None:
    assert plan(replica_set(1), pods, NOW).delete == delete


def test_a_replica_set_that_is_going_makes_no_pods() -> None:
    going = replica_set()
    going["metadata"]["deletionTimestamp"] = "2026-11-26T10:00:00Z"
    assert plan(going, [], NOW).create == 0


def test_a_ready_pod_counts_as_available_after_a_while_where_that_is_asked_for() -> None:
    patient = replica_set(minReadySeconds=30)
    pods = [pod("a", ready_for=100), pod("b", ready_for=10)]

    status = build_status(patient, pods, "", NOW)

    assert (status["replicas"], status["readyReplicas"], status["availableReplicas"]) == (2, 2, 1)
    assert plan(patient, pods, NOW).requeue_after == 20
    assert plan(patient, pods, NOW + 20).requeue_after is None


def test_why_pods_can_not_be_created_is_a_condition_until_they_can() -> None:
    failing = replica_set()
    failing["status"] = build_status(failing, [], 'pods "api-1-" is forbidden', NOW)

    (condition,) = failing["status"]["conditions"]
    assert (condition["type"], condition["reason"]) == ("ReplicaFailure", "FailedCreate")
    assert condition["message"] == 'pods "api-1-" is forbidden'
    assert "conditions" not in build_status(failing, [], "", NOW)


def test_a_pod_is_what_the_template_says_and_belongs_to_its_owner() -> None:
    built = build_pod(replica_set())

    assert built["metadata"]["generateName"] == "api-1-"
    assert (built["metadata"]["labels"], built["metadata"]["annotations"]) == (LABELS, {"a": "1"})
    (owner,) = built["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("ReplicaSet", "r-1", True)


def test_equal_templates_have_the_same_hash_and_others_another() -> None:
    one, same, other = {"a": 1, "b": [2]}, {"b": [2], "a": 1}, {"a": 1, "b": [3]}
    assert template_hash(one) == template_hash(same) != template_hash(other)
