"""A user who stays while the gateway is replaced by another one, as a script of its own for the released client.

    python stays.py --address http://127.0.0.1:8000 --password secret [--no-dashboard]

It makes a cluster, says "at work", works until it is told a line, and then looks whether anything was lost. It needs
nothing but `dask_gateway` and what that needs.
"""

import argparse
import asyncio
import base64
import os
import sys
import urllib.request
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
from distributed import Client, Event, Variable
from distributed.client import FutureCancelledError

from dask_gateway import BasicAuth, Gateway, GatewayCluster

PATIENCE_SECONDS = 120


async def main(address: str, password: str, *, no_dashboard: bool) -> None:
    """Raises AssertionError if anything is lost. `no_dashboard`: the cluster's may be.

    The proxy of 2026.3.0 cuts connections ten seconds after it is told to end. The client connects again, but what it
    alone held is forgotten by then; so what is to be kept is published.
    """
    auth = BasicAuth("alice", password)
    async with Gateway(address, auth=auth, asynchronous=True) as gateway:
        cluster = await gateway.new_cluster(shutdown_on_close=False)
        await cluster.scale(2)
        async with await cluster.get_client(set_as_default=False) as client:
            await client.wait_for_workers(2, timeout=PATIENCE_SECONDS)
            workers = await client.run(os.getpid)
            kept = await client.scatter(list(range(100)))
            running = client.submit(_run_until_released, pure=False)
            await client.publish_dataset(kept=kept, running=running)
            run = await Variable("run", client=client).get()
            del kept, running

            print("at work", flush=True)
            told = asyncio.create_task(asyncio.to_thread(sys.stdin.readline))
            cuts, _ = await asyncio.gather(_compute(client, told), _ask(gateway, cluster.name, told))
            assert cuts <= 1, f"the connection was cut {cuts} times"

            assert await client.run(os.getpid) == workers, "workers were replaced"
            await Event("released", client=client).set()
            assert await (await client.get_dataset("running")) == run, "the task ran anew"
            assert await client.submit(sum, await client.get_dataset("kept")) == 4950, "data was lost"
            await cluster.scale(3)
            await client.wait_for_workers(3, timeout=PATIENCE_SECONDS)
            if not no_dashboard:
                assert "Dask" in await asyncio.to_thread(_read, cluster.dashboard_link, auth)
        await _another_client(address, auth, cluster)
    print("nothing is lost", flush=True)


def _run_until_released() -> str:
    run = uuid.uuid4().hex
    Variable("run").set(run)
    Event("released").wait()
    return run


async def _compute(client: Client, told: "asyncio.Task[str]") -> int:
    """One task after the other until told; returns how often the connection was cut."""
    cuts = number = 0
    is_cut = False
    while not told.done():
        number += 1
        try:
            assert await client.submit(int, number) == number
            is_cut = False
        except (OSError, FutureCancelledError):
            # until it is connected again, which it sees to by itself, there may be more than one error
            cuts += not is_cut
            is_cut = True
            await asyncio.sleep(0.05)
    return cuts


async def _ask(gateway: Gateway, name: str, told: "asyncio.Task[str]") -> None:
    """Ask for the cluster until told. To be told to come again is no failure."""
    while not told.done():
        try:
            assert [report.name for report in await gateway.list_clusters()] == [name]
        except aiohttp.ClientResponseError as error:
            # 2026.3.0's proxy sends requests to its api for a while after that has ended
            if error.status not in (502, 503):
                raise
        except aiohttp.ClientConnectionError:
            pass  # its proxy has ended while it held this connection
        await asyncio.sleep(0.1)


async def _another_client(address: str, auth: BasicAuth, cluster: GatewayCluster) -> None:
    """Finds the cluster, uses it, ends it, and makes one anew."""
    async with Gateway(address, auth=auth, asynchronous=True) as gateway:
        (report,) = await gateway.list_clusters()
        assert (report.name, report.status.name) == (cluster.name, "RUNNING"), report
        async with await gateway.connect(cluster.name) as again, await again.get_client(set_as_default=False) as client:
            assert await client.submit(sum, await client.get_dataset("kept"), pure=False) == 4950
        await gateway.stop_cluster(cluster.name)
        await _until(lambda: _has_none(gateway))
        async with await gateway.new_cluster() as new:
            await new.scale(1)
            async with await new.get_client(set_as_default=False) as client:
                assert await client.submit(sum, range(10)) == 45
        await _until(lambda: _has_none(gateway))


async def _has_none(gateway: Gateway) -> bool:
    return not await gateway.list_clusters()


def _read(link: str, auth: BasicAuth) -> str:
    credentials = base64.b64encode(f"{auth.username}:{auth.password}".encode()).decode()
    asked = urllib.request.Request(link, headers={"Authorization": f"Basic {credentials}"})  # noqa: S310
    with urllib.request.urlopen(asked, timeout=30) as page:  # noqa: S310  # the gateway's own link
        return str(page.read().decode())


async def _until(condition: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not await condition():  # noqa: ASYNC110  # no event announces it
            await asyncio.sleep(0.05)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--no-dashboard", action="store_true")
    asyncio.run(main(**vars(parser.parse_args())))
