"""The `dask-gateway-api` command as a process."""

import asyncio
import json
import os
import signal
import sys

import httpx

from gateway_common.configuration.groups import KubeSettings
from gateway_local.ports import free_port
from tests.kit.credentials import basic_credentials
from tests.kit.scripted_server import Exchange, scripted_server

SESSION = {
    "principal": {"name": "alice", "groups": [], "admin": False},
    "token": "opaque",
    "expires_in": 60,
    "reusable_for": 60,
    "headers": {},
}


async def accept_everybody(exchange: Exchange) -> None:
    """Play an auth service whose tokens nobody can verify, so that credentials are shown each time."""
    await exchange.answer(200, SESSION if exchange.path == "/authenticate" else {"keys": []})


async def test_sigterm_answers_whoever_waits_and_ends_the_process(kube: KubeSettings, namespace: str) -> None:
    async with scripted_server(accept_everybody) as auth:
        port = free_port()
        environment = {
            **os.environ,
            "DASK_GATEWAY__INSTANCE": "test",
            "DASK_GATEWAY__KUBE__KUBECONFIG": str(kube.kubeconfig),
            "DASK_GATEWAY__KUBE__NAMESPACES": json.dumps([namespace]),
            "DASK_GATEWAY__API__HOST": "127.0.0.1",
            "DASK_GATEWAY__API__PORT": str(port),
            "DASK_GATEWAY__API__AUTH_URL": auth.url,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "gateway_api.main", env=environment, stderr=asyncio.subprocess.PIPE
        )
        assert process.stderr
        transport = httpx.AsyncHTTPTransport(retries=10)
        headers = basic_credentials("alice")
        try:
            log = b""
            while b"Uvicorn running" not in log:
                log += await asyncio.wait_for(process.stderr.readline(), timeout=120)
            async with httpx.AsyncClient(
                transport=transport, base_url=f"http://127.0.0.1:{port}", headers=headers
            ) as alice:
                name = (await alice.post("/api/v1/clusters/", json={})).json()["name"]
                waiting = asyncio.create_task(alice.get(f"/api/v1/clusters/{name}?wait"))
                # answered by the same process after it has read the request that waits
                await alice.get(f"/api/v1/clusters/{name}")
                process.send_signal(signal.SIGTERM)
                answer = await waiting
            rest = await process.stderr.read()
            assert await process.wait() == -signal.SIGTERM
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()

    assert (answer.status_code, answer.json()["status"]) == (200, "PENDING")
    assert b"201 POST /api/v1/clusters/ " in log + rest
