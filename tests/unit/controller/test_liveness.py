"""Schedulers that were killed because they did not answer, told from those that ended otherwise."""

from typing import Any

import pytest

from gateway_common.reasons import Reason
from gateway_controller.core.liveness import explain_liveness_kill
from gateway_controller.core.observed import read_pod
from gateway_controller.core.pod_problem import Problem
from tests.kit.observed import CLUSTER_UID, NAME

PROBE = {"httpGet": {"path": "/api/health", "port": 8788}, "periodSeconds": 10, "failureThreshold": 30}
KILLED = {"exitCode": 137, "reason": "Error", "finishedAt": "2026-11-23T12:05:32Z"}
SINCE_LONG = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-23T12:00:04Z"}
SINCE_ITS_END = {"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-23T12:05:32Z"}
SAID = "it was killed because it had not answered for 300 s"


def pod(
    ready: dict[str, Any] | None, ended: dict[str, Any], probe: dict[str, Any] | None, name: str = "dask-scheduler"
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"dask-scheduler-{NAME}",
            "namespace": "dask",
            "uid": "uid",
            "labels": {"gateway.dask.org/cluster": NAME, "app.kubernetes.io/component": "dask-scheduler"},
            "ownerReferences": [{"uid": CLUSTER_UID}],
        },
        "spec": {"containers": [{"name": name, **({"livenessProbe": probe} if probe else {})}]},
        "status": {
            "phase": "Failed",
            "conditions": [{"type": "PodScheduled", "status": "True"}, *([ready] if ready else [])],
            "containerStatuses": [{"name": name, "state": {"terminated": ended}}],
        },
    }


@pytest.mark.parametrize("code", [137, 143])
def test_a_scheduler_that_was_unready_for_long_before_it_was_killed_had_not_answered(code: int) -> None:
    assert read_pod(pod(SINCE_LONG, {**KILLED, "exitCode": code}, PROBE)).problem.message == SAID


@pytest.mark.parametrize(
    ("ready", "ended", "probe"),
    [
        pytest.param(SINCE_ITS_END, KILLED, PROBE, id="it was ready until it was killed"),
        pytest.param(SINCE_LONG, {**KILLED, "exitCode": 1}, PROBE, id="it ended by itself"),
        pytest.param(SINCE_LONG, {**KILLED, "reason": "OOMKilled"}, PROBE, id="it needed too much memory"),
        pytest.param(SINCE_LONG, KILLED, None, id="nobody looks whether it answers"),
        pytest.param({**SINCE_LONG, "status": "True"}, KILLED, PROBE, id="it is said to be ready still"),
        pytest.param(None, KILLED, PROBE, id="nobody says since when it was not ready"),
        pytest.param(SINCE_LONG, {"exitCode": 137}, PROBE, id="nobody says when it ended"),
    ],
)
def test_a_scheduler_that_ended_otherwise_was_not_killed_for_its_silence(
    ready: dict[str, Any] | None, ended: dict[str, Any], probe: dict[str, Any] | None
) -> None:
    assert explain_liveness_kill(pod(ready, ended, probe), "dask-scheduler", ended) == ""
    assert read_pod(pod(ready, ended, probe)).problem != Problem(Reason.SCHEDULER_FAILED, SAID)


def test_a_scheduler_by_another_name_has_no_probe_of_ours() -> None:
    assert (
        read_pod(pod(SINCE_LONG, KILLED, PROBE, name="renamed")).problem.message
        == "it exited with code 137 (killed by SIGKILL)"
    )
