"""The IngressRouteTCP to a cluster's scheduler (K-018)."""

from gateway_common.names import SCHEDULER_COMPONENT, SCHEDULER_PORT, service_name, sni_host
from gateway_common.resources import INGRESSROUTETCPS, Manifest
from gateway_controller.core.build.metadata import build_metadata
from gateway_controller.core.installation import Installation
from gateway_controller.core.observed import Cluster


def build_ingress_route_tcp(installation: Installation, cluster: Cluster) -> Manifest:
    name = service_name(cluster.name)
    return {
        "apiVersion": INGRESSROUTETCPS.api_version,
        "kind": INGRESSROUTETCPS.kind,
        "metadata": build_metadata(installation, cluster, name, SCHEDULER_COMPONENT),
        "spec": {
            "entryPoints": [installation.proxy_tcp_entrypoint],
            "routes": [
                {
                    "match": f"HostSNI(`{sni_host(cluster.full_name)}`)",
                    "services": [{"name": name, "namespace": cluster.namespace, "port": SCHEDULER_PORT}],
                }
            ],
            # The scheduler itself checks the client's certificate: the proxy only reads the server name.
            "tls": {"passthrough": True},
        },
    }
