"""Schedulers that were killed because they did not answer, which Kubernetes tells by an event only."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

#: By SIGKILL, or by SIGTERM before.
_KILLED = (137, 143)


def explain_liveness_kill(manifest: Mapping[str, Any], container: str, ended: Mapping[str, Any]) -> str:
    """Words for the end of a container that its liveness probe has ended; empty: it was something else.

    The kubelet kills it like anybody would. But a container that hangs was not ready for about as long as its probe
    allows, while one that is killed otherwise was ready until then.
    """
    if ended.get("exitCode") not in _KILLED or ended.get("reason") == "OOMKilled":
        return ""
    containers = manifest["spec"]["containers"]
    probe = next((part.get("livenessProbe") for part in containers if part["name"] == container), None) or {}
    allowed = probe.get("periodSeconds", 10) * probe.get("failureThreshold", 3)
    if not probe or _unready_seconds(manifest, ended) < allowed / 2:
        return ""
    return f"it was killed because it had not answered for {allowed:g} s"


def _unready_seconds(manifest: Mapping[str, Any], ended: Mapping[str, Any]) -> float:
    conditions = (manifest.get("status") or {}).get("conditions") or ()
    ready: Mapping[str, Any] = next((entry for entry in conditions if entry["type"] == "Ready"), {})
    since, until = ready.get("lastTransitionTime"), ended.get("finishedAt")
    if ready.get("status") != "False" or not since or not until:
        return 0.0
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()
