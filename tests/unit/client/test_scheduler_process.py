"""``dask scheduler --preload dask_gateway.scheduler_preload``, as the controller starts it."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.kit.mini_gateway import MiniGateway
from tests.kit.tls import make_key_pair
from tests.kit.waiting import until

HEARTBEAT = ("POST", "/api/v1/clusters/ns.a/heartbeat")
Start = Callable[[], Awaitable[asyncio.subprocess.Process]]


@pytest.fixture
async def start(gateway_api: MiniGateway, tmp_path: Path) -> AsyncIterator[Start]:
    key, certificate = make_key_pair()
    for name, content in {"dask.pem": key, "dask.crt": certificate, "api-token": "secret"}.items():
        (tmp_path / name).write_text(content)
    environment = {
        **os.environ,
        "DASK_GATEWAY_API_URL": f"{gateway_api.url}/api",
        "DASK_GATEWAY_CLUSTER_NAME": "ns.a",
        "DASK_GATEWAY_API_TOKEN": str(tmp_path / "api-token"),
        "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(tmp_path / "dask.crt"),
        "DASK_DISTRIBUTED__COMM__TLS__SCHEDULER__CERT": str(tmp_path / "dask.crt"),
        "DASK_DISTRIBUTED__COMM__TLS__SCHEDULER__KEY": str(tmp_path / "dask.pem"),
    }
    processes = []

    async def start() -> asyncio.subprocess.Process:
        launch = [sys.executable, "-m", "dask", "scheduler", "--protocol", "tls", "--host", "127.0.0.1", "--port", "0"]
        service = ["--dg-api-address", "127.0.0.1:0", "--dg-heartbeat-period", "0", "--dg-idle-timeout", "600"]
        preload = ["--dashboard-address", "127.0.0.1:0", "--preload", "dask_gateway.scheduler_preload"]
        process = await asyncio.create_subprocess_exec(
            *launch, *preload, *service, env=environment, stderr=asyncio.subprocess.PIPE
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_reports_at_once_and_ends_when_told(start: Start, gateway_api: MiniGateway) -> None:
    process = await start()
    await until(lambda: bool(gateway_api.bodies(*HEARTBEAT)), 30)
    (heartbeat,) = gateway_api.bodies(*HEARTBEAT)
    assert heartbeat["scheduler_address"].startswith("tls://127.0.0.1:")
    process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 5) == 0


async def test_it_exits_when_it_cannot_serve_its_gateway(start: Start, tmp_path: Path) -> None:
    (tmp_path / "api-token").unlink()
    process = await start()
    _, log = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert b"Error starting gateway service" in log
