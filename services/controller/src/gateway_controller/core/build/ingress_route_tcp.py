"""The IngressRouteTCP to a cluster's scheduler (K-018)."""

from gateway_common.manifests.installation import Installation
from gateway_common.manifests.metadata import build_metadata
from gateway_common.names import SCHEDULER_COMPONENT, SCHEDULER_PORT, ClusterName, service_name, sni_host
from gateway_common.resources import INGRESSROUTETCPS, Manifest


def build_ingress_route_tcp(installation: Installation, cluster: ClusterName) -> Manifest:
    name = service_name(cluster.name)
    return {
        "apiVersion": INGRESSROUTETCPS.api_version,
        "kind": INGRESSROUTETCPS.kind,
        "metadata": build_metadata(
            installation, cluster, name, SCHEDULER_COMPONENT, extra_labels=installation.proxy_route_labels
        ),
        "spec": {
            "entryPoints": [installation.proxy_tcp_entrypoint],
            "routes": [
                {
                    "match": f"HostSNI(`{sni_host(cluster)}`)",
                    "services": [{"name": name, "namespace": cluster.namespace, "port": SCHEDULER_PORT}],
                }
            ],
            # The scheduler itself checks the client's certificate: the proxy only reads the server name.
            "tls": {"passthrough": True},
        },
    }
