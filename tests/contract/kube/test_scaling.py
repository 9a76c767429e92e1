"""The scale subresource of custom resources, which is what `kubectl scale` writes."""

import copy
from typing import Any

import pytest

from gateway_common.resources import CRDS, Resource
from tests.contract.kube.widgets import widget, widget_definition
from tests.kit.kube import KubeHttp, Manifest, accepted, refused


async def scale_of(kube: KubeHttp, widgets: Resource, name: str) -> Manifest:
    return accepted(await kube.client.get(kube.path(widgets, name, "scale")))


async def test_a_scale_says_how_many_there_are_and_are_to_be(kube: KubeHttp, widgets: Resource) -> None:
    created = await kube.create(widgets, widget("a", replicas=2))
    await kube.patch(widgets, "a", {"status": {"seen": 1, "selector": "app=a"}}, subresource="status")

    scale = await scale_of(kube, widgets, "a")

    assert (scale["apiVersion"], scale["kind"]) == ("autoscaling/v1", "Scale")
    assert (scale["metadata"]["name"], scale["metadata"]["uid"]) == ("a", created["metadata"]["uid"])
    assert scale["spec"] == {"replicas": 2}
    assert scale["status"] == {"replicas": 1, "selector": "app=a"}
    refused(await kube.client.get(kube.path(widgets, "b", "scale")), 404, "NotFound")


async def test_an_object_that_says_nothing_of_replicas_has_no_scale_until_it_gets_one(
    kube: KubeHttp, widgets: Resource
) -> None:
    await kube.create(widgets, widget("a"))
    refused(await kube.client.get(kube.path(widgets, "a", "scale")), 500, "InternalError")
    status = refused(await kube.patch(widgets, "a", {"spec": {}}, subresource="scale"), 400, "BadRequest")
    assert status["message"] == 'the spec replicas field ".spec.replicas" cannot be empty'

    accepted(await kube.patch(widgets, "a", {"spec": {"replicas": 3}}, subresource="scale"))

    assert (await kube.get(widgets, "a"))["spec"]["replicas"] == 3


@pytest.mark.parametrize("sort", ["merge-patch+json", "json-patch+json"])
async def test_a_patched_scale_changes_replicas_alone_and_counts_as_a_new_generation(
    kube: KubeHttp, widgets: Resource, sort: str
) -> None:
    before = await kube.create(widgets, widget("a", replicas=2))
    merge = {"spec": {"replicas": 4}, "metadata": {"labels": {"x": "y"}}}
    patch: object = merge if sort == "merge-patch+json" else [{"op": "replace", "path": "/spec/replicas", "value": 4}]

    scale = accepted(await kube.patch(widgets, "a", patch, sort, subresource="scale"))

    after = await kube.get(widgets, "a")
    assert (scale["kind"], scale["spec"]) == ("Scale", {"replicas": 4})
    assert scale["metadata"]["resourceVersion"] == after["metadata"]["resourceVersion"]
    assert after["spec"] == {**before["spec"], "replicas": 4}
    assert "labels" not in after["metadata"]
    assert after["metadata"]["generation"] == before["metadata"]["generation"] + 1


async def test_a_scale_is_replaced_by_whoever_has_seen_the_latest(kube: KubeHttp, widgets: Resource) -> None:
    await kube.create(widgets, widget("a", replicas=2))
    path = kube.path(widgets, "a", "scale")
    seen = await scale_of(kube, widgets, "a")
    seen["spec"]["replicas"] = 5

    assert accepted(await kube.client.put(path, json=seen))["spec"] == {"replicas": 5}
    refused(await kube.client.put(path, json=seen), 409, "Conflict")
    # who does not say what it has seen is not asked
    anew = copy.deepcopy(seen)
    del anew["metadata"]["resourceVersion"]
    anew["spec"]["replicas"] = 0
    assert accepted(await kube.client.put(path, json=anew))["spec"] == {}
    assert (await kube.get(widgets, "a"))["spec"]["replicas"] == 0


async def test_a_scale_of_another_object_is_refused(kube: KubeHttp, widgets: Resource) -> None:
    await kube.create(widgets, widget("a", replicas=2))
    path = kube.path(widgets, "a", "scale")
    seen = await scale_of(kube, widgets, "a")

    for field, value, code, reason in (("name", "b", 400, "BadRequest"), ("uid", "other", 409, "Conflict")):
        other = {**seen, "metadata": {**seen["metadata"], field: value}}
        refused(await kube.client.put(path, json=other), code, reason)
    refused(await kube.client.put(path, json=widget("a")), 400, "BadRequest")


@pytest.mark.parametrize("replicas", [-1, "3", 3.5])
async def test_a_number_that_can_not_be_is_refused(kube: KubeHttp, widgets: Resource, replicas: Any) -> None:
    await kube.create(widgets, widget("a", replicas=2))

    refused(await kube.patch(widgets, "a", {"spec": {"replicas": replicas}}, subresource="scale"), 422, "Invalid")

    assert (await kube.get(widgets, "a"))["spec"]["replicas"] == 2


async def test_other_ways_of_writing_a_scale_are_refused(kube: KubeHttp, widgets: Resource) -> None:
    await kube.create(widgets, widget("a", replicas=2))
    path, patch = kube.path(widgets, "a", "scale"), {"spec": {"replicas": 1}}

    sent = await kube.patch(widgets, "a", patch, "strategic-merge-patch+json", subresource="scale")
    refused(sent, 415, "UnsupportedMediaType")
    refused(await kube.client.delete(path), 405, "MethodNotAllowed")
    refused(await kube.client.post(path, json=await scale_of(kube, widgets, "a")), 405, "MethodNotAllowed")


async def test_a_dry_run_scales_nothing(kube: KubeHttp, widgets: Resource) -> None:
    await kube.create(widgets, widget("a", replicas=2))

    scale = accepted(await kube.patch(widgets, "a", {"spec": {"replicas": 9}}, subresource="scale", dryRun="All"))

    assert scale["spec"] == {"replicas": 9}
    assert (await kube.get(widgets, "a"))["spec"]["replicas"] == 2


async def test_discovery_says_whose_shape_a_scale_has(kube: KubeHttp, widgets: Resource) -> None:
    document = accepted(await kube.client.get(f"/apis/{widgets.group}/{widgets.version}"))
    (entry,) = [entry for entry in document["resources"] if entry["name"] == "widgets/scale"]

    assert (entry["group"], entry["version"], entry["kind"]) == ("autoscaling", "v1", "Scale")
    assert sorted(entry["verbs"]) == ["get", "patch", "update"]


@pytest.mark.parametrize(
    ("scale", "reasons"),
    [
        ({}, ["FieldValueRequired", "FieldValueRequired"]),
        ({"specReplicasPath": ".status.x", "statusReplicasPath": ".status.y"}, ["FieldValueInvalid"]),
        ({"specReplicasPath": ".spec.x", "statusReplicasPath": ".spec.y"}, ["FieldValueInvalid"]),
    ],
    ids=str,
)
async def test_a_definition_says_where_its_replicas_are(
    kube: KubeHttp, scale: dict[str, str], reasons: list[str]
) -> None:
    definition = widget_definition()
    definition["metadata"]["name"] = "gadgets.contract.example.com"
    definition["spec"]["names"] = {"kind": "Gadget", "plural": "gadgets"}
    definition["spec"]["versions"][0]["subresources"]["scale"] = scale

    status = refused(await kube.client.post(CRDS.path(), json=definition), 422, "Invalid")

    assert [cause["reason"] for cause in status["details"]["causes"]] == reasons
