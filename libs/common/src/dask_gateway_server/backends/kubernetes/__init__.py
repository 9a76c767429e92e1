"""The Kubernetes backend, as configuration code knows it."""

from dask_gateway_server.backends.kubernetes.backend import KubeBackend, KubeClusterConfig

__all__ = ("KubeBackend", "KubeClusterConfig")
