"""The `dask-gateway-auth` command: settings from the environment, then serve until SIGTERM."""

import sys

import uvicorn
from pydantic import ValidationError
from pydantic_settings import SettingsError

from gateway_auth.app import create_app
from gateway_auth.settings import AuthSettings
from gateway_auth.signer import InvalidSigningKey
from gateway_common.logs import configure_logging


def main() -> None:
    """Serve. Exits with one clear line where the settings are wrong."""
    try:
        settings = AuthSettings()
        configure_logging(settings.log)
        app = create_app(settings)
    except ValidationError as error:
        sys.exit(f"dask-gateway-auth: {_describe(error)}")
    except (SettingsError, InvalidSigningKey) as error:
        sys.exit(f"dask-gateway-auth: {error}")
    uvicorn.run(
        app,
        host=settings.auth.host,
        port=settings.auth.port,
        loop="uvloop",
        http="httptools",
        # longer than any caller keeps an idle connection, so that a request never meets one that is being closed
        timeout_keep_alive=75,
        timeout_graceful_shutdown=settings.auth.shutdown_timeout,
        log_config=None,
        access_log=False,
        server_header=False,
    )


def _describe(error: ValidationError) -> str:
    """Which environment variables are wrong, and how; never their values, which may be secrets."""
    prefix = AuthSettings.model_config["env_prefix"]
    return "; ".join(
        f"{prefix}{'__'.join(str(part) for part in problem['loc']).upper()}: {problem['msg']}"
        for problem in error.errors()
    )


if __name__ == "__main__":
    main()
