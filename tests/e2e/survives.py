"""Keeps a cluster at work while a command runs, such as `helm upgrade`; fails if cluster or client lose anything.

    python -m tests.e2e.survives -- helm upgrade ...

The installation is known by the variables that installation.py lists.
"""

import asyncio
import sys

from distributed.client import Client, FutureCancelledError

from dask_gateway import GatewayCluster
from tests.e2e.installation import PATIENCE_SECONDS, Installation, new_user, read_installation
from tests.kit.patience import patiently


async def main(installation: Installation, command: list[str]) -> None:
    async with (
        installation.connect(new_user()) as gateway,
        gateway.new_cluster(shutdown_on_close=True) as cluster,
        cluster.get_client() as client,
    ):
        await cluster.scale(1)
        await client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
        kept = await client.scatter(list(range(100)))
        worker = await workers_of(client)

        await run_while_working(command, client)

        assert await workers_of(client) == worker, "the worker was replaced"
        assert await client.submit(sum, kept, pure=False) == 4950, "data was lost"
        await patiently(lambda: gateway.scale_cluster(cluster.name, 2), PATIENCE_SECONDS)
        await client.wait_for_workers(2, timeout=PATIENCE_SECONDS)
        await says_that_it_runs(cluster)


async def workers_of(client: Client) -> set[str]:
    """Their addresses, asked of the scheduler: what an asynchronous client knows by itself soon names none."""
    return set((await client.scheduler.identity(n_workers=-1))["workers"])


async def run_while_working(command: list[str], client: Client) -> None:
    """Run the command to its end; all the while a task follows another."""
    process = await asyncio.create_subprocess_exec(*command)
    ended = asyncio.create_task(process.wait())
    tasks = 0
    while not ended.done():
        tasks += 1
        try:
            assert await client.submit(int, tasks) == tasks
        except (OSError, FutureCancelledError) as error:
            raise AssertionError("the client has lost its connection") from error
    assert ended.result() == 0, f"{command[0]} exited with {ended.result()}"
    print(f"{tasks} tasks while it ran")


async def says_that_it_runs(cluster: GatewayCluster) -> None:
    async with await patiently(lambda: cluster.gateway.connect(cluster.name), PATIENCE_SECONDS) as again:
        assert again.status == "running"


if __name__ == "__main__":
    asyncio.run(main(read_installation(), sys.argv[sys.argv.index("--") + 1 :]))
