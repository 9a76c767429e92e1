"""The fields of a cluster's configuration: each with type, default, unit, what it does, and its key in values files.

The names and their meaning are those of existing installations (A5): operators' code sets them, and objects that are in
Kubernetes already hold them. Memory is in bytes, cores are CPUs, times are seconds.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict

from gateway_common.config_parts import ContainerPart, PodPart
from gateway_common.config_types import (
    Annotations,
    Choice,
    Command,
    Cores,
    Count,
    Environment,
    EnvironmentSecrets,
    Image,
    Labels,
    Memory,
    Namespace,
    PullSecrets,
    Resources,
    Seconds,
)
from gateway_common.setting import setting


class ClusterFields(BaseModel):
    """The fields alone; `gateway_common.config.ClusterConfig` says what they come to together."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)

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
    environment: Environment = setting(
        {},
        values="environment",
        description="Environment variables of the scheduler and the workers; numbers are taken as text. What Dask "
        "needs to find its way, and environment_secrets, win.",
    )
    environment_secrets: EnvironmentSecrets = setting(
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
    worker_threads: Count | None = setting(
        None,
        unit="threads",
        values="worker.threads",
        description="Threads of a worker. Default: its whole cores, at least one.",
    )
    worker_resources: Resources = setting(
        {},
        values="worker.resources",
        description="Dask's abstract resources of a worker, as `{GPU: 1}`: tasks that ask for some run where they are. "
        "Not those of Kubernetes, which extraContainerConfig sets.",
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
    adaptive_period: Seconds = setting(
        3.0,
        gt=0,
        unit="seconds",
        values="adaptivePeriod",
        description="Seconds between two decisions of adaptive scaling.",
    )
    idle_timeout: Seconds = setting(
        0.0,
        unit="seconds",
        values="idleTimeout",
        description="Seconds without work after which a cluster ends; 0: never.",
    )
    no_client_timeout: Seconds = setting(
        0.0,
        unit="seconds",
        values="noClientTimeout",
        description="Seconds without a connected client after which a cluster ends, whatever it is doing; 0: never.",
    )
    max_lifetime: Seconds = setting(
        0.0,
        unit="seconds",
        values="maxLifetime",
        description="Seconds after its creation at which a cluster ends, whatever it is doing; 0: never.",
    )
    scheduler_start_timeout: Seconds = setting(
        0.0,
        unit="seconds",
        values="scheduler.startTimeout",
        description="Seconds until a scheduler must serve, else its cluster fails; 0: it may take for ever, as while "
        "nodes are added.",
    )
    scheduler_start_error_timeout: Seconds = setting(
        60.0,
        unit="seconds",
        values="scheduler.startErrorTimeout",
        description="Seconds for which a scheduler's pod may be in an error that rarely passes by itself (no such "
        "image, a Secret that is missing, an init container that fails) before its cluster fails; 0: for ever.",
    )
    scheduler_liveness_timeout: Seconds = setting(
        300.0,
        unit="seconds",
        values="scheduler.livenessTimeout",
        description="Seconds that a scheduler may not answer before it is killed, and its cluster fails; 0: for ever. "
        "Code that blocks its event loop keeps it from answering.",
    )
    worker_start_timeout: Seconds = setting(
        0.0,
        unit="seconds",
        values="worker.startTimeout",
        description="Seconds until a worker's pod must run, else another takes its place; 0: it may take for ever.",
    )
    worker_start_failure_limit: Count = setting(
        5,
        unit="workers",
        values="worker.startFailureLimit",
        description="Workers in a row that may fail before they have run for a minute; then no more are made until the "
        "cluster is scaled anew. Until then each is replaced after a longer pause: 5 s, 10 s, up to 5 min. 0: any "
        "number.",
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
    cluster_max_workers: Count | None = setting(
        None,
        unit="workers",
        values="limits.workers",
        description="Workers at the most. Default: what the other two limits leave room for.",
    )

    namespace: Annotated[str | None, Choice, Namespace] = setting(
        None,
        values="namespace",
        description="Where it runs. In the gateway's configuration `{user}` and `{group}` may stand in it: each user "
        "or group has a namespace then, which must exist. Default: the first backend namespace.",
    )
    image: Image = setting(
        "ghcr.io/dask/dask-gateway:2026.3.0",
        values="image",
        description="Image of the scheduler and workers.",
    )
    image_pull_policy: Annotated[Literal["Always", "IfNotPresent", "Never"] | None, Choice] = setting(
        None,
        values="image.pullPolicy",
        description="When the image is pulled. Default: Kubernetes decides by its tag.",
    )
    image_pull_secrets: PullSecrets = setting(
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
    worker_extra_container_config: ContainerPart = setting(
        {},
        values="worker.extraContainerConfig",
        description="Deep-merged into the worker's container: mappings merge, lists append, else this wins. "
        "The credentials' mount and the variables that Dask needs stay.",
    )
    worker_extra_pod_config: PodPart = setting(
        {},
        values="worker.extraPodConfig",
        description="Deep-merged into the worker's pod spec: mappings merge, lists append, else this wins. "
        "The container and the volume of the credentials stay.",
    )
    worker_extra_pod_annotations: Annotations = setting(
        {},
        values="worker.annotations",
        description="More annotations of worker pods: numbers are taken as text.",
    )
    worker_extra_pod_labels: Labels = setting(
        {},
        values="worker.labels",
        description="More labels of worker pods; those that the gateway depends on stay.",
    )
    scheduler_extra_container_config: ContainerPart = setting(
        {},
        values="scheduler.extraContainerConfig",
        description="Deep-merged into the scheduler's container: mappings merge, lists append, else this wins. "
        "The credentials' mount and the variables that Dask needs stay.",
    )
    scheduler_extra_pod_config: PodPart = setting(
        {},
        values="scheduler.extraPodConfig",
        description="Deep-merged into the scheduler's pod spec: mappings merge, lists append, else this wins. "
        "The container and the volume of the credentials stay.",
    )
    scheduler_extra_pod_annotations: Annotations = setting(
        {},
        values="scheduler.annotations",
        description="More annotations of the scheduler pod: numbers are taken as text.",
    )
    scheduler_extra_pod_labels: Labels = setting(
        {},
        values="scheduler.labels",
        description="More labels of the scheduler pod; those that the gateway depends on stay.",
    )
