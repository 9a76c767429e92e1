"""How the client connects, sends and lets go, below what it says: TLS, proxies, time-outs, cancellation."""

import asyncio
import gc
import gzip
import json
import os
import socket
import ssl
import threading
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from gateway_common.configuration.groups import KubeSettings
from gateway_common.errors import KubeUnavailable
from gateway_common.kube import KubeClient
from gateway_common.kube_errors import RequestNotSent
from gateway_common.kube_transport import MAX_CONNECTIONS
from gateway_common.resources import PODS
from tests.kit.scripted_server import Exchange, scripted_server
from tests.kit.tls import make_key_pair
from tests.kit.waiting import until

POD = {"metadata": {"name": "p", "namespace": "dask"}}
TLS_HANDSHAKE = 22


@pytest.fixture(autouse=True)
def nothing_is_left_open() -> Iterator[None]:
    """Neither a socket nor a warning of one."""
    before = open_sockets()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
        gc.collect()
    assert [str(warning.message) for warning in caught] == []
    assert open_sockets() <= before


def open_sockets() -> int:
    """Sockets of this process: of TCP, less those of event loops, which are of another sort."""
    inodes = {line.split()[9] for name in ("tcp", "tcp6") for line in _lines(f"/proc/net/{name}")[1:]}
    links = [os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if _is_open(fd)]
    return sum(link.removeprefix("socket:[").removesuffix("]") in inodes for link in links)


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()


def _is_open(fd: str) -> bool:
    return os.path.lexists(f"/proc/self/fd/{fd}")


async def answer_pod(exchange: Exchange) -> None:
    await exchange.answer(200, POD)


@asynccontextmanager
async def client_of(url: str, **settings: Any) -> AsyncIterator[KubeClient]:
    client = await KubeClient.connect(KubeSettings(url=url, **settings))
    try:
        yield client
    finally:
        await client.close()


