"""The DaskCluster object.

Field ownership: the api writes metadata and `spec`, the controller alone writes `status`. Objects made by
dask-gateway 2026.3.0 validate unchanged, so every field but those that it always wrote is optional.
"""

from enum import StrEnum
from typing import Any

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


class DaskClusterSpec(_Part):
    """What is wanted. Written by the api."""

    username: str = Field(description="The user that the cluster belongs to.")
    groups: list[str] = Field(
        default=[], description="Those of the user's groups that the gateway's configuration names: their limits count."
    )
    options: dict[str, Any] = Field(default={}, description="The options that the user chose, defaults included.")
    config: dict[str, Any] = Field(default={}, description="The resolved configuration of the cluster.")
    active: bool = Field(default=True, description="False: the cluster is to stop. It never becomes true again.")
    replicas: int = Field(default=0, ge=0, le=1_000_000, description="How many workers are wanted.")


class DaskClusterStatus(_Part):
    """What is. Written by the controller."""

    phase: Phase = Field(default=Phase.PENDING, description="Where the cluster is in its life.")
    reason: str | None = Field(default=None, description="Why, in one CamelCase word.")
    message: str | None = Field(default=None, description="Why, in words for people.")
    credentials: str | None = Field(default=None, description="Name of the Secret with certificate, key and token.")
    scheduler_pod: str | None = Field(default=None, description="Name of the scheduler's Pod.")
    scheduler_address: str | None = Field(default=None, description="IP address of the scheduler's Pod.")
    service: str | None = Field(default=None, description="Name of the scheduler's Service.")
    ingressroute: str | None = Field(default=None, description="Name of the IngressRoute of the web pages.")
    ingressroutetcp: str | None = Field(default=None, description="Name of the IngressRouteTCP of the scheduler.")
    granted_workers: int | None = Field(
        default=None,
        ge=0,
        description="How many of the wanted workers limits leave room for. Absent: as many as are wanted.",
    )
    completion_time: str | None = Field(default=None, description="When it stopped or failed, RFC 3339.")
