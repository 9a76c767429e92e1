"""All namespaces at once: informers and controllers that are told `*`, each on two API servers."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import pytest

from gateway_common.configuration.groups import KubeSettings
from gateway_common.configuration.model import ALL_NAMESPACES
from gateway_common.errors import NotFound
from gateway_common.informer import Informer, ObjectKey
from gateway_common.kube import KubeClient
from gateway_common.names import service_name
from gateway_common.resources import CONFIGMAPS, NAMESPACES
from tests.kit.clusters import define_kinds
from tests.kit.controller import World
from tests.kit.kube import KubeServer
from tests.kit.waiting import eventually, until


@pytest.fixture
def kube(kube_server: KubeServer) -> KubeSettings:
    return KubeSettings(kubeconfig=kube_server.kubeconfig)


@pytest.fixture
async def client(kube: KubeSettings) -> AsyncIterator[KubeClient]:
    client = await KubeClient.connect(kube)
    yield client
    await client.close()


@pytest.fixture
async def namespaces(client: KubeClient) -> list[str]:
    """Two that are the test's own."""
    names = [f"dask-{uuid4().hex[:8]}" for _ in range(2)]
    for name in names:
        await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    return names


async def config_map(client: KubeClient, namespace: str, name: str, label: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": {"test": label}}
    return await client.create(CONFIGMAPS, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})


@pytest.mark.parametrize("said", [[ALL_NAMESPACES], ["default", ALL_NAMESPACES], None])
async def test_one_stream_brings_what_is_and_what_becomes_of_objects_of_all_namespaces(
    kube: KubeSettings, client: KubeClient, namespaces: list[str], said: Sequence[str] | None
) -> None:
    label = uuid4().hex
    first, second = namespaces
    await config_map(client, first, "listed", label)
    await config_map(client, second, "listed", label)
    await config_map(client, second, "another", "another")
    calls: list[str] = []
    told: dict[ObjectKey, str | None] = {}
    watcher = await KubeClient.connect(kube, on_call=lambda verb, _resource, _status: calls.append(verb))
    informer: Informer[str] = Informer(
        watcher,
        CONFIGMAPS,
        namespaces=said,
        label_selector=f"test={label}",
        transform=lambda manifest: str((manifest.get("data") or {}).get("value", "")),
        on_change=told.__setitem__,
    )
    running = asyncio.create_task(informer.run())
    try:
        await informer.wait_synced()
        listed = {ObjectKey(first, "listed"): "", ObjectKey(second, "listed"): ""}
        assert told == listed

        # one's own answer, before the watch brings it
        informer.absorb(await config_map(client, second, "absorbed", label))
        assert informer.get(ObjectKey(second, "absorbed")) == ""
        await config_map(client, first, "new", label)
        await client.patch(CONFIGMAPS, "listed", {"data": {"value": "changed"}}, namespace=second)
        await client.delete(CONFIGMAPS, "listed", namespace=first)
        expected = {
            ObjectKey(first, "listed"): None,
            ObjectKey(second, "listed"): "changed",
            ObjectKey(second, "absorbed"): "",
            ObjectKey(first, "new"): "",
        }
        await until(lambda: told == expected)
        assert sorted(informer.values()) == ["", "", "changed"]
        assert calls.count("list") == 1
    finally:
        running.cancel()
        await asyncio.wait([running])
        await watcher.close()


@pytest.fixture
async def worlds(
    kube_server: KubeServer, kube: KubeSettings, client: KubeClient, namespaces: list[str]
) -> AsyncIterator[list[World]]:
    """One for each namespace, of an instance of which nothing is left from other tests."""
    await define_kinds(client)
    worlds = [World(client, kube, namespace) for namespace in namespaces]
    everywhere = kube.model_copy(update={"namespaces": [ALL_NAMESPACES]})
    update = {"kube": everywhere, "instance": f"test-{uuid4().hex[:8]}"}
    for world in worlds:
        world.settings = world.settings.model_copy(update=update)
    yield worlds
    for world in worlds:
        await world.close()


async def test_a_controller_runs_clusters_of_one_name_in_two_namespaces(worlds: list[World]) -> None:
    controller = await worlds[0].controller()
    instance = worlds[0].settings.instance
    name = uuid4().hex
    for world in worlds:
        await world.new_cluster(name, instance=instance, replicas=2)
    for world in worlds:
        await world.reaches(name, "Pending")
        await world.run_pod(f"dask-scheduler-{name}")
    for world in worlds:
        await world.reaches(name, "Running")
        await world.has_workers(name, [0, 1])
        assert (await world.status(name))["service"] == service_name(name)

    first, second = worlds
    await first.set_spec(name, active=False)

    async def is_over() -> bool:
        await first.remove_deleted_pods(name)
        return await first.phase(name) == "Stopped"

    await eventually(is_over)
    await until(lambda: len(controller.controller.queue) == 0)
    assert await second.phase(name) == "Running"
    assert await second.workers(name) == [f"dask-worker-{name}-{slot}" for slot in range(2)]


async def test_a_namespace_that_is_made_later_is_not_left_out(worlds: list[World]) -> None:
    controller = await worlds[0].controller()
    await until(lambda: controller.controller.is_ready)
    client = worlds[0].client
    later = World(client, worlds[0].settings.kube, f"dask-{uuid4().hex[:8]}")
    with pytest.raises(NotFound):
        await client.get(NAMESPACES, later.namespace)
    await client.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": later.namespace}})
    name = await later.new_cluster(instance=worlds[0].settings.instance)
    await later.reaches(name, "Pending")
