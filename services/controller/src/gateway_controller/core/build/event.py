"""The Event that tells of a change of a cluster's reason: `kubectl describe` and `kubectl get events` show it."""

from datetime import datetime
from hashlib import blake2s

from gateway_common.model import DaskClusterStatus
from gateway_common.reasons import INTENDED_ENDS, Reason
from gateway_common.resources import DASKCLUSTERS, EVENTS, Manifest
from gateway_controller.core.observed import Cluster
from gateway_controller.core.status import timestamp

COMPONENT = "dask-gateway-controller"
#: The API server refuses longer ones (k8s.io/kubernetes pkg/apis/core/validation/events.go, and ours by convention).
LONGEST_MESSAGE = 1024
#: Everyday steps that nobody needs to be told of.
_QUIET = frozenset({Reason.SCHEDULER_STARTING})
_NORMAL = frozenset({Reason.SCHEDULER_RUNNING, *INTENDED_ENDS})


def build_event(cluster: Cluster, status: DaskClusterStatus, now: datetime) -> Manifest | None:
    """The Event of a new status; None if its reason is the one from before, or not worth one.

    Its name follows from cluster and reason: whoever tells of the same again finds it there.
    """
    reason = status.reason
    if not reason or reason == cluster.status.reason or reason in _QUIET:
        return None
    digest = blake2s(f"{cluster.uid} {reason}".encode(), digest_size=8).hexdigest()
    time = timestamp(now)
    return {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": f"{cluster.name}.{digest}", "namespace": cluster.namespace},
        "involvedObject": {
            "apiVersion": DASKCLUSTERS.api_version,
            "kind": DASKCLUSTERS.kind,
            "namespace": cluster.namespace,
            "name": cluster.name,
            "uid": cluster.uid,
        },
        "type": "Normal" if reason in _NORMAL else "Warning",
        "reason": reason,
        "message": (status.message or "")[:LONGEST_MESSAGE],
        "source": {"component": COMPONENT},
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    }
