"""Create, update and delete: what is set, what is kept, and what is refused."""

import pytest

from gateway_common.resources import CONFIGMAPS, LEASES, PODS, SECRETS, Resource
from tests.contract.kube.widgets import config_map, pod, widget
from tests.kit.kube import KubeHttp, Manifest, accepted, refused

STALE = "the object has been modified; please apply your changes to the latest version and try again"


async def test_create_gives_an_identity(kube: KubeHttp) -> None:
    created = await kube.create(PODS, pod("a"))

    meta = created["metadata"]
    assert meta["namespace"] == kube.namespace
    assert len(meta["uid"]) == 36
    assert meta["creationTimestamp"].endswith("Z")
    assert int(meta["resourceVersion"]) > 0
    assert meta["generation"] == 1
    assert created["status"]["phase"] == "Pending"


async def test_create_ignores_what_the_server_decides(kube: KubeHttp) -> None:
    manifest = pod("a")
    manifest["metadata"] |= {"uid": "mine", "generation": 7, "creationTimestamp": "2000-01-01T00:00:00Z"}
    manifest["status"] = {"phase": "Running"}

    created = await kube.create(PODS, manifest)

    assert created["metadata"]["uid"] != "mine"
    assert created["metadata"]["generation"] == 1
    assert not created["metadata"]["creationTimestamp"].startswith("2000")
    assert created["status"]["phase"] == "Pending"


async def test_a_name_can_be_generated(kube: KubeHttp) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"generateName": "a-"}}

    made = {(await kube.create(CONFIGMAPS, manifest))["metadata"]["name"] for _ in range(3)}

    assert len(made) == 3
    assert all(name.startswith("a-") and len(name) == 7 for name in made)


async def test_a_name_is_needed(kube: KubeHttp) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {}}
    status = refused(await kube.client.post(kube.path(CONFIGMAPS), json=manifest), 422, "Invalid")

    assert "name or generateName is required" in status["message"]


async def test_a_name_is_taken_once(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("a"))
    status = refused(await kube.client.post(kube.path(CONFIGMAPS), json=config_map("a")), 409, "AlreadyExists")

    assert status["message"] == 'configmaps "a" already exists'
    assert status["details"] == {"name": "a", "kind": "configmaps"}


async def test_a_secret_gets_a_type_and_its_texts_encoded(kube: KubeHttp) -> None:
    manifest = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "stringData": {"x": "1"}}

    created = await kube.create(SECRETS, manifest)

    assert (created["type"], created["data"]) == ("Opaque", {"x": "MQ=="})
    assert "stringData" not in created


async def test_a_body_in_yaml_is_read(kube: KubeHttp) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {x: '1'}\n"
    headers = {"content-type": "application/yaml"}

    accepted(await kube.client.post(kube.path(CONFIGMAPS), content=text, headers=headers), 201)

    assert (await kube.get(CONFIGMAPS, "a"))["data"] == {"x": "1"}


async def test_a_body_that_is_no_json_is_refused(kube: KubeHttp) -> None:
    headers = {"content-type": "application/json"}
    for body in ("{", "[]", "1", ""):
        response = await kube.client.post(kube.path(CONFIGMAPS), content=body, headers=headers)
        assert response.status_code == 400, body


async def test_a_body_in_another_format_is_refused(kube: KubeHttp) -> None:
    headers = {"content-type": "text/plain"}
    response = await kube.client.post(kube.path(CONFIGMAPS), content="{}", headers=headers)

    refused(response, 415, "UnsupportedMediaType")


async def test_a_body_of_another_kind_is_refused(kube: KubeHttp) -> None:
    refused(await kube.client.post(kube.path(CONFIGMAPS), json=pod("a")), 400, "BadRequest")
    other_version = {**config_map("a"), "apiVersion": "v7"}
    assert (await kube.client.post(kube.path(CONFIGMAPS), json=other_version)).status_code == 400


async def test_a_body_for_another_namespace_is_refused(kube: KubeHttp) -> None:
    manifest = config_map("a")
    manifest["metadata"]["namespace"] = "elsewhere"
    status = refused(await kube.client.post(kube.path(CONFIGMAPS), json=manifest), 400, "BadRequest")

    assert "does not match the namespace" in status["message"]


async def test_values_of_the_wrong_type_are_refused(kube: KubeHttp) -> None:
    for manifest in (
        {**config_map("a"), "data": {"x": 1}},
        {**config_map("a"), "data": ["x"]},
        {**config_map("a"), "metadata": {"name": "a", "labels": {"x": 1}}},
    ):
        status = refused(await kube.client.post(kube.path(CONFIGMAPS), json=manifest), 400, "BadRequest")
        assert "cannot unmarshal" in status["message"]
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}, "data": {"x": "not base64!"}}
    refused(await kube.client.post(kube.path(SECRETS), json=secret), 400, "BadRequest")


