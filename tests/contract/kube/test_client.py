"""Every verb of the client, against servers that behave."""

import asyncio
import base64
import uuid
from typing import Any

import pytest
from pydantic import SecretStr

from gateway_common.configuration.groups import KubeSettings
from gateway_common.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound, Unauthorized
from gateway_common.kube import KubeClient
from gateway_common.resources import CONFIGMAPS, CRDS, PODS, SECRETS


def pod(name: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "main", "image": "none"}]},
    }


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}


async def test_what_is_created_can_be_read_and_comes_whole(client: KubeClient, namespace: str) -> None:
    created = await client.create(PODS, pod("p", a="b"), namespace=namespace)

    assert await client.get(PODS, "p", namespace=namespace) == created
    assert created["metadata"]["namespace"] == namespace
    assert created["metadata"]["labels"] == {"a": "b"}
    assert int(created["metadata"]["resourceVersion"]) > 0
    assert type(created) is dict


async def test_the_namespace_may_come_from_the_manifest(client: KubeClient, namespace: str) -> None:
    manifest = pod("p")
    manifest["metadata"]["namespace"] = namespace

    assert (await client.create(PODS, manifest))["metadata"]["namespace"] == namespace


async def test_a_name_is_taken_once(client: KubeClient, namespace: str) -> None:
    await client.create(PODS, pod("p"), namespace=namespace)

    with pytest.raises(AlreadyExists, match='"p" already exists'):
        await client.create(PODS, pod("p"), namespace=namespace)


async def test_what_is_not_there_is_not_found(client: KubeClient, namespace: str) -> None:
    with pytest.raises(NotFound, match='"p" not found'):
        await client.get(PODS, "p", namespace=namespace)
    with pytest.raises(NotFound):
        await client.delete(PODS, "p", namespace=namespace)
    with pytest.raises(NotFound):
        await client.patch(PODS, "p", {"metadata": {"labels": {"a": "b"}}}, namespace=namespace)


async def test_what_the_server_refuses_it_explains(client: KubeClient, namespace: str) -> None:
    broken_crd = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": {}}

    with pytest.raises(Invalid, match=r"spec\.group"):
        await client.create(CRDS, {**broken_crd, "metadata": {"name": "things.example.org"}})


async def test_a_dry_run_leaves_nothing(client: KubeClient, namespace: str) -> None:
    created = await client.create(PODS, pod("p"), namespace=namespace, dry_run=True)

    assert created["metadata"]["name"] == "p"
    with pytest.raises(NotFound):
        await client.get(PODS, "p", namespace=namespace)


async def test_a_list_in_pages_is_whole_and_its_objects_look_like_all_others(
    client: KubeClient, namespace: str
) -> None:
    created = [await client.create(PODS, pod(f"p{i}"), namespace=namespace) for i in range(5)]

    listed = await client.list(PODS, namespace=namespace, page_size=2)

    assert listed.items == created
    newest = max(int(item["metadata"]["resourceVersion"]) for item in created)
    assert int(listed.resource_version) >= newest


async def test_a_list_selects_by_label_field_and_namespace(client: KubeClient, namespace: str) -> None:
    mine = {"test": namespace}
    await client.create(PODS, pod("a", colour="red", **mine), namespace=namespace)
    await client.create(PODS, pod("b", colour="blue", **mine), namespace=namespace)

    async def names(**selection: Any) -> list[str]:
        return [item["metadata"]["name"] for item in (await client.list(PODS, **selection)).items]

    assert await names(namespace=namespace, label_selector="colour=red") == ["a"]
    assert await names(namespace=namespace, field_selector="metadata.name=b") == ["b"]
    assert await names(label_selector=f"test={namespace}") == ["a", "b"]
    assert await names(namespace=namespace, label_selector="colour=green") == []


async def test_a_merge_patch_merges_and_removes(client: KubeClient, namespace: str) -> None:
    await client.create(PODS, pod("p", old="1", kept="1"), namespace=namespace)

    patched = await client.patch(PODS, "p", {"metadata": {"labels": {"old": None, "new": "2"}}}, namespace=namespace)

    assert patched["metadata"]["labels"] == {"kept": "1", "new": "2"}


async def test_an_empty_merge_patch_changes_nothing(client: KubeClient, namespace: str) -> None:
    created = await client.create(PODS, pod("p"), namespace=namespace)

    assert await client.patch(PODS, "p", {}, namespace=namespace) == created


async def test_a_json_patch_with_a_failed_test_changes_nothing(client: KubeClient, namespace: str) -> None:
    await client.create(PODS, pod("p", a="1"), namespace=namespace)
    change = {"op": "replace", "path": "/metadata/labels/a", "value": "2"}

    patched = await client.patch(
        PODS, "p", [{"op": "test", "path": "/metadata/labels/a", "value": "1"}, change], namespace=namespace
    )
    with pytest.raises(Invalid):
        await client.patch(
            PODS, "p", [{"op": "test", "path": "/metadata/labels/a", "value": "1"}, change], namespace=namespace
        )

    assert patched["metadata"]["labels"] == {"a": "2"}


