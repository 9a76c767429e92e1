"""Get, list, selectors, pages, discovery: what a client can read, and in which words it is refused."""

import re
from typing import Any

import pytest

from gateway_common.resources import CONFIGMAPS, PODS, SECRETS, Resource
from tests.contract.kube.widgets import WIDGETS, config_map, pod, widget
from tests.kit.kube import KubeHttp, accepted, refused


def names(listing: dict[str, Any]) -> list[str]:
    return [item["metadata"]["name"] for item in listing["items"]]


async def fill(kube: KubeHttp, *manifests: dict[str, Any]) -> None:
    for manifest in manifests:
        await kube.create(CONFIGMAPS, manifest)


async def test_an_object_is_read_as_it_was_created(kube: KubeHttp) -> None:
    created = await kube.create(CONFIGMAPS, config_map("a", x="1"))

    assert await kube.get(CONFIGMAPS, "a") == created
    assert (created["apiVersion"], created["kind"]) == ("v1", "ConfigMap")


async def test_what_is_not_there_is_not_found(kube: KubeHttp) -> None:
    status = refused(await kube.client.get(kube.path(PODS, "a")), 404, "NotFound")

    assert status["message"] == 'pods "a" not found'
    assert status["details"] == {"name": "a", "kind": "pods"}


async def test_a_custom_resource_is_named_with_its_group(kube: KubeHttp, widgets: Resource) -> None:
    status = refused(await kube.client.get(kube.path(widgets, "a")), 404, "NotFound")

    assert status["message"] == 'widgets.contract.example.com "a" not found'
    assert status["details"] == {"name": "a", "group": "contract.example.com", "kind": "widgets"}


async def test_a_path_that_leads_nowhere_is_not_found(kube: KubeHttp) -> None:
    for path in ("/api/v1/namespaces/x/nothings", "/apis/nobody.example.com/v1/things", "/api/v2/pods"):
        assert (await kube.client.get(path)).status_code == 404


async def test_a_list_names_its_kind_and_its_version(kube: KubeHttp) -> None:
    await fill(kube, config_map("b"), config_map("a"))

    listing = await kube.list(CONFIGMAPS)

    assert (listing["kind"], listing["apiVersion"]) == ("ConfigMapList", "v1")
    assert names(listing) == ["a", "b"]
    last = max(int(item["metadata"]["resourceVersion"]) for item in listing["items"])
    assert int(listing["metadata"]["resourceVersion"]) >= last


async def test_an_empty_list_is_a_list(kube: KubeHttp, widgets: Resource) -> None:
    listing = await kube.list(widgets)

    assert (listing["kind"], listing["items"]) == ("WidgetList", [])


async def test_a_list_without_a_namespace_spans_all(kube: KubeHttp) -> None:
    await fill(kube, config_map("a"))

    listing = accepted(await kube.client.get(CONFIGMAPS.path()))

    assert (kube.namespace, "a") in {
        (item["metadata"]["namespace"], item["metadata"]["name"]) for item in listing["items"]
    }


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        ("app=x", ["a", "b"]),
        ("app==x,tier=web", ["a"]),
        ("tier!=web", ["b", "c"]),
        ("tier", ["a"]),
        ("!tier", ["b", "c"]),
        ("app in (x,y)", ["a", "b", "c"]),
        ("app notin (x)", ["c"]),
        ("app in (x), tier notin (web)", ["b"]),
        ("app=", []),
        ("", ["a", "b", "c"]),
    ],
)
async def test_labels_select(kube: KubeHttp, selector: str, expected: list[str]) -> None:
    await fill(
        kube,
        config_map("a", {"app": "x", "tier": "web"}),
        config_map("b", {"app": "x"}),
        config_map("c", {"app": "y"}),
    )

    assert names(await kube.list(CONFIGMAPS, labelSelector=selector)) == expected


async def test_a_label_selector_that_is_none_is_refused(kube: KubeHttp) -> None:
    for selector in ("a=(", "a in b", "=x", "a in (b", "a=b,"):
        query = {"labelSelector": selector}
        response = await kube.client.get(kube.path(CONFIGMAPS), params=query)
        refused(response, 400, "BadRequest")


async def test_fields_select(kube: KubeHttp) -> None:
    await kube.create(PODS, pod("a", nodeName="n1"))
    await kube.create(PODS, pod("b"))

    assert names(await kube.list(PODS, fieldSelector="metadata.name=a")) == ["a"]
    assert names(await kube.list(PODS, fieldSelector="metadata.name!=a")) == ["b"]
    assert names(await kube.list(PODS, fieldSelector="spec.nodeName=n1")) == ["a"]
    assert names(await kube.list(PODS, fieldSelector="spec.nodeName=,status.phase=Pending")) == ["b"]