async def test_unknown_fields_are_dropped_warned_of_or_refused(kube: KubeHttp) -> None:
    manifest = {**config_map("a"), "surprise": 1}
    path = kube.path(CONFIGMAPS)

    strict = await kube.client.post(path, json=manifest, params={"fieldValidation": "Strict"})
    assert 'unknown field "surprise"' in refused(strict, 400, "BadRequest")["message"]
    warned = await kube.client.post(path, json=manifest, params={"fieldValidation": "Warn"})
    assert "surprise" not in accepted(warned, 201)
    assert 'unknown field \\"surprise\\"' in warned.headers["warning"]
    manifest["metadata"]["name"] = "b"
    quiet = await kube.client.post(path, json=manifest, params={"fieldValidation": "Ignore"})
    assert "surprise" not in accepted(quiet, 201)
    assert "warning" not in quiet.headers
    refused(await kube.client.post(path, json=manifest, params={"fieldValidation": "x"}), 422, "Invalid")


async def test_a_dry_run_answers_and_changes_nothing(kube: KubeHttp) -> None:
    dry = {"dryRun": "All"}
    created = await kube.create(CONFIGMAPS, config_map("a"), **dry)
    assert created["metadata"]["uid"]
    assert (await kube.list(CONFIGMAPS))["items"] == []

    before = await kube.create(CONFIGMAPS, config_map("a"))
    response = await kube.patch(CONFIGMAPS, "a", {"data": {"x": "1"}}, **dry)
    assert accepted(response)["data"] == {"x": "1"}
    accepted(await kube.client.request("DELETE", kube.path(CONFIGMAPS, "a"), params=dry))
    assert await kube.get(CONFIGMAPS, "a") == before
    response = await kube.client.post(kube.path(CONFIGMAPS), json=config_map("b"), params={"dryRun": "Some"})
    refused(response, 422, "Invalid")


async def test_update_replaces(kube: KubeHttp) -> None:
    created = await kube.create(CONFIGMAPS, config_map("a", {"l": "1"}, x="1"))
    manifest = {**created, "data": {"y": "2"}}
    del manifest["metadata"]["labels"]

    updated = accepted(await kube.client.put(kube.path(CONFIGMAPS, "a"), json=manifest))

    assert updated["data"] == {"y": "2"}
    assert "labels" not in updated["metadata"]
    assert int(updated["metadata"]["resourceVersion"]) > int(created["metadata"]["resourceVersion"])
    for kept in ("uid", "creationTimestamp"):
        assert updated["metadata"][kept] == created["metadata"][kept]


async def test_an_update_without_a_version_is_unconditional(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("a"))

    updated = accepted(await kube.client.put(kube.path(CONFIGMAPS, "a"), json=config_map("a", x="1")))

    assert updated["data"] == {"x": "1"}


async def test_an_update_of_a_stale_version_conflicts(kube: KubeHttp) -> None:
    created = await kube.create(CONFIGMAPS, config_map("a"))
    await kube.patch(CONFIGMAPS, "a", {"data": {"x": "1"}})

    status = refused(await kube.client.put(kube.path(CONFIGMAPS, "a"), json=created), 409, "Conflict")

    assert status["message"] == f'Operation cannot be fulfilled on configmaps "a": {STALE}'
    assert status["details"] == {"name": "a", "kind": "configmaps"}


async def test_an_update_that_changes_nothing_makes_no_version(kube: KubeHttp) -> None:
    created = await kube.create(CONFIGMAPS, config_map("a", x="1"))

    assert accepted(await kube.client.put(kube.path(CONFIGMAPS, "a"), json=created)) == created


