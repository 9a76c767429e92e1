"""ClusterConfig: the resolved configuration of one cluster, as it stands in `DaskCluster.spec.config`.

The keys and their meaning are those of existing installations (A5): operators' code sets them, and
objects that are in Kubernetes already hold them. Memory is in bytes, cores are CPUs, times are seconds.
"""

import math
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator

from gateway_common.errors import InvalidConfig
from gateway_common.resources import Manifest
from gateway_common.setting import setting

_MEMORY = re.compile(r"\s*(\d+(?:\.\d+)?|\.\d+)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE)
_BINARY = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}


def parse_memory(value: Any) -> Any:
    """Bytes from a number or from text such as "2 G" or "512M"; the suffixes K, M, G and T are binary.

    Anything that is no text is left to the field's own validation. Raises ValueError.
    """
    if isinstance(value, float) and math.isfinite(value):
        return int(value)
    if not isinstance(value, str):
        return value
    match = _MEMORY.fullmatch(value)
    if match is None:
        raise ValueError(f"expected bytes or a number with one of the suffixes K, M, G, T, got {value!r}")
    number, suffix = match.groups()
    return int(float(number) * _BINARY[suffix.upper()])


def _words(value: Any) -> Any:
    """A command that was given as one string is one word, as existing configuration expects."""
    return [value] if isinstance(value, str) else value


Memory = Annotated[int, BeforeValidator(parse_memory), Field(gt=0)]
Cores = Annotated[float, Field(gt=0, le=2**20)]
Command = Annotated[list[str], BeforeValidator(_words), Field(min_length=1)]


