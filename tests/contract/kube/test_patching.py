"""Merge, JSON and strategic merge patches."""

from typing import Any

import pytest

from gateway_common.resources import CONFIGMAPS, PODS, SERVICES, Resource
from tests.contract.kube.widgets import config_map, pod, widget
from tests.kit.kube import KubeHttp, accepted, refused

JSON_PATCH = "json-patch+json"
STRATEGIC = "strategic-merge-patch+json"


async def test_a_merge_patch_merges_objects_and_null_deletes(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("a", {"l": "1", "m": "2"}, x="1", y="2"))

    patch = {"data": {"x": None, "z": "3"}, "metadata": {"labels": {"l": None, "m": "4"}}}
    patched = accepted(await kube.patch(CONFIGMAPS, "a", patch))

    assert patched["data"] == {"y": "2", "z": "3"}
    assert patched["metadata"]["labels"] == {"m": "4"}


async def test_a_merge_patch_replaces_lists(kube: KubeHttp, widgets: Resource) -> None:
    await kube.create(widgets, widget("a", tags=["x", "y"], parts=[{"name": "p", "weight": 1}]))

    patched = accepted(await kube.patch(widgets, "a", {"spec": {"tags": ["z"], "parts": [{"name": "q"}]}}))

    assert (patched["spec"]["tags"], patched["spec"]["parts"]) == (["z"], [{"name": "q"}])


async def test_a_patch_may_insist_on_a_version(kube: KubeHttp) -> None:
    created = await kube.create(CONFIGMAPS, config_map("a"))
    version = created["metadata"]["resourceVersion"]
    patch = {"metadata": {"resourceVersion": version}, "data": {"x": "1"}}

    accepted(await kube.patch(CONFIGMAPS, "a", patch))

    refused(await kube.patch(CONFIGMAPS, "a", {**patch, "data": {"x": "2"}}), 409, "Conflict")


async def test_a_patch_that_changes_nothing_makes_no_version(kube: KubeHttp) -> None:
    created = await kube.create(CONFIGMAPS, config_map("a", x="1"))

    assert accepted(await kube.patch(CONFIGMAPS, "a", {"data": {"x": "1"}})) == created


async def test_a_patch_of_nothing_is_not_found(kube: KubeHttp) -> None:
    refused(await kube.patch(CONFIGMAPS, "a", {"data": {}}), 404, "NotFound")


async def test_a_patch_can_not_rename(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("a"))

    response = await kube.patch(CONFIGMAPS, "a", {"metadata": {"name": "b"}})

    refused(response, 400, "BadRequest")


async def test_json_patch_operations(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, {**config_map("a"), "data": {"x": "1", "y": "2", "a/b": "3"}})
    operations = [
        {"op": "test", "path": "/data/x", "value": "1"},
        {"op": "add", "path": "/data/new", "value": "n"},
        {"op": "replace", "path": "/data/x", "value": "10"},
        {"op": "copy", "from": "/data/x", "path": "/data/x2"},
        {"op": "move", "from": "/data/y", "path": "/data/y2"},
        {"op": "remove", "path": "/data/a~1b"},
    ]

    patched = accepted(await kube.patch(CONFIGMAPS, "a", operations, JSON_PATCH))

    assert patched["data"] == {"new": "n", "x": "10", "x2": "10", "y2": "2"}


async def test_json_patch_of_lists(kube: KubeHttp, widgets: Resource) -> None:
    await kube.create(widgets, widget("a", tags=["b"]))
    operations = [
        {"op": "add", "path": "/spec/tags/0", "value": "a"},
        {"op": "add", "path": "/spec/tags/-", "value": "c"},
        {"op": "remove", "path": "/spec/tags/1"},
    ]

    assert accepted(await kube.patch(widgets, "a", operations, JSON_PATCH))["spec"]["tags"] == ["a", "c"]


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/data/x", "value": "other"},
        {"op": "remove", "path": "/data/nothing"},
        {"op": "replace", "path": "/data/nothing", "value": "1"},
        {"op": "add", "path": "/nowhere/x", "value": "1"},
    ],
    ids=["test", "remove", "replace", "add"],
)
async def test_a_json_patch_that_does_not_fit_is_invalid(kube: KubeHttp, operation: dict[str, Any]) -> None:
    created = await kube.create(CONFIGMAPS, config_map("a", x="1"))
    operations = [{"op": "add", "path": "/data/y", "value": "1"}, operation]

    status = refused(await kube.patch(CONFIGMAPS, "a", operations, JSON_PATCH), 422, "Invalid")

    assert status["message"].startswith("the server rejected our request due to an error in our request")
    assert await kube.get(CONFIGMAPS, "a") == created


async def test_a_json_patch_that_is_none_is_refused(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("a"))

    for patch in ({"op": "add"}, "x"):
        refused(await kube.patch(CONFIGMAPS, "a", patch, JSON_PATCH), 400, "BadRequest")


