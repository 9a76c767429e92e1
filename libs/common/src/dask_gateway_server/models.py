"""The user, and the states of a cluster, as configuration code sees them."""

import enum
from collections.abc import Iterable

from dask_gateway_server.absent import absent

__getattr__ = absent(__name__, "clusters are DaskClusters in Kubernetes, and no Python objects", "Cluster", "JobStatus")


class ClusterStatus(enum.IntEnum):
    """Where a cluster is in its life."""

    PENDING = 1
    RUNNING = 2
    STOPPING = 3
    STOPPED = 4
    FAILED = 5


class User:
    """Who asks for a cluster.

    Parameters
    ----------
    name
        The user's name, unique in the gateway.
    groups
        The groups that the user is in, as the authenticator says.
    admin
        Whether the user administers the gateway.
    """

    def __init__(self, name: str, groups: Iterable[str] = (), admin: bool = False) -> None:
        self.name = name
        self.groups = set(groups)
        self.admin = bool(admin)

    def __repr__(self) -> str:
        """For logs and for debugging configuration code."""
        return f"User({self.name!r}, groups={sorted(self.groups)!r}, admin={self.admin!r})"
