"""What the cluster routes take and answer, as documented and as checked. Released clients rely on every key."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, RootModel, model_validator
from pydantic.config import JsonDict

from gateway_api.clusters.record import MOST_WORKERS, ClusterStatus
from gateway_common.model import Condition, SchedulerFailure, WorkersStatus

EXAMPLE_NAME = "dask.2b5d4f7e8c1a4b6f9d3e5a7c9b1d3f5e"
EXAMPLE_CLUSTER: JsonDict = {
    "name": EXAMPLE_NAME,
    "dashboard_route": f"/clusters/{EXAMPLE_NAME}/status",
    "status": "RUNNING",
    "start_time": 1763892000000,
    "stop_time": None,
    "options": {"worker_cores": 2},
    "tls_cert": "-----BEGIN CERTIFICATE-----...",
    "tls_key": "-----BEGIN PRIVATE KEY-----...",
}


def _about(model: type[BaseModel], field: str) -> str | None:
    """A field of the DaskCluster is described in one place."""
    return model.model_fields[field].description


class ClusterModel(BaseModel):
    """A cluster."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE_CLUSTER})

    name: str = Field(description="`<namespace>.<name>`.")
    dashboard_route: str | None = Field(description="Path of the dashboard below the gateway; null unless running.")
    status: ClusterStatus
    start_time: int = Field(description="When it was created, in milliseconds since the epoch.")
    stop_time: int | None = Field(description="When it stopped or failed, in milliseconds since the epoch.")
    options: dict[str, Any] = Field(description="The chosen options, defaults included.")
    tls_cert: str | None = Field(description="PEM certificate of scheduler and clients; null unless running.")
    tls_key: str | None = Field(description="PEM private key that belongs to it; null unless running.")


class ClusterList(RootModel[dict[str, ClusterModel]]):
    """Clusters by name."""

    model_config = ConfigDict(json_schema_extra={"example": {EXAMPLE_NAME: EXAMPLE_CLUSTER}})


EXAMPLE_CLUSTER_2: JsonDict = {
    **EXAMPLE_CLUSTER,
    "user": "alice",
    "reason": "SchedulerRunning",
    "message": "The scheduler is running",
    "workers": 4,
    "conditions": [
        {
            "type": "WorkersReady",
            "status": "False",
            "reason": "Unschedulable",
            "message": "3 of 4 workers run; 1 can't: no node has room for it: 0/3 nodes are available: "
            "3 Insufficient cpu.",
            "last_transition_time": "2026-11-23T10:00:09Z",
        }
    ],
    "workers_by_state": {"desired": 4, "pending": 1, "running": 3, "failed": 0, "groups": {}},
    "scheduler_failure": None,
}


class ConditionModel(BaseModel):
    """One aspect of a cluster's state."""

    type: str = Field(description=_about(Condition, "type"))
    status: Literal["True", "False", "Unknown"] = Field(description=_about(Condition, "status"))
    reason: str = Field(description=_about(Condition, "reason"))
    message: str = Field(description=_about(Condition, "message"))
    last_transition_time: str = Field(description=_about(Condition, "last_transition_time"))


class WorkerCountsModel(BaseModel):
    """Workers by their state; those on their way out count nowhere."""

    desired: int = Field(description=_about(WorkersStatus, "desired"))
    pending: int = Field(description=_about(WorkersStatus, "pending"))
    running: int = Field(description=_about(WorkersStatus, "running"))
    failed: int = Field(description=_about(WorkersStatus, "failed"))


class WorkersModel(WorkerCountsModel):
    """All workers of a cluster."""

    groups: dict[str, WorkerCountsModel] = Field(description=_about(WorkersStatus, "groups"))


class SchedulerFailureModel(BaseModel):
    """What is kept of a scheduler that failed."""

    exit_code: int | None = Field(description=_about(SchedulerFailure, "exit_code"))
    log: str | None = Field(description=_about(SchedulerFailure, "log"))


class ClusterModel2(ClusterModel):
    """A cluster, with what version 1 can't say."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"example": EXAMPLE_CLUSTER_2})

    user: str = Field(description="Whose it is.")
    reason: str | None = Field(description="Why it is in its state, in one word. Null: nothing has been decided yet.")
    message: str | None = Field(description="The same in words for people.")
    workers: int = Field(description="How many workers are wanted.")
    conditions: list[ConditionModel] = Field(description="Each aspect of its state, and since when it is so.")
    workers_by_state: WorkersModel | None = Field(description="How many workers there are. Null unless it runs.")
    scheduler_failure: SchedulerFailureModel | None = Field(description="How its scheduler failed, if it did.")


class ClusterList2(RootModel[dict[str, ClusterModel2]]):
    """Clusters by name."""

    model_config = ConfigDict(json_schema_extra={"example": {EXAMPLE_NAME: EXAMPLE_CLUSTER_2}})


class CreateRequest(BaseModel):
    """A request for a new cluster."""

    model_config = ConfigDict(json_schema_extra={"example": {"cluster_options": {"worker_cores": 2}}})

    cluster_options: dict[str, Any] | None = Field(
        default=None, description="Values for the options of `GET /api/v1/options`; what is left out gets its default."
    )
    notebook_image: str | None = Field(
        default=None,
        max_length=1024,
        description="The image that the user's notebook runs in: the cluster's, if no option names one, where the "
        "operator allows it.",
        examples=["quay.io/pangeo/pangeo-notebook:2026.11.01"],
    )


class CreatedModel(BaseModel):
    """The new cluster's name. The cluster itself is still pending."""

    name: str = Field(examples=[EXAMPLE_NAME])


class ScaleRequest(BaseModel):
    """How many workers the cluster is to have. Ends adaptive scaling."""

    model_config = ConfigDict(json_schema_extra={"example": {"count": 4}})

    count: int = Field(le=MOST_WORKERS, description="Not negative. What exceeds the cluster's limit is capped.")


class ScaleRequest2(ScaleRequest):
    """The same, of one of the cluster's groups of workers."""

    model_config = ConfigDict(json_schema_extra={"example": {"count": 4, "group": "gpu"}})

    group: str | None = Field(
        default=None, description="The group of workers; adaptive scaling goes on. Default: workers outside of groups."
    )


class AdaptRequest(BaseModel):
    """Between how many workers the scheduler may choose by itself."""

    model_config = ConfigDict(json_schema_extra={"example": {"minimum": 0, "maximum": 10, "active": True}})

    minimum: int | None = Field(default=None, ge=0, le=MOST_WORKERS, description="Default: none.")
    maximum: int | None = Field(default=None, ge=0, le=MOST_WORKERS, description="Default: the cluster's limit.")
    active: bool = Field(default=True, description="False ends adaptive scaling.")

    @model_validator(mode="after")
    def _ordered(self) -> "AdaptRequest":
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"minimum ({self.minimum}) must not exceed maximum ({self.maximum})")
        return self


class ScaledModel(BaseModel):
    """Whether the request was taken as it is."""

    ok: bool = Field(description="False: taken, but capped.")
    msg: str | None = Field(description="What was done instead.", examples=[None])
