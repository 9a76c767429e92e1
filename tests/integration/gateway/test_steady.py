"""A cluster that nothing happens to costs nothing."""

import asyncio
from pathlib import Path

from dask_gateway import Gateway
from gateway_local.gateway import LocalGateway, LocalSettings

WRITES = {"create", "update", "patch", "apply", "delete", "deletecollection"}
OBSERVED_SECONDS = 8


async def test_a_steady_cluster_causes_no_kubernetes_writes(tmp_path: Path) -> None:
    settings = LocalSettings(port=0, directory=tmp_path)
    async with (
        LocalGateway(settings) as gateway,
        Gateway(gateway.address, asynchronous=True) as client,
        await client.new_cluster() as cluster,
    ):
        await cluster.scale(1)
        async with await cluster.get_client() as dask:
            await dask.wait_for_workers(1, timeout=120)
            assert writes(gateway) > 0

            # What is looked for is that nothing happens, for longer than readiness probes and heartbeats take.
            before = await settled(gateway)
            await asyncio.sleep(OBSERVED_SECONDS)
            assert writes(gateway) == before


def writes(gateway: LocalGateway) -> int:
    """Writes over HTTP so far; the kubelet's own reports do not go that way."""
    return sum(count for (verb, _), count in gateway.kubernetes.requests.items() if verb in WRITES)


async def settled(gateway: LocalGateway) -> int:
    """The number of writes once the last one that the start caused is over."""
    seen, since = writes(gateway), 0
    async with asyncio.timeout(60):
        while since < 10:
            await asyncio.sleep(0.2)
            seen, since = (seen, since + 1) if writes(gateway) == seen else (writes(gateway), 0)
    return seen
