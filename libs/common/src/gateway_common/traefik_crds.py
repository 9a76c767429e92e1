"""Traefik's kinds: every one that its kubernetescrd provider lists, because one that is missing stops all.

Their objects are kept as they come. What is in them is Traefik's to judge, and it does so when it reads them.
"""

from gateway_common.resources import Manifest

GROUP = "traefik.io"
VERSION = "v1alpha1"
KINDS = (
    "IngressRoute",
    "IngressRouteTCP",
    "IngressRouteUDP",
    "Middleware",
    "MiddlewareTCP",
    "ServersTransport",
    "ServersTransportTCP",
    "TLSOption",
    "TLSStore",
    "TraefikService",
)


def traefik_definitions() -> list[Manifest]:
    """A CustomResourceDefinition for each kind."""
    return [_definition(kind) for kind in KINDS]


def _definition(kind: str) -> Manifest:
    singular = kind.lower()
    schema = {
        "type": "object",
        "required": ["spec"],
        "properties": {"spec": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{singular}s.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {"kind": kind, "listKind": f"{kind}List", "plural": f"{singular}s", "singular": singular},
            "versions": [{"name": VERSION, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}],
        },
    }
