"""The informer against servers that behave; misbehaving ones are in tests/unit/common."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

from gateway_common.informer import Informer, ObjectKey, WatchTiming
from gateway_common.kube import KubeClient
from gateway_common.resources import CONFIGMAPS, Resource
from tests.kit.waiting import until

Value = tuple[str, dict[str, str]]
#: The server ends each stream after a second or two, so that a test of seconds sees many.
SHORT_STREAMS = WatchTiming(shortest_stream=1, longest_stream=2, first_pause=0.01)


def config_map(name: str, label: str = "x", **data: str) -> dict[str, Any]:
    metadata = {"name": name, "labels": {"label": label}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def content(manifest: dict[str, Any]) -> Value:
    return manifest["metadata"]["name"], manifest.get("data") or {}


@asynccontextmanager
async def following(
    client: KubeClient,
    namespaces: Sequence[str] | None,
    *,
    resource: Resource = CONFIGMAPS,
    label_selector: str = "label=x",
    on_change: Callable[[ObjectKey, Value | None], None] | None = None,
    timing: WatchTiming | None = None,
) -> AsyncIterator[Informer[Value]]:
    informer = Informer(
        client,
        resource,
        namespaces=namespaces,
        label_selector=label_selector,
        transform=content,
        index=lambda value: value[1].get("group"),
        on_change=on_change,
        timing=timing,
    )
    running = asyncio.create_task(informer.run())
    try:
        await informer.wait_synced()
        yield informer
    finally:
        running.cancel()
        with suppress(asyncio.CancelledError):
            await running


async def test_it_follows_what_happens(client: KubeClient, namespace: str) -> None:
    changes: list[Any] = []
    await client.create(CONFIGMAPS, config_map("before"), namespace=namespace)
    await client.create(CONFIGMAPS, config_map("other", label="y"), namespace=namespace)

    async with following(client, [namespace], on_change=lambda *change: changes.append(change)) as informer:
        assert informer.values() == [("before", {})]
        await client.create(CONFIGMAPS, config_map("c", group="g"), namespace=namespace)
        await until(lambda: informer.by_index("g") == [("c", {"group": "g"})])
        await client.patch(CONFIGMAPS, "c", {"data": {"group": "h"}}, namespace=namespace)
        await until(lambda: informer.by_index("h") == [("c", {"group": "h"})])
        await client.delete(CONFIGMAPS, "c", namespace=namespace)
        await until(lambda: len(changes) == 4)

    assert informer.by_index("g") == informer.by_index("h") == []
    assert changes == [
        ((namespace, "before"), ("before", {})),
        ((namespace, "c"), ("c", {"group": "g"})),
        ((namespace, "c"), ("c", {"group": "h"})),
        ((namespace, "c"), None),
    ]


async def test_an_object_whose_label_no_longer_matches_is_gone(client: KubeClient, namespace: str) -> None:
    await client.create(CONFIGMAPS, config_map("c"), namespace=namespace)

    async with following(client, [namespace]) as informer:
        await client.patch(CONFIGMAPS, "c", {"metadata": {"labels": {"label": "y"}}}, namespace=namespace)
        await until(lambda: informer.values() == [])


async def test_its_own_writes_are_read_at_once_and_deleted_ones_do_not_come_back(
    client: KubeClient, namespace: str
) -> None:
    async with following(client, [namespace]) as informer:
        for number in range(20):
            key = ObjectKey(namespace, f"c{number}")
            created = await client.create(CONFIGMAPS, config_map(key.name, v="1"), namespace=namespace)
            informer.absorb(created)
            assert informer.get(key) == (key.name, {"v": "1"})
            informer.absorb(await client.patch(CONFIGMAPS, key.name, {"data": {"v": "2"}}, namespace=namespace))
            assert informer.get(key) == (key.name, {"v": "2"})
            await client.delete(CONFIGMAPS, key.name, namespace=namespace)
            await until(lambda key=key: informer.get(key) is None)  # type: ignore[misc]
            informer.absorb(created)
            assert informer.get(key) is None


async def test_streams_that_end_again_and_again_lose_nothing_and_repeat_nothing(
    client: KubeClient, namespace: str
) -> None:
    changes: list[Any] = []

    async with following(
        client, [namespace], on_change=lambda key, _: changes.append(key.name), timing=SHORT_STREAMS
    ) as informer:
        for number in range(30):
            await client.create(CONFIGMAPS, config_map(f"c{number}"), namespace=namespace)
            await asyncio.sleep(0.1)  # 3 s, in which several streams end
        await until(lambda: len(informer.values()) == 30)

    assert changes == [f"c{number}" for number in range(30)]


async def test_all_namespaces_are_one_stream(client: KubeClient, namespace: str) -> None:
    await client.create(CONFIGMAPS, config_map("c", label=namespace), namespace=namespace)

    async with following(client, None, label_selector=f"label={namespace}") as informer:
        assert informer.get(ObjectKey(namespace, "c")) == ("c", {})
