"""Server-side apply: fields have owners, and owners may quarrel."""

from typing import Any

from gateway_common.resources import CONFIGMAPS, PODS, SERVICES, Resource
from tests.contract.kube.widgets import config_map, pod, widget
from tests.kit.kube import KubeHttp, Manifest, accepted, refused

APPLY = "apply-patch+yaml"


async def apply(
    kube: KubeHttp, resource: Resource, manifest: Manifest, manager: str, code: int = 200, **query: str
) -> Manifest:
    name = manifest["metadata"]["name"]
    response = await kube.patch(resource, name, manifest, APPLY, fieldManager=manager, **query)
    return accepted(response, code)


def owners(manifest: Manifest) -> dict[tuple[str, str], Any]:
    """(manager, operation) -> fields."""
    return {
        (entry["manager"], entry["operation"]): entry["fieldsV1"] for entry in manifest["metadata"]["managedFields"]
    }


async def test_apply_creates_what_is_not_there(kube: KubeHttp) -> None:
    created = await apply(kube, CONFIGMAPS, config_map("a", x="1"), "one", 201)

    (entry,) = created["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("one", "Apply")
    assert (entry["apiVersion"], entry["fieldsType"]) == ("v1", "FieldsV1")
    assert entry["fieldsV1"] == {"f:data": {"f:x": {}}}


async def test_apply_again_changes_nothing(kube: KubeHttp) -> None:
    created = await apply(kube, CONFIGMAPS, config_map("a", x="1"), "one", 201)

    assert await apply(kube, CONFIGMAPS, config_map("a", x="1"), "one") == created


async def test_apply_again_changes_nothing_after_others_have_written(kube: KubeHttp) -> None:
    await apply(kube, CONFIGMAPS, config_map("a", x="1"), "one", 201)
    accepted(await kube.patch(CONFIGMAPS, "a", {"data": {"z": "1"}}, fieldManager="another"))
    accepted(await kube.patch(CONFIGMAPS, "a", {"data": {"y": "1"}}, fieldManager="other"))
    before = await kube.get(CONFIGMAPS, "a")

    assert await apply(kube, CONFIGMAPS, config_map("a", x="1"), "one") == before
    assert [entry["manager"] for entry in before["metadata"]["managedFields"]] == ["one", "another", "other"]


async def test_apply_takes_away_what_it_no_longer_names(kube: KubeHttp) -> None:
    await apply(kube, CONFIGMAPS, config_map("a", {"l": "1"}, x="1", y="2"), "one", 201)

    applied = await apply(kube, CONFIGMAPS, config_map("a", y="2"), "one")

    assert applied["data"] == {"y": "2"}
    assert "labels" not in applied["metadata"]


async def test_apply_leaves_alone_what_others_own(kube: KubeHttp) -> None:
    await apply(kube, CONFIGMAPS, config_map("a", x="1"), "one", 201)
    applied = await apply(kube, CONFIGMAPS, config_map("a", y="2"), "two")
    assert applied["data"] == {"x": "1", "y": "2"}

    applied = await apply(kube, CONFIGMAPS, config_map("a"), "two")
    assert applied["data"] == {"x": "1"}


async def test_the_same_value_is_owned_together(kube: KubeHttp) -> None:
    await apply(kube, CONFIGMAPS, config_map("a", x="1"), "one", 201)
    shared = await apply(kube, CONFIGMAPS, config_map("a", x="1"), "two")
    assert owners(shared) == {
        ("one", "Apply"): {"f:data": {"f:x": {}}},
        ("two", "Apply"): {"f:data": {"f:x": {}}},
    }

    assert (await apply(kube, CONFIGMAPS, config_map("a"), "two"))["data"] == {"x": "1"}


async def test_another_value_conflicts(kube: KubeHttp) -> None:
    await apply(kube, CONFIGMAPS, config_map("a", x="1", y="1"), "one", 201)

    response = await kube.patch(CONFIGMAPS, "a", config_map("a", x="2"), APPLY, fieldManager="two")

    status = refused(response, 409, "Conflict")
    assert status["message"] == 'Apply failed with 1 conflict: conflict with "one": .data.x'
    assert status["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "one"', "field": ".data.x"}
    ]
    response = await kube.patch(CONFIGMAPS, "a", config_map("a", x="2", y="2"), APPLY, fieldManager="two")
    assert refused(response, 409, "Conflict")["message"] == (
        'Apply failed with 2 conflicts: conflicts with "one":\n- .data.x\n- .data.y'
    )


async def test_force_takes_the_field_over(kube: KubeHttp) -> None:
    await apply(kube, CONFIGMAPS, config_map("a", x="1", y="1"), "one", 201)

    forced = await apply(kube, CONFIGMAPS, config_map("a", x="2"), "two", force="true")

    assert forced["data"] == {"x": "2", "y": "1"}
    assert owners(forced) == {
        ("one", "Apply"): {"f:data": {"f:y": {}}},
        ("two", "Apply"): {"f:data": {"f:x": {}}},
    }


async def test_an_update_owns_what_it_writes(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("a", x="1"), fieldManager="creator")
    accepted(await kube.patch(CONFIGMAPS, "a", {"data": {"y": "1"}}, fieldManager="patcher"))

    response = await kube.patch(CONFIGMAPS, "a", config_map("a", x="2", y="2"), APPLY, fieldManager="applier")

    causes = refused(response, 409, "Conflict")["details"]["causes"]
    assert {(cause["message"], cause["field"]) for cause in causes} == {
        ('conflict with "creator" using v1', ".data.x"),
        ('conflict with "patcher" using v1', ".data.y"),
    }


async def test_an_update_takes_an_appliers_field(kube: KubeHttp) -> None:
    await apply(kube, CONFIGMAPS, config_map("a", x="1", y="1"), "one", 201)
    accepted(await kube.patch(CONFIGMAPS, "a", {"data": {"x": "2"}}, fieldManager="two"))

    response = await kube.patch(CONFIGMAPS, "a", config_map("a", x="1", y="1"), APPLY, fieldManager="one")

    assert 'conflict with "two" using v1: .data.x' in refused(response, 409, "Conflict")["message"]


async def test_keyed_lists_have_an_owner_for_each_item(kube: KubeHttp) -> None:
    def with_container(name: str) -> Manifest:
        return pod("a", containers=[{"name": name, "image": "none:1"}])

    await apply(kube, PODS, with_container("main"), "one", 201)

    both = await apply(kube, PODS, with_container("side"), "two", dryRun="All") if kube.embedded is None else None

    if both is not None:  # the embedded one refuses to add a container to a pod, as a cluster does
        assert [container["name"] for container in both["spec"]["containers"]] == ["main", "side"]


async def test_ports_merge_by_port_and_protocol(kube: KubeHttp) -> None:
    def service(**ports: int) -> Manifest:
        items = [{"name": name, "port": port, "protocol": "TCP", "targetPort": port} for name, port in ports.items()]
        spec = {"clusterIP": "None", "ports": items}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": spec}

    await apply(kube, SERVICES, service(a=1, b=2), "one", 201)
    both = await apply(kube, SERVICES, service(c=3), "two")
    assert [port["port"] for port in both["spec"]["ports"]] == [1, 2, 3]

    fewer = await apply(kube, SERVICES, service(b=2), "one")
    assert [port["port"] for port in fewer["spec"]["ports"]] == [2, 3]
    key = 'k:{"port":3,"protocol":"TCP"}'
    assert key in owners(fewer)["two", "Apply"]["f:spec"]["f:ports"]


async def test_a_custom_resource_is_applied_by_its_schema(kube: KubeHttp, widgets: Resource) -> None:
    await apply(kube, widgets, widget("a", parts=[{"name": "p", "weight": 1}], tags=["x"]), "one", 201)
    other = widget("a", parts=[{"name": "q", "weight": 2}])

    applied = await apply(kube, widgets, other, "two")

    assert applied["spec"]["parts"] == [{"name": "p", "weight": 1}, {"name": "q", "weight": 2}]
    assert applied["spec"]["tags"] == ["x"]
    assert applied["metadata"]["generation"] == 2
    response = await kube.patch(widgets, "a", widget("a", size=2), APPLY, fieldManager="two")
    assert ".spec.size" in refused(response, 409, "Conflict")["message"]
    response = await kube.patch(widgets, "a", widget("a", tags=["y"]), APPLY, fieldManager="two")
    assert ".spec.tags" in refused(response, 409, "Conflict")["message"]


async def test_defaults_belong_to_nobody_and_go_with_what_they_are_in(kube: KubeHttp, widgets: Resource) -> None:
    probed = widget("a", probe={"ask": {"path": "/"}})
    created = await apply(kube, widgets, probed, "one", 201)
    assert created["spec"]["probe"] == {"scheme": "http", "ask": {"path": "/", "retries": 3}}
    probe = {"f:ask": {"f:path": {}}}
    assert owners(created) == {("one", "Apply"): {"f:spec": {"f:size": {}, "f:probe": probe}}}
    assert await apply(kube, widgets, probed, "one") == created

    assert (await apply(kube, widgets, widget("a"), "one"))["spec"] == {"size": 1, "color": "red"}


async def test_what_another_owns_keeps_that_in_which_it_is(kube: KubeHttp, widgets: Resource) -> None:
    await apply(kube, widgets, widget("a", probe={"ask": {"path": "/"}}, limits={"a": 1}), "one", 201)
    await apply(kube, widgets, widget("a", probe={"scheme": "http"}, limits={"b": 2}), "two")

    fewer = await apply(kube, widgets, widget("a"), "one")

    assert fewer["spec"] == {"size": 1, "color": "red", "probe": {"scheme": "http"}, "limits": {"b": 2}}
    assert (await apply(kube, widgets, widget("a"), "two"))["spec"] == {"size": 1, "color": "red"}


async def test_what_is_applied_empty_is_kept(kube: KubeHttp, widgets: Resource) -> None:
    await apply(kube, widgets, widget("a", probe={"ask": {"path": "/"}}), "one", 201)

    empty = await apply(kube, widgets, widget("a", probe={"ask": {}}), "one")
    assert empty["spec"]["probe"] == {"scheme": "http", "ask": {"retries": 3}}

    emptier = await apply(kube, widgets, widget("a", probe={}), "one")
    assert emptier["spec"]["probe"] == {"scheme": "http"}


async def test_status_is_applied_by_its_subresource(kube: KubeHttp, widgets: Resource) -> None:
    await kube.create(widgets, widget("a"), fieldManager="creator")
    manifest = {**widget("a", size=7), "status": {"phase": "Here"}}
    response = await kube.patch(widgets, "a", manifest, APPLY, fieldManager="one", subresource="status")

    applied = accepted(response)

    assert (applied["spec"]["size"], applied["status"]) == (1, {"phase": "Here"})
    (entry,) = (e for e in applied["metadata"]["managedFields"] if e["manager"] == "one")
    assert (entry["subresource"], entry["fieldsV1"]) == ("status", {"f:status": {"f:phase": {}}})


async def test_apply_needs_to_know_who_and_what(kube: KubeHttp) -> None:
    status = refused(await kube.patch(CONFIGMAPS, "a", config_map("a"), APPLY), 422, "Invalid")
    assert "is required for apply patch" in status["message"]

    nameless = {"metadata": {"name": "a"}, "data": {}}
    refused(await kube.patch(CONFIGMAPS, "a", nameless, APPLY, fieldManager="one"), 400, "BadRequest")
    refused(await kube.patch(CONFIGMAPS, "a", config_map("b"), APPLY, fieldManager="one"), 400, "BadRequest")


async def test_apply_takes_no_unknown_fields(kube: KubeHttp, widgets: Resource) -> None:
    for resource, manifest in (
        (CONFIGMAPS, {**config_map("a"), "surprise": 1}),
        (widgets, widget("a", surprise=1)),
    ):
        response = await kube.patch(resource, "a", manifest, APPLY, fieldManager="one")
        assert response.status_code == 500
        assert "surprise: field not declared in schema" in response.json()["message"]


async def test_apply_may_insist_on_a_version(kube: KubeHttp) -> None:
    await apply(kube, CONFIGMAPS, config_map("a", x="1"), "one", 201)
    manifest = config_map("a", x="2")
    manifest["metadata"]["resourceVersion"] = "1"

    response = await kube.patch(CONFIGMAPS, "a", manifest, APPLY, fieldManager="one")

    refused(response, 409, "Conflict")


async def test_apply_does_not_set_managed_fields(kube: KubeHttp) -> None:
    created = await apply(kube, CONFIGMAPS, config_map("a", x="1"), "one", 201)
    manifest = config_map("a")
    manifest["metadata"]["managedFields"] = created["metadata"]["managedFields"]

    response = await kube.patch(CONFIGMAPS, "a", manifest, APPLY, fieldManager="two")

    assert "metadata.managedFields must be nil" in refused(response, 400, "BadRequest")["message"]
