"""The route by which the gateway's own Traefik is asked whether it serves routes."""

from gateway_common.manifests.installation import Installation
from gateway_common.names import INSTANCE_LABEL
from gateway_common.resources import INGRESSROUTES, Manifest


def build_readiness_route(installation: Installation, namespace: str, entry_point: str) -> Manifest:
    """`/ready` at Traefik's entry point answers 200 when Traefik has read what is in Kubernetes, and 404 before."""
    metadata: Manifest = {
        "name": f"ready-{installation.instance}",
        "namespace": namespace,
        "labels": {**installation.common_labels, INSTANCE_LABEL: installation.instance},
    }
    if installation.common_annotations:
        metadata["annotations"] = installation.common_annotations
    return {
        "apiVersion": INGRESSROUTES.api_version,
        "kind": INGRESSROUTES.kind,
        "metadata": metadata,
        "spec": {
            "entryPoints": [entry_point],
            "routes": [
                {
                    "kind": "Rule",
                    "match": "Path(`/ready`)",
                    "services": [{"kind": "TraefikService", "name": "ping@internal"}],
                }
            ],
        },
    }
