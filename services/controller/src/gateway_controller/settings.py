"""What the controller makes of the configuration."""

from gateway_common.configuration.groups import KubeSettings
from gateway_common.configuration.model import Configuration
from gateway_controller.core.installation import Installation, MiddlewareRef


def installation(configuration: Configuration) -> Installation:
    """What every manifest has to know about this installation."""
    group = configuration.controller
    return Installation(
        instance=configuration.instance,
        api_url=configuration.api_url,
        common_labels=configuration.common_labels,
        common_annotations=configuration.common_annotations,
        proxy_prefix=configuration.prefix,
        proxy_web_entrypoint=group.proxy_web_entrypoint,
        proxy_tcp_entrypoint=group.proxy_tcp_entrypoint,
        proxy_web_middlewares=tuple(MiddlewareRef(m.name, m.namespace) for m in group.proxy_web_middlewares),
    )


def kube_settings(configuration: Configuration) -> KubeSettings:
    """How to reach Kubernetes, within the controller's own rate."""
    group = configuration.controller
    if group.k8s_api_rate_limit is None:
        return configuration.kube
    limits = {"rate_limit": group.k8s_api_rate_limit, "rate_limit_burst": group.k8s_api_rate_limit_burst}
    return configuration.kube.model_copy(update=limits)
