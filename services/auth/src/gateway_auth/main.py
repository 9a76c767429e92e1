"""The `dask-gateway-auth` command: settings from the environment, then serve until SIGTERM."""

import sys

import uvicorn

from gateway_auth.app import create_app
from gateway_common.audit import configure_audit
from gateway_common.configuration.loading import read_configuration
from gateway_common.errors import GatewayError
from gateway_common.logs import configure_logging


def main() -> None:
    """Serve. Exits with one clear line where the settings are wrong."""
    try:
        settings = read_configuration()
        configure_logging(settings.auth.log_level or settings.log.level)
        configure_audit(enabled=settings.log.audit)
        app = create_app(settings)
    except GatewayError as error:
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


if __name__ == "__main__":
    main()
