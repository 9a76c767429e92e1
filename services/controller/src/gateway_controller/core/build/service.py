"""The headless Service that gives the scheduler its name (K-016)."""

from gateway_common.manifests.installation import Installation
from gateway_common.manifests.metadata import build_metadata, selector_labels
from gateway_common.manifests.scheduler_pod import SCHEDULER_PORTS
from gateway_common.names import (
    COMPONENT_LABEL,
    SCHEDULER_COMPONENT,
    ClusterName,
    service_name,
)
from gateway_common.resources import SERVICES, Manifest


def build_service(installation: Installation, cluster: ClusterName) -> Manifest:
    return {
        "apiVersion": SERVICES.api_version,
        "kind": SERVICES.kind,
        "metadata": build_metadata(installation, cluster, service_name(cluster.name), SCHEDULER_COMPONENT),
        "spec": {
            "clusterIP": "None",
            # The proxy has its route while Python still imports: the first connection needs no waiting for it.
            "publishNotReadyAddresses": True,
            "selector": {**selector_labels(installation, cluster), COMPONENT_LABEL: SCHEDULER_COMPONENT},
            "ports": [{"name": name, "port": port, "targetPort": port} for name, port in SCHEDULER_PORTS.items()],
        },
    }
