"""What stands in front of the gateway and its clusters, and how it is told of their routes."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, StringConstraints, model_validator

from gateway_common.configuration.groups import SettingsGroup
from gateway_common.setting import setting

ProxyKind = Literal["traefik", "gatewayAPI"]

_HostName = Annotated[str, StringConstraints(pattern=r"^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$")]


class GatewayApiGroup(SettingsGroup):
    """The Gateway that serves the routes: one that is there already, of any implementation."""

    gateway: str = setting(
        "", values="proxy.gatewayAPI.gateway", description="The Gateway's name. Its listeners must take these routes."
    )
    gateway_namespace: str = setting(
        "",
        values="proxy.gatewayAPI.gatewayNamespace",
        description="The Gateway's namespace. Default: that of each route.",
    )
    web_listener: str = setting(
        "",
        values="proxy.gatewayAPI.webListener",
        description="Its listener for HTTP or HTTPS, by name. Default: all that fit.",
    )
    scheduler_listener: str = setting(
        "",
        values="proxy.gatewayAPI.schedulerListener",
        description="Its listener for connections to schedulers, by name: of protocol `TLS` and mode `Passthrough`. "
        "Default: all that fit.",
    )
    hosts: list[_HostName] = setting(
        [],
        values="proxy.gatewayAPI.hosts",
        description="The host names that the gateway and the dashboards are at. Default: those of the listener.",
    )
    tls_route_version: Literal["v1", "v1alpha3", "v1alpha2"] = setting(
        "v1",
        values="proxy.gatewayAPI.tlsRouteVersion",
        description="The version of TLSRoutes: `v1` since Gateway API 1.5, before it one of the experimental channel.",
    )
    dashboard_filters: list[dict[str, Any]] = setting(
        [],
        values="proxy.gatewayAPI.dashboardFilters",
        description="Filters of the HTTPRoutes to dashboards, before those of the gateway. Where dashboards are "
        "private, one has to make the Gateway ask the api at `/dashboards/access`: the Gateway API has none for that "
        "which every implementation knows.",
    )


class ProxyGroup(SettingsGroup):
    """Who serves the routes."""

    kind: ProxyKind = setting(
        "traefik",
        values="proxy.kind",
        description="`traefik`: Traefik, by IngressRoutes. `gatewayAPI`: any Gateway of the Kubernetes Gateway API, by "
        "HTTPRoutes and TLSRoutes; nothing of Traefik is installed then.",
    )
    gateway_api: GatewayApiGroup = Field(default=GatewayApiGroup())

    @model_validator(mode="after")
    def _has_a_gateway(self) -> Self:
        if self.kind == "gatewayAPI" and not self.gateway_api.gateway:
            raise ValueError("gatewayAPI: set gateway to the name of the Gateway that serves the routes")
        return self