async def test_an_update_of_another_life_conflicts(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("a"))
    manifest = config_map("a")
    manifest["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"

    status = refused(await kube.client.put(kube.path(CONFIGMAPS, "a"), json=manifest), 409, "Conflict")

    assert "Precondition failed: UID in precondition" in status["message"]


async def test_an_update_under_another_name_is_refused(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("a"))
    status = refused(await kube.client.put(kube.path(CONFIGMAPS, "a"), json=config_map("b")), 400, "BadRequest")

    assert status["message"] == "the name of the object (b) does not match the name on the URL (a)"


async def test_an_update_creates_nothing(kube: KubeHttp) -> None:
    refused(await kube.client.put(kube.path(CONFIGMAPS, "a"), json=config_map("a")), 404, "NotFound")


async def test_an_update_of_a_custom_resource_needs_a_version(kube: KubeHttp, widgets: Resource) -> None:
    await kube.create(widgets, widget("a"))
    status = refused(await kube.client.put(kube.path(widgets, "a"), json=widget("a")), 422, "Invalid")

    assert "metadata.resourceVersion" in status["message"]
    assert "must be specified for an update" in status["message"]


async def test_what_is_fixed_for_ever_stays(kube: KubeHttp, widgets: Resource) -> None:
    created = await kube.create(widgets, widget("a"))
    kept = dict(created["metadata"])
    created["metadata"] |= {"creationTimestamp": "2000-01-01T00:00:00Z", "generation": 7}

    updated = accepted(await kube.client.put(kube.path(widgets, "a"), json=created))

    assert updated["metadata"] == kept
    for change in ({"deletionTimestamp": "2100-01-01T00:00:00Z"}, {"uid": "other"}):
        status = refused(await kube.patch(widgets, "a", {"metadata": change}), 422, "Invalid")
        assert {cause["field"] for cause in status["details"]["causes"]} == {f"metadata.{key}" for key in change}


async def test_generation_counts_changes_of_the_spec(kube: KubeHttp, widgets: Resource) -> None:
    await kube.create(widgets, widget("a"))

    relabelled = accepted(await kube.patch(widgets, "a", {"metadata": {"labels": {"x": "y"}}}))
    resized = accepted(await kube.patch(widgets, "a", {"spec": {"size": 2}}))

    assert (relabelled["metadata"]["generation"], resized["metadata"]["generation"]) == (1, 2)


async def test_status_and_the_rest_are_written_apart(kube: KubeHttp, widgets: Resource) -> None:
    manifest = {**widget("a"), "status": {"phase": "Early"}}
    created = await kube.create(widgets, manifest)
    assert "status" not in created

    both = {"spec": {"size": 5}, "status": {"phase": "Here"}, "metadata": {"labels": {"x": "y"}}}
    by_status = accepted(await kube.patch(widgets, "a", both, subresource="status"))
    assert (by_status["spec"]["size"], by_status["status"]) == (1, {"phase": "Here"})
    assert by_status["metadata"]["generation"] == 1

    both = {"spec": {"size": 6}, "status": {"phase": "There"}}
    by_main = accepted(await kube.patch(widgets, "a", both))
    assert (by_main["spec"]["size"], by_main["status"]) == (6, {"phase": "Here"})

    read = accepted(await kube.client.get(kube.path(widgets, "a", "status")))
    assert read == by_main
    read["status"]["seen"] = 1
    read["spec"]["size"] = 9
    updated = accepted(await kube.client.put(kube.path(widgets, "a", "status"), json=read))
    assert (updated["spec"]["size"], updated["status"]) == (6, {"phase": "Here", "seen": 1})


async def test_a_pods_status_is_a_subresource(kube: KubeHttp) -> None:
    await kube.create(PODS, pod("a"))

    patched = accepted(await kube.patch(PODS, "a", {"status": {"phase": "Running"}}, subresource="status"))

    assert patched["status"]["phase"] == "Running"
    assert accepted(await kube.patch(PODS, "a", {"status": {"phase": "Failed"}}))["status"]["phase"] == "Running"


async def test_delete_says_what_is_gone(kube: KubeHttp) -> None:
    created = await kube.create(CONFIGMAPS, config_map("a"))

    status = accepted(await kube.delete(CONFIGMAPS, "a"))

    assert (status["kind"], status["status"]) == ("Status", "Success")
    assert status["details"] == {"name": "a", "kind": "configmaps", "uid": created["metadata"]["uid"]}
    refused(await kube.delete(CONFIGMAPS, "a"), 404, "NotFound")


async def test_a_delete_may_name_the_one_it_means(kube: KubeHttp) -> None:
    created = await kube.create(CONFIGMAPS, config_map("a"))
    uid, version = created["metadata"]["uid"], created["metadata"]["resourceVersion"]
    await kube.patch(CONFIGMAPS, "a", {"data": {"x": "1"}})

    for preconditions in ({"uid": "00000000-0000-0000-0000-000000000000"}, {"resourceVersion": version}):
        status = refused(await kube.delete(CONFIGMAPS, "a", preconditions=preconditions), 409, "Conflict")
        assert "in the precondition" in status["message"]
        assert status["details"] == {"name": "a", "kind": "ConfigMap"}
    accepted(await kube.delete(CONFIGMAPS, "a", preconditions={"uid": uid}))


async def test_finalizers_hold_an_object(kube: KubeHttp) -> None:
    manifest = config_map("a")
    manifest["metadata"]["finalizers"] = ["example.com/one", "example.com/two"]
    await kube.create(CONFIGMAPS, manifest)

    marked = accepted(await kube.delete(CONFIGMAPS, "a"))
    assert marked["kind"] == "ConfigMap"
    assert marked["metadata"]["deletionTimestamp"]
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 0

    again = accepted(await kube.delete(CONFIGMAPS, "a"))
    assert again["metadata"]["deletionTimestamp"] == marked["metadata"]["deletionTimestamp"]
    accepted(await kube.patch(CONFIGMAPS, "a", {"metadata": {"finalizers": ["example.com/two"]}}))
    assert (await kube.get(CONFIGMAPS, "a"))["metadata"]["deletionTimestamp"]
    accepted(await kube.patch(CONFIGMAPS, "a", {"metadata": {"finalizers": None}}))
    refused(await kube.client.get(kube.path(CONFIGMAPS, "a")), 404, "NotFound")


async def test_a_deleted_object_takes_no_new_finalizers(kube: KubeHttp) -> None:
    manifest = config_map("a")
    manifest["metadata"]["finalizers"] = ["example.com/one"]
    await kube.create(CONFIGMAPS, manifest)
    await kube.delete(CONFIGMAPS, "a")

    response = await kube.patch(CONFIGMAPS, "a", {"metadata": {"finalizers": ["example.com/one", "example.com/two"]}})

    status = refused(response, 422, "Invalid")
    assert status["details"]["causes"][0]["field"] == "metadata.finalizers"
    assert "no new finalizers can be added" in status["message"]


@pytest.mark.parametrize(("policy", "finalizer"), [("Foreground", "foregroundDeletion"), ("Orphan", "orphan")])
async def test_propagation_is_left_to_the_garbage_collector(kube: KubeHttp, policy: str, finalizer: str) -> None:
    await kube.create(CONFIGMAPS, config_map("a"))

    marked = accepted(await kube.delete(CONFIGMAPS, "a", propagationPolicy=policy))

    assert finalizer in marked["metadata"]["finalizers"]
    assert marked["metadata"]["deletionTimestamp"]


async def test_delete_options_that_are_none_are_refused(kube: KubeHttp) -> None:
    await kube.create(CONFIGMAPS, config_map("a"))

    for options in (
        {"propagationPolicy": "Sideways"},
        {"propagationPolicy": "Orphan", "orphanDependents": True},
        {"dryRun": ["Some"]},
    ):
        refused(await kube.delete(CONFIGMAPS, "a", **options), 422, "Invalid")
    assert await kube.get(CONFIGMAPS, "a")


async def test_a_collection_is_deleted_by_selector(kube: KubeHttp) -> None:
    for name, label in (("a", "x"), ("b", "x"), ("c", "y")):
        await kube.create(CONFIGMAPS, config_map(name, {"l": label}))

    response = await kube.client.request("DELETE", kube.path(CONFIGMAPS), params={"labelSelector": "l=x"})

    gone = accepted(response)
    assert [item["metadata"]["name"] for item in gone["items"]] == ["a", "b"]
    assert [item["metadata"]["name"] for item in (await kube.list(CONFIGMAPS))["items"]] == ["c"]


async def test_writes_of_all_kinds_get_growing_versions(kube: KubeHttp, widgets: Resource) -> None:
    first = await kube.create(CONFIGMAPS, config_map("a"))
    second = await kube.create(widgets, widget("a"))
    third = accepted(await kube.patch(CONFIGMAPS, "a", {"data": {"x": "1"}}))

    versions = [int(manifest["metadata"]["resourceVersion"]) for manifest in (first, second, third)]
    assert versions == sorted(set(versions))


async def test_a_lease_is_taken_by_one_of_those_that_saw_it_free(kube: KubeHttp) -> None:
    lease: Manifest = {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": {"name": "leader"}}
    await kube.create(LEASES, {**lease, "spec": {"holderIdentity": "", "leaseDurationSeconds": 10}})
    refused(await kube.client.post(kube.path(LEASES), json=lease), 409, "AlreadyExists")
    seen = [await kube.get(LEASES, "leader") for _ in range(2)]
    for identity, copy in zip("ab", seen, strict=True):
        copy["spec"] |= {"holderIdentity": identity, "renewTime": "2026-11-23T12:00:00.123456Z"}

    path = kube.path(LEASES, "leader")
    taken = accepted(await kube.client.put(path, json=seen[0]))
    refused(await kube.client.put(path, json=seen[1]), 409, "Conflict")

    assert taken["spec"]["renewTime"] == "2026-11-23T12:00:00.123456Z"
    stale = {"metadata": {"resourceVersion": seen[1]["metadata"]["resourceVersion"]}, "spec": seen[1]["spec"]}
    refused(await kube.patch(LEASES, "leader", stale), 409, "Conflict")
    assert (await kube.get(LEASES, "leader"))["spec"]["holderIdentity"] == "a"
