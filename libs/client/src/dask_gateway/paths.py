"""The paths of a gateway's REST API."""

from collections.abc import Iterable
from urllib.parse import quote, urlencode

from dask_gateway.report import ClusterStatus

CLUSTERS = "/api/v1/clusters/"
#: With all that there is to say of a cluster, and groups of workers; gateways of the first version have no such path.
CLUSTERS_2 = "/api/v2/clusters/"


def cluster_path(name: str, clusters: str = CLUSTERS) -> str:
    """Of one cluster, below the path of all."""
    return f"{clusters}{quote(name, safe='')}"


def list_path(status: ClusterStatus | str | Iterable[ClusterStatus | str] | None, owner: str | None) -> str:
    """Of the clusters in these states (None: those that live) of an owner (None: the caller; `*`: everybody).

    Raises ``ValueError`` for a status that does not exist.
    """
    query = {}
    if status is not None:
        wanted = [status] if isinstance(status, str | ClusterStatus) else status
        names = [s.name if isinstance(s, ClusterStatus) else ClusterStatus.from_name(s).name for s in wanted]
        query["status"] = ",".join(names)
    if owner is not None:
        query["user"] = owner
    path = CLUSTERS if owner is None else CLUSTERS_2
    return f"{path}?{urlencode(query, safe=',*')}" if query else path
