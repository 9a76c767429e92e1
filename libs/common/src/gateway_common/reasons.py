"""Why a cluster is as it is, in one word each: what users, kubectl and scripts read. docs/reasons.md explains them.

Kubernetes has a word of its own for most of what happens to a pod; where it has one, that is used here.
"""

from enum import StrEnum

from gateway_common.model import StopReason


class Reason(StrEnum):
    """Why a cluster is in its phase, or a condition of it as it is."""

    # as it should be
    SCHEDULER_STARTING = "SchedulerStarting"
    SCHEDULER_RUNNING = "SchedulerRunning"
    SCHEDULER_SCHEDULED = "SchedulerScheduled"
    OBJECTS_CREATED = "ObjectsCreated"
    WORKERS_STARTING = "WorkersStarting"
    WORKERS_RUNNING = "WorkersRunning"

    # a pod that does not come to run
    UNSCHEDULABLE = "Unschedulable"
    IMAGE_PULL_BACK_OFF = "ImagePullBackOff"
    IMAGE_NEVER_PULL = "ErrImageNeverPull"
    INVALID_IMAGE_NAME = "InvalidImageName"
    CREATE_CONTAINER_CONFIG_ERROR = "CreateContainerConfigError"
    CREATE_CONTAINER_ERROR = "CreateContainerError"
    CRASH_LOOP_BACK_OFF = "CrashLoopBackOff"

    # a pod that has ended
    OOM_KILLED = "OOMKilled"
    EVICTED = "Evicted"
    NODE_LOST = "NodeLost"
    SCHEDULER_FAILED = "SchedulerFailed"
    SCHEDULER_LOST = "SchedulerLost"
    WORKER_FAILED = "WorkerFailed"

    # what may not be
    QUOTA_EXCEEDED = "QuotaExceeded"
    POD_REJECTED = "PodRejected"
    FORBIDDEN = "Forbidden"
    INVALID_NAME = "InvalidName"
    INVALID_CONFIG = "InvalidConfig"

    # time that is up, and stops that were asked for
    START_TIMEOUT = "StartTimeout"
    MAX_LIFETIME = "MaxLifetime"
    DELETED = StopReason.DELETED
    IDLE_TIMEOUT = StopReason.IDLE_TIMEOUT
    NO_CLIENT_TIMEOUT = StopReason.NO_CLIENT_TIMEOUT


#: A cluster that ends for one of these has come to its intended end; it has failed for any other.
INTENDED_ENDS = frozenset({Reason.DELETED, Reason.IDLE_TIMEOUT, Reason.NO_CLIENT_TIMEOUT, Reason.MAX_LIFETIME})
