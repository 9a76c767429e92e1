"""The client against a server that misbehaves; how it behaves with a good one is in tests/contract/kube."""

import asyncio
import base64
import json
import warnings
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway_common.configuration.groups import KubeSettings
from gateway_common.errors import (
    Expired,
    Forbidden,
    Invalid,
    KubeUnavailable,
    NotFound,
    TooManyRequests,
    Unauthorized,
)
from gateway_common.kube import LONGEST_LOG, KubeClient
from gateway_common.resources import CRDS, PODS, Resource
from tests.kit.scripted_server import Exchange, Handler, ScriptedServer, scripted_server
from tests.kit.tls import make_key_pair

POD = {"metadata": {"name": "p", "namespace": "dask"}}


def status(code: int, reason: str = "") -> dict[str, Any]:
    return {"kind": "Status", "code": code, "reason": reason, "message": reason}


@asynccontextmanager
async def connected(handler: Handler, **settings: Any) -> AsyncIterator[tuple[KubeClient, ScriptedServer]]:
    async with scripted_server(handler) as server:
        client = await KubeClient.connect(KubeSettings(url=server.url, **settings))
        try:
            yield client, server
        finally:
            await client.close()


def answering(*answers: tuple[int, Any]) -> Handler:
    """One answer after another, the last one for ever; None hangs up."""
    remaining = list(answers)

    async def handler(exchange: Exchange) -> None:
        code, body = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        if not code:
            raise ConnectionError
        await exchange.answer(code, body, **({"Retry_After": "0"} if code == 429 else {}))

    return handler


async def test_connecting_asks_the_server_nothing_so_it_may_be_away_and_of_any_version() -> None:
    async with connected(answering((200, POD))) as (_, server):
        assert server.exchanges == []


async def test_a_refusal_is_asked_for_once_and_leaves_the_connection_alone() -> None:
    async with connected(answering((403, status(403, "no")), (200, POD))) as (client, server):
        with pytest.raises(Forbidden, match="no"):
            await client.get(PODS, "p", namespace="dask")

        assert await client.get(PODS, "p", namespace="dask") == POD
        assert len(server.exchanges) == 2
        assert server.exchanges[0]._writer is server.exchanges[1]._writer


async def test_refused_credentials_are_read_again_once() -> None:
    async with connected(answering((401, status(401)))) as (client, server):
        with pytest.raises(Unauthorized):
            await client.get(PODS, "p", namespace="dask")

        assert len(server.exchanges) == 2


