"""What it costs to sign in by each method, and what the requests after it cost."""

import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import httpx

from benchmarks.figures import Figure, cpu_seconds
from benchmarks.load import generate
from gateway_local.gateway import LocalGateway, LocalSettings
from tests.kit.credentials import basic_credentials
from tests.kit.jupyterhub import SERVICE, SERVICE_TOKEN, running_hub
from tests.kit.kdc import running_kdc
from tests.kit.oidc_issuer import CLIENT, running_issuer

SIGN_INS = 50
REQUESTS = 10_000
PATH = "/api/v2/me"


@dataclass
class Method:
    """Settings of auth, and Authorization headers that are good for one sign-in each."""

    settings: dict[str, object]
    credentials: list[str]


async def measure(directory: Path) -> list[Figure]:
    """All methods, one after the other, each with a gateway of its own."""
    figures: list[Figure] = []
    for name, make in METHODS.items():
        place = directory / name.replace(" ", "-")
        place.mkdir()
        async with make(place) as method:
            auth = {"authenticator": name.partition(",")[0], **method.settings}
            settings = LocalSettings(
                port=0,
                directory=place,
                simulated=True,
                log_level="WARNING",
                environment={f"DASK_GATEWAY__AUTH__{key.upper()}": _text(value) for key, value in auth.items()},
            )
            async with LocalGateway(settings) as gateway:
                figures += await _measure_one(gateway, name, method.credentials)
    return figures


async def _measure_one(gateway: LocalGateway, name: str, credentials: list[str]) -> list[Figure]:
    pids = {service: gateway.processes[service].pid or 0 for service in ("api", "auth")}
    before = {service: cpu_seconds(pid) for service, pid in pids.items()}
    seconds, cookie = [], ""
    for authorization in credentials:
        async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
            started = time.perf_counter()
            address = f"http://127.0.0.1:{gateway.port_of('api')}{PATH}"
            answer = await client.get(address, headers={"Authorization": authorization})
            seconds.append((time.perf_counter() - started) * 1000)
            answer.raise_for_status()
            cookie = "; ".join(f"{key}={value}" for key, value in client.cookies.items())
    used = {service: cpu_seconds(pid) - before[service] for service, pid in pids.items()}
    port = gateway.port_of("api")
    request = f"GET {PATH} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n".encode()
    before = {service: cpu_seconds(pid) for service, pid in pids.items()}
    await generate(port, request, REQUESTS)
    later = {service: (cpu_seconds(pid) - before[service]) / REQUESTS * 1000 for service, pid in pids.items()}
    each = 1000 / len(credentials)
    return [
        Figure(f"{name}: a sign-in", "ms", seconds),
        Figure(f"{name}: a sign-in, CPU of auth", "ms", [used["auth"] * each]),
        Figure(f"{name}: a sign-in, CPU of the api", "ms", [used["api"] * each]),
        Figure(f"{name}: then {REQUESTS:,} requests, CPU of the api", "ms/request", [later["api"]]),
        Figure(f"{name}: then {REQUESTS:,} requests, CPU of auth", "ms/request", [later["auth"]]),
    ]


@asynccontextmanager
async def _shared_password(_: Path) -> AsyncIterator[Method]:
    headers = [basic_credentials(f"user{number}", "right")["authorization"] for number in range(SIGN_INS)]
    yield Method({"simple": {"password": "right"}}, headers)


@asynccontextmanager
async def _own_password(_: Path) -> AsyncIterator[Method]:
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(12)).decode()
    users = {f"user{number}": hashed for number in range(10)}
    yield Method({"simple": {"users": users}}, [basic_credentials(user, "right")["authorization"] for user in users])


@asynccontextmanager
async def _jupyterhub(directory: Path) -> AsyncIterator[Method]:
    async with running_hub(directory) as hub:
        known = {"api_url": hub.api_url, "api_token": SERVICE_TOKEN, "service_name": SERVICE}
        tokens = [await hub.token_of("alice") for _ in range(SIGN_INS)]
        yield Method({"jupyterhub": known}, [f"jupyterhub {token}" for token in tokens])


@asynccontextmanager
async def _oidc(_: Path) -> AsyncIterator[Method]:
    async with running_issuer() as issuer:
        tokens = [issuer.token(jti=str(number)) for number in range(SIGN_INS)]
        yield Method({"oidc": {"issuer": issuer.url, "client_id": CLIENT}}, [f"Bearer {token}" for token in tokens])


_TICKETS = """
import sys
from dask_gateway.spnego import start_negotiation
for _ in range(int(sys.argv[1])):
    print(start_negotiation("localhost")[0])
"""


@asynccontextmanager
async def _kerberos(directory: Path) -> AsyncIterator[Method]:
    async with running_kdc(directory) as kdc:
        await kdc.user("alice")
        keytab = await kdc.keytab("HTTP/localhost", "service.keytab")
        ticket = await kdc.ticket("alice")
        tokens = (await kdc.run(sys.executable, "-c", _TICKETS, str(SIGN_INS), environment=ticket)).split()
        yield Method({"kerberos": {"keytab": str(keytab)}}, [f"Negotiate {token}" for token in tokens])


METHODS: dict[str, Callable[[Path], AbstractAsyncContextManager[Method]]] = {
    "simple, one password": _shared_password,
    "simple, bcrypt of cost 12": _own_password,
    "jupyterhub": _jupyterhub,
    "oidc, RS256": _oidc,
    "kerberos": _kerberos,
}


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