class SecretKey(BaseModel):
    """One key of a Secret in the cluster's namespace."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = setting(min_length=1, description="The Secret's name.")
    key: str = setting(min_length=1, description="The key in it.")
    optional: bool = setting(False, description="Pods start without the variable where there is no such Secret or key.")


class ClusterConfig(BaseModel):
    """Everything that the controller needs to know to make one cluster's objects."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    scheduler_cmd: Command = setting(
        ["dask", "scheduler"],
        values="scheduler.command",
        description="Command that starts the scheduler.",
    )
    worker_cmd: Command = setting(
        ["dask", "worker"],
        values="worker.command",
        description="Command that starts a worker.",
    )
    environment: dict[str, str] = setting(
        {},
        values="environment",
        description="Environment variables of the scheduler and the workers.",
    )
    environment_secrets: dict[str, SecretKey] = setting(
        {},
        description="Environment variables whose values are in Secrets. In a values file they stand in `environment`, "
        "as `valueFrom: {secretKeyRef: {name, key}}`. Apart from `environment`, because users may be let to set that.",
    )
    worker_memory: Memory = setting(
        2 * 2**30,
        unit="bytes",
        values="worker.memory.request",
        description="Memory that a worker requests, in bytes.",
    )
    worker_cores: Cores = setting(
        1,
        unit="CPUs",
        values="worker.cores.request",
        description="CPUs that a worker requests.",
    )
    worker_threads: Annotated[int, Field(ge=0)] | None = setting(
        None,
        unit="threads",
        values="worker.threads",
        description="Threads of a worker. Default: its whole cores, at least one.",
    )
    scheduler_memory: Memory = setting(
        2 * 2**30,
        unit="bytes",
        values="scheduler.memory.request",
        description="Memory that the scheduler requests, in bytes.",
    )
    scheduler_cores: Cores = setting(
        1,
        unit="CPUs",
        values="scheduler.cores.request",
        description="CPUs that the scheduler requests.",
    )
    adaptive_period: float = setting(
        3.0,
        gt=0,
        unit="seconds",
        values="adaptivePeriod",
        description="Seconds between two decisions of adaptive scaling.",
    )
    idle_timeout: float = setting(
        0.0,
        ge=0,
        unit="seconds",
        values="idleTimeout",
        description="Seconds without work after which a cluster ends; 0: never.",
    )
    max_lifetime: float = setting(
        0.0,
        ge=0,
        unit="seconds",
        values="maxLifetime",
        description="Seconds after its creation at which a cluster ends, whatever it is doing; 0: never.",
    )
    scheduler_start_timeout: float = setting(
        0.0,
        ge=0,
        unit="seconds",
        values="scheduler.startTimeout",
        description="Seconds until a scheduler must serve, else its cluster fails; 0: it may take for ever, as while "
        "nodes are added.",
    )
    worker_start_timeout: float = setting(
        0.0,
        ge=0,
        unit="seconds",
        values="worker.startTimeout",
        description="Seconds until a worker's pod must run, else another takes its place; 0: it may take for ever.",
    )
    cluster_max_memory: Memory | None = setting(
        None,
        unit="bytes",
        values="limits.memory",
        description="Memory of scheduler and workers together, at the most, in bytes.",
    )
    cluster_max_cores: Cores | None = setting(
        None,
        unit="CPUs",
        values="limits.cores",
        description="CPUs of scheduler and workers together, at the most.",
    )
    cluster_max_workers: Annotated[int, Field(ge=0)] | None = setting(
        None,
        unit="workers",
        values="limits.workers",
        description="Workers at the most. Default: what the other two limits leave room for.",
    )

    namespace: str | None = setting(
        None,
        values="namespace",
        description="Where it runs. Default: the first backend namespace.",
    )
    image: str = setting(
        "ghcr.io/dask/dask-gateway:2026.3.0",
        min_length=1,
        values="image",
        description="Image of the scheduler and workers.",
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = setting(
        None,
        values="image.pullPolicy",
        description="When the image is pulled. Default: Kubernetes decides by its tag.",
    )
    image_pull_secrets: list[Manifest] = setting(
        [],
        values="imagePullSecrets",
        description="Secrets to pull the image with.",
    )
    worker_cores_limit: Cores | None = setting(
        None,
        unit="CPUs",
        values="worker.cores.limit",
        description="CPU limit of a worker. Default: its request.",
    )
    worker_memory_limit: Memory | None = setting(
        None,
        unit="bytes",
        values="worker.memory.limit",
        description="Memory limit of a worker, in bytes. Default: its request.",
    )
    scheduler_cores_limit: Cores | None = setting(
        None,
        unit="CPUs",
        values="scheduler.cores.limit",
        description="CPU limit of the scheduler. Default: its request.",
    )
    scheduler_memory_limit: Memory | None = setting(
        None,
        unit="bytes",
        values="scheduler.memory.limit",
        description="Memory limit of the scheduler, in bytes. Default: its request.",
    )
    worker_extra_container_config: Manifest = setting(
        {},
        values="worker.extraContainerConfig",
        description="Deep-merged into the worker's container; these values win.",
    )
    worker_extra_pod_config: Manifest = setting(
        {},
        values="worker.extraPodConfig",
        description="Deep-merged into the worker's pod spec; these values win.",
    )
    worker_extra_pod_annotations: dict[str, str] = setting(
        {},
        values="worker.annotations",
        description="More annotations of worker pods.",
    )
    worker_extra_pod_labels: dict[str, str] = setting(
        {},
        values="worker.labels",
        description="More labels of worker pods.",
    )
    scheduler_extra_container_config: Manifest = setting(
        {},
        values="scheduler.extraContainerConfig",
        description="Deep-merged into the scheduler's container; these values win.",
    )
    scheduler_extra_pod_config: Manifest = setting(
        {},
        values="scheduler.extraPodConfig",
        description="Deep-merged into the scheduler's pod spec; these values win.",
    )
    scheduler_extra_pod_annotations: dict[str, str] = setting(
        {},
        values="scheduler.annotations",
        description="More annotations of the scheduler pod.",
    )
    scheduler_extra_pod_labels: dict[str, str] = setting(
        {},
        values="scheduler.labels",
        description="More labels of the scheduler pod.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_derived(cls, values: Any) -> Any:
        """Limits default to requests and threads to whole cores: the record holds what is really used."""
        if not isinstance(values, dict):
            return values
        filled = dict(values)
        for request in ("worker_cores", "worker_memory", "scheduler_cores", "scheduler_memory"):
            if filled.get(f"{request}_limit") is None:
                filled[f"{request}_limit"] = filled.get(request, cls.model_fields[request].default)
        if not filled.get("worker_threads"):
            cores = filled.get("worker_cores", cls.model_fields["worker_cores"].default)
            # what is no number, or too many, is the field's own error to report
            countable = isinstance(cores, int | float) and abs(cores) < 2**20
            filled["worker_threads"] = max(int(cores), 1) if countable else 1
        return filled

    @model_validator(mode="after")
    def _check_limits(self) -> "ClusterConfig":
        for request in ("worker_cores", "worker_memory", "scheduler_cores", "scheduler_memory"):
            asked, limit = getattr(self, request), getattr(self, f"{request}_limit")
            if limit < asked:
                raise ValueError(f"{request}_limit ({limit}) must not be below {request} ({asked})")
        if self.cluster_max_memory is not None and self.scheduler_memory > self.cluster_max_memory:
            raise ValueError(
                f"Scheduler memory request of {format_memory(self.scheduler_memory)} exceeds cluster memory "
                f"limit of {format_memory(self.cluster_max_memory)}"
            )
        if self.cluster_max_cores is not None and self.scheduler_cores > self.cluster_max_cores:
            raise ValueError(
                f"Scheduler cores request of {self.scheduler_cores:g} exceeds cluster cores limit of "
                f"{self.cluster_max_cores:g}"
            )
        return self

    @property
    def max_workers(self) -> int | None:
        """How many workers the limits leave room for; None: no limit."""
        room = [] if self.cluster_max_workers is None else [self.cluster_max_workers]
        if self.cluster_max_memory is not None:
            room.append((self.cluster_max_memory - self.scheduler_memory) // self.worker_memory)
        if self.cluster_max_cores is not None:
            room.append(int((self.cluster_max_cores - self.scheduler_cores) // self.worker_cores))
        return max(min(room), 0) if room else None


def parse_cluster_config(values: dict[str, Any]) -> ClusterConfig:
    """Check a configuration; raises InvalidConfig: its text names every wrong field and what was expected."""
    try:
        return ClusterConfig.model_validate(values)
    except ValidationError as error:
        raise InvalidConfig("; ".join(map(_explain, error.errors()))) from error


def check_overrides(values: dict[str, Any]) -> None:
    """Check some fields of a configuration by themselves; raises InvalidConfig as parse_cluster_config does."""
    parse_cluster_config(values)


def stored_cluster_config(values: dict[str, Any]) -> ClusterConfig:
    """The configuration in a stored object; raises InvalidConfig.

    Fields that are unknown here are passed over: another version, or an operator's subclass, wrote them.
    """
    return parse_cluster_config({key: value for key, value in values.items() if key in ClusterConfig.model_fields})


def _explain(error: Any) -> str:
    field = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{field}: there is no such field in a cluster's configuration"
    reason = str(error["msg"]).removeprefix("Value error, ")
    return f"{field}: {reason[0].lower()}{reason[1:]}" if field else reason


def format_memory(size: int) -> str:
    """Bytes for people: `2.00 GiB`."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.2f} {unit}" if unit != "B" else f"{size} B"
        amount /= 1024
    return f"{amount:.2f} TiB"