@pytest.fixture
def write_kubeconfig(tmp_path: Path) -> Callable[[str, str], Path]:
    def write(url: str, token: str) -> Path:
        path = tmp_path / "kubeconfig"
        kubeconfig = {
            "clusters": [{"name": "c", "cluster": {"server": url}}],
            "users": [{"name": "u", "user": {"token": token}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        path.write_text(json.dumps(kubeconfig))
        return path

    return write


async def test_a_renewed_token_is_picked_up_without_cutting_calls_that_still_run(
    write_kubeconfig: Callable[[str, str], Path],
) -> None:
    slow_one_arrived, finish_slow_one = asyncio.Event(), asyncio.Event()
    accepted = "Bearer old"

    async def handler(exchange: Exchange) -> None:
        if exchange.headers["authorization"] != accepted:
            await exchange.answer(401, status(401))
            return
        if exchange.path.endswith("/slow"):
            slow_one_arrived.set()
            await finish_slow_one.wait()
        await exchange.answer(200, POD)

    async with scripted_server(handler) as server:
        client = await KubeClient.connect(KubeSettings(kubeconfig=write_kubeconfig(server.url, "old")))
        slow = asyncio.create_task(client.get(PODS, "slow", namespace="dask"))
        await slow_one_arrived.wait()
        accepted = "Bearer new"
        write_kubeconfig(server.url, "new")

        answers = await asyncio.gather(*(client.get(PODS, f"p{i}", namespace="dask") for i in range(5)))
        finish_slow_one.set()

        assert answers == [POD] * 5
        assert await slow == POD
        await client.close()


async def test_many_first_calls_at_once_all_get_their_answer() -> None:
    async with connected(answering((200, POD))) as (client, _):
        answers = await asyncio.gather(*(client.get(PODS, "p", namespace="dask") for _ in range(20)))

    assert answers == [POD] * 20


async def test_clients_with_equal_settings_share_nothing() -> None:
    async with scripted_server(answering((200, POD))) as server:
        first = await KubeClient.connect(KubeSettings(url=server.url))
        second = await KubeClient.connect(KubeSettings(url=server.url))
        await first.get(PODS, "p", namespace="dask")
        await first.close()

        assert await second.get(PODS, "p", namespace="dask") == POD
        await second.close()


async def test_a_closed_client_stays_closed() -> None:
    async with connected(answering((200, POD))) as (client, server):
        await client.close()

        with pytest.raises(KubeUnavailable, match="closed"):
            await client.create(PODS, POD)
        assert server.exchanges == []


async def test_too_many_requests_are_repeated_after_the_pause_whatever_they_do() -> None:
    async with connected(answering((429, status(429)), (429, status(429)), (201, POD))) as (client, server):
        assert await client.create(PODS, POD) == POD
        assert len(server.exchanges) == 3


async def test_repeating_is_bounded() -> None:
    async with connected(answering((429, status(429)))) as (client, server):
        with pytest.raises(TooManyRequests):
            await client.get(PODS, "p", namespace="dask")
        assert len(server.exchanges) == 4


@pytest.mark.parametrize("failure", [(0, None), (500, status(500)), (502, b"<html>")])
async def test_reading_merging_and_deleting_are_repeated_when_the_answer_is_lost(failure: tuple[int, Any]) -> None:
    async with connected(answering(failure, (200, POD))) as (client, server):
        assert await client.get(PODS, "p", namespace="dask") == POD
    async with connected(answering(failure, (200, POD))) as (client, server):
        assert await client.patch(PODS, "p", {"spec": {}}, namespace="dask") == POD
    async with connected(answering(failure, (200, POD))) as (client, server):
        await client.delete(PODS, "p", namespace="dask")
        assert len(server.exchanges) == 2


@pytest.mark.parametrize("failure", [(0, None), (500, status(500))])
async def test_creating_and_json_patches_are_not_repeated_once_sent(failure: tuple[int, Any]) -> None:
    async with connected(answering(failure)) as (client, server):
        with pytest.raises(KubeUnavailable):
            await client.create(PODS, POD)
        with pytest.raises(KubeUnavailable):
            await client.patch(PODS, "p", [{"op": "remove", "path": "/spec"}], namespace="dask")
        assert len(server.exchanges) == 2


async def test_who_may_not_write_is_asked_before_each_try_and_reads_all_the_same() -> None:
    asked: list[str] = []

    def permit() -> None:
        asked.append("write")
        if len(asked) > 2:
            raise KubeUnavailable("not any more")

    async with scripted_server(answering((500, status(500)))) as server:
        client = await KubeClient.connect(KubeSettings(url=server.url), permit=permit)
        with pytest.raises(KubeUnavailable, match="not any more"):
            await client.delete(PODS, "p", namespace="dask")
        assert (len(server.exchanges), len(asked)) == (2, 3)
        with pytest.raises(KubeUnavailable, match="not any more"):
            await client.create(PODS, POD)
        with pytest.raises(KubeUnavailable):
            await client.get(PODS, "p", namespace="dask")
        assert (len(server.exchanges), len(asked)) == (6, 4)
        await client.close()


async def test_a_server_that_comes_back_soon_gets_even_a_create(unused_tcp_port: int) -> None:
    refused = asyncio.Event()
    settings = KubeSettings(url=f"http://127.0.0.1:{unused_tcp_port}")
    client = await KubeClient.connect(settings, on_call=lambda *_: refused.set())
    creating = asyncio.create_task(client.create(PODS, POD))
    await refused.wait()

    async with scripted_server(answering((201, POD)), unused_tcp_port) as server:
        assert await creating == POD
        assert len(server.exchanges) == 1
        await client.close()


async def test_a_server_that_never_answers_is_given_up_in_time() -> None:
    async with connected(Exchange.stay_silent, request_timeout=0.1) as (client, _):
        with pytest.raises(KubeUnavailable, match="did not answer"):
            await client.create(PODS, POD)


async def test_an_answer_that_is_not_json_is_an_error_of_the_server() -> None:
    async with connected(answering((201, b"<html>proxy</html>"))) as (client, _):
        with pytest.raises(KubeUnavailable, match="not JSON"):
            await client.create(PODS, POD)


async def test_a_path_that_is_not_served_is_not_found() -> None:
    async with connected(answering((404, b"404 page not found"))) as (client, _):
        with pytest.raises(NotFound, match="page not found"):
            await client.list(PODS)


@pytest.mark.parametrize("name", ["..", ".", "a/b", "a?x=y", "a b", "a%2fb", "ä", "x\n"])
async def test_names_that_would_lead_elsewhere_are_refused_before_they_are_sent(name: str) -> None:
    async with connected(answering((200, POD))) as (client, server):
        with pytest.raises(Invalid, match="no name"):
            await client.get(PODS, name, namespace="dask")
        with pytest.raises(Invalid, match="no name"):
            await client.delete(PODS, "p", namespace=name)
        assert server.exchanges == []


async def test_a_forgotten_namespace_or_selector_is_refused_before_it_does_harm() -> None:
    async with connected(answering((200, POD))) as (client, server):
        with pytest.raises(Invalid, match="namespace"):
            await client.get(PODS, "p")
        with pytest.raises(Invalid, match="selector"):
            await client.delete_collection(PODS, namespace="dask", label_selector="")
        assert server.exchanges == []
        await client.get(CRDS, "daskclusters.gateway.dask.org")


async def test_unusable_configuration_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    broken = tmp_path / "kubeconfig"
    broken.write_text("clusters: {")

    with pytest.raises(KubeUnavailable, match="no usable Kubernetes configuration"):
        await KubeClient.connect(KubeSettings(kubeconfig=broken))
    with pytest.raises(KubeUnavailable, match="no usable Kubernetes configuration"):
        await KubeClient.connect(KubeSettings(kubeconfig=tmp_path / "none"))


async def test_keys_inside_a_kubeconfig_are_not_left_in_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key, certificate = (base64.b64encode(pem.encode()).decode() for pem in make_key_pair())
    user = {"client-key-data": key, "client-certificate-data": certificate}
    kubeconfig = {
        "clusters": [{"name": "c", "cluster": {"server": "https://k", "certificate-authority-data": certificate}}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path = tmp_path / "kubeconfig"
    path.write_text(json.dumps(kubeconfig))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))

    await (await KubeClient.connect(KubeSettings(kubeconfig=path))).close()

    assert list(temporary.iterdir()) == []


async def test_every_exchange_is_counted_with_its_outcome() -> None:
    calls: list[tuple[str, Resource, int]] = []
    async with scripted_server(answering((0, None), (200, POD), (403, status(403)))) as server:
        client = await KubeClient.connect(KubeSettings(url=server.url), on_call=lambda *call: calls.append(call))
        await client.get(PODS, "p", namespace="dask")
        with pytest.raises(Forbidden):
            await client.create(PODS, POD)
        await client.close()

    assert calls == [("get", PODS, 0), ("get", PODS, 200), ("create", PODS, 403)]


async def test_a_rate_limit_spaces_calls_out() -> None:
    async with connected(answering((200, POD)), rate_limit=20, rate_limit_burst=1) as (client, _):
        loop = asyncio.get_running_loop()
        started = loop.time()
        await asyncio.gather(*(client.get(PODS, "p", namespace="dask") for _ in range(5)))

        assert loop.time() - started >= 0.19


@asynccontextmanager
async def watching(client: KubeClient, silence: float = 5.0) -> AsyncIterator[Any]:
    async with client.watch(
        PODS, namespace="dask", resource_version="5", timeout_seconds=60, silence_seconds=silence
    ) as events:
        yield events


def event(kind: str, **metadata: str) -> dict[str, Any]:
    return {"type": kind, "object": {"metadata": metadata}}


async def test_a_watch_reads_events_however_the_stream_is_cut() -> None:
    line = json.dumps(event("ADDED", name="a")).encode()

    async def handler(exchange: Exchange) -> None:
        await exchange.start_stream()
        await exchange.send(line[:10])
        await exchange.send(line[10:] + b"\n" + line)
        await exchange.send(b"\n", event("BOOKMARK", resourceVersion="9"))
        await exchange.send(b'{"type":"ADDED","obj')
        await exchange.end_stream()

    async with connected(handler) as (client, server):
        async with watching(client) as events:
            kinds = [event.type async for event in events]

        assert kinds == ["ADDED", "ADDED", "BOOKMARK"]
        query = {"watch": "true", "allowWatchBookmarks": "true", "resourceVersion": "5", "timeoutSeconds": "60"}
        assert server.exchanges[0].query == query
        assert server.exchanges[0].headers["accept-encoding"] == "identity"


async def test_an_error_in_the_stream_is_raised() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.start_stream()
        await exchange.send({"type": "ERROR", "object": status(410, "Expired")})

    async with connected(handler) as (client, _), watching(client) as events:
        with pytest.raises(Expired):
            await anext(events)


async def test_a_silent_watch_is_given_up() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.start_stream()
        await exchange.stay_silent()

    async with connected(handler) as (client, _), watching(client, silence=0.1) as events:
        with pytest.raises(KubeUnavailable):
            await anext(events)


async def test_refused_requests_leave_running_watches_alone() -> None:
    go_on = asyncio.Event()

    async def handler(exchange: Exchange) -> None:
        if not exchange.is_watch:
            await exchange.answer(401, status(401))
            return
        await exchange.start_stream()
        await exchange.send(event("ADDED"))
        await go_on.wait()
        await exchange.send(event("MODIFIED"))

    async with connected(handler) as (client, _), watching(client) as events:
        assert (await anext(events)).type == "ADDED"
        for _ in range(3):
            with pytest.raises(Unauthorized):
                await client.get(PODS, "p", namespace="dask")
        go_on.set()

        assert (await anext(events)).type == "MODIFIED"


async def test_leaving_a_watch_early_is_quiet() -> None:
    async def handler(exchange: Exchange) -> None:
        await exchange.start_stream()
        while True:
            await exchange.send(event("ADDED"))
            await asyncio.sleep(0)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with connected(handler) as (client, _), watching(client) as events:
            await anext(events)

    assert caught == []


async def test_a_log_is_text_and_is_asked_for_once() -> None:
    async with connected(answering((200, b"no licence\ngood bye \xff"), (500, status(500)))) as (client, server):
        log = await client.pod_log("p", namespace="dask", container="main", tail_lines=40)
        assert log == "no licence\ngood bye \N{REPLACEMENT CHARACTER}"
        exchange = server.exchanges[0]
        assert exchange.path == "/api/v1/namespaces/dask/pods/p/log"
        assert exchange.query == {"container": "main", "tailLines": "40", "limitBytes": str(LONGEST_LOG)}

        # what is broken may be the pod's node: nobody waits for it
        with pytest.raises(KubeUnavailable):
            await client.pod_log("p", namespace="dask", container="main", tail_lines=40)
        assert len(server.exchanges) == 2
