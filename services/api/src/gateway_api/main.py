"""The `dask-gateway-api` command: settings from the environment, then serve until SIGTERM."""

import socket
import sys

import uvicorn

from gateway_api.app import create_app
from gateway_api.clusters.waiters import Waiters
from gateway_common.audit import configure_audit
from gateway_common.configuration.loading import read_configuration
from gateway_common.errors import GatewayError
from gateway_common.logs import configure_logging


class Server(uvicorn.Server):
    """Sends the requests that wait for a cluster home first when it is told to stop.

    They may have 20 seconds before them, more than open requests are given; their callers ask again.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop serving gracefully (R-101)."""
        waiters: Waiters = self.config.app.state.waiters  # type: ignore[union-attr]  # the app that main made
        waiters.close()
        await super().shutdown(sockets)


def main() -> None:
    """Serve. Exits with one clear line where the settings are wrong."""
    try:
        settings = read_configuration()
        configure_logging(settings.api.log_level or settings.log.level)
        configure_audit(enabled=settings.log.audit)
        app = create_app(settings)
    except GatewayError as error:
        sys.exit(f"dask-gateway-api: {error}")
    config = uvicorn.Config(
        app,
        host=settings.api.host,
        port=settings.api.port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        # longer than the proxy keeps an idle connection (Traefik: 90), or it sends a request into one being closed
        timeout_keep_alive=120,
        timeout_graceful_shutdown=settings.api.shutdown_timeout,
        log_config=None,
        access_log=False,
        server_header=False,
        # we read X-Forwarded-Proto ourselves, and need no more of what proxies say
        proxy_headers=False,
    )
    Server(config).run()


if __name__ == "__main__":
    main()
