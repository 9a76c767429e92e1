"""The options that the local gateway offers its users."""

from typing import Any

from dask_gateway_server.options import Float, Integer, Mapping, Options


def _configure(options: Any) -> dict[str, Any]:
    return {
        "worker_cores": options.worker_cores,
        "worker_memory": f"{options.worker_memory:f}G",
        "environment": options.environment,
    }


OPTIONS = Options(
    Integer("worker_cores", 1, min=1, max=16, label="Cores of a worker"),
    Float("worker_memory", 1, min=0.25, max=64, label="Memory of a worker (GiB)"),
    Mapping("environment", {}, label="Environment variables"),
    handler=_configure,
)
