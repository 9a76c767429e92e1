"""Sees to it that the gateway's own Traefik can be asked whether it serves routes.

Traefik answers pings before it has read a single route, and a pod that is called ready then answers 404 to everybody. A
route among the others tells: it answers when they do. The chart can't make it, since on a first install Helm knows no
kinds that the same release defines.
"""

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress

from gateway_common.configuration.model import ALL_NAMESPACES, Configuration
from gateway_common.errors import AlreadyExists, KubeError
from gateway_common.kube import KubeClient
from gateway_common.kube_configuration import own_namespace
from gateway_common.manifests.installation import installation_of
from gateway_common.resources import INGRESSROUTES, Manifest
from gateway_controller.core.build.readiness_route import build_readiness_route

#: Seconds until the next try where a namespace or Traefik's definitions are not there yet.
PAUSE = 2.0
#: Seconds until it is made again if somebody has deleted it: a Traefik that starts meanwhile waits so long.
PERIOD = 30.0

logger = logging.getLogger(__name__)


async def keep_readiness_route(
    client: KubeClient, settings: Configuration, *, period: float = PERIOD, pause: float = PAUSE
) -> None:
    """Keep the route in existence where the settings ask for one. Goes on until cancelled."""
    entry_point = settings.controller.proxy_readiness_entrypoint
    if not entry_point:
        return
    namespaces = [own_namespace()] if ALL_NAMESPACES in settings.namespaces else settings.namespaces
    installation = installation_of(settings)
    routes = [build_readiness_route(installation, namespace, entry_point) for namespace in namespaces]
    while True:
        is_there = await _create_one(client, routes)
        await asyncio.sleep(period if is_there else pause)


async def _create_one(client: KubeClient, routes: Iterable[Manifest]) -> bool:
    """Whether one of the routes is there now. One is enough, and a namespace may have been lost."""
    for route in routes:
        try:
            with suppress(AlreadyExists):
                await client.create(INGRESSROUTES, route)
        except KubeError as error:
            namespace = route["metadata"]["namespace"]
            logger.warning("Cannot make the route by which Traefik's readiness is asked in %s: %s", namespace, error)
        else:
            return True
    return False
