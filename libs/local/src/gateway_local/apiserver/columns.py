"""The tables that kubectl prints of the server's own kinds. No I/O but the clock, for ages."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from gateway_common.resources import Manifest
from gateway_local.apiserver.kinds import Column

NAME = Column("Name", "string", lambda manifest: manifest["metadata"]["name"])


def age(timestamp: str | None) -> str:
    """A point in time as kubectl shows it: how long ago, in one or two units."""
    if not timestamp:
        return "<unknown>"
    seconds = max(0, int((datetime.now(UTC) - datetime.fromisoformat(timestamp)).total_seconds()))
    for unit, size, upto in (("s", 1, 120), ("m", 60, 120 * 60), ("h", 3600, 48 * 3600)):
        if seconds < upto:
            return f"{seconds // size}{unit}"
    return f"{seconds // 86400}d"


AGE = Column("Age", "string", lambda manifest: age(manifest["metadata"].get("creationTimestamp")))


def _statuses(pod: Manifest) -> list[Manifest]:
    return pod.get("status", {}).get("containerStatuses") or []


def _ready(pod: Manifest) -> str:
    return f"{sum(bool(status.get('ready')) for status in _statuses(pod))}/{len(pod['spec']['containers'])}"


def _pod_status(pod: Manifest) -> str:
    """The phase, or what a person should know instead of it."""
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    for status in _statuses(pod):
        state: dict[str, Any] = status.get("state") or {}
        for part in ("waiting", "terminated"):
            if reason := (state.get(part) or {}).get("reason"):
                return str(reason)
    return str(pod["status"].get("reason") or pod["status"].get("phase", "Unknown"))


def _restarts(pod: Manifest) -> int:
    return sum(int(status.get("restartCount", 0)) for status in _statuses(pod))


def _ports(service: Manifest) -> str:
    ports = service["spec"].get("ports") or ()
    return ",".join(f"{port['port']}/{port.get('protocol', 'TCP')}" for port in ports) or "<none>"


def _external_address(service: Manifest) -> str:
    ingress = service.get("status", {}).get("loadBalancer", {}).get("ingress") or ()
    waiting = "<pending>" if service["spec"].get("type") == "LoadBalancer" else "<none>"
    return ",".join(entry["ip"] for entry in ingress) or waiting


def _node_status(node: Manifest) -> str:
    conditions = node.get("status", {}).get("conditions") or ()
    ready = any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)
    return "Ready" if ready else "NotReady"


def _about(event: Manifest) -> str:
    involved = event.get("involvedObject", {})
    return f"{involved.get('kind', '').lower()}/{involved.get('name', '')}"


def _of_status(name: str) -> Callable[[Manifest], Any]:
    return lambda manifest: manifest.get("status", {}).get(name, 0)


def _of_spec(name: str) -> Callable[[Manifest], Any]:
    return lambda manifest: manifest["spec"].get(name)


def _deployment_ready(deployment: Manifest) -> str:
    return f"{_of_status('readyReplicas')(deployment)}/{deployment['spec']['replicas']}"


def _job_status(job: Manifest) -> str:
    conditions = job.get("status", {}).get("conditions") or ()
    true = [c["type"] for c in conditions if c["type"] in ("Complete", "Failed") and c["status"] == "True"]
    return true[0] if true else "Suspended" if job["spec"].get("suspend") else "Running"


def _completions(job: Manifest) -> str:
    return f"{_of_status('succeeded')(job)}/{job['spec'].get('completions', 1)}"


PODS = (
    NAME,
    Column("Ready", "string", _ready),
    Column("Status", "string", _pod_status),
    Column("Restarts", "integer", _restarts),
    AGE,
    Column("IP", "string", lambda pod: pod["status"].get("podIP") or "<none>", priority=1),
    Column("Node", "string", lambda pod: pod["spec"].get("nodeName") or "<none>", priority=1),
)
SERVICES = (
    NAME,
    Column("Type", "string", lambda service: service["spec"].get("type")),
    Column("Cluster-IP", "string", lambda service: service["spec"].get("clusterIP") or "<none>"),
    Column("External-IP", "string", _external_address),
    Column("Port(s)", "string", _ports),
    AGE,
)
DEPLOYMENTS = (
    NAME,
    Column("Ready", "string", _deployment_ready),
    Column("Up-to-date", "integer", _of_status("updatedReplicas")),
    Column("Available", "integer", _of_status("availableReplicas")),
    AGE,
)
REPLICASETS = (
    NAME,
    Column("Desired", "integer", _of_spec("replicas")),
    Column("Current", "integer", _of_status("replicas")),
    Column("Ready", "integer", _of_status("readyReplicas")),
    AGE,
)
JOBS = (NAME, Column("Status", "string", _job_status), Column("Completions", "string", _completions), AGE)
NAMESPACES = (NAME, Column("Status", "string", lambda namespace: namespace["status"]["phase"]), AGE)
NODES = (NAME, Column("Status", "string", _node_status), AGE)
EVENTS = (
    Column("Last Seen", "string", lambda event: age(event.get("lastTimestamp") or event.get("eventTime"))),
    Column("Type", "string", lambda event: event.get("type")),
    Column("Reason", "string", lambda event: event.get("reason")),
    Column("Object", "string", _about),
    Column("Message", "string", lambda event: event.get("message")),
)
