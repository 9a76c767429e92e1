"""What a Job does about its pods, and when it is over."""

from typing import Any

import pytest

from gateway_common.clock import to_rfc3339
from gateway_common.resources import Manifest
from gateway_local.workloads.completion import is_finished, plan, seconds_kept

NOW = 1_800_000_000.0


def job(**spec: Any) -> Manifest:
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "keys", "namespace": "gateway", "uid": "j-1"},
        "spec": {"completions": 1, "parallelism": 1, "backoffLimit": 2, "template": {"spec": {}}, **spec},
    }


def pod(name: str, phase: str = "Running", *, ended_ago: float = 0.0, restarts: int = 0) -> Manifest:
    since = to_rfc3339(NOW - ended_ago)
    status = {
        "phase": phase,
        "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": since}],
        "containerStatuses": [{"restartCount": restarts}],
    }
    return {"metadata": {"name": name, "creationTimestamp": since}, "spec": {}, "status": status}


def end(status: Manifest) -> list[tuple[str, str]]:
    """(type, reason) of the conditions that hold."""
    return [(c["type"], c["reason"]) for c in status["conditions"] if c["status"] == "True"]


@pytest.mark.parametrize(
    ("spec", "pods", "create"),
    [
        ({}, [], 1),
        ({}, [pod("a")], 0),
        ({"completions": 3, "parallelism": 2}, [], 2),
        ({"completions": 3, "parallelism": 2}, [pod("a", "Succeeded"), pod("b")], 1),
        ({"completions": 3, "parallelism": 2}, [pod("a", "Succeeded"), pod("b", "Succeeded")], 1),
        ({"completions": None, "parallelism": 2}, [pod("a")], 1),
        ({"completions": None, "parallelism": 2}, [pod("a"), pod("b", "Succeeded")], 0),
        ({"suspend": True}, [], 0),
    ],
)
def test_as_many_pods_run_as_are_missing_and_allowed(spec: Manifest, pods: list[Manifest], create: int) -> None:
    assert plan(job(**spec), pods, NOW).create == create


def test_it_is_complete_once_enough_pods_have_succeeded() -> None:
    step = plan(job(), [pod("a", "Succeeded")], NOW)

    assert end(step.status) == [("SuccessCriteriaMet", "CompletionsReached"), ("Complete", "CompletionsReached")]
    assert (step.status["succeeded"], step.status["completionTime"]) == (1, to_rfc3339(NOW))
    assert is_finished({**job(), "status": step.status})


def test_a_failed_pod_is_replaced_after_a_pause_that_doubles() -> None:
    once = [pod("a", "Failed")]
    twice = [pod("a", "Failed", ended_ago=60), pod("b", "Failed", ended_ago=5)]

    assert (plan(job(), once, NOW).create, plan(job(), once, NOW).requeue_after) == (0, 10)
    assert plan(job(), once, NOW + 10).create == 1
    assert (plan(job(), twice, NOW).create, plan(job(), twice, NOW).requeue_after) == (0, 15)


@pytest.mark.parametrize(
    "pods",
    [[pod(name, "Failed", ended_ago=100) for name in "abc"], [pod("a", restarts=3)]],
    ids=["pods", "restarts"],
)
def test_it_fails_when_more_has_failed_than_it_allows(pods: list[Manifest]) -> None:
    step = plan(job(), pods, NOW)

    assert end(step.status) == [("FailureTarget", "BackoffLimitExceeded"), ("Failed", "BackoffLimitExceeded")]
    assert list(step.delete) == [p["metadata"]["name"] for p in pods if p["status"]["phase"] == "Running"]


def test_it_fails_at_its_deadline_and_takes_its_pods_along() -> None:
    running = {**job(activeDeadlineSeconds=30), "status": {"startTime": to_rfc3339(NOW)}}

    assert plan(running, [pod("a")], NOW + 10).requeue_after == 20
    step = plan(running, [pod("a")], NOW + 30)

    assert end(step.status)[-1] == ("Failed", "DeadlineExceeded")
    assert list(step.delete) == ["a"]


def test_a_finished_job_stays_as_long_as_it_says() -> None:
    finished = {**job(), "status": plan(job(), [pod("a", "Succeeded")], NOW).status}
    assert seconds_kept(finished, NOW) is None
    finished["spec"]["ttlSecondsAfterFinished"] = 60
    assert (seconds_kept(finished, NOW + 20), seconds_kept(finished, NOW + 90)) == (40, 0)
