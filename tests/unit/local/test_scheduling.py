"""Which pods fit which nodes, and how the scheduler says that one does not."""

from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from gateway_local.scheduling import classify_misfit, requests_of, unschedulable_message
from tests.kit.pods import container, pod

NODE: dict[str, Any] = {
    "metadata": {"name": "local", "labels": {"kubernetes.io/os": "linux"}},
    "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "10"}},
}


def asking(**requests: str) -> dict[str, Any]:
    return container("true", resources={"requests": requests})


@pytest.mark.parametrize(
    ("manifest", "misfit"),
    [
        (pod(), ""),
        (pod(asking(cpu="4", memory="8Gi")), ""),
        (pod(asking(cpu="4001m")), "Insufficient cpu"),
        (pod(asking(cpu="3"), asking(cpu="2")), "Insufficient cpu"),
        (pod(asking(memory="9Gi")), "Insufficient memory"),
        (pod(container("true", resources={"limits": {"cpu": "5"}})), "Insufficient cpu"),
        (pod(asking(**{"nvidia.com/gpu": "1"})), "Insufficient nvidia.com/gpu"),
        (pod(nodeSelector={"kubernetes.io/os": "linux"}), ""),
        (pod(nodeSelector={"gpu": "yes"}), "node(s) didn't match Pod's node affinity/selector"),
    ],
)
def test_a_pod_fits_when_its_requests_and_selector_do(manifest: dict[str, Any], misfit: str) -> None:
    assert classify_misfit(manifest, NODE, {}) == misfit


def test_what_other_pods_asked_for_is_taken() -> None:
    used = {"cpu": Decimal(3), "pods": Decimal(9)}
    assert classify_misfit(pod(asking(cpu="1")), NODE, used) == ""
    assert classify_misfit(pod(asking(cpu="1.1")), NODE, used) == "Insufficient cpu"
    assert classify_misfit(pod(), NODE, Counter(pods=10)) == "Too many pods"


def test_a_cordoned_node_takes_nothing() -> None:
    assert classify_misfit(pod(), {**NODE, "spec": {"unschedulable": True}}, {}) == "node(s) were unschedulable"


def test_init_containers_need_no_more_than_the_largest_of_them() -> None:
    manifest = pod(asking(cpu="1"), asking(cpu="2"), initContainers=[asking(cpu="2"), asking(cpu="5", memory="1Gi")])
    assert requests_of(manifest) == {"cpu": 5, "memory": 1024**3, "pods": 1}


@pytest.mark.parametrize(
    ("problems", "message"),
    [
        ([], "no nodes available to schedule pods"),
        (
            ["Insufficient cpu"],
            "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
            "1 No preemption victims found for incoming pod.",
        ),
        (
            ["Insufficient memory", "node(s) were unschedulable", "Insufficient memory"],
            "0/3 nodes are available: 1 node(s) were unschedulable, 2 Insufficient memory. preemption: 0/3 nodes are "
            "available: 1 Preemption is not helpful for scheduling, 2 No preemption victims found for incoming pod.",
        ),
    ],
)
def test_all_nodes_are_told_in_one_sentence(problems: list[str], message: str) -> None:
    assert unschedulable_message(problems) == message
