"""The controller's settings: `DASK_GATEWAY__CONTROLLER__...`, besides those that all services share."""

from pydantic import Field, field_validator

from gateway_common import __version__
from gateway_common.names import APP_NAME, NAME_LABEL
from gateway_common.settings import GatewaySettings, SettingsGroup
from gateway_controller.core.installation import Installation, MiddlewareRef


class Middleware(SettingsGroup):
    """A Traefik Middleware that dashboards' routes go through."""

    name: str = Field(min_length=1, description="Its name.")
    namespace: str = Field(default="", description="Its namespace. Default: that of the cluster.")


class ControllerGroup(SettingsGroup):
    """What the controller makes, and how hard it tries."""

    host: str = Field(default="0.0.0.0", description="Address that health is served on.")  # noqa: S104  # a pod's
    port: int = Field(default=8002, ge=0, le=65535, description="Port that health is served on.")
    api_url: str = Field(description="Where schedulers reach the api, with `/api` at the end.")
    parallelism: int = Field(default=20, ge=1, description="Clusters that are worked on side by side.")
    completed_cluster_max_age: float = Field(
        default=86400, ge=0, description="Seconds for which the record of a stopped or failed cluster is kept."
    )
    completed_cluster_cleanup_period: float = Field(
        default=600, gt=0, description="Seconds between two searches for records that are too old."
    )
    backoff_base_delay: float = Field(default=0.1, gt=0, description="Seconds until a failed cluster's second try.")
    backoff_max_delay: float = Field(default=300, gt=0, description="Seconds between two tries, at the most.")
    proxy_prefix: str = Field(default="", description="Path below which the proxy serves the gateway.")
    proxy_web_entrypoint: str = Field(default="web", description="Traefik's entry point for HTTP.")
    proxy_tcp_entrypoint: str = Field(default="tcp", description="Traefik's entry point for schedulers.")
    proxy_web_middlewares: list[Middleware] = Field(default=[], description="Middlewares of dashboards' routes.")
    common_labels: dict[str, str] = Field(
        default={NAME_LABEL: APP_NAME, "app.kubernetes.io/version": __version__},
        description="Labels of everything that the controller makes.",
    )
    common_annotations: dict[str, str] = Field(
        default={}, description="Annotations of everything that the controller makes."
    )

    @field_validator("proxy_prefix")
    @classmethod
    def _normalise_prefix(cls, value: str) -> str:
        path = value.strip("/")
        return f"/{path}" if path else ""


class ControllerSettings(GatewaySettings):
    """Everything that the controller reads from its environment."""

    controller: ControllerGroup

    def installation(self) -> Installation:
        group = self.controller
        return Installation(
            instance=self.instance,
            api_url=group.api_url,
            common_labels=group.common_labels,
            common_annotations=group.common_annotations,
            proxy_prefix=group.proxy_prefix,
            proxy_web_entrypoint=group.proxy_web_entrypoint,
            proxy_tcp_entrypoint=group.proxy_tcp_entrypoint,
            proxy_web_middlewares=tuple(MiddlewareRef(m.name, m.namespace) for m in group.proxy_web_middlewares),
        )
