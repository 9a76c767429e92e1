"""What the controller makes of the configuration."""

from gateway_common.configuration.groups import KubeSettings
from gateway_common.configuration.model import Configuration


def kube_settings(configuration: Configuration) -> KubeSettings:
    """How to reach Kubernetes, within the controller's own rate."""
    group = configuration.controller
    if group.k8s_api_rate_limit is None:
        return configuration.kube
    limits = {"rate_limit": group.k8s_api_rate_limit, "rate_limit_burst": group.k8s_api_rate_limit_burst}
    return configuration.kube.model_copy(update=limits)
