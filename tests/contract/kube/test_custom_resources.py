"""CustomResourceDefinitions: what a schema prunes, fills in and refuses, and how definitions themselves are checked."""

import copy
import uuid
from typing import Any

import pytest

from gateway_common.crd import crd
from gateway_common.resources import CRDS, DASKCLUSTERS, Resource
from tests.contract.kube.widgets import widget, widget_definition
from tests.kit.kube import KubeHttp, Manifest, accepted, refused


async def refusal(kube: KubeHttp, widgets: Resource, **spec: Any) -> list[tuple[str, str]]:
    """(field, reason) of what is wrong with a widget."""
    response = await kube.client.post(kube.path(widgets), json=widget("a", **spec))
    status = refused(response, 422, "Invalid")
    assert status["message"].startswith('Widget.contract.example.com "a" is invalid: ')
    assert (status["details"]["name"], status["details"]["kind"]) == ("a", "Widget")
    assert status["details"]["group"] == "contract.example.com"
    return [(cause["field"], cause["reason"]) for cause in status["details"]["causes"]]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"size": "1"}, ("spec.size", "FieldValueTypeInvalid")),
        ({"size": 1.5}, ("spec.size", "FieldValueTypeInvalid")),
        ({"size": 0}, ("spec.size", "FieldValueInvalid")),
        ({"size": 11}, ("spec.size", "FieldValueInvalid")),
        ({"size": None}, ("spec.size", "FieldValueRequired")),
        ({"color": "blue"}, ("spec.color", "FieldValueNotSupported")),
        ({"code": "A"}, ("spec.code", "FieldValueInvalid")),
        ({"code": "abcdef"}, ("spec.code", "FieldValueTooLong")),
        ({"tags": "x"}, ("spec.tags", "FieldValueTypeInvalid")),
        ({"tags": ["a", 1]}, ("spec.tags[1]", "FieldValueTypeInvalid")),
        ({"tags": ["a", "b", "c", "d"]}, ("spec.tags", "FieldValueTooMany")),
        ({"parts": [{"weight": 1}]}, ("spec.parts[0].name", "FieldValueRequired")),
        ({"port": 1.5}, ("spec.port", "FieldValueTypeInvalid")),
        ({"limits": {"x": "y"}}, ("spec.limits.x", "FieldValueTypeInvalid")),
        ({"free": 1}, ("spec.free", "FieldValueTypeInvalid")),
    ],
    ids=str,
)
async def test_the_schema_is_kept(
    kube: KubeHttp, widgets: Resource, spec: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert expected in await refusal(kube, widgets, **spec)


async def test_keys_of_a_list_are_unique(kube: KubeHttp, widgets: Resource) -> None:
    assert ("spec.parts[1]", "FieldValueDuplicate") in await refusal(
        kube, widgets, parts=[{"name": "p"}, {"name": "p"}]
    )


async def test_what_is_required_has_to_be_there(kube: KubeHttp, widgets: Resource) -> None:
    manifest = widget("a")
    del manifest["spec"]["size"]
    status = refused(await kube.client.post(kube.path(widgets), json=manifest), 422, "Invalid")

    assert status["message"] == 'Widget.contract.example.com "a" is invalid: spec.size: Required value'


async def test_all_that_is_wrong_is_said_at_once(kube: KubeHttp, widgets: Resource) -> None:
    problems = await refusal(kube, widgets, size=0, color="blue")

    assert {field for field, _ in problems} >= {"spec.size", "spec.color"}


async def test_the_words_of_a_refusal(kube: KubeHttp, widgets: Resource) -> None:
    async def message(**spec: Any) -> str:
        response = await kube.client.post(kube.path(widgets), json=widget("a", **spec))
        return str(refused(response, 422, "Invalid")["details"]["causes"][0]["message"])

    assert await message(size=0) == "Invalid value: 0: spec.size in body should be greater than or equal to 1"
    assert await message(color="blue") == 'Unsupported value: "blue": supported values: "red", "green"'
    assert await message(code="A") == "Invalid value: \"A\": spec.code in body should match '^[a-z]+$'"
    assert await message(tags="x") == ('Invalid value: "string": spec.tags in body must be of type array: "string"')


async def test_what_the_schema_does_not_know_is_pruned(kube: KubeHttp, widgets: Resource) -> None:
    manifest = widget("a", surprise=1, parts=[{"name": "p", "surprise": 1}], free={"any": {"thing": 1}})
    manifest["surprise"] = 1

    created = await kube.create(widgets, manifest, fieldValidation="Ignore")

    assert "surprise" not in created
    assert created["spec"] == {"size": 1, "color": "red", "parts": [{"name": "p"}], "free": {"any": {"thing": 1}}}


async def test_unknown_fields_can_be_refused(kube: KubeHttp, widgets: Resource) -> None:
    query = {"fieldValidation": "Strict"}
    response = await kube.client.post(kube.path(widgets), json=widget("a", surprise=1), params=query)
    assert 'unknown field "spec.surprise"' in refused(response, 400, "BadRequest")["message"]

    warned = await kube.client.post(kube.path(widgets), json=widget("a", surprise=1))
    accepted(warned, 201)
    assert "unknown field" in warned.headers["warning"]


async def test_defaults_are_filled_in(kube: KubeHttp, widgets: Resource) -> None:
    created = await kube.create(widgets, widget("a"))
    assert created["spec"]["color"] == "red"
    nulled = await kube.create(widgets, widget("b", color=None))
    assert nulled["spec"]["color"] == "red"
    removed = accepted(await kube.patch(widgets, "a", [{"op": "remove", "path": "/spec/color"}], "json-patch+json"))
    assert removed["spec"]["color"] == "red"


async def test_null_is_kept_where_it_is_a_value(kube: KubeHttp, widgets: Resource) -> None:
    assert (await kube.create(widgets, widget("a", note=None)))["spec"]["note"] is None


async def test_null_is_in_no_list_of_values(kube: KubeHttp, widgets: Resource) -> None:
    response = await kube.client.post(kube.path(widgets), json=widget("a", grade=None))
    assert "spec.grade: Unsupported value: null" in refused(response, 422, "Invalid")["message"]
    assert (await kube.create(widgets, widget("a", grade="a")))["spec"]["grade"] == "a"


async def test_an_integer_or_a_string(kube: KubeHttp, widgets: Resource) -> None:
    for name, port in (("a", 80), ("b", "http")):
        assert (await kube.create(widgets, widget(name, port=port)))["spec"]["port"] == port


async def test_patches_and_status_are_validated_too(kube: KubeHttp, widgets: Resource) -> None:
    created = await kube.create(widgets, widget("a"))

    refused(await kube.patch(widgets, "a", {"spec": {"size": 99}}), 422, "Invalid")
    response = await kube.patch(widgets, "a", {"status": {"seen": "often"}}, subresource="status")
    refused(response, 422, "Invalid")
    assert await kube.get(widgets, "a") == created


async def test_names_and_labels_are_checked(kube: KubeHttp, widgets: Resource) -> None:
    for change, field in (
        ({"name": "Not_A_Name"}, "metadata.name"),
        ({"labels": {"a b": "x"}}, "metadata.labels"),
        ({"labels": {"a": "not a value"}}, "metadata.labels"),
        ({"annotations": {"a b": "x"}}, "metadata.annotations"),
    ):
        manifest = widget("a")
        manifest["metadata"] |= change
        status = refused(await kube.client.post(kube.path(widgets), json=manifest), 422, "Invalid")
        assert status["details"]["causes"][0]["field"] == field


async def test_metadata_of_the_wrong_type_is_refused(kube: KubeHttp, widgets: Resource) -> None:
    manifest = widget("a")
    manifest["metadata"]["labels"] = {"x": 1}

    refused(await kube.client.post(kube.path(widgets), json=manifest), 400, "BadRequest")


def fresh_definition() -> Manifest:
    """A definition in a group that no other test has."""
    definition = widget_definition()
    group = f"g{uuid.uuid4().hex[:8]}.example.com"
    definition["metadata"]["name"] = f"widgets.{group}"
    definition["spec"]["group"] = group
    return definition


async def test_a_definition_is_established_and_served_until_it_is_deleted(kube: KubeHttp) -> None:
    definition = fresh_definition()
    name, group = definition["metadata"]["name"], definition["spec"]["group"]
    path = f"/apis/{group}/v1/namespaces/{kube.namespace}/widgets"
    assert (await kube.client.get(path)).status_code == 404

    accepted(await kube.client.post(CRDS.path(), json=definition), 201)
    await kube.wait_for_answer(path, 200)
    status = accepted(await kube.client.get(CRDS.path(name=name)))["status"]
    conditions = {condition["type"]: condition["status"] for condition in status["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert (status["acceptedNames"]["kind"], status["storedVersions"]) == ("Widget", ["v1"])

    manifest = {**widget("a"), "apiVersion": f"{group}/v1"}
    accepted(await kube.client.post(path, json=manifest), 201)
    accepted(await kube.client.delete(CRDS.path(name=name)))
    await kube.wait_for_answer(path, 404)


def _no_schema(spec: Manifest) -> None:
    del spec["versions"][0]["schema"]


def _no_storage(spec: Manifest) -> None:
    spec["versions"][0]["storage"] = False


def _other_group(spec: Manifest) -> None:
    spec["group"] = "other.example.com"


def _no_scope(spec: Manifest) -> None:
    del spec["scope"]


def _untyped(spec: Manifest) -> None:
    spec["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["size"] = {"minimum": 1}


def _array_of_nothing(spec: Manifest) -> None:
    spec["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["tags"] = {"type": "array"}


@pytest.mark.parametrize("spoil", [_no_schema, _no_storage, _other_group, _no_scope, _untyped, _array_of_nothing])
async def test_a_definition_that_can_not_be_is_refused(kube: KubeHttp, spoil: Any) -> None:
    definition = copy.deepcopy(fresh_definition())
    spoil(definition["spec"])

    status = refused(await kube.client.post(CRDS.path(), json=definition), 422, "Invalid")

    assert status["details"]["kind"] == "CustomResourceDefinition"


async def test_the_definition_of_a_cluster_is_accepted_without_remark(kube: KubeHttp) -> None:
    definition = crd()
    query = {"fieldValidation": "Strict"}

    response = await kube.client.post(CRDS.path(), json=definition, params=query)

    if response.status_code != 409:  # another test of this run made it
        accepted(response, 201)
    await kube.wait_for_answer(kube.path(DASKCLUSTERS), 200)
    manifest = {
        "apiVersion": DASKCLUSTERS.api_version,
        "kind": DASKCLUSTERS.kind,
        "metadata": {"name": "a"},
        "spec": {"username": "alice", "replicas": -1},
    }
    status = refused(await kube.client.post(kube.path(DASKCLUSTERS), json=manifest), 422, "Invalid")
    assert status["details"]["causes"][0]["field"] == "spec.replicas"
