"""The DaskCluster object.

Field ownership: the api writes metadata and `spec`, the controller alone writes `status`. Objects made by
dask-gateway 2026.3.0 validate unchanged, so every field but those that it always wrote is optional.
"""

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class Phase(StrEnum):
    """Where a cluster is in its life. It only ever moves down this list."""

    PENDING = "Pending"
    RUNNING = "Running"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    FAILED = "Failed"

    @property
    def is_terminal(self) -> bool:
        return self in (Phase.STOPPED, Phase.FAILED)


class _Part(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


class StopReason(StrEnum):
    """Why a cluster was asked to stop."""

    #: By its user, or an administrator.
    DELETED = "Deleted"
    #: By its scheduler, which had nothing to do for too long.
    IDLE_TIMEOUT = "IdleTimeout"
    #: By its scheduler, which nobody was connected to for too long.
    NO_CLIENT_TIMEOUT = "NoClientTimeout"


class WorkerGroupSpec(_Part):
    """What is wanted of a named group of workers."""

    replicas: int = Field(default=0, ge=0, le=1_000_000, description="How many workers of the group are wanted.")


class DaskClusterSpec(_Part):
    """What is wanted. Written by the api."""

    username: str = Field(description="The user that the cluster belongs to.")
    groups: list[str] = Field(
        default=[], description="Those of the user's groups that the gateway's configuration names: their limits count."
    )
    options: dict[str, Any] = Field(default={}, description="The options that the user chose, defaults included.")
    config: dict[str, Any] = Field(default={}, description="The resolved configuration of the cluster.")
    active: bool = Field(default=True, description="False: the cluster is to stop. It never becomes true again.")
    stop_reason: str | None = Field(default=None, description="Why it is to stop, in one CamelCase word.")
    replicas: int = Field(default=0, ge=0, le=1_000_000, description="How many workers outside of groups are wanted.")
    worker_groups: dict[str, WorkerGroupSpec] = Field(
        default={}, description="What is wanted of each named group of workers."
    )


class Condition(_Part):
    """One aspect of a cluster's state, in the form that Kubernetes' tools know (`kubectl wait --for=condition=...`)."""

    type: str = Field(description="Which aspect.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it is so.")
    reason: str = Field(description="Why, in one CamelCase word.")
    message: str = Field(default="", description="Why, in words for people.")
    last_transition_time: str = Field(description="Since when its status is what it is, RFC 3339.")
    observed_generation: int | None = Field(default=None, description="The generation of the spec that it speaks of.")


class WorkerCounts(_Part):
    """Workers by their state; those on their way out count nowhere."""

    desired: int = Field(default=0, ge=0, description="How many are wanted and allowed.")
    pending: int = Field(default=0, ge=0, description="Pods that do not run yet.")
    running: int = Field(default=0, ge=0, description="Pods whose worker runs.")
    failed: int = Field(default=0, ge=0, description="Pods whose worker can't run, or has ended in failure.")


class WorkersStatus(WorkerCounts):
    """All workers of a cluster, and those of each named group."""

    groups: dict[str, WorkerCounts] = Field(default={}, description="The same of each named group.")


class StartFailures(_Part):
    """Workers of one group that failed to start in a row, as none of them has since run well.

    A change of how many are wanted, or a worker that has run for a minute, makes it forgotten.
    """

    group: str = Field(default="", description="The group; empty: workers outside of groups.")
    count: int = Field(ge=1, description="How many.")
    last: str = Field(description="When the last one failed, RFC 3339.")
    reason: str = Field(default="WorkerFailed", description="Why the last one failed, in one CamelCase word.")
    message: str = Field(default="", description="Why the last one failed, in words for people.")
    replicas: int = Field(ge=0, description="How many workers were wanted then.")


class SchedulerFailure(_Part):
    """What is kept of a scheduler that failed: its pod goes."""

    exit_code: int | None = Field(default=None, description="Exit code of its container, if it had one.")
    log: str | None = Field(default=None, description="The last lines of its log.")


class DaskClusterStatus(_Part):
    """What is. Written by the controller."""

    observed_generation: int | None = Field(default=None, description="The generation of the spec that this follows.")
    phase: Phase = Field(default=Phase.PENDING, description="Where the cluster is in its life.")
    reason: str | None = Field(default=None, description="Why, in one CamelCase word.")
    message: str | None = Field(default=None, description="Why, in words for people.")
    conditions: list[Condition] = Field(default=[], description="Each aspect of its state, and since when it is so.")
    workers: WorkersStatus | None = Field(default=None, description="How many workers there are.")
    next_worker_slot: int | None = Field(
        default=None,
        description="Above the numbers of all workers that may be gone: no worker gets one of theirs again.",
    )
    start_failures: list[StartFailures] = Field(default=[], description="Workers that failed to start, by group.")
    scheduler_failure: SchedulerFailure | None = Field(default=None, description="How its scheduler failed.")
    credentials: str | None = Field(default=None, description="Name of the Secret with certificate, key and token.")
    scheduler_pod: str | None = Field(default=None, description="Name of the scheduler's Pod.")
    scheduler_address: str | None = Field(default=None, description="IP address of the scheduler's Pod.")
    service: str | None = Field(default=None, description="Name of the scheduler's Service.")
    ingressroute: str | None = Field(default=None, description="Name of the IngressRoute of the web pages.")
    ingressroutetcp: str | None = Field(default=None, description="Name of the IngressRouteTCP of the scheduler.")
    httproute: str | None = Field(default=None, description="Name of the HTTPRoute of the web pages.")
    tlsroute: str | None = Field(default=None, description="Name of the TLSRoute of the scheduler.")
    granted_workers: int | None = Field(
        default=None,
        ge=0,
        description="How many of the wanted workers limits leave room for. Absent: as many as are wanted.",
    )
    granted_groups: dict[str, int] = Field(default={}, description="The same of each named group that is short.")
    completion_time: str | None = Field(default=None, description="When it stopped or failed, RFC 3339.")
