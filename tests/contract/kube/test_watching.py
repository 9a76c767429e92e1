"""Watches: where they begin, what they show, and how they end."""

import asyncio
import base64
import json

import pytest

from gateway_common.resources import CONFIGMAPS, PODS, Resource
from tests.contract.kube.widgets import config_map, pod, widget
from tests.kit.kube import KubeHttp, accepted, refused


async def version(kube: KubeHttp, resource: Resource = CONFIGMAPS) -> str:
    return str((await kube.list(resource))["metadata"]["resourceVersion"])


async def test_a_watch_without_a_version_begins_with_what_exists(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("a"))
    await kube.create(CONFIGMAPS, config_map("b"))

    for query in ({}, {"resourceVersion": "0"}):
        async with kube.watch(CONFIGMAPS, **query) as events:
            assert await events.names(2) == [("ADDED", "a"), ("ADDED", "b")]


async def test_a_watch_from_a_version_shows_what_came_after_it(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("before"))
    since = await version(kube)
    created = await kube.create(CONFIGMAPS, config_map("a"))
    changed = accepted(await kube.patch(CONFIGMAPS, "a", {"data": {"x": "1"}}))
    await kube.delete(CONFIGMAPS, "a")

    async with kube.watch(CONFIGMAPS, resourceVersion=since) as events:
        assert await events.next() == ("ADDED", created)
        assert await events.next() == ("MODIFIED", changed)
        type_, last = await events.next()

    assert (type_, last["data"]) == ("DELETED", {"x": "1"})
    assert int(last["metadata"]["resourceVersion"]) > int(changed["metadata"]["resourceVersion"])


async def test_a_watch_shows_what_happens_now(kube: KubeHttp) -> None:
    async with kube.watch(CONFIGMAPS, resourceVersion=await version(kube)) as events:
        created = await kube.create(CONFIGMAPS, config_map("a"))
        assert await events.next() == ("ADDED", created)
        await kube.delete(CONFIGMAPS, "a")
        assert (await events.next())[0] == "DELETED"


async def test_a_watch_can_be_resumed_at_the_last_event(kube: KubeHttp) -> None:
    since = await version(kube)
    await kube.create(CONFIGMAPS, config_map("a"))
    await kube.create(CONFIGMAPS, config_map("b"))

    async with kube.watch(CONFIGMAPS, resourceVersion=since) as events:
        _, first = await events.next()
    async with kube.watch(CONFIGMAPS, resourceVersion=first["metadata"]["resourceVersion"]) as events:
        assert await events.names(1) == [("ADDED", "b")]


async def test_every_change_is_one_event_in_order(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("a"))

    async with kube.watch(CONFIGMAPS, resourceVersion=await version(kube)) as events:
        for i in range(50):
            accepted(await kube.patch(CONFIGMAPS, "a", {"data": {"i": str(i)}}))
        seen = [(await events.next())[1]["data"]["i"] for _ in range(50)]

    assert seen == [str(i) for i in range(50)]


async def test_what_enters_a_selection_is_added_and_what_leaves_it_is_deleted(kube: KubeHttp) -> None:
    async with kube.watch(CONFIGMAPS, resourceVersion=await version(kube), labelSelector="l=x") as events:
        await kube.create(CONFIGMAPS, config_map("a", {"l": "y"}))
        await kube.patch(CONFIGMAPS, "a", {"metadata": {"labels": {"l": "x"}}})
        await kube.patch(CONFIGMAPS, "a", {"data": {"k": "1"}})
        left = accepted(await kube.patch(CONFIGMAPS, "a", {"metadata": {"labels": {"l": "y"}}, "data": None}))
        await kube.patch(CONFIGMAPS, "a", {"metadata": {"labels": {"l": "x"}}})
        await kube.delete(CONFIGMAPS, "a")

        assert await events.names(2) == [("ADDED", "a"), ("MODIFIED", "a")]
        type_, gone = await events.next()
        assert (type_, gone["metadata"]["labels"], gone["data"]) == ("DELETED", {"l": "x"}, {"k": "1"})
        assert gone["metadata"]["resourceVersion"] == left["metadata"]["resourceVersion"]
        assert await events.names(2) == [("ADDED", "a"), ("DELETED", "a")]


async def test_fields_select_what_is_watched(kube: KubeHttp) -> None:
    await kube.create(PODS, pod("a"))
    await kube.create(PODS, pod("b"))

    async with kube.watch(PODS, fieldSelector="metadata.name=b") as events:
        assert await events.names(1) == [("ADDED", "b")]
        await kube.patch(PODS, "a", {"metadata": {"labels": {"x": "y"}}})
        await kube.patch(PODS, "b", {"metadata": {"labels": {"x": "y"}}})
        assert await events.names(1) == [("MODIFIED", "b")]


async def test_a_watch_of_one_namespace_sees_no_other(kube: KubeHttp) -> None:
    async with kube.watch(CONFIGMAPS, resourceVersion=await version(kube)) as events:
        await kube.client.post(CONFIGMAPS.path("default"), json=config_map(f"other-{kube.namespace}"))
        await kube.create(CONFIGMAPS, config_map("a"))
        assert await events.names(1) == [("ADDED", "a")]


