"""The auth service's settings: the environment variables `DASK_GATEWAY__AUTH__...`."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr

from gateway_common.settings import GatewaySettings, SettingsGroup


class SimpleSettings(SettingsGroup):
    """One password for everybody."""

    password: SecretStr | None = Field(
        default=None,
        description="The password that every user must give. Not set or empty: any password will do.",
    )
    reusable_for: float = Field(
        default=60.0,
        ge=0,
        description="Seconds that the api may answer the same credentials by itself, and so how long a "
        "changed password may go unnoticed.",
    )


class AuthGroup(SettingsGroup):
    """How users prove who they are, and how long that is good for."""

    host: str = Field(default="0.0.0.0", description="The address to listen on.")  # noqa: S104 - a pod's only one
    port: int = Field(default=8001, ge=0, le=65535, description="The port to listen on.")
    shutdown_timeout: int = Field(
        default=15, ge=0, description="Seconds that open requests get to finish after SIGTERM."
    )
    session_lifetime: int = Field(
        default=3600,
        ge=1,
        description="Seconds that a session token is good for. Then groups and rights are looked up again.",
    )
    signing_keys: tuple[Path, ...] = Field(
        default=(),
        description="PEM files with EC P-256 private keys. The first signs; the others are still accepted, "
        "which is how a key is rotated. Default: a key of this process, so that sessions end with it.",
    )
    authenticator: Literal["simple"] = Field(default="simple", description="How users authenticate.")
    simple: SimpleSettings = SimpleSettings()


class AuthSettings(GatewaySettings):
    """Everything that the auth service reads from its environment."""

    auth: AuthGroup = AuthGroup()
