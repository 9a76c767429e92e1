"""The IngressRoute to a cluster's web pages (K-017)."""

from typing import Any

from gateway_common.manifests.installation import Installation
from gateway_common.manifests.metadata import build_metadata
from gateway_common.names import DASHBOARD_PORT, SCHEDULER_COMPONENT, ClusterName, dashboard_path, service_name
from gateway_common.resources import INGRESSROUTES, Manifest


def build_ingress_route(installation: Installation, cluster: ClusterName) -> Manifest:
    name = service_name(cluster.name)
    path = installation.proxy_prefix + dashboard_path(cluster)
    host = f"Host(`{installation.proxy_host}`) && " if installation.proxy_host else ""
    route: dict[str, Any] = {
        "kind": "Rule",
        "match": f"{host}PathPrefix(`{path}`)",
        "services": [{"name": name, "namespace": cluster.namespace, "port": DASHBOARD_PORT}],
    }
    if installation.proxy_web_middlewares:
        route["middlewares"] = [
            {"name": middleware.name, **({"namespace": middleware.namespace} if middleware.namespace else {})}
            for middleware in installation.proxy_web_middlewares
        ]
    spec: Manifest = {"entryPoints": [installation.proxy_web_entrypoint], "routes": [route]}
    if installation.proxy_tls:
        # with the certificate that Traefik has for the host
        spec["tls"] = {}
    return {
        "apiVersion": INGRESSROUTES.api_version,
        "kind": INGRESSROUTES.kind,
        "metadata": build_metadata(
            installation, cluster, name, SCHEDULER_COMPONENT, extra_labels=installation.proxy_route_labels
        ),
        "spec": spec,
    }