async def test_a_patch_of_an_older_version_conflicts(client: KubeClient, namespace: str) -> None:
    created = await client.create(PODS, pod("p"), namespace=namespace)
    version = created["metadata"]["resourceVersion"]
    await client.patch(PODS, "p", {"metadata": {"labels": {"a": "1"}}}, namespace=namespace)

    with pytest.raises(Conflict):
        await client.patch(
            PODS, "p", {"metadata": {"resourceVersion": version, "labels": {"a": "2"}}}, namespace=namespace
        )


async def test_the_status_is_written_through_its_subresource_only(client: KubeClient, namespace: str) -> None:
    await client.create(PODS, pod("p"), namespace=namespace)

    patched = await client.patch(PODS, "p", {"status": {"phase": "Running"}}, namespace=namespace, subresource="status")

    assert patched["status"]["phase"] == "Running"


async def test_apply_creates_then_updates_and_refuses_what_another_manager_owns(
    client: KubeClient, namespace: str
) -> None:
    async def apply(manager: str, force: bool = False, **data: str) -> dict[str, Any]:
        applied = await client.apply(
            CONFIGMAPS, config_map("c", **data), namespace=namespace, field_manager=manager, force=force
        )
        return dict(applied["data"])

    assert await apply("me", a="1", b="1") == {"a": "1", "b": "1"}
    assert await apply("me", a="2") == {"a": "2"}
    with pytest.raises(Conflict):
        await apply("you", a="3")
    assert await apply("you", force=True, a="3") == {"a": "3"}


async def test_deleting_by_uid_spares_a_successor(client: KubeClient, namespace: str) -> None:
    await client.create(CONFIGMAPS, config_map("c"), namespace=namespace)

    with pytest.raises(Conflict):
        await client.delete(CONFIGMAPS, "c", namespace=namespace, uid=str(uuid.uuid4()))
    found = await client.get(CONFIGMAPS, "c", namespace=namespace)
    await client.delete(CONFIGMAPS, "c", namespace=namespace, uid=found["metadata"]["uid"])

    with pytest.raises(NotFound):
        await client.get(CONFIGMAPS, "c", namespace=namespace)


async def test_deleting_now_leaves_nothing(client: KubeClient, namespace: str) -> None:
    await client.create(PODS, pod("p"), namespace=namespace)

    await client.delete(PODS, "p", namespace=namespace, grace_period_seconds=0, propagation_policy="Background")

    with pytest.raises(NotFound):
        await client.get(PODS, "p", namespace=namespace)


async def test_deleting_a_collection_takes_what_is_selected(client: KubeClient, namespace: str) -> None:
    for name, colour in [("a", "red"), ("b", "red"), ("c", "blue")]:
        manifest = config_map(name)
        manifest["metadata"]["labels"] = {"colour": colour}
        await client.create(CONFIGMAPS, manifest, namespace=namespace)

    await client.delete_collection(CONFIGMAPS, namespace=namespace, label_selector="colour=red")

    left = await client.list(CONFIGMAPS, namespace=namespace, label_selector="colour")
    assert [item["metadata"]["name"] for item in left.items] == ["c"]


async def test_text_of_any_script_survives(client: KubeClient, namespace: str) -> None:
    value = "Größe 大小 \U0001f600"
    secret = {"metadata": {"name": "s"}, "data": {"k": base64.b64encode(value.encode()).decode()}}
    await client.create(CONFIGMAPS, config_map("c", k=value), namespace=namespace)
    await client.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", **secret}, namespace=namespace)

    assert (await client.get(CONFIGMAPS, "c", namespace=namespace))["data"]["k"] == value
    stored = await client.get(SECRETS, "s", namespace=namespace)
    assert base64.b64decode(stored["data"]["k"]).decode() == value


async def test_a_watch_brings_what_happens_after_its_version(client: KubeClient, namespace: str) -> None:
    created = await client.create(PODS, pod("p"), namespace=namespace)
    version = created["metadata"]["resourceVersion"]
    await client.patch(PODS, "p", {"metadata": {"labels": {"a": "1"}}}, namespace=namespace)
    await client.delete(PODS, "p", namespace=namespace, grace_period_seconds=0)

    async with client.watch(
        PODS, namespace=namespace, resource_version=version, timeout_seconds=30, silence_seconds=10
    ) as events:
        modified, deleted = await anext(events), await anext(events)

    assert (modified.type, deleted.type) == ("MODIFIED", "DELETED")
    assert modified.object["kind"] == "Pod"
    versions = [int(event.object["metadata"]["resourceVersion"]) for event in (modified, deleted)]
    assert int(version) < versions[0] < versions[1]


async def test_a_watch_ends_when_its_time_is_up(client: KubeClient, namespace: str) -> None:
    listed = await client.list(PODS, namespace=namespace)

    async with (
        asyncio.timeout(60),
        client.watch(
            PODS,
            namespace=namespace,
            resource_version=listed.resource_version,
            timeout_seconds=1,
            silence_seconds=100,
        ) as events,
    ):
        assert [event.type async for event in events if event.type != "BOOKMARK"] == []


async def test_another_token_is_not_accepted(kube_settings: KubeSettings, namespace: str) -> None:
    if kube_settings.url is None:
        pytest.skip("this server accepts every token")
    stranger = await KubeClient.connect(kube_settings.model_copy(update={"token": SecretStr("wrong")}))
    try:
        with pytest.raises((Unauthorized, Forbidden)):
            await stranger.list(PODS, namespace=namespace)
    finally:
        await stranger.close()
