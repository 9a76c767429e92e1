"""The api's settings: the environment variables `DASK_GATEWAY__API__...` and `DASK_GATEWAY__BACKEND__...`."""

from pathlib import Path
from typing import Annotated, Any

import orjson
from pydantic import Field, StringConstraints, field_validator

from gateway_common.config import ClusterConfig, parse_cluster_config
from gateway_common.settings import GatewaySettings, SettingsGroup

#: An absolute path without a trailing slash; the root is the empty string.
Prefix = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9._~-]+)*$")]


class ApiGroup(SettingsGroup):
    """How the api serves and whom it asks."""

    host: str = Field(default="0.0.0.0", description="The address to listen on.")  # noqa: S104 - a pod's only one
    port: int = Field(default=8000, ge=0, le=65535, description="The port to listen on.")
    prefix: Prefix = Field(
        default="",
        description="The public path that the proxy strips before the api, such as `/services/dask-gateway`. "
        "Links, cookies and the OpenAPI document need to know it.",
    )
    auth_url: str = Field(default="http://127.0.0.1:8001", description="Where the auth service is.")
    auth_timeout: float = Field(
        default=30.0, gt=0, description="Seconds that the auth service may take for one request."
    )
    options: str = Field(
        default="",
        description="What users may choose, as `module:attribute`: an `Options` object of dask_gateway_server, or a "
        "function of the user that returns one. Default: nothing.",
    )
    options_path: Path | None = Field(
        default=None, description="A folder that is put on Python's import path for `options`."
    )
    options_timeout: float = Field(
        default=30.0, gt=0, description="Seconds that the operator's options code may take for one request."
    )
    max_body_size: int = Field(
        default=2**20, ge=1024, description="The longest request body in bytes; longer ones are refused."
    )
    startup_timeout: float = Field(
        default=30.0, gt=0, description="Seconds until the clusters must have been read once, else the start fails."
    )
    shutdown_timeout: int = Field(
        default=15, ge=0, description="Seconds that open requests get to finish after SIGTERM."
    )

    @field_validator("prefix", mode="before")
    @classmethod
    def _without_trailing_slash(cls, value: Any) -> Any:
        return value.rstrip("/") if isinstance(value, str) else value


def _decoded(key: str, value: Any) -> Any:
    field = ClusterConfig.model_fields.get(key)
    if not isinstance(value, str) or field is None or field.annotation in (str, str | None):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return value


class ApiSettings(GatewaySettings):
    """Everything that the api reads from its environment."""

    api: ApiGroup = ApiGroup()
    backend: dict[str, Any] = Field(
        default={},
        description="Fields of every cluster's configuration that differ from the built-in defaults; "
        "options override them.",
    )

    @field_validator("backend", mode="before")
    @classmethod
    def _decode(cls, value: Any) -> Any:
        """Variables hold text: what is a number or a list in JSON is meant as one, unless the field is text."""
        return {key: _decoded(key, field) for key, field in value.items()} if isinstance(value, dict) else value

    @field_validator("backend")
    @classmethod
    def _is_a_cluster_config(cls, value: dict[str, Any]) -> dict[str, Any]:
        parse_cluster_config(value)
        return value
