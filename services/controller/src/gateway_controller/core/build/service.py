"""The headless Service that gives the scheduler its name (K-016)."""

from gateway_common.names import (
    COMPONENT_LABEL,
    DASHBOARD_PORT,
    SCHEDULER_API_PORT,
    SCHEDULER_COMPONENT,
    SCHEDULER_PORT,
    service_name,
)
from gateway_common.resources import SERVICES, Manifest
from gateway_controller.core.build.metadata import build_metadata, selector_labels
from gateway_controller.core.installation import Installation
from gateway_controller.core.observed import Cluster

#: The scheduler's ports by name.
PORTS = {"scheduler": SCHEDULER_PORT, "dashboard": DASHBOARD_PORT, "api": SCHEDULER_API_PORT}


def build_service(installation: Installation, cluster: Cluster) -> Manifest:
    return {
        "apiVersion": SERVICES.api_version,
        "kind": SERVICES.kind,
        "metadata": build_metadata(installation, cluster, service_name(cluster.name), SCHEDULER_COMPONENT),
        "spec": {
            "clusterIP": "None",
            # The proxy has its route while Python still imports: the first connection needs no waiting for it.
            "publishNotReadyAddresses": True,
            "selector": {**selector_labels(installation, cluster), COMPONENT_LABEL: SCHEDULER_COMPONENT},
            "ports": [{"name": name, "port": port, "targetPort": port} for name, port in PORTS.items()],
        },
    }
