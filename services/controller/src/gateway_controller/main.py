"""The `dask-gateway-controller` command: settings from the environment, then work until SIGTERM."""

import signal
import sys

import uvicorn

from gateway_common.configuration.loading import read_configuration
from gateway_common.errors import GatewayError
from gateway_common.logs import configure_logging
from gateway_controller.app import create_app


def main() -> None:
    """Run. Exits with 0 after SIGTERM, and with one clear line where the settings are wrong."""
    try:
        settings = read_configuration()
        configure_logging(settings.controller.log_level or settings.log.level)
        app = create_app(settings)
    except GatewayError as error:
        sys.exit(f"dask-gateway-controller: {error}")
    # uvicorn hands on the signal that has ended it when all is over: to be told to stop is no failure
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(app.state.exit_code))
    uvicorn.run(
        app,
        host=settings.controller.host,
        port=settings.controller.port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        # only probes and metrics are open, and they are asked again
        timeout_graceful_shutdown=1,
        log_config=None,
        access_log=False,
        server_header=False,
    )


if __name__ == "__main__":
    main()
