"""Where the Kubernetes API is and who we are there, as arguments for kr8s."""

import os
from pathlib import Path
from typing import Any

from gateway_common.configuration.groups import KubeSettings

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def kr8s_configuration(settings: KubeSettings, service_account: Path = SERVICE_ACCOUNT) -> dict[str, Any]:
    """In this order: an address in the settings, a kubeconfig there, the pod's service account, kubectl's files."""
    if settings.url:
        return {"kubeconfig": _kubeconfig(settings)}
    if settings.kubeconfig or settings.context:
        path = settings.kubeconfig.expanduser() if settings.kubeconfig else None
        return {"kubeconfig": str(path) if path else None, "context": settings.context}
    if "KUBERNETES_SERVICE_HOST" in os.environ and (service_account / "token").exists():
        # kr8s prefers kubectl's files to the service account unless it is pointed to one that is not there.
        return {"kubeconfig": str(service_account / "kubeconfig"), "serviceaccount": str(service_account)}
    return {}


def _kubeconfig(settings: KubeSettings) -> dict[str, Any]:
    """As a kubeconfig, since kr8s takes a token in no other way, and completes a bare address from kubectl's files."""
    cluster: dict[str, Any] = {"server": settings.url}
    if settings.ca_file:
        cluster["certificate-authority"] = str(settings.ca_file.expanduser())
    if settings.insecure_skip_tls_verify:
        cluster["insecure-skip-tls-verify"] = True
    user = {"token": settings.token.get_secret_value()} if settings.token else {}
    name = "gateway"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def own_namespace(service_account: Path = SERVICE_ACCOUNT) -> str:
    """The namespace of the pod that this process runs in; `default` outside Kubernetes."""
    try:
        return (service_account / "namespace").read_text().strip()
    except OSError:
        return "default"
