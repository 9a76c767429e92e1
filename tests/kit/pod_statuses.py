"""Statuses of pods as clusters of Kubernetes 1.30 to 1.34 with containerd write them, word for word but for names.

Each is the whole `status` of a scheduler's pod with one container, unless it says otherwise.
"""

from typing import Any

Status = dict[str, Any]

NAME = "dask-scheduler"
IMAGE = "registry.example.com/team/dask:7"
AT = "2026-11-23T11:58:00Z"


def condition(kind: str, status: str, reason: str = "", message: str = "") -> Status:
    entry = {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": AT}
    return entry | ({"reason": reason} if reason else {}) | ({"message": message} if message else {})


def container(state: Status, *, name: str = NAME, last: Status | None = None, restarts: int = 0) -> Status:
    running = "running" in state
    return {
        "name": name,
        "image": IMAGE,
        "imageID": "",
        "state": state,
        "lastState": last or {},
        "ready": running,
        "started": running,
        "restartCount": restarts,
    }


def waiting(reason: str, message: str = "") -> Status:
    return {"waiting": {"reason": reason, **({"message": message} if message else {})}}


def ended(code: int, reason: str = "Error", message: str = "") -> Status:
    times = {"startedAt": "2026-11-23T11:58:30Z", "finishedAt": "2026-11-23T11:59:00Z"}
    said = {"message": message} if message else {}
    return {"terminated": {"exitCode": code, "reason": reason, "containerID": "containerd://1f", **times, **said}}


def on_a_node(*containers: Status, phase: str = "Pending", init: list[Status] | None = None, **more: Any) -> Status:
    """As a kubelet reports it."""
    unready = [one["name"] for one in containers if not one["ready"]]
    ready = (
        ("False", "ContainersNotReady", f"containers with unready status: [{' '.join(unready)}]")
        if unready
        else ("True",)
    )
    return {
        "phase": phase,
        "conditions": [
            condition("PodReadyToStartContainers", "True"),
            condition("Initialized", "True"),
            condition("Ready", *ready),
            condition("ContainersReady", *ready),
            condition("PodScheduled", "True"),
        ],
        "hostIP": "10.1.0.4",
        "podIP": "10.0.0.1",
        "startTime": AT,
        "containerStatuses": list(containers),
        **({"initContainerStatuses": init} if init else {}),
        "qosClass": "Burstable",
        **more,
    }


def disrupted(status: Status, reason: str, message: str) -> Status:
    """With the condition that whoever takes a pod away sets first."""
    return {**status, "conditions": [*status["conditions"], condition("DisruptionTarget", "True", reason, message)]}


NOBODY_CARES = {"phase": "Pending", "qosClass": "Burstable"}
UNSCHEDULABLE_SENTENCE = (
    "0/3 nodes are available: 1 node(s) had untolerated taint {node-role.kubernetes.io/control-plane: }, "
    "2 Insufficient cpu. preemption: 0/3 nodes are available: 1 Preemption is not helpful for scheduling, "
    "2 No preemption victims found for incoming pod."
)
UNSCHEDULABLE = {
    "phase": "Pending",
    "conditions": [condition("PodScheduled", "False", "Unschedulable", UNSCHEDULABLE_SENTENCE)],
    "qosClass": "Burstable",
}
GATED = {
    "phase": "Pending",
    "conditions": [
        condition("PodScheduled", "False", "SchedulingGated", "Scheduling is blocked due to non-empty scheduling gates")
    ],
}
CREATING = on_a_node(container(waiting("ContainerCreating")))
RUNNING = on_a_node(container({"running": {"startedAt": AT}}), phase="Running")
REGISTRY_WORDS = f'failed to pull and unpack image "{IMAGE}": failed to resolve reference "{IMAGE}": {IMAGE}: not found'
ERR_IMAGE_PULL = on_a_node(container(waiting("ErrImagePull", f"rpc error: code = NotFound desc = {REGISTRY_WORDS}")))
#: From 1.32 on.
IMAGE_PULL_BACK_OFF = on_a_node(
    container(
        waiting(
            "ImagePullBackOff",
            f'Back-off pulling image "{IMAGE}": ErrImagePull: rpc error: code = NotFound desc = {REGISTRY_WORDS}',
        )
    )
)
#: Until 1.31: why is not said any more.
BARE_IMAGE_PULL_BACK_OFF = on_a_node(container(waiting("ImagePullBackOff", f'Back-off pulling image "{IMAGE}"')))
NEVER_PULL = on_a_node(
    container(waiting("ErrImageNeverPull", f'Container image "{IMAGE}" is not present with pull policy of Never'))
)
INVALID_IMAGE_NAME = on_a_node(
    container(
        waiting(
            "InvalidImageName",
            'Failed to apply default image tag "Dask:7": couldn\'t parse image name "Dask:7": invalid reference '
            "format: repository name (library/Dask) must be lowercase",
        )
    )
)
CONFIG_ERROR = on_a_node(container(waiting("CreateContainerConfigError", 'secret "aws-keys" not found')))
CREATE_ERROR = on_a_node(
    container(
        waiting(
            "CreateContainerError",
            'failed to generate container "1f" spec: failed to generate spec: no command specified',
        )
    )
)
FAILED = on_a_node(container(ended(1)), phase="Failed")
SUCCEEDED = on_a_node(container(ended(0, "Completed")), phase="Succeeded")
KILLED = on_a_node(container(ended(137)), phase="Failed")
OOM_KILLED = on_a_node(container(ended(137, "OOMKilled")), phase="Failed")
START_ERROR = on_a_node(
    container(
        ended(
            128,
            "StartError",
            "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create "
            'failed: unable to start container process: error during container init: exec: "dask": executable file '
            "not found in $PATH: unknown",
        )
    ),
    phase="Failed",
)
EVICTED = {
    **disrupted(
        on_a_node(container(ended(137)), phase="Failed"),
        "TerminationByKubelet",
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 52320Ki.",
    ),
    "reason": "Evicted",
    "message": "The node was low on resource: memory. Threshold quantity: 100Mi, available: 52320Ki. Container "
    "dask-scheduler was using 3Gi, request is 2Gi, has larger consumption of memory. ",
}
NODE_SHUTDOWN = {
    **on_a_node(container(ended(143)), phase="Failed"),
    "reason": "Terminated",
    "message": "Pod was terminated in response to imminent node shutdown.",
}
DRAINED = disrupted(RUNNING, "EvictionByEvictionAPI", "Eviction API: evicting")
PREEMPTED = disrupted(
    RUNNING, "PreemptionByScheduler", "default-scheduler: preempting to accommodate a higher priority pod"
)
TAINTED = disrupted(RUNNING, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
ORPHANED = disrupted(
    {**on_a_node(container({"running": {"startedAt": AT}}), phase="Failed")},
    "DeletionByPodGC",
    "PodGC: node no longer exists",
)
NO_ROOM_ON_THE_NODE = {
    "phase": "Failed",
    "reason": "OutOfcpu",
    "message": "Pod was rejected: Node didn't have enough resource: cpu, requested: 2000, used: 3000, capacity: 4000",
    "startTime": AT,
}
INIT_CRASHING = on_a_node(
    container(waiting("PodInitializing")),
    init=[
        container(
            waiting(
                "CrashLoopBackOff",
                "back-off 40s restarting failed container=wait pod=dask-scheduler-c0ffee_dask(0a5e)",
            ),
            name="wait",
            last=ended(1),
            restarts=3,
        )
    ],
)
INIT_TRYING_AGAIN = on_a_node(
    container(waiting("PodInitializing")),
    init=[container({"running": {"startedAt": AT}}, name="wait", last=ended(1), restarts=4)],
)
INIT_FAILED = on_a_node(container(waiting("PodInitializing")), phase="Failed", init=[container(ended(3), name="wait")])
INIT_DONE = on_a_node(
    container(waiting("PodInitializing")),
    init=[container(ended(0, "Completed"), name="wait", last=ended(1), restarts=1)],
)
SIDECAR_WITHOUT_IMAGE = on_a_node(
    container({"running": {"startedAt": AT}}),
    container(waiting("ErrImagePull", "rpc error: code = Unknown desc = no basic auth credentials"), name="proxy"),
)
SIDECAR_ENDED = on_a_node(container({"running": {"startedAt": AT}}), container(ended(1), name="proxy"), phase="Running")
WORKER_RESTARTING = on_a_node(container(ended(1), name="dask-worker"), phase="Running")
WORKER_CRASHING = on_a_node(
    container(
        waiting(
            "CrashLoopBackOff",
            "back-off 10s restarting failed container=dask-worker pod=dask-worker-c0ffee-3_dask(0a5e)",
        ),
        name="dask-worker",
        last=ended(1),
        restarts=1,
    ),
    phase="Running",
)
WORKER_OOM = on_a_node(
    container(
        waiting("CrashLoopBackOff", "back-off 10s restarting failed container=dask-worker pod=w_dask(0a5e)"),
        name="dask-worker",
        last=ended(137, "OOMKilled"),
        restarts=2,
    ),
    phase="Running",
)
WORKER_START_ERROR = on_a_node(
    container(
        waiting("RunContainerError", 'failed to create containerd task: exec: "dask": executable file not found'),
        name="dask-worker",
        last=ended(128, "StartError", 'failed to create containerd task: exec: "dask": executable file not found'),
        restarts=1,
    ),
    phase="Running",
)
