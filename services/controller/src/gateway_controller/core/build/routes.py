"""The routes from outside to a cluster: to its web pages, and to its scheduler."""

from gateway_common.manifests.installation import Installation
from gateway_common.names import ClusterName
from gateway_common.resources import HTTPROUTES, INGRESSROUTES, INGRESSROUTETCPS, Manifest, Resource
from gateway_controller.core.build.http_route import build_http_route
from gateway_controller.core.build.ingress_route import build_ingress_route
from gateway_controller.core.build.ingress_route_tcp import build_ingress_route_tcp
from gateway_controller.core.build.tls_route import build_tls_route, tls_routes


def route_resources(installation: Installation) -> tuple[Resource, Resource]:
    """The kinds of these routes."""
    gateway_api = installation.gateway_api
    return (INGRESSROUTES, INGRESSROUTETCPS) if gateway_api is None else (HTTPROUTES, tls_routes(gateway_api))


def build_routes(installation: Installation, cluster: ClusterName) -> list[tuple[Resource, Manifest]]:
    """Those that the installation's proxy understands."""
    gateway_api = installation.gateway_api
    if gateway_api is None:
        return [
            (INGRESSROUTES, build_ingress_route(installation, cluster)),
            (INGRESSROUTETCPS, build_ingress_route_tcp(installation, cluster)),
        ]
    return [
        (HTTPROUTES, build_http_route(installation, gateway_api, cluster)),
        (tls_routes(gateway_api), build_tls_route(installation, gateway_api, cluster)),
    ]
