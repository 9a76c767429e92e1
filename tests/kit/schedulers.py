"""Schedulers of this process that belong to a gateway, and workers in processes of their own."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from distributed import Scheduler, Worker
from tornado.httpclient import AsyncHTTPClient, HTTPResponse

from tests.kit.mini_gateway import MiniGateway

TOKEN = "token secret"
HEARTBEAT = ("POST", "/api/v1/clusters/ns.a/heartbeat")
DELETE = ("DELETE", "/api/v1/clusters/ns.a")


class RunningScheduler:
    """A scheduler with the preload, and what its gateway heard from it."""

    def __init__(self, scheduler: Scheduler, gateway_api: MiniGateway) -> None:
        self.scheduler = scheduler
        self.service = scheduler.services["gateway"]
        self._gateway_api = gateway_api

    @property
    def heartbeats(self) -> list[dict[str, Any]]:
        return self._gateway_api.bodies(*HEARTBEAT)

    def last(self, part: str) -> Any:
        """What the latest heartbeat says of this; None before the first."""
        return beats[-1][part] if (beats := self.heartbeats) else None

    async def worker(self, name: str) -> Worker:
        return await Worker(self.scheduler.address, name=name, nthreads=1, dashboard_address=":0")

    async def send(self, command: Any, token: str | None = TOKEN) -> HTTPResponse:
        body = command if isinstance(command, str | bytes) else json.dumps(command)
        headers = {"Authorization": token} if token is not None else {}
        url = f"http://127.0.0.1:{self.service.port}/api/comm"
        return await AsyncHTTPClient().fetch(url, method="POST", headers=headers, body=body, raise_error=False)


StartScheduler = Callable[..., Awaitable[RunningScheduler]]


@asynccontextmanager
async def running_scheduler(gateway_api: MiniGateway, **arguments: Any) -> AsyncIterator[RunningScheduler]:
    """A scheduler with the preload and these of its options; the environment says whose it is."""
    options = {"api-address": ":0", "heartbeat-period": 0, "adaptive-period": 0.02, **arguments}
    scheduler = Scheduler(
        host="127.0.0.1",
        port=0,
        dashboard_address=":0",
        preload=["dask_gateway.scheduler_preload"],
        preload_argv=[f"--dg-{key}={value}" for key, value in options.items()],
    )
    async with scheduler:
        yield RunningScheduler(scheduler, gateway_api)


class DaskProcesses:
    """Schedulers and workers in processes of their own, started as in pods."""

    def __init__(self) -> None:
        self._processes: list[asyncio.subprocess.Process] = []

    async def scheduler(self) -> asyncio.subprocess.Process:
        """Whose it is, the environment says; its first heartbeat says where it is."""
        preload = ("--preload", "dask_gateway.scheduler_preload", "--dg-api-address", "127.0.0.1:0")
        address = ("--host", "127.0.0.1", "--port", "0", "--dashboard-address", "127.0.0.1:0")
        return await self._start("-m", "dask", "scheduler", *address, *preload)

    async def worker(
        self, scheduler: str, name: str, *options: str, command: tuple[str, ...] = ("-m", "dask", "worker"), **env: str
    ) -> asyncio.subprocess.Process:
        own = ("--name", name, "--nthreads", "1", "--dashboard-address", "127.0.0.1:0")
        fork = {"DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD": "fork"}
        return await self._start(*command, scheduler, *own, *options, **fork, **env)

    async def kill(self) -> None:
        """End those that are left."""
        for process in self._processes:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def _start(self, *arguments: str, **env: str) -> asyncio.subprocess.Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env={**os.environ, **env}, stderr=asyncio.subprocess.DEVNULL
        )
        self._processes.append(process)
        return process
