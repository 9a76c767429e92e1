"""Settings that more than one service reads.

They come from the environment: prefix `DASK_GATEWAY__`, groups separated by two underscores
(`DASK_GATEWAY__KUBE__NAMESPACES='["dask"]'`). A service subclasses GatewaySettings and adds its own group.
"""

from pathlib import Path
from typing import Annotated, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from gateway_common.errors import InvalidConfig

#: Fits in a Kubernetes label value.
Instance = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$")]


class SettingsGroup(BaseModel):
    """A group of settings: immutable, and a misspelt key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KubeSettings(SettingsGroup):
    """How to reach the Kubernetes API, and where clusters run.

    An address in `url` counts before all files; `token` and the two TLS fields belong to it.
    """

    url: str | None = Field(
        default=None, pattern=r"^https?://", description="The API server's address. Default: as configured in files."
    )
    token: SecretStr | None = Field(default=None, description="The bearer token for `url`.")
    ca_file: Path | None = Field(
        default=None, description="The authority that signed the certificate of `url`. Default: the public ones."
    )
    insecure_skip_tls_verify: bool = Field(
        default=False, description="Accept any certificate of `url`. For test servers only."
    )
    kubeconfig: Path | None = Field(
        default=None,
        description="A kubeconfig file. Default: the pod's service account, else kubectl's usual files.",
    )
    context: str | None = Field(default=None, description="The kubeconfig's context. Default: its current one.")
    namespaces: list[str] = Field(
        default=["default"],
        min_length=1,
        description="Backend namespaces: where clusters run. A cluster that names none gets the first.",
    )
    request_timeout: float = Field(default=30.0, gt=0, description="Seconds until a request is given up.")
    rate_limit: float | None = Field(
        default=None,
        gt=0,
        description="Calls per second on average. Default: as many as the API server takes.",
    )
    rate_limit_burst: int = Field(default=100, ge=1, description="Calls at once, where rate_limit is set.")

    @model_validator(mode="after")
    def _one_way_to_the_server(self) -> Self:
        if self.url and (self.kubeconfig or self.context):
            raise ValueError("set either url or kubeconfig and context")
        if not self.url and (self.token or self.ca_file or self.insecure_skip_tls_verify):
            raise ValueError("token, ca_file and insecure_skip_tls_verify belong to url, which is not set")
        return self


class LogSettings(SettingsGroup):
    """What is logged."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO", description="The least severe level that is logged."
    )


class GatewaySettings(BaseSettings):
    """What every service needs to know."""

    model_config = SettingsConfigDict(
        env_prefix="DASK_GATEWAY__", env_nested_delimiter="__", extra="ignore", frozen=True
    )

    instance: Instance = Field(
        description="This installation's name. Objects carry it as a label; two installations never share it."
    )
    kube: KubeSettings = KubeSettings()
    log: LogSettings = LogSettings()


S = TypeVar("S", bound=GatewaySettings)


def read_settings(kind: type[S]) -> S:
    """A service's settings from the environment.

    Raises InvalidConfig, whose text names every wrong variable and never a value: it may be a secret.
    """
    try:
        return kind()
    except ValidationError as error:
        prefix = kind.model_config["env_prefix"]
        problems = [
            (prefix + "__".join(map(str, problem["loc"])).upper(), problem["msg"]) for problem in error.errors()
        ]
        raise InvalidConfig("; ".join(f"{variable}: {message}" for variable, message in problems)) from None
    except SettingsError as error:
        raise InvalidConfig(str(error)) from None
