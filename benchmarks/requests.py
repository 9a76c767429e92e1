"""What a request costs the api: requests a second and CPU a request, direct and through Traefik."""

import asyncio
import base64
from pathlib import Path

import httpx

from benchmarks.bulk import until_phase
from benchmarks.figures import Figure, cpu_seconds
from benchmarks.load import generate
from dask_gateway import BasicAuth, Gateway
from gateway_local.gateway import LocalGateway, LocalSettings


async def measure(directory: Path, records: int = 1000) -> list[Figure]:
    """Requests against `records` running clusters of one user and 20 of another."""
    settings = LocalSettings(port=0, directory=directory, simulated=True, log_level="WARNING")
    figures: list[Figure] = []
    async with LocalGateway(settings) as gateway:
        many = await _fill(gateway, "many", records)
        await _fill(gateway, "few", 20)
        await until_phase(gateway, "Running", records + 20)
        one = many[0]
        direct, proxied = gateway.port_of("api"), gateway.port
        for name, port, user, path, total in (
            ("health", direct, None, "/api/health", 10_000),
            ("options", direct, "few", "/api/v1/options", 5_000),
            ("read one cluster", direct, "many", f"/api/v1/clusters/{one}", 10_000),
            ("list of 20", direct, "few", "/api/v1/clusters/", 5_000),
            (f"list of {records:,}", direct, "many", "/api/v1/clusters/", 100),
            ("read one cluster, through Traefik", proxied, "many", f"/api/v1/clusters/{one}", 10_000),
            ("list of 20, through Traefik", proxied, "few", "/api/v1/clusters/", 2_000),
        ):
            figures += await _measure_one(gateway, name, port, user, path, total)
    return figures


async def _fill(gateway: LocalGateway, user: str, clusters: int) -> list[str]:
    async with Gateway(gateway.address, auth=BasicAuth(user, ""), asynchronous=True) as client:
        return list(await asyncio.gather(*(client.submit() for _ in range(clusters))))


async def _measure_one(
    gateway: LocalGateway, name: str, port: int, user: str | None, path: str, total: int, repeats: int = 3
) -> list[Figure]:
    cookie = await _session(gateway, user) if user else ""
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{cookie}\r\n".encode()
    pid = gateway.processes["api"].pid or 0
    rates, costs = [], []
    await generate(port, request, total // 10)
    for _ in range(repeats):
        before = cpu_seconds(pid)
        seconds = await generate(port, request, total)
        rates.append(total / seconds)
        costs.append((cpu_seconds(pid) - before) / total * 1000)
    return [Figure(f"{name}: rate", "requests/s", rates), Figure(f"{name}: CPU of the api", "ms/request", costs)]


async def _session(gateway: LocalGateway, user: str) -> str:
    """Sign in once, as a client does; the header line with the session's cookie."""
    credentials = base64.b64encode(f"{user}:".encode()).decode()
    async with httpx.AsyncClient(base_url=gateway.address, trust_env=False) as client:
        answer = await client.get("/api/v1/options", headers={"Authorization": f"Basic {credentials}"})
        answer.raise_for_status()
        return "Cookie: " + "; ".join(f"{name}={value}" for name, value in client.cookies.items()) + "\r\n"