@asynccontextmanager
async def listening(
    serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any],
) -> AsyncIterator[str]:
    """A TCP server below HTTP; its host and port."""
    writers = set()

    async def remember(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        with suppress(asyncio.CancelledError, ConnectionError):
            await serve(reader, writer)

    server = await asyncio.start_server(remember, "127.0.0.1", 0, limit=1024)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.transport.abort()
        await server.wait_closed()
        await asyncio.sleep(0)


@pytest.fixture
def key_files(tmp_path: Path) -> Callable[..., tuple[Path, Path]]:
    def write(common_name: str, address: str = "127.0.0.1") -> tuple[Path, Path]:
        key, certificate = make_key_pair(common_name, address)
        paths = tmp_path / f"{common_name}.key", tmp_path / f"{common_name}.crt"
        paths[0].write_text(key)
        paths[1].write_text(certificate)
        return paths

    return write


KeyFiles = Callable[..., tuple[Path, Path]]


def server_context(key: Path, certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_a_server_is_known_by_its_authority(key_files: KeyFiles, address: str) -> None:
    key, certificate = key_files("k", address)

    async with (
        scripted_server(answer_pod, host=address, tls=server_context(key, certificate)) as server,
        client_of(server.url, ca_file=certificate) as client,
    ):
        assert await client.get(PODS, "p", namespace="dask") == POD
        assert server.exchanges[0].headers["host"] == server.url.removeprefix("https://")


async def test_a_server_of_another_authority_is_sent_nothing(key_files: KeyFiles) -> None:
    _, stranger = key_files("stranger")

    async with (
        scripted_server(answer_pod, tls=server_context(*key_files("k"))) as server,
        client_of(server.url, ca_file=stranger) as client,
    ):
        with pytest.raises(RequestNotSent, match="CERTIFICATE_VERIFY_FAILED"):
            await client.create(PODS, POD)
        assert server.exchanges == []


async def test_a_client_certificate_and_the_servers_own_name_come_from_the_kubeconfig(
    key_files: KeyFiles, tmp_path: Path
) -> None:
    # The certificate is for another address: only its name fits.
    key, certificate = key_files("api.example.org", "192.0.2.1")
    user_key, user_certificate = key_files("user")
    context = server_context(key, certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(user_certificate)

    async with scripted_server(answer_pod, tls=context) as server:
        cluster = {
            "server": server.url,
            "certificate-authority": str(certificate),
            "tls-server-name": "api.example.org",
        }
        kubeconfig = {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [
                {"name": "u", "user": {"client-key": str(user_key), "client-certificate": str(user_certificate)}}
            ],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path = tmp_path / "kubeconfig"
        path.write_text(json.dumps(kubeconfig))
        client = await KubeClient.connect(KubeSettings(kubeconfig=path))
        try:
            assert await client.get(PODS, "p", namespace="dask") == POD
        finally:
            await client.close()


async def test_a_proxy_of_the_environment_is_used_but_for_its_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted_server(answer_pod) as proxy, scripted_server(answer_pod) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        async with client_of("http://kubernetes.invalid:6443") as client:
            assert await client.get(PODS, "p", namespace="dask") == POD
        assert [exchange.headers["host"] for exchange in proxy.exchanges] == ["kubernetes.invalid:6443"]

        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        async with client_of(server.url) as client:
            await client.get(PODS, "p", namespace="dask")
        assert (len(proxy.exchanges), len(server.exchanges)) == (1, 1)


async def test_a_connection_that_breaks_in_the_handshake_has_carried_nothing() -> None:
    connections = []

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        writer.close()

    async with listening(hang_up) as address, client_of(f"https://{address}") as client:
        with pytest.raises(RequestNotSent):
            await client.create(PODS, POD)
        assert len(connections) > 1  # and was therefore tried again


async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await asyncio.Event().wait()


async def test_a_handshake_that_nobody_answers_ends_in_time() -> None:
    async with listening(stay_silent) as address, client_of(f"https://{address}", request_timeout=0.05) as client:
        with pytest.raises(RequestNotSent):
            await client.create(PODS, POD)


async def test_a_call_cancelled_in_its_handshake_leaves_no_socket() -> None:
    arrived, ended = asyncio.Event(), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert (await reader.readexactly(1))[0] == TLS_HANDSHAKE
        arrived.set()
        await reader.read()
        ended.set()

    async with listening(serve) as address, client_of(f"https://{address}") as client:
        call = asyncio.create_task(client.get(PODS, "p", namespace="dask"))
        await arrived.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        async with asyncio.timeout(60):
            await ended.wait()


@pytest.mark.parametrize("tls", [False, True])
async def test_cancelled_calls_and_watches_end_their_connections(key_files: KeyFiles, tls: bool) -> None:
    key, certificate = key_files("k")

    async def handler(exchange: Exchange) -> None:
        if exchange.is_watch:
            await exchange.start_stream()
            await exchange.send({"type": "ADDED", "object": POD})
        await exchange.stay_silent()

    context = server_context(key, certificate) if tls else None
    async with (
        scripted_server(handler, tls=context) as server,
        client_of(server.url, ca_file=certificate if tls else None) as client,
    ):
        first_event = asyncio.Event()

        async def watch() -> None:
            async with client.watch(
                PODS, namespace="dask", resource_version="1", timeout_seconds=60, silence_seconds=60
            ) as events:
                async for _ in events:
                    first_event.set()

        tasks = [asyncio.create_task(watch()), asyncio.create_task(client.create(PODS, POD))]
        await first_event.wait()
        await until(lambda: len(server.exchanges) == 2)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)

        assert all(task.cancelled() for task in tasks)


async def test_a_cancelled_call_waits_for_no_farewell_of_its_server(key_files: KeyFiles) -> None:
    key, certificate = key_files("k")
    loop, arrived, over = asyncio.get_running_loop(), asyncio.Event(), threading.Event()

    def serve(listener: socket.socket) -> None:
        with server_context(key, certificate).wrap_socket(listener.accept()[0], server_side=True) as connection:
            connection.recv(1)
            loop.call_soon_threadsafe(arrived.set)
            over.wait(60)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = asyncio.create_task(asyncio.to_thread(serve, listener))
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
        before = open_sockets()
        async with client_of(url, ca_file=certificate) as client:
            call = asyncio.create_task(client.create(PODS, POD))
            await arrived.wait()
            call.cancel()
            await asyncio.wait((call,))

        assert open_sockets() <= before + 1, "the server's end may be there, the client's is not"
        over.set()
        await serving


async def test_a_body_that_nobody_reads_is_given_up_in_time() -> None:
    large = {**POD, "data": "x" * 20_000_000}

    async with listening(stay_silent) as address, client_of(f"http://{address}", request_timeout=0.2) as client:
        with pytest.raises(KubeUnavailable, match="could not be sent") as raised:
            await client.create(PODS, large)
        assert not isinstance(raised.value, RequestNotSent)


async def test_closing_ends_calls_that_run_or_wait_with_an_error_and_cancels_nobody() -> None:
    async with scripted_server(Exchange.stay_silent) as server, client_of(server.url) as client:
        calls = [asyncio.create_task(client.create(PODS, POD)) for _ in range(MAX_CONNECTIONS + 5)]
        await until(lambda: len(server.exchanges) == MAX_CONNECTIONS)

        await client.close()
        results = await asyncio.gather(*calls, return_exceptions=True)

        assert {type(result) for result in results} <= {KubeUnavailable, RequestNotSent}
        assert len(server.exchanges) == MAX_CONNECTIONS


async def test_a_large_body_arrives_whole() -> None:
    large = {**POD, "data": "x" * 3_000_000}

    async def handler(exchange: Exchange) -> None:
        await exchange.answer(201, exchange.body)

    async with scripted_server(handler) as server, client_of(server.url) as client:
        assert await client.create(PODS, large) == large


async def test_an_answer_is_unpacked_and_its_head_may_be_long() -> None:
    async def handler(exchange: Exchange) -> None:
        packed = gzip.compress(json.dumps(POD).encode())
        await exchange.answer(200, packed, content_encoding="gzip", warning="x" * 30_000)

    async with scripted_server(handler) as server, client_of(server.url) as client:
        assert await client.get(PODS, "p", namespace="dask") == POD


async def test_a_redirect_to_another_server_is_followed_without_credentials() -> None:
    async with scripted_server(answer_pod) as elsewhere:

        async def redirect(exchange: Exchange) -> None:
            await exchange.answer(307, location=f"{elsewhere.url}{exchange.path}")

        async with scripted_server(redirect) as server, client_of(server.url, token="secret") as client:
            assert await client.get(PODS, "p", namespace="dask") == POD

    assert server.exchanges[0].headers["authorization"] == "Bearer secret"
    assert "authorization" not in elsewhere.exchanges[0].headers


async def test_an_answer_cut_short_is_an_error_that_may_have_done_its_work() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.answer(201, b'{"metadata"', content_length="1000")
        raise ConnectionError

    async with scripted_server(handler) as server, client_of(server.url) as client:
        with pytest.raises(KubeUnavailable) as raised:
            await client.create(PODS, POD)
        assert not isinstance(raised.value, RequestNotSent)
        assert len(server.exchanges) == 1
