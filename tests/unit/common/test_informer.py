"""The informer against servers that misbehave; how it follows a good one is in tests/contract/kube."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest

from gateway_common.configuration.groups import KubeSettings
from gateway_common.informer import Informer, ObjectKey, WatchTiming
from gateway_common.kube import KubeClient
from gateway_common.resources import NODES, PODS
from tests.kit.scripted_server import Exchange, ScriptedServer, scripted_server
from tests.kit.waiting import until

Manifest = dict[str, Any]
#: Short pauses, and streams that never count as healthy unless a test says so.
TIMING = WatchTiming(silence=5.0, healthy=60.0, first_pause=0.01, longest_pause=0.05)
GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}

A, B = ObjectKey("dask", "a"), ObjectKey("dask", "b")


def pod(name: str, version: int, namespace: str = "dask", **labels: str) -> Manifest:
    metadata = {"name": name, "namespace": namespace, "resourceVersion": str(version), "labels": labels}
    return {"metadata": metadata}


def added(manifest: Manifest) -> Manifest:
    return {"type": "ADDED", "object": manifest}


def deleted(name: str, version: int) -> Manifest:
    return {"type": "DELETED", "object": pod(name, version)}


def bookmark(version: int) -> Manifest:
    return {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": str(version)}}}


class ClusterScript:
    """What the server has: `objects` at `version`, and what happens in each watch, the last one for ever."""

    def __init__(self, *objects: Manifest, version: int = 10) -> None:
        self.objects = list(objects)
        self.version = version
        self.watches: list[Callable[[Exchange], Awaitable[None]]] = [Exchange.stay_silent]
        self.refusal: int = 0
        self.lists = 0
        self.watched_from: list[str] = []

    async def __call__(self, exchange: Exchange) -> None:
        if self.refusal:
            await exchange.answer(self.refusal, {"kind": "Status", "code": self.refusal, "message": "refused"})
        elif exchange.is_watch:
            self.watched_from.append(exchange.query["resourceVersion"])
            await exchange.start_stream()
            await (self.watches.pop(0) if len(self.watches) > 1 else self.watches[0])(exchange)
        else:
            self.lists += 1
            await exchange.answer(200, {"metadata": {"resourceVersion": str(self.version)}, "items": self.objects})


def sending(*events: Any, then: str = "silence") -> Callable[[Exchange], Awaitable[None]]:
    async def watch(exchange: Exchange) -> None:
        if events:
            await exchange.send(*events)
        if then == "end":
            await exchange.end_stream()
        elif then == "cut":
            raise ConnectionError
        else:
            await exchange.stay_silent()

    return watch


class Followed:
    """An informer at work, and everything it said."""

    def __init__(self, informer: Informer[Manifest], server: ScriptedServer, changes: list[Any]) -> None:
        self.informer = informer
        self.server = server
        self.changes = changes

    def names(self) -> set[str]:
        return {manifest["metadata"]["name"] for manifest in self.informer.values()}


@asynccontextmanager
async def following(
    script: ClusterScript, *, namespaces: Sequence[str] | None = ("dask",), timing: WatchTiming = TIMING, **options: Any
) -> AsyncIterator[Followed]:
    changes: list[tuple[ObjectKey, int | None]] = []

    def on_change(key: ObjectKey, value: Manifest | None) -> None:
        changes.append((key, int(value["metadata"]["resourceVersion"]) if value else None))

    async with scripted_server(script) as server:
        client = await KubeClient.connect(KubeSettings(url=server.url))
        options = {"transform": lambda manifest: manifest, "on_change": on_change, **options}
        informer: Informer[Manifest] = Informer(
            client, PODS, namespaces=namespaces, timing=timing, rng=random.Random(1), **options
        )
        running = asyncio.create_task(informer.run())
        try:
            yield Followed(informer, server, changes)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
            await client.close()


class LostNamespace(ClusterScript):
    """The server shows one namespace and refuses another, as when it was deleted and its roles with it."""

    def __init__(self, *objects: Manifest) -> None:
        super().__init__(*objects)
        self.lost = True

    async def __call__(self, exchange: Exchange) -> None:
        if self.lost and "/namespaces/lost/" in exchange.path:
            await exchange.answer(403, {"kind": "Status", "code": 403, "message": "not yours"})
        else:
            await super().__call__(exchange)


async def test_a_namespace_that_stays_forbidden_is_not_waited_for_and_comes_when_it_may() -> None:
    script = LostNamespace(pod("a", 3))

    async with following(script, namespaces=("lost", "dask"), timing=replace(TIMING, longest_refusal=0.1)) as followed:
        informer = followed.informer
        await asyncio.wait_for(informer.wait_synced(), 30)
        assert (informer.is_synced("dask"), informer.is_synced("lost")) == (True, False)
        informer.refresh()
        await asyncio.wait_for(informer.wait_synced(), 30)
        script.lost = False
        await until(lambda: informer.is_synced("lost"))


async def test_a_namespace_that_is_forbidden_for_a_moment_is_waited_for() -> None:
    script = LostNamespace(pod("a", 3))

    async with following(script, namespaces=("lost", "dask")) as followed:
        waiting = asyncio.create_task(followed.informer.wait_synced())
        await until(lambda: followed.informer.is_synced("dask"))
        assert not waiting.done()
        script.lost = False
        await asyncio.wait_for(waiting, 30)
        assert followed.informer.is_synced("lost")


async def test_where_all_is_forbidden_it_waits_for_the_first_that_is_not() -> None:
    script = ClusterScript(pod("a", 3))
    script.refusal = 403

    async with following(script, timing=replace(TIMING, longest_refusal=0.0)) as followed:
        waiting = asyncio.create_task(followed.informer.wait_synced())
        await until(lambda: len(followed.server.exchanges) > 3)
        assert not waiting.done()
        script.refusal = 0
        await asyncio.wait_for(waiting, 30)


async def test_it_lists_then_watches_from_the_lists_version() -> None:
    script = ClusterScript(pod("a", 3), version=10)
    script.watches = [sending(added(pod("b", 11)), deleted("a", 12))]

    async with following(script) as followed:
        await followed.informer.wait_synced()
        await until(lambda: followed.names() == {"b"})

    assert followed.changes == [(A, 3), (B, 11), (A, None)]
    assert script.watched_from == ["10"]


async def test_a_stream_that_ends_goes_on_where_it_was_without_a_list() -> None:
    script = ClusterScript(version=10)
    script.watches = [
        sending(added(pod("a", 11)), bookmark(15), then="end"),
        sending(added(pod("b", 16)), then="cut"),
        sending(),
    ]

    async with following(script) as followed:
        await until(lambda: len(script.watched_from) == 3)

    assert script.watched_from == ["10", "15", "16"]
    assert script.lists == 1
    assert followed.changes == [(A, 11), (B, 16)]


async def test_after_a_version_that_is_too_old_it_lists_and_reports_only_what_changed() -> None:
    script = ClusterScript(pod("same", 3), pod("changed", 4), pod("deleted", 5), version=10)

    async def forget(exchange: Exchange) -> None:
        script.objects, script.version = [pod("same", 3), pod("changed", 21), pod("new", 22)], 30
        await exchange.send(GONE)
        await exchange.end_stream()

    script.watches = [forget, sending()]

    async with following(script) as followed:
        await until(lambda: script.watched_from == ["10", "30"])

    assert followed.changes[3:] == [
        (ObjectKey("dask", "changed"), 21),
        (ObjectKey("dask", "new"), 22),
        (ObjectKey("dask", "deleted"), None),
    ]


async def test_a_server_that_always_answers_too_old_is_asked_ever_more_slowly() -> None:
    script = ClusterScript(version=10)
    script.watches = [sending(bookmark(10), GONE, then="end")]
    timing = WatchTiming(silence=5.0, healthy=60.0, first_pause=0.05, longest_pause=5.0)

    async with following(script, timing=timing) as followed:
        await followed.informer.wait_synced()
        await asyncio.sleep(0.5)  # pauses of at least 0.025, 0.05, 0.1, 0.2, 0.4 fit in this 4 times

    assert script.lists <= 5


async def test_a_server_that_hangs_up_at_once_is_asked_ever_more_slowly() -> None:
    script = ClusterScript(version=10)
    script.watches = [sending(then="end")]
    timing = WatchTiming(silence=5.0, healthy=60.0, first_pause=0.05, longest_pause=5.0)

    async with following(script, timing=timing) as followed:
        await followed.informer.wait_synced()
        await asyncio.sleep(0.5)

    assert len(script.watched_from) <= 5
    assert script.lists == 1


async def test_a_healthy_stream_makes_the_pauses_short_again() -> None:
    script = ClusterScript(version=10)
    script.watches = [sending(then="end")] * 3 + [sending(bookmark(11), then="end")] * 30 + [sending()]
    timing = WatchTiming(silence=5.0, healthy=0.0, first_pause=0.001, longest_pause=60.0)

    async with following(script, timing=timing):
        await until(lambda: len(script.watched_from) == 34)


async def test_what_a_server_failed_to_send_is_found_out_in_the_end() -> None:
    script = ClusterScript(pod("a", 3), pod("b", 4), version=10)

    async def lose_a_deletion(exchange: Exchange) -> None:
        script.objects, script.version = [pod("a", 3)], 20
        await sending(bookmark(20), then="end")(exchange)

    script.watches = [lose_a_deletion, sending()]

    async with following(script, timing=WatchTiming(longest_trust=0.0, first_pause=0.01)) as followed:
        await until(lambda: followed.names() == {"a"})

    assert followed.changes == [(A, 3), (B, 4), (B, None)]


async def test_it_knows_whether_it_has_come_as_far_as_another() -> None:
    script = ClusterScript(pod("a", 3), version=10)
    script.watches = [sending(added(pod("b", 11)), bookmark(15))]
    async with following(script) as followed:
        await until(lambda: followed.names() == {"a", "b"})
        informer = followed.informer
        assert informer.newest() == {"dask": 11}
        await until(lambda: informer.has_seen({"dask": 15}))
        assert not informer.has_seen({"dask": 16})
        assert not informer.has_seen({})
        informer.absorb(pod("c", 20))
        assert informer.newest() == {"dask": 20}
        # its own writes count for others; that it knows them says nothing about its watch
        assert not informer.has_seen({"dask": 20})


async def test_a_refresh_does_not_wait_for_a_dead_watch_and_reports_only_what_was_missed() -> None:
    script = ClusterScript(pod("a", 3), pod("b", 4), version=10)
    async with following(script) as followed:
        await until(lambda: len(script.watched_from) == 1)
        script.objects, script.version = [pod("a", 3), pod("b", 12)], 15
        followed.informer.refresh()
        followed.informer.refresh()
        await followed.informer.wait_synced()
        await until(lambda: script.watched_from == ["10", "15"])
    assert followed.changes == [(A, 3), (B, 4), (B, 12)]
    assert script.lists == 2


async def test_a_refresh_does_not_wait_for_a_pause_to_end() -> None:
    script = ClusterScript(pod("a", 3), version=10)
    script.refusal = 500
    async with following(script, timing=WatchTiming(first_pause=1000, longest_pause=1000)) as followed:
        await until(lambda: len(followed.server.exchanges) == 4)
        script.refusal = 0
        followed.informer.refresh()
        async with asyncio.timeout(60):
            await followed.informer.wait_synced()
    assert followed.names() == {"a"}


async def test_a_connection_gone_silent_is_replaced() -> None:
    script = ClusterScript(version=10)
    script.watches = [sending(), sending(added(pod("a", 11)))]

    async with following(script, timing=WatchTiming(silence=0.1, first_pause=0.01)) as followed:
        await until(lambda: followed.names() == {"a"})

    assert script.watched_from[:2] == ["10", "10"]


async def test_a_refusal_is_told_once_and_ends_when_it_is_lifted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "gateway_common")
    script = ClusterScript(pod("a", 3))
    script.refusal = 403

    async with following(script) as followed:
        await until(lambda: len(followed.server.exchanges) >= 3)
        assert not followed.informer.values()
        script.refusal = 0
        await until(lambda: "Watching pods in dask again" in caplog.messages)

        assert followed.names() == {"a"}
    assert caplog.messages == ["Cannot watch pods in dask: refused", "Watching pods in dask again"]


async def test_a_server_that_was_away_is_listed_again_and_what_it_lost_is_gone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", "gateway_common")
    script = ClusterScript(pod("a", 500), pod("b", 501), version=501)
    reborn = ClusterScript(pod("a", 2), version=2)

    async with following(script) as followed:
        await until(lambda: bool(script.watched_from))
        port = int(followed.server.url.rpartition(":")[2])
        await followed.server.stop()
        await until(lambda: "Connect call failed" in caplog.text)
        async with scripted_server(reborn, port):
            await until(lambda: reborn.watched_from == ["2"])

            assert followed.names() == {"a"}
            assert followed.changes[2:] == [(A, 2), (B, None)]


async def test_an_answer_of_no_known_shape_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    script = ClusterScript(version=10)
    script.watches = [sending(added({"metadata": {}}), then="end"), sending(added(pod("a", 11)))]

    async with following(script) as followed:
        await until(lambda: followed.names() == {"a"})

    assert "Cannot understand the answers about pods in dask" in caplog.text


async def test_an_object_that_cannot_be_read_or_a_consumer_that_fails_stops_nobody_else(
    caplog: pytest.LogCaptureFixture,
) -> None:
    script = ClusterScript(pod("bad", 3), pod("good", 4), version=10)

    def transform(manifest: Manifest) -> str:
        if manifest["metadata"]["name"] == "bad":
            raise ValueError("unreadable")
        return str(manifest["metadata"]["name"])

    def on_change(key: ObjectKey, value: Any) -> None:
        raise RuntimeError("consumer")

    async with following(script, transform=transform, on_change=on_change) as followed:
        await followed.informer.wait_synced()

        assert [str(value) for value in followed.informer.values()] == ["good"]
    assert "Cannot read dask/bad at 3" in caplog.text
    assert "The consumer of dask/good failed" in caplog.text


async def test_several_namespaces_are_one_stream_each_into_one_store() -> None:
    seen: list[str] = []

    async def script(exchange: Exchange) -> None:
        namespace = exchange.path.split("/")[4]
        if exchange.is_watch:
            seen.append(namespace)
            await exchange.start_stream()
            await exchange.stay_silent()
        else:
            items = [pod("a", 3, namespace)]
            await exchange.answer(200, {"metadata": {"resourceVersion": "10"}, "items": items})

    async with following(script, namespaces=["one", "two", "one"]) as followed:  # type: ignore[arg-type]
        await followed.informer.wait_synced()
        await until(lambda: len(seen) == 2)

        assert sorted(seen) == ["one", "two"]
        assert followed.informer.get(ObjectKey("one", "a"))
        assert followed.informer.get(ObjectKey("two", "a"))


async def test_objects_of_the_whole_cluster_have_one_stream_whatever_the_namespaces() -> None:
    node = {"metadata": {"name": "n", "resourceVersion": "3"}}
    script = ClusterScript(node, version=10)
    async with scripted_server(script) as server:
        client = await KubeClient.connect(KubeSettings(url=server.url))
        informer = Informer(client, NODES, namespaces=["one", "two"], transform=lambda manifest: manifest["kind"])
        running = asyncio.create_task(informer.run())
        await informer.wait_synced()

        assert informer.get(ObjectKey("", "n")) == "Node"
        assert server.exchanges[0].path == "/api/v1/nodes"
        running.cancel()
        await asyncio.wait([running])
        await client.close()


async def test_cancelling_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    async with following(ClusterScript(), namespaces=["one", "two"]) as followed:
        await followed.informer.wait_synced()

    await until(lambda: asyncio.all_tasks() == before)


class TestAbsorbing:
    """One's own writes are there at once, and never come back once the watch has gone past them."""

    async def test_the_answer_to_a_write_is_there_at_once_and_its_event_wakes_nobody_again(self) -> None:
        script = ClusterScript(pod("a", 3), version=10)
        go_on = asyncio.Event()

        async def watch(exchange: Exchange) -> None:
            await go_on.wait()
            await sending(added(pod("a", 11)), added(pod("b", 12)), bookmark(20))(exchange)

        script.watches = [watch]
        async with following(script) as followed:
            await until(lambda: bool(script.watched_from))
            followed.informer.absorb(pod("a", 11))
            assert followed.informer.get(A) == pod("a", 11)
            go_on.set()
            await until(lambda: followed.names() == {"a", "b"})

        assert followed.changes == [(A, 3), (A, 11), (B, 12)]

    async def test_an_older_event_does_not_undo_it(self) -> None:
        script = ClusterScript(version=10)
        go_on = asyncio.Event()

        async def watch(exchange: Exchange) -> None:
            await go_on.wait()
            await sending(added(pod("a", 11)), deleted("a", 12), added(pod("b", 13)))(exchange)

        script.watches = [watch]
        async with following(script) as followed:
            await until(lambda: bool(script.watched_from))
            followed.informer.absorb(pod("a", 14))  # made again after the deletion at 12
            go_on.set()
            await until(lambda: "b" in followed.names())

            assert followed.informer.get(A) == pod("a", 14)

    async def test_what_the_watch_has_seen_deleted_is_not_put_back(self) -> None:
        script = ClusterScript(version=10)
        script.watches = [sending(added(pod("a", 11)), deleted("a", 12), added(pod("b", 13)))]

        async with following(script) as followed:
            await until(lambda: followed.names() == {"b"})
            followed.informer.absorb(pod("a", 11))

            assert followed.informer.get(A) is None

    async def test_what_a_list_has_passed_over_is_not_put_back(self) -> None:
        async with following(ClusterScript(version=10)) as followed:
            await followed.informer.wait_synced()
            followed.informer.absorb(pod("a", 9))

            assert followed.informer.get(A) is None

    async def test_what_was_absorbed_and_deleted_during_a_gap_is_reported_gone(self) -> None:
        script = ClusterScript(version=10)
        go_on = asyncio.Event()

        async def forget(exchange: Exchange) -> None:
            await go_on.wait()
            script.version = 20
            await exchange.send(GONE)

        script.watches = [forget, sending()]
        async with following(script) as followed:
            await until(lambda: bool(script.watched_from))
            followed.informer.absorb(pod("a", 11))
            go_on.set()
            await until(lambda: script.watched_from == ["10", "20"])

        assert followed.changes == [(A, 11), (A, None)]

    async def test_a_list_that_is_older_than_the_write_keeps_it(self) -> None:
        script = ClusterScript(version=10)
        script.watches = [sending(GONE), sending()]

        async with following(script) as followed:
            await followed.informer.wait_synced()
            followed.informer.absorb(pod("a", 11))
            await until(lambda: script.lists == 2 and len(script.watched_from) == 2)

            assert followed.informer.get(A) == pod("a", 11)

    async def test_other_namespaces_are_none_of_its_business(self) -> None:
        async with following(ClusterScript(version=10)) as followed:
            await followed.informer.wait_synced()
            followed.informer.absorb(pod("a", 11, namespace="other"))

            assert followed.informer.values() == []


async def test_the_index_finds_the_objects_of_a_group() -> None:
    script = ClusterScript(pod("a", 3, cluster="x"), pod("b", 4, cluster="x"), pod("c", 5), version=10)

    async with following(script, index=lambda manifest: manifest["metadata"]["labels"].get("cluster")) as followed:
        await followed.informer.wait_synced()

        assert [m["metadata"]["name"] for m in followed.informer.by_index("x")] == ["a", "b"]
        assert followed.informer.by_index("y") == []