async def test_a_merge_patch_that_is_none_is_refused(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("a"))

    assert (await kube.patch(CONFIGMAPS, "a", ["x"])).status_code in (400, 422)


async def test_a_strategic_patch_merges_lists_by_their_key(kube: KubeHttp) -> None:
    containers = [{"name": "main", "image": "none:1"}, {"name": "side", "image": "none:1"}]
    await kube.create(PODS, pod("a", containers=containers))
    patch = {"spec": {"containers": [{"name": "side", "image": "none:2"}]}}

    patched = accepted(await kube.patch(PODS, "a", patch, STRATEGIC))

    images = {container["name"]: container["image"] for container in patched["spec"]["containers"]}
    assert images == {"main": "none:1", "side": "none:2"}


async def test_a_strategic_patch_of_conditions_merges_by_type(kube: KubeHttp) -> None:
    await kube.create(PODS, pod("a"))

    for type_, value in (("Ready", "False"), ("Initialized", "True"), ("Ready", "True")):
        patch = {"status": {"conditions": [{"type": type_, "status": value}]}}
        patched = accepted(await kube.patch(PODS, "a", patch, STRATEGIC, subresource="status"))

    conditions = {c["type"]: c["status"] for c in patched["status"]["conditions"]}
    assert conditions == {"Ready": "True", "Initialized": "True"}


async def test_a_strategic_patch_deletes_and_replaces_by_directive(kube: KubeHttp) -> None:
    ports = [{"name": name, "port": port, "targetPort": port} for name, port in (("a", 1), ("b", 2), ("c", 3))]
    manifest = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "a"},
        "spec": {"selector": {"x": "1", "y": "2"}, "clusterIP": "None", "ports": ports},
    }
    await kube.create(SERVICES, manifest)

    patch: dict[str, Any] = {"spec": {"ports": [{"port": 2, "$patch": "delete"}]}}
    patched = accepted(await kube.patch(SERVICES, "a", patch, STRATEGIC))
    assert [port["port"] for port in patched["spec"]["ports"]] == [1, 3]

    patch = {"spec": {"selector": {"$patch": "replace", "z": "3"}}}
    patched = accepted(await kube.patch(SERVICES, "a", patch, STRATEGIC))
    assert patched["spec"]["selector"] == {"z": "3"}

    patch = {"spec": {"ports": [{"name": "d", "port": 4}, {"$patch": "replace"}]}}
    patched = accepted(await kube.patch(SERVICES, "a", patch, STRATEGIC))
    assert [port["port"] for port in patched["spec"]["ports"]] == [4]


async def test_a_strategic_patch_of_plain_lists(kube: KubeHttp) -> None:
    manifest = config_map("a")
    manifest["metadata"]["finalizers"] = ["example.com/one", "example.com/two"]
    await kube.create(CONFIGMAPS, manifest)

    patch = {"metadata": {"finalizers": ["example.com/three"]}}
    patched = accepted(await kube.patch(CONFIGMAPS, "a", patch, STRATEGIC))
    assert set(patched["metadata"]["finalizers"]) == {f"example.com/{n}" for n in ("one", "two", "three")}

    patch = {"metadata": {"$deleteFromPrimitiveList/finalizers": ["example.com/one", "example.com/two"]}}
    patched = accepted(await kube.patch(CONFIGMAPS, "a", patch, STRATEGIC))
    assert patched["metadata"]["finalizers"] == ["example.com/three"]


async def test_a_strategic_patch_sets_the_order_of_a_list(kube: KubeHttp) -> None:
    containers = [{"name": name, "image": "none:1"} for name in ("a", "b", "c")]
    await kube.create(PODS, pod("a", containers=containers))
    order = [{"name": name} for name in ("c", "b", "a")]
    patch = {"spec": {"$setElementOrder/containers": order, "containers": [{"name": "b", "image": "none:1"}]}}

    response = await kube.patch(PODS, "a", patch, STRATEGIC, dryRun="All")

    if kube.embedded is None:  # which also refuses to reorder the containers of a pod that exists
        containers = accepted(response)["spec"]["containers"]
        assert [container["name"] for container in containers] == ["c", "b", "a"]
    else:
        refused(response, 422, "Invalid")


async def test_a_custom_resource_takes_no_strategic_patch(kube: KubeHttp, widgets: Resource) -> None:
    await kube.create(widgets, widget("a"))

    status = refused(await kube.patch(widgets, "a", {}, STRATEGIC), 415, "UnsupportedMediaType")

    assert "application/merge-patch+json" in status["message"]


async def test_a_patch_in_another_format_is_refused(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("a"))

    for sort in ("json", "yaml", "x-nonsense"):
        refused(await kube.patch(CONFIGMAPS, "a", {}, sort), 415, "UnsupportedMediaType")


async def test_force_is_for_apply_alone(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("a"))

    refused(await kube.patch(CONFIGMAPS, "a", {}, force="true"), 422, "Invalid")
