"""What every manifest has to know about the installation that makes it."""

from dataclasses import dataclass, field

from gateway_common.configuration.model import Configuration
from gateway_common.configuration.proxy import GatewayApiGroup, ProxyKind


@dataclass(frozen=True, slots=True)
class MiddlewareRef:
    """A Traefik Middleware by name; an empty namespace is that of the route."""

    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True)
class Installation:
    """One installation of the gateway: its name, where its api is, and what stands in front of it."""

    instance: str
    #: Where schedulers reach the api, with `/api` at the end.
    api_url: str
    common_labels: dict[str, str] = field(default_factory=dict)
    common_annotations: dict[str, str] = field(default_factory=dict)
    #: Path below which the proxy serves the gateway, without a slash at the end; empty for the root.
    proxy_prefix: str = ""
    proxy_web_entrypoint: str = "web"
    proxy_tcp_entrypoint: str = "tcp"
    proxy_web_middlewares: tuple[MiddlewareRef, ...] = ()
    #: The host that dashboards are at; empty for any.
    proxy_host: str = ""
    #: Whether dashboards are routed as HTTPS.
    proxy_tls: bool = False
    proxy_route_labels: dict[str, str] = field(default_factory=dict)
    #: The Gateway that serves the routes; None: Traefik does, by IngressRoutes.
    gateway_api: GatewayApiGroup | None = None
    #: What answers of dashboards carry. Only the Gateway API has it in routes: Traefik has a middleware for it.
    dashboard_headers: dict[str, str] = field(default_factory=dict)
    #: Whether Dask's containers have a restricted security context.
    restricted_pods: bool = False

    @property
    def proxy_kind(self) -> ProxyKind:
        return "traefik" if self.gateway_api is None else "gatewayAPI"


def installation_of(configuration: Configuration) -> Installation:
    """What manifests have to know of the configuration."""
    group = configuration.controller
    return Installation(
        instance=configuration.instance,
        api_url=configuration.api_url,
        common_labels=configuration.common_labels,
        common_annotations=configuration.common_annotations,
        proxy_prefix=configuration.prefix,
        proxy_web_entrypoint=group.proxy_web_entrypoint,
        proxy_tcp_entrypoint=group.proxy_tcp_entrypoint,
        proxy_web_middlewares=tuple(
            MiddlewareRef(m.name, m.namespace) for m in (*group.proxy_web_middlewares, *group.proxy_own_middlewares)
        ),
        proxy_host="" if configuration.dashboards.host else group.proxy_host,
        proxy_tls=group.proxy_tls,
        proxy_route_labels=group.proxy_route_labels,
        gateway_api=configuration.proxy.gateway_api if configuration.proxy.kind == "gatewayAPI" else None,
        dashboard_headers=configuration.dashboards.headers,
        restricted_pods=configuration.restricted_pods,
    )