async def test_a_custom_resource_is_selected_by_its_metadata_only(kube: KubeHttp, widgets: Resource) -> None:
    await kube.create(widgets, widget("a"))

    assert names(await kube.list(widgets, fieldSelector="metadata.name=a")) == ["a"]
    response = await kube.client.get(kube.path(widgets), params={"fieldSelector": "spec.size=1"})
    assert "field label not supported: spec.size" in refused(response, 400, "BadRequest")["message"]


async def test_a_field_selector_that_is_none_is_refused(kube: KubeHttp) -> None:
    refused(await kube.client.get(kube.path(PODS), params={"fieldSelector": "nonsense"}), 400, "BadRequest")


async def test_pages_together_are_the_list(kube: KubeHttp) -> None:
    await fill(kube, *(config_map(f"c{i}") for i in range(5)))

    first = await kube.list(CONFIGMAPS, limit="2")
    token = first["metadata"]["continue"]
    second = await kube.list(CONFIGMAPS, limit="2", **{"continue": token})
    third = await kube.list(CONFIGMAPS, limit="2", **{"continue": second["metadata"]["continue"]})

    assert [*names(first), *names(second), *names(third)] == [f"c{i}" for i in range(5)]
    assert (first["metadata"]["remainingItemCount"], second["metadata"]["remainingItemCount"]) == (3, 1)
    assert "continue" not in third["metadata"]
    assert "remainingItemCount" not in third["metadata"]


