"""The `dask-gateway-controller` command: settings from the environment, then work until SIGTERM."""

import sys

import uvicorn

from gateway_common.configuration.loading import read_configuration
from gateway_common.errors import GatewayError
from gateway_common.logs import configure_logging
from gateway_controller.app import create_app


def main() -> None:
    """Run. Exits with one clear line where the settings are wrong."""
    try:
        settings = read_configuration()
        configure_logging(settings.controller.log_level or settings.log.level)
        app = create_app(settings)
    except GatewayError as error:
        sys.exit(f"dask-gateway-controller: {error}")
    uvicorn.run(
        app,
        host=settings.controller.host,
        port=settings.controller.port,
        loop="uvloop",
        http="httptools",
        # only probes are open, and they are asked again
        timeout_graceful_shutdown=1,
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
