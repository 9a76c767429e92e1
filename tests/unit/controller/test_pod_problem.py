"""Why a pod does not run, or how it ended, from what real clusters say."""

from typing import Any

import pytest

from gateway_controller.core.observed import Pod, read_pod
from gateway_controller.core.pod_problem import LONGEST_CLAUSE
from tests.kit import pod_statuses as recorded
from tests.kit.pod_statuses import Status


def pod(status: Status, component: str = "dask-scheduler", *others: str, **metadata: Any) -> Pod:
    labels = {"gateway.dask.org/cluster": "c0ffee", "app.kubernetes.io/component": component}
    return read_pod(
        {
            "metadata": {
                "name": f"{component}-c0ffee-3",
                "namespace": "dask",
                "uid": "u",
                "labels": labels,
                **metadata,
            },
            "spec": {"containers": [{"name": component}, *({"name": name} for name in others)]},
            "status": status,
        }
    )


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (recorded.UNSCHEDULABLE, "Unschedulable", f"no node has room for it: {recorded.UNSCHEDULABLE_SENTENCE}"),
        (
            recorded.GATED,
            "Unschedulable",
            "no node has room for it: Scheduling is blocked due to non-empty scheduling gates",
        ),
        (recorded.ERR_IMAGE_PULL, "ImagePullBackOff", f"its image can't be pulled: {recorded.REGISTRY_WORDS}"),
        (recorded.IMAGE_PULL_BACK_OFF, "ImagePullBackOff", f"its image can't be pulled: {recorded.REGISTRY_WORDS}"),
        (recorded.BARE_IMAGE_PULL_BACK_OFF, "ImagePullBackOff", "its image can't be pulled"),
        (
            recorded.NEVER_PULL,
            "ErrImageNeverPull",
            "its image is not on the node, and may not be pulled: "
            f'Container image "{recorded.IMAGE}" is not present with pull policy of Never',
        ),
        (
            recorded.INVALID_IMAGE_NAME,
            "InvalidImageName",
            'its image has an impossible name: Failed to apply default image tag "Dask:7": couldn\'t parse image name '
            '"Dask:7": invalid reference format: repository name (library/Dask) must be lowercase',
        ),
        (
            recorded.CONFIG_ERROR,
            "CreateContainerConfigError",
            'its container can\'t be configured: secret "aws-keys" not found',
        ),
        (
            recorded.CREATE_ERROR,
            "CreateContainerError",
            'its container can\'t be started: failed to generate container "1f" spec: failed to generate spec: '
            "no command specified",
        ),
        (recorded.INIT_CRASHING, "CrashLoopBackOff", "its container wait exited with code 1, and is started again"),
        (
            recorded.SIDECAR_WITHOUT_IMAGE,
            "ImagePullBackOff",
            "the image of its container proxy can't be pulled: no basic auth credentials",
        ),
    ],
)
def test_what_keeps_a_scheduler_from_running_is_one_reason_and_one_clause(
    status: Status, reason: str, message: str
) -> None:
    found = pod(status)
    assert found.problem
    assert (found.problem.reason, found.problem.message) == (reason, message)
    assert not found.finished


@pytest.mark.parametrize(
    "status",
    [
        pytest.param({}, id="nothing is said yet"),
        pytest.param(recorded.NOBODY_CARES, id="nobody has looked for a node"),
        pytest.param(recorded.CREATING, id="its container is being created"),
        pytest.param(recorded.RUNNING, id="it runs"),
        pytest.param(recorded.INIT_TRYING_AGAIN, id="an init container runs once more"),
        pytest.param(recorded.INIT_DONE, id="an init container has done its work at the second try"),
        pytest.param(recorded.SIDECAR_ENDED, id="a sidecar has ended beside a scheduler that runs"),
    ],
)
def test_a_scheduler_on_its_way_has_no_problem(status: Status) -> None:
    assert pod(status).problem is None


