"""What an operator's installation would put into the cluster: the way to the api, and the routes' middleware."""

from typing import Any

from gateway_common.names import INSTANCE_LABEL
from gateway_local.traefik import ENTRYPOINT

Manifest = dict[str, Any]

#: Strips `/clusters/<name>` before a request reaches a scheduler's web pages.
DASHBOARD_MIDDLEWARE = "clusters-prefix"


def installation(instance: str, namespace: str, api_port: int) -> list[Manifest]:
    """The manifests, in the order in which they are created."""
    return [
        _middleware(instance, namespace),
        _api_service(instance, namespace),
        _api_endpoints(instance, namespace, api_port),
        _api_route(instance, namespace),
    ]


def _metadata(name: str, instance: str, namespace: str, **labels: str) -> Manifest:
    return {"name": name, "namespace": namespace, "labels": {INSTANCE_LABEL: instance, **labels}}


def _middleware(instance: str, namespace: str) -> Manifest:
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "Middleware",
        "metadata": _metadata(DASHBOARD_MIDDLEWARE, instance, namespace),
        "spec": {"stripPrefixRegex": {"regex": ["/clusters/[a-zA-Z0-9.-]+"]}},
    }


def _api_service(instance: str, namespace: str) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": _metadata("api", instance, namespace),
        "spec": {"clusterIP": "None", "ports": [{"name": "api", "port": 8000, "protocol": "TCP"}]},
    }


def _api_endpoints(instance: str, namespace: str, api_port: int) -> Manifest:
    """Where the api really listens: it is a process of this machine, not a pod, so nobody else can know."""
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": _metadata("api", instance, namespace, **{"kubernetes.io/service-name": "api"}),
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": True}}],
        "ports": [{"name": "api", "port": api_port, "protocol": "TCP"}],
    }


def _api_route(instance: str, namespace: str) -> Manifest:
    return {
        "apiVersion": "traefik.io/v1alpha1",
        "kind": "IngressRoute",
        "metadata": _metadata("api", instance, namespace),
        "spec": {
            "entryPoints": [ENTRYPOINT],
            "routes": [
                {
                    "kind": "Rule",
                    "match": "PathPrefix(`/`)",
                    # anything longer, such as a cluster's pages, goes first
                    "priority": 1,
                    "services": [{"name": "api", "port": 8000}],
                }
            ],
        },
    }
