"""The import path that programs use: ``from dask_gateway.client import Gateway, GatewayCluster``."""

from dask_gateway.cluster import GatewayCluster, cleanup_lingering_clusters
from dask_gateway.errors import (
    GatewayClusterError,
    GatewayResponseError,
    GatewayServerError,
    GatewayWarning,
)
from dask_gateway.gateway import Gateway
from dask_gateway.report import ClusterReport, ClusterStatus, GatewaySecurity

__all__ = (
    "ClusterReport",
    "ClusterStatus",
    "Gateway",
    "GatewayCluster",
    "GatewayClusterError",
    "GatewayResponseError",
    "GatewaySecurity",
    "GatewayServerError",
    "GatewayWarning",
    "cleanup_lingering_clusters",
)
