"""Makes a Dask scheduler part of a gateway: ``dask scheduler --preload dask_gateway.scheduler_preload``.

The environment says whose scheduler this is: DASK_GATEWAY_CLUSTER_NAME, DASK_GATEWAY_API_URL and DASK_GATEWAY_API_TOKEN
(the token, or the path of a file with it). What released preloads do not know stands there too, for an option that is
unknown would end them: DASK_GATEWAY_NO_CLIENT_TIMEOUT. A scheduler that can't be reached by its gateway is of no use to
anybody, so whatever is wrong here ends the process.
"""

import logging
import os
import sys
from typing import Any

import click
from distributed.comm.addressing import parse_host_port

from dask_gateway.scheduler.dashboard import defer_dashboard
from dask_gateway.scheduler.gateway_api import GatewayClient, MissingEnvironmentError, make_gateway_client
from dask_gateway.scheduler.service import GatewaySchedulerService

__all__ = ("GatewayClient", "GatewaySchedulerService", "dask_setup", "make_gateway_client")

logger = logging.getLogger("distributed.scheduler.gateway")

# When distributed imports a preload, the scheduler has not loaded its dashboard yet; in dask_setup it has.
defer_dashboard()


@click.command()
@click.option(
    "--dg-adaptive-period",
    type=float,
    default=3.0,
    help="Seconds between two looks of adaptive scaling",
    show_default=True,
)
@click.option(
    "--dg-heartbeat-period",
    type=float,
    default=15.0,
    help="Seconds between heartbeats; 0 to send them on changes only",
    show_default=True,
)
@click.option(
    "--dg-idle-timeout",
    type=float,
    default=0.0,
    help="Seconds without work after which the cluster is stopped; 0 for never",
    show_default=True,
)
@click.option(
    "--dg-api-address", type=str, default=":0", help="Where to listen for the gateway, host:port", show_default=True
)
def dask_setup(
    scheduler: Any,
    dg_adaptive_period: float,
    dg_heartbeat_period: float,
    dg_idle_timeout: float,
    dg_api_address: str,
) -> None:
    """Start the gateway's service in ``scheduler``; called by distributed."""
    try:
        host, port = parse_host_port(dg_api_address)
    except ValueError as error:
        logger.error("Invalid api address %r: %s", dg_api_address, error)
        sys.exit(1)
    try:
        service = GatewaySchedulerService(
            scheduler,
            gateway=make_gateway_client(),
            adaptive_period=dg_adaptive_period,
            heartbeat_period=dg_heartbeat_period,
            idle_timeout=dg_idle_timeout,
            no_client_timeout=float(os.environ.get("DASK_GATEWAY_NO_CLIENT_TIMEOUT", "0")),
        )
        # Registered first, for the heartbeat tells the address of the service; distributed stops it with the scheduler.
        scheduler.services["gateway"] = service
        service.listen(host, port)
    except MissingEnvironmentError as error:
        logger.error("%s", error)
        sys.exit(1)
    except Exception:
        logger.exception("Error starting gateway service")
        sys.exit(1)
