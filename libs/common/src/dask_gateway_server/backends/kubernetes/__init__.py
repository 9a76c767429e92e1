"""The Kubernetes backend, as configuration code knows it."""

from dask_gateway_server.absent import absent
from dask_gateway_server.backends.kubernetes.backend import KubeBackend, KubeClusterConfig

__all__ = ("KubeBackend", "KubeClusterConfig")

__getattr__ = absent(__name__, "nothing runs a subclass; traitlets of KubeController are set in c", "KubeController")