async def test_a_custom_resource_is_watched(kube: KubeHttp, widgets: Resource) -> None:
    async with kube.watch(widgets, resourceVersion=await version(kube, widgets)) as events:
        created = await kube.create(widgets, widget("a"))
        assert await events.next() == ("ADDED", created)


async def test_a_watch_ends_after_its_time(kube: KubeHttp) -> None:
    since = await version(kube)

    async with asyncio.timeout(15), kube.watch(CONFIGMAPS, resourceVersion=since, timeoutSeconds="1") as events:
        with pytest.raises(StopAsyncIteration):
            await events.next()


async def test_a_history_that_is_too_short_is_an_error_in_the_stream(kube: KubeHttp, widgets: Resource) -> None:
    async with kube.watch(widgets, resourceVersion="1") as events:  # before there were widgets
        type_, status = await events.next()
        assert (type_, status["kind"], status["status"]) == ("ERROR", "Status", "Failure")
        assert (status["code"], status["reason"]) == (410, "Expired")
        assert "too old resource version: 1" in status["message"]
        with pytest.raises(StopAsyncIteration):
            await events.next()


async def test_a_page_whose_moment_is_forgotten_is_expired(kube: KubeHttp, widgets: Resource) -> None:
    for name in ("a", "b", "c"):
        await kube.create(widgets, widget(name))
    token = (await kube.list(widgets, limit="1"))["metadata"]["continue"]
    await kube.compact(widgets)

    query = {"limit": "1", "continue": of_version_1(token)}
    status = refused(await kube.client.get(kube.path(widgets), params=query), 410, "Expired")

    assert "The provided continue parameter is too old" in status["message"]
    rest = await kube.list(widgets, **{"continue": status["metadata"]["continue"]})
    assert [item["metadata"]["name"] for item in rest["items"]] == ["b", "c"]


def of_version_1(token: str) -> str:
    """The token as it would have been long ago."""
    body = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return base64.urlsafe_b64encode(json.dumps({**body, "rv": 1}).encode()).decode().rstrip("=")


async def test_a_moment_that_is_forgotten_can_not_be_listed(kube: KubeHttp, widgets: Resource) -> None:
    await kube.create(widgets, widget("a"))
    await kube.compact(widgets)

    query = {"resourceVersion": "1", "resourceVersionMatch": "Exact"}
    refused(await kube.client.get(kube.path(widgets), params=query), 410, "Expired")


async def test_a_watch_may_begin_with_what_exists_and_go_on(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("a"))

    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
    async with kube.watch(CONFIGMAPS, **query) as events:
        assert await events.names(1) == [("ADDED", "a")]
        await kube.create(CONFIGMAPS, config_map("b"))
        assert await events.names(1) == [("ADDED", "b")]


async def test_a_watch_may_begin_with_nothing(kube: KubeHttp) -> None:
    first = await kube.create(CONFIGMAPS, config_map("a"))

    # "0" would be any version: whichever the server's cache has come to
    version = first["metadata"]["resourceVersion"]
    query = {"sendInitialEvents": "false", "resourceVersionMatch": "NotOlderThan", "resourceVersion": version}
    async with kube.watch(CONFIGMAPS, **query) as events:
        await kube.create(CONFIGMAPS, config_map("b"))
        assert await events.names(1) == [("ADDED", "b")]


async def test_watch_options_that_contradict_each_other_are_refused(kube: KubeHttp) -> None:
    for query in ({"sendInitialEvents": "true"}, {"resourceVersionMatch": "NotOlderThan"}):
        response = await kube.client.get(kube.path(CONFIGMAPS), params={"watch": "true", **query})
        refused(response, 422, "Invalid")
    response = await kube.client.get(kube.path(CONFIGMAPS), params={"watch": "true", "labelSelector": "=("})
    refused(response, 400, "BadRequest")


async def test_the_changes_of_metadata_alone_can_be_watched(kube: KubeHttp) -> None:
    accept = {"accept": "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io"}
    await kube.create(CONFIGMAPS, config_map("a", x="1"))
    kube.client.headers.update(accept)
    async with kube.watch(CONFIGMAPS) as events:
        type_, manifest = await events.next()

    assert (type_, manifest["kind"]) == ("ADDED", "PartialObjectMetadata")
    assert "data" not in manifest


async def test_many_watchers_see_the_same(kube: KubeHttp) -> None:
    since = await version(kube)

    async def first_of_a_watch() -> tuple[str, dict[str, object]]:
        async with kube.watch(CONFIGMAPS, resourceVersion=since) as events:
            return await events.next()

    watching = [asyncio.create_task(first_of_a_watch()) for _ in range(10)]
    created = await kube.create(CONFIGMAPS, config_map("a"))

    assert await asyncio.gather(*watching) == [("ADDED", created)] * 10
