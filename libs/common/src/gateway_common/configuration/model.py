"""The whole configuration."""

from typing import Annotated, Any, Self

import orjson
from pydantic import AfterValidator, Field, StringConstraints, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gateway_common import __version__
from gateway_common.config import ClusterConfig, check_overrides
from gateway_common.config_types import Annotations, Labels
from gateway_common.configuration.auth import AuthGroup
from gateway_common.configuration.groups import AdminSettings, Instance, KubeSettings, LogSettings
from gateway_common.configuration.limits import LimitsGroup
from gateway_common.configuration.options import GroupSettings, OptionDeclaration
from gateway_common.configuration.proxy import ProxyGroup
from gateway_common.configuration.services import ApiGroup, ControllerGroup, DashboardsGroup
from gateway_common.kube_configuration import own_namespace
from gateway_common.names import APP_NAME, NAME_LABEL
from gateway_common.namespaces import is_template
from gateway_common.setting import setting

ENV_PREFIX = "DASK_GATEWAY__"
ALL_NAMESPACES = "*"


def _normal_prefix(value: str) -> str:
    path = value.strip("/")
    return f"/{path}" if path else ""


#: An absolute path without a trailing slash; the root is the empty string.
Prefix = Annotated[str, StringConstraints(pattern=r"^/?([A-Za-z0-9._~-]+/?)*$"), AfterValidator(_normal_prefix)]


