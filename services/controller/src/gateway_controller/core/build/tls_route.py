"""The TLSRoute to a cluster's scheduler, for a Gateway of the Gateway API."""

from dataclasses import replace

from gateway_common.configuration.proxy import GatewayApiGroup
from gateway_common.manifests.installation import Installation
from gateway_common.manifests.metadata import build_metadata
from gateway_common.names import SCHEDULER_COMPONENT, SCHEDULER_PORT, ClusterName, service_name, sni_host
from gateway_common.resources import TLSROUTES, Manifest, Resource
from gateway_controller.core.build.gateway_reference import build_backend_reference, build_gateway_reference


def tls_routes(gateway_api: GatewayApiGroup) -> Resource:
    """TLSRoutes in the version that the installation's Kubernetes has."""
    return replace(TLSROUTES, version=gateway_api.tls_route_version)


def build_tls_route(installation: Installation, gateway_api: GatewayApiGroup, cluster: ClusterName) -> Manifest:
    name = service_name(cluster.name)
    return {
        "apiVersion": tls_routes(gateway_api).api_version,
        "kind": TLSROUTES.kind,
        "metadata": build_metadata(installation, cluster, name, SCHEDULER_COMPONENT),
        "spec": {
            # The scheduler itself checks the client's certificate: the Gateway only reads the server name.
            "parentRefs": [build_gateway_reference(gateway_api, gateway_api.scheduler_listener)],
            "hostnames": [sni_host(cluster)],
            "rules": [{"backendRefs": [build_backend_reference(name, SCHEDULER_PORT)]}],
        },
    }