async def test_later_pages_are_of_the_same_moment(kube: KubeHttp) -> None:
    await fill(kube, *(config_map(f"c{i}") for i in range(4)))

    first = await kube.list(CONFIGMAPS, limit="2")
    await kube.delete(CONFIGMAPS, "c3")
    await kube.patch(CONFIGMAPS, "c2", {"data": {"x": "new"}})
    await fill(kube, config_map("c4"))
    second = await kube.list(CONFIGMAPS, limit="5", **{"continue": first["metadata"]["continue"]})

    assert names(second) == ["c2", "c3"]
    assert second["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    assert "x" not in second["items"][0].get("data", {})


async def test_pages_of_a_selection_are_full(kube: KubeHttp) -> None:
    await fill(kube, *(config_map(f"c{i}", {"odd": str(i % 2)}) for i in range(6)))

    first = await kube.list(CONFIGMAPS, limit="2", labelSelector="odd=1")
    rest = await kube.list(CONFIGMAPS, labelSelector="odd=1", **{"continue": first["metadata"]["continue"]})

    assert (names(first), names(rest)) == (["c1", "c3"], ["c5"])
    assert "remainingItemCount" not in first["metadata"]


async def test_a_continue_token_that_is_none_is_refused(kube: KubeHttp) -> None:
    response = await kube.client.get(kube.path(CONFIGMAPS), params={"continue": "nonsense", "limit": "1"})

    assert "continue key is not valid" in refused(response, 400, "BadRequest")["message"]


async def test_the_past_can_be_listed_exactly(kube: KubeHttp) -> None:
    await fill(kube, config_map("a"))
    version = (await kube.list(CONFIGMAPS))["metadata"]["resourceVersion"]
    await fill(kube, config_map("b"))

    exact = await kube.list(CONFIGMAPS, resourceVersion=version, resourceVersionMatch="Exact")
    newer = await kube.list(CONFIGMAPS, resourceVersion=version, resourceVersionMatch="NotOlderThan")

    assert (names(exact), names(newer)) == (["a"], ["a", "b"])
    assert exact["metadata"]["resourceVersion"] == version


async def test_a_version_that_nobody_has_seen_yet_times_out(kube: KubeHttp) -> None:
    query = {"resourceVersion": str(2**60)}
    status = refused(await kube.client.get(kube.path(CONFIGMAPS), params=query), 504, "Timeout")

    assert "Too large resource version" in status["message"]
    assert status["details"]["causes"][0]["reason"] == "ResourceVersionTooLarge"


async def test_list_options_that_contradict_each_other_are_refused(kube: KubeHttp) -> None:
    for query in (
        {"resourceVersionMatch": "Exact"},
        {"resourceVersionMatch": "Exact", "resourceVersion": "0"},
        {"resourceVersionMatch": "Sometimes", "resourceVersion": "1"},
    ):
        refused(await kube.client.get(kube.path(CONFIGMAPS), params=query), 422, "Invalid")
    for query in ({"resourceVersion": "yesterday"}, {"limit": "many"}):
        assert (await kube.client.get(kube.path(CONFIGMAPS), params=query)).status_code in (400, 422)


async def test_a_client_may_ask_for_a_table(kube: KubeHttp, widgets: Resource) -> None:
    await kube.create(widgets, widget("a", size=3))
    accept = {"accept": "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"}

    table = accepted(await kube.client.get(kube.path(widgets), headers=accept))

    assert (table["kind"], table["apiVersion"]) == ("Table", "meta.k8s.io/v1")
    assert [column["name"] for column in table["columnDefinitions"]] == ["Name", "Size", "Age"]
    assert table["rows"][0]["cells"][:2] == ["a", 3]
    assert re.fullmatch(r"\d+s", table["rows"][0]["cells"][2])
    assert table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"


async def test_a_client_may_ask_for_metadata_alone(kube: KubeHttp) -> None:
    await fill(kube, config_map("a", x="1"))
    accept = {"accept": "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io"}

    listing = accepted(await kube.client.get(kube.path(CONFIGMAPS), headers=accept))

    assert listing["kind"] == "PartialObjectMetadataList"
    assert names(listing) == ["a"]
    assert "data" not in listing["items"][0]


async def test_only_what_can_be_written_is_offered(kube: KubeHttp) -> None:
    response = await kube.client.get(kube.path(CONFIGMAPS), headers={"accept": "application/xml"})

    refused(response, 406, "NotAcceptable")


async def test_discovery_names_groups_versions_and_resources(kube: KubeHttp, widgets: Resource) -> None:
    assert "v1" in accepted(await kube.client.get("/api"))["versions"]

    custom = await kube.wait_for_answer("/apis/contract.example.com/v1", 200)
    groups = {group["name"] for group in accepted(await kube.client.get("/apis"))["groups"]}
    assert {"apiextensions.k8s.io", "coordination.k8s.io", "contract.example.com"} <= groups
    core = {resource["name"]: resource for resource in accepted(await kube.client.get("/api/v1"))["resources"]}
    assert core["pods"]["kind"] == "Pod"
    assert core["pods"]["namespaced"] is True
    assert core["namespaces"]["namespaced"] is False
    assert core["pods"]["shortNames"] == ["po"]
    assert set(core["pods"]["verbs"]) == {
        "create", "delete", "deletecollection", "get", "list", "patch", "update", "watch",
    }  # fmt: skip
    assert "pods/status" in core
    assert "secrets/status" not in core
    assert [resource["name"] for resource in custom["resources"]] == ["widgets", "widgets/status", "widgets/scale"]
    assert custom["resources"][0]["shortNames"] == ["wd"]


async def test_discovery_knows_nothing_of_groups_that_are_not_served(kube: KubeHttp) -> None:
    assert (await kube.client.get("/apis/nobody.example.com/v1")).status_code == 404
    assert (await kube.client.get("/apis/nobody.example.com")).status_code == 404


async def test_the_version_is_told_with_and_without_a_slash(kube: KubeHttp) -> None:
    for path in ("/version", "/version/"):
        assert accepted(await kube.client.get(path))["major"] == "1"


async def test_openapi_says_that_the_server_validates_fields(kube: KubeHttp) -> None:
    index = accepted(await kube.client.get("/openapi/v3"))
    document = accepted(await kube.client.get(index["paths"]["api/v1"]["serverRelativeURL"]))

    patch = document["paths"]["/api/v1/namespaces/{namespace}/pods/{name}"]["patch"]
    assert "fieldValidation" in {parameter["name"] for parameter in patch["parameters"]}
    assert patch["x-kubernetes-group-version-kind"] == {"group": "", "version": "v1", "kind": "Pod"}


async def test_methods_that_a_path_does_not_have_are_not_allowed(kube: KubeHttp) -> None:
    for method, path in (
        ("PUT", kube.path(CONFIGMAPS)),
        ("POST", kube.path(CONFIGMAPS, "a")),
        ("POST", CONFIGMAPS.path()),
        ("PATCH", kube.path(SECRETS)),
    ):
        refused(await kube.client.request(method, path, json={}), 405, "MethodNotAllowed")


async def test_subresources_that_a_kind_does_not_have_are_not_found(kube: KubeHttp) -> None:
    await fill(kube, config_map("a"))

    for subresource in ("status", "scale", "nonsense"):
        assert (await kube.client.get(kube.path(CONFIGMAPS, "a", subresource))).status_code == 404


async def test_the_same_widget_is_there_for_every_reader(kube: KubeHttp, widgets: Resource) -> None:
    created = await kube.create(WIDGETS, widget("a"))

    assert (await kube.list(widgets))["items"] == [created]