class Configuration(BaseSettings):
    """Everything that can be configured, for all services.

    Its arguments are what files say; environment variables win over them.
    """

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="ignore", frozen=True, arbitrary_types_allowed=True
    )

    instance: Instance = setting(
        traits=("KubeBackend.gateway_instance", "KubeController.gateway_instance"),
        description="This installation's name. Objects carry it as a label; two installations never share it.",
    )
    prefix: Prefix = setting(
        "",
        values="gateway.prefix",
        traits="KubeController.proxy_prefix",
        description="The public path below which the proxy serves the gateway, such as `/services/dask-gateway`; the "
        "proxy strips it. Links, cookies, routes and the OpenAPI document need to know it.",
    )
    clusters_api_url: str = setting(
        "",
        traits=("Backend.api_url", "KubeBackend.api_url", "KubeController.api_url"),
        description="Where schedulers reach the api, with `/api` at the end. "
        "Default: `http://api-<instance>.<the gateway's namespace>:8000/api`.",
    )
    kube: KubeSettings = Field(default=KubeSettings())
    log: LogSettings = Field(default=LogSettings())
    api: ApiGroup = Field(default=ApiGroup())
    auth: AuthGroup = Field(default=AuthGroup())
    dashboards: DashboardsGroup = Field(default=DashboardsGroup())
    controller: ControllerGroup = Field(default=ControllerGroup())
    proxy: ProxyGroup = Field(default=ProxyGroup())
    admin: AdminSettings = Field(default=AdminSettings())
    common_labels: Labels = setting(
        {NAME_LABEL: APP_NAME, "app.kubernetes.io/version": __version__},
        values="gateway.backend.commonLabels",
        traits=(
            "KubeBackendAndControllerMixin.common_labels",
            "KubeBackend.common_labels",
            "KubeController.common_labels",
        ),
        description="Labels of every object that the gateway makes.",
    )
    common_annotations: Annotations = setting(
        {},
        values="gateway.backend.commonAnnotations",
        traits=(
            "KubeBackendAndControllerMixin.common_annotations",
            "KubeBackend.common_annotations",
            "KubeController.common_annotations",
        ),
        description="Annotations of every object that the gateway makes.",
    )
    restricted_pods: bool = setting(
        True,
        values="gateway.backend.restrictedPods",
        description="Give Dask's containers a security context that Pod Security `restricted` takes: not root (user "
        "1000 where nothing else is said), no capabilities, no way to more rights. `securityContext` in "
        "`extraPodConfig` or `extraContainerConfig` wins. Off for platforms that choose users themselves, such as "
        "OpenShift.",
    )
    backend: dict[str, Any] = Field(
        default={},
        description="Fields of every cluster's configuration that differ from the built-in defaults; groups and "
        "options override them.",
    )
    notebook_images: list[str] = setting(
        [],
        values="gateway.backend.notebookImages",
        description="Patterns such as `quay.io/pangeo/*`. Where the image of the user's notebook fits one, clusters "
        "for which no option names an image use it. Default: clusters use `gateway.backend.image`.",
    )
    options: list[OptionDeclaration] = setting(
        [], values="gateway.options", description="What users may choose for their clusters, in the order of forms."
    )
    cluster_options: Any = setting(
        None,
        traits=("Backend.cluster_options", "KubeBackend.cluster_options"),
        description="The same as code, in place of `options`: an `Options` object of dask_gateway_server, a function "
        "of the user that returns one, or either's place as `module:attribute`.",
    )
    cluster_config_class: Any = setting(
        None,
        traits=("Backend.cluster_config_class", "KubeBackend.cluster_config_class"),
        description="A subclass of dask_gateway_server.backends.kubernetes.KubeClusterConfig that resolves clusters' "
        "configurations, or its place as `module:attribute`.",
    )
    limits: LimitsGroup = Field(default=LimitsGroup())
    groups: dict[str, GroupSettings] = Field(default={}, description="What is different for groups of users.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over what files say."""
        return env_settings, init_settings

    @field_validator("backend", mode="before")
    @classmethod
    def _decode(cls, value: Any) -> Any:
        """Variables hold text: what is a number or a list in JSON is meant as one, unless the field is text."""
        return {key: read_cluster_field(key, text) for key, text in value.items()} if isinstance(value, dict) else value

    @field_validator("backend")
    @classmethod
    def _fits_a_cluster(cls, value: dict[str, Any]) -> dict[str, Any]:
        check_overrides(value)
        return value

    @model_validator(mode="after")
    def _private_dashboards_are_private(self) -> Self:
        is_open = self.proxy.kind == "gatewayAPI" and not self.proxy.gateway_api.dashboard_filters
        if self.dashboards.private and is_open:
            raise ValueError(
                "the Gateway API has no filter of its own that asks the api who may see a cluster's pages: set "
                "proxy.gatewayAPI.dashboardFilters to one of your Gateway's, or gateway.dashboards.private to false "
                "if everybody may see them"
            )
        return self

    @property
    def default_namespace(self) -> str:
        """Where clusters run unless somebody says otherwise; may be a template with `{user}` or `{group}`."""
        named = [name for name in self.kube.namespaces if name != ALL_NAMESPACES]
        return self.backend.get("namespace") or (named[0] if named else own_namespace())

    @property
    def namespaces(self) -> list[str]:
        """The backend namespaces, or `[ALL_NAMESPACES]`."""
        if self.kube.namespaces:
            return [ALL_NAMESPACES] if ALL_NAMESPACES in self.kube.namespaces else self.kube.namespaces
        return [ALL_NAMESPACES] if any(map(is_template, self.namespace_templates)) else self.namespace_templates

    @property
    def namespace_templates(self) -> list[str]:
        """Where clusters of the gateway and of its groups run: names and templates."""
        groups = (group.backend.get("namespace") for group in self.groups.values())
        return list(dict.fromkeys([self.default_namespace, *filter(None, groups)]))

    @property
    def api_url(self) -> str:
        """Where schedulers reach the api."""
        return self.clusters_api_url or f"http://api-{self.instance}.{own_namespace()}:8000/api"


def read_cluster_field(key: str, value: Any) -> Any:
    """The value of a field of a cluster's configuration that may be given as text, as in a variable."""
    field = ClusterConfig.model_fields.get(key)
    if not isinstance(value, str) or field is None or field.annotation in (str, str | None):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value
