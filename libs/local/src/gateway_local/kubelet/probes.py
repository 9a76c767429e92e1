"""Probes: parsing, one check, and the count of successes and failures that decides."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass

from gateway_common.resources import Manifest

#: Runs a command in the container until it is cancelled, and says what was wrong, or None.
Execute = Callable[[Sequence[str]], Awaitable[str | None]]


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe with Kubernetes' defaults filled in. All times are in seconds."""

    action: Manifest
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    success_threshold: int = 1
    failure_threshold: int = 3

    @classmethod
    def parse(cls, manifest: Manifest | None) -> "Probe | None":
        if not manifest:
            return None
        return cls(
            action=manifest,
            initial_delay=manifest.get("initialDelaySeconds") or 0,
            period=manifest.get("periodSeconds") or 10,
            timeout=manifest.get("timeoutSeconds") or 1,
            success_threshold=manifest.get("successThreshold") or 1,
            failure_threshold=manifest.get("failureThreshold") or 3,
        )


async def verdicts(
    probe: Probe, check: Callable[[], Awaitable[str | None]], initially: bool | None
) -> AsyncIterator[tuple[bool, str]]:
    """Probe for ever; yields the result and its problem whenever the result changes, from `initially` on."""
    await asyncio.sleep(probe.initial_delay)
    loop = asyncio.get_running_loop()
    current, streak, last = initially, 0, None
    due = loop.time()
    while True:
        problem = await check()
        healthy = problem is None
        streak = streak + 1 if healthy == last else 1
        last = healthy
        enough = probe.success_threshold if healthy else probe.failure_threshold
        if streak >= enough and healthy != current:
            current = healthy
            yield healthy, problem or ""
        due = max(due + probe.period, loop.time())
        await asyncio.sleep(due - loop.time())


async def check(probe: Probe, address: str, ports: Sequence[Manifest], execute: Execute) -> str | None:
    """One check: what was wrong, or None."""
    action = probe.action
    try:
        async with asyncio.timeout(probe.timeout):
            if "exec" in action:
                return await execute(action["exec"].get("command") or [])
            if "httpGet" in action:
                return await _http_get(action["httpGet"], address, ports)
            if "tcpSocket" in action:
                await _connect(action["tcpSocket"], address, ports)
                return None
    except TimeoutError:
        return f"no answer within {probe.timeout:g} s"
    except (OSError, ValueError) as error:
        return str(error)
    return "the probe has no action that this kubelet knows: exec, httpGet, tcpSocket"


async def _connect(action: Manifest, address: str, ports: Sequence[Manifest]) -> None:
    _, writer = await asyncio.open_connection(action.get("host") or address, _port(action["port"], ports))
    writer.transport.abort()


async def _http_get(action: Manifest, address: str, ports: Sequence[Manifest]) -> str | None:
    host, port = action.get("host") or address, _port(action["port"], ports)
    context = None
    if action.get("scheme") == "HTTPS":
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(host, port, ssl=context)
    try:
        writer.write(_request(action, host, port))
        status = (await reader.readline()).split(None, 2)
    finally:
        writer.transport.abort()
    if len(status) < 2 or not status[0].startswith(b"HTTP/") or not status[1].isdigit():
        return "the answer is not HTTP"
    code = int(status[1])
    return None if 200 <= code < 400 else f"HTTP probe failed with statuscode: {code}"


def _request(action: Manifest, host: str, port: int) -> bytes:
    headers = {"Host": f"{host}:{port}", "User-Agent": "kube-probe/1.33", "Accept": "*/*", "Connection": "close"}
    headers |= {header["name"]: header["value"] for header in action.get("httpHeaders") or []}
    path = action.get("path") or "/"
    lines = [f"GET {path if path.startswith('/') else '/' + path} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode()


def _port(port: int | str, ports: Sequence[Manifest]) -> int:
    if isinstance(port, int):
        return port
    for declared in ports:
        if declared.get("name") == port:
            return int(declared["containerPort"])
    raise ValueError(f"couldn't find port: {port}")
