"""What the server adds to a new pod: its service account, and the volume with the account's token.

Kubernetes' ServiceAccount admission plugin, with one difference: a pod that comes before its namespace's `default`
account is let in without a token, where Kubernetes refuses it until the account is there.
"""

import secrets

from gateway_common.resources import Manifest
from gateway_local.apiserver.errors import forbidden
from gateway_local.apiserver.storage import Storage

ROOT_CA = "kube-root-ca.crt"
"""The ConfigMap of each namespace that says whom to trust as the API server."""

DEFAULT_ACCOUNT = "default"
_MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"
_TOKEN_SECONDS = 3607  # as Kubernetes asks for, so that the renewals of an hour stand out


def admit_pod(storage: Storage, pod: Manifest) -> None:
    """Change a new pod into what is stored. `StatusError` 403 for an account that there is not."""
    spec, metadata = pod["spec"], pod["metadata"]
    name = spec.get("serviceAccountName") or spec.get("serviceAccount") or DEFAULT_ACCOUNT
    account = storage.open(("", "serviceaccounts")).get(metadata["namespace"], name)
    if account is None:
        if name == DEFAULT_ACCOUNT:
            return
        why = f'error looking up service account {metadata["namespace"]}/{name}: serviceaccount "{name}" not found'
        raise forbidden("pods", "", metadata["name"], why)
    spec["serviceAccountName"] = spec["serviceAccount"] = name
    if pull_secrets := account.object.get("imagePullSecrets"):
        spec.setdefault("imagePullSecrets", pull_secrets)
    if _wants_token(spec, account.object):
        _mount_token(spec)


def _wants_token(spec: Manifest, account: Manifest) -> bool:
    """The pod's word counts more than the account's."""
    said = spec.get("automountServiceAccountToken", account.get("automountServiceAccountToken"))
    return said is not False


def _mount_token(spec: Manifest) -> None:
    volume = f"kube-api-access-{secrets.token_hex(3)[:5]}"
    mount = {"name": volume, "readOnly": True, "mountPath": _MOUNT_PATH}
    containers = [*spec.get("initContainers", ()), *spec["containers"]]
    without = [c for c in containers if all(m["mountPath"] != _MOUNT_PATH for m in c.get("volumeMounts", ()))]
    if not without:
        return
    for container in without:
        container["volumeMounts"] = [*container.get("volumeMounts", ()), mount]
    namespace = {"apiVersion": "v1", "fieldPath": "metadata.namespace"}
    sources = [
        {"serviceAccountToken": {"expirationSeconds": _TOKEN_SECONDS, "path": "token"}},
        {"configMap": {"name": ROOT_CA, "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": namespace}]}},
    ]
    projected = {"name": volume, "projected": {"defaultMode": 0o644, "sources": sources}}
    spec["volumes"] = [*spec.get("volumes", ()), projected]
