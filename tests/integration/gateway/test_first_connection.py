"""A cluster that is said to run can be reached: its route is live before."""

import asyncio
from pathlib import Path

from dask_gateway import Gateway
from gateway_local.gateway import LocalGateway, LocalSettings


async def test_the_first_connection_after_running_succeeds(tmp_path: Path) -> None:
    settings = LocalSettings(port=0, directory=tmp_path)
    async with LocalGateway(settings) as gateway, Gateway(gateway.address, asynchronous=True) as client:
        for _ in range(3):
            async with await client.new_cluster() as cluster:
                context = cluster.security.get_connection_args("client")["ssl_context"]
                # One attempt, as Dask's client makes them: TLS to the scheduler by its name, through Traefik.
                _, writer = await asyncio.open_connection(
                    "127.0.0.1", gateway.port, ssl=context, server_hostname=f"daskgateway-{cluster.name}"
                )
                assert writer.get_extra_info("cipher") is not None
                writer.transport.abort()
