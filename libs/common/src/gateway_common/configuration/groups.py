"""Parts of the configuration that more than one service reads."""

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr, model_validator

from gateway_common.kubernetes_names import check_label_value
from gateway_common.setting import setting


def _instance(value: str) -> str:
    """Fits in a Kubernetes label value."""
    if not value:
        raise ValueError("must not be empty")
    check_label_value(value)
    return value


Instance = Annotated[str, AfterValidator(_instance)]

_LEVELS = {10: "DEBUG", 20: "INFO", 30: "WARNING", 40: "ERROR", 50: "CRITICAL"}


def _level_name(value: Any) -> Any:
    """Python's numbers and any case are understood, as existing configuration code writes them."""
    if isinstance(value, str):
        return {"WARN": "WARNING", "FATAL": "CRITICAL"}.get(value.upper(), value.upper())
    return _LEVELS.get(value, value) if isinstance(value, int) else value


LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(_level_name)]


class SettingsGroup(BaseModel):
    """A group of settings: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KubeSettings(SettingsGroup):
    """How to reach the Kubernetes API, and where clusters run.

    An address in `url` counts before all files; `token` and the two TLS fields belong to it.
    """

    url: str | None = setting(
        None, pattern=r"^https?://", description="The API server's address. Default: as configured in files."
    )
    token: SecretStr | None = setting(None, description="The bearer token for `url`.")
    ca_file: Path | None = setting(
        None, description="The authority that signed the certificate of `url`. Default: the public ones."
    )
    insecure_skip_tls_verify: bool = setting(
        False, description="Accept any certificate of `url`. For test servers only."
    )
    kubeconfig: Path | None = setting(
        None, description="A kubeconfig file. Default: the pod's service account, else kubectl's usual files."
    )
    context: str | None = setting(None, description="The kubeconfig's context. Default: its current one.")
    namespaces: list[str] = setting(
        [],
        values="gateway.backend.namespaces",
        description="Backend namespaces: where clusters may run; `*` means all, which takes cluster-wide rights. "
        "Default: those that `gateway.backend.namespace` of the gateway and of the groups name, `*` where one of them "
        "is a template, else the namespace that the gateway itself runs in.",
    )
    request_timeout: float = setting(30.0, gt=0, unit="seconds", description="Until a request is given up.")
    rate_limit: float | None = setting(
        None,
        gt=0,
        unit="calls per second",
        description="On average. Default: as many as the API server takes; it shares itself out fairly.",
    )
    rate_limit_burst: int = setting(100, ge=1, unit="calls", description="At once, where rate_limit is set.")

    @model_validator(mode="after")
    def _one_way_to_the_server(self) -> Self:
        if self.url and (self.kubeconfig or self.context):
            raise ValueError("set either url or kubeconfig and context")
        if not self.url and (self.token or self.ca_file or self.insecure_skip_tls_verify):
            raise ValueError("token, ca_file and insecure_skip_tls_verify belong to url, which is not set")
        return self


class LogSettings(SettingsGroup):
    """What is logged."""

    level: LogLevel = setting("INFO", description="The least severe level that a service logs unless it has its own.")
    audit: bool = setting(
        True,
        values="gateway.audit",
        description="Write a line of JSON to standard output for each decision: who, what, which cluster, from where, "
        "and how it came out.",
    )


class AdminSettings(SettingsGroup):
    """Who may see and change all clusters, besides users whom their authentication calls administrators."""

    users: list[str] = setting([], values="gateway.admin.users", description="Names of users.")
    groups: list[str] = setting([], values="gateway.admin.groups", description="Groups whose members all are.")