@pytest.mark.parametrize(
    ("status", "reason", "message", "code"),
    [
        (recorded.FAILED, "SchedulerFailed", "it exited with code 1", 1),
        (recorded.SUCCEEDED, "SchedulerFailed", "it exited with code 0", 0),
        (recorded.KILLED, "SchedulerFailed", "it exited with code 137 (killed by SIGKILL)", 137),
        (recorded.OOM_KILLED, "OOMKilled", "it used more memory than its limit, and was killed", 137),
        (
            recorded.START_ERROR,
            "SchedulerFailed",
            "it could not be started: failed to create containerd task: failed to create shim task: OCI runtime create "
            "failed: runc create failed: unable to start container process: error during container init: exec: "
            '"dask": executable file not found in $PATH: unknown',
            128,
        ),
        (
            recorded.EVICTED,
            "Evicted",
            "its pod was evicted: The node was low on resource: memory. Threshold quantity: 100Mi, available: 52320Ki. "
            "Container dask-scheduler was using 3Gi, request is 2Gi, has larger consumption of memory.",
            137,
        ),
        (
            recorded.NODE_SHUTDOWN,
            "Evicted",
            "its pod was evicted: Pod was terminated in response to imminent node shutdown.",
            143,
        ),
        (recorded.ORPHANED, "NodeLost", "its node was lost: PodGC: node no longer exists", None),
        (
            recorded.NO_ROOM_ON_THE_NODE,
            "SchedulerFailed",
            "its pod has failed: OutOfcpu: Pod was rejected: Node didn't have enough resource: cpu, requested: 2000, "
            "used: 3000, capacity: 4000",
            None,
        ),
        (recorded.INIT_FAILED, "SchedulerFailed", "its container wait exited with code 3", 3),
    ],
)
def test_how_a_scheduler_ended_is_told_with_its_exit_code(
    status: Status, reason: str, message: str, code: int | None
) -> None:
    found = pod(status)
    assert found.problem
    assert (found.problem.reason, found.problem.message, found.exit_code) == (reason, message, code)
    assert found.finished


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (recorded.DRAINED, "Evicted", "its pod was evicted: Eviction API: evicting"),
        (
            recorded.PREEMPTED,
            "Evicted",
            "its pod was evicted: default-scheduler: preempting to accommodate a higher priority pod",
        ),
        (recorded.TAINTED, "NodeLost", "its node was lost: Taint manager: deleting due to NoExecute taint"),
    ],
)
def test_whoever_takes_a_pod_away_says_why(status: Status, reason: str, message: str) -> None:
    found = pod(status, deletionTimestamp="2026-11-23T12:00:30Z", deletionGracePeriodSeconds=30)
    assert found.problem
    assert (found.problem.reason, found.problem.message) == (reason, message)


@pytest.mark.parametrize(
    ("status", "reason", "message"),
    [
        (recorded.WORKER_RESTARTING, "CrashLoopBackOff", "it exited with code 1, and is started again"),
        (recorded.WORKER_CRASHING, "CrashLoopBackOff", "it exited with code 1, and is started again"),
        (recorded.WORKER_OOM, "OOMKilled", "it used more memory than its limit, and was killed"),
        (
            recorded.WORKER_START_ERROR,
            "CreateContainerError",
            "its container can't be started: failed to create containerd task: "
            'exec: "dask": executable file not found',
        ),
    ],
)
def test_a_worker_that_is_restarted_in_place_has_a_problem_all_the_while(
    status: Status, reason: str, message: str
) -> None:
    found = pod(status, "dask-worker")
    assert found.problem
    assert (found.problem.reason, found.problem.message) == (reason, message)
    assert not found.finished


def test_a_worker_that_ended_in_success_has_no_problem_and_one_that_failed_has() -> None:
    done = recorded.on_a_node(recorded.container(recorded.ended(0, "Completed"), name="dask-worker"), phase="Succeeded")
    failed = recorded.on_a_node(recorded.container(recorded.ended(1), name="dask-worker"), phase="Failed")
    assert pod(done, "dask-worker").problem is None
    problem = pod(failed, "dask-worker").problem
    assert problem
    assert (problem.reason, problem.message) == ("WorkerFailed", "it exited with code 1")


def test_a_page_of_a_registrys_words_is_cut() -> None:
    status = recorded.on_a_node(recorded.container(recorded.waiting("ErrImagePull", "x" * 5000)))
    problem = pod(status).problem
    assert problem
    assert len(problem.message) == LONGEST_CLAUSE


@pytest.mark.parametrize(
    ("status", "log"),
    [
        (recorded.FAILED, "dask-scheduler"),
        (recorded.RUNNING, "dask-scheduler"),
        (recorded.INIT_FAILED, "wait"),
        (recorded.INIT_CRASHING, "wait"),
        (recorded.IMAGE_PULL_BACK_OFF, ""),
        (recorded.UNSCHEDULABLE, ""),
    ],
)
def test_the_log_that_says_the_most_is_that_of_the_container_that_failed(status: Status, log: str) -> None:
    assert pod(status).log_container == log


def test_workers_of_the_same_problem_share_its_words() -> None:
    one, other = pod(recorded.WORKER_CRASHING, "dask-worker"), pod(recorded.WORKER_CRASHING, "dask-worker")
    assert one.problem is other.problem


def test_of_a_scheduler_the_times_of_its_steps_are_known() -> None:
    found = pod(recorded.RUNNING)
    assert (found.has_node, found.scheduled_at, found.ready_at) == (True, recorded.AT, recorded.AT)
    early = pod(recorded.UNSCHEDULABLE)
    assert (early.has_node, early.scheduled_at, early.ready_at) == (False, "", "")
