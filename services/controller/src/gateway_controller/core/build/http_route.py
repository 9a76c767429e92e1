"""The HTTPRoute to a cluster's web pages, for a Gateway of the Gateway API."""

from typing import Any

from gateway_common.configuration.proxy import GatewayApiGroup
from gateway_common.manifests.installation import Installation
from gateway_common.manifests.metadata import build_metadata
from gateway_common.names import DASHBOARD_PORT, SCHEDULER_COMPONENT, ClusterName, dashboard_path, service_name
from gateway_common.resources import HTTPROUTES, Manifest
from gateway_controller.core.build.gateway_reference import build_backend_reference, build_gateway_reference


def build_http_route(installation: Installation, gateway_api: GatewayApiGroup, cluster: ClusterName) -> Manifest:
    name = service_name(cluster.name)
    path = (installation.proxy_prefix + dashboard_path(cluster)).rstrip("/")
    spec: Manifest = {
        "parentRefs": [build_gateway_reference(gateway_api, gateway_api.web_listener)],
        "rules": [
            {
                "matches": [{"path": {"type": "PathPrefix", "value": path}}],
                "filters": [*gateway_api.dashboard_filters, *_own_filters(installation)],
                "backendRefs": [build_backend_reference(name, DASHBOARD_PORT)],
            }
        ],
    }
    if gateway_api.hosts:
        spec["hostnames"] = gateway_api.hosts
    return {
        "apiVersion": HTTPROUTES.api_version,
        "kind": HTTPROUTES.kind,
        "metadata": build_metadata(installation, cluster, name, SCHEDULER_COMPONENT),
        "spec": spec,
    }


def _own_filters(installation: Installation) -> list[dict[str, Any]]:
    headers = installation.dashboard_headers
    rewrite = {
        "type": "URLRewrite",
        "urlRewrite": {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}},
    }
    if not headers:
        return [rewrite]
    modifier = {
        "set": [{"name": name, "value": value} for name, value in headers.items() if value],
        "remove": [name for name, value in headers.items() if not value],
    }
    return [{"type": "ResponseHeaderModifier", "responseHeaderModifier": modifier}, rewrite]
