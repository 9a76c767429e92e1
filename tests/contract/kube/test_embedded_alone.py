"""What only the embedded server is asked, because the real machinery at hand has no controllers, no kubelet's logs, no
validation of core kinds, takes any token, and its etcd (3.5.1) is too old for bookmarks."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway_common.configuration.groups import KubeSettings
from gateway_common.kube import KubeClient
from gateway_common.resources import CONFIGMAPS, CRDS, LEASES, NAMESPACES, PODS, SERVICES, Resource
from gateway_local.apiserver.podlogs import LogRequest
from gateway_local.apiserver.server import ApiServer
from tests.contract.kube.widgets import config_map, pod, widget, widget_definition
from tests.kit.kube import TOKEN, KubeHttp, KubeServer, Manifest, accepted, embedded_kubernetes, kube_http, refused
from tests.kit.waiting import until


@pytest.fixture
def kube_server(embedded_kube_server: KubeServer) -> KubeServer:
    return embedded_kube_server


@pytest.fixture
def server(embedded_kube_server: KubeServer) -> ApiServer:
    assert embedded_kube_server.embedded is not None
    return embedded_kube_server.embedded


def owned(manifest: Manifest, *owners: Manifest, block: bool = True) -> Manifest:
    manifest["metadata"]["ownerReferences"] = [
        {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "blockOwnerDeletion": block,
        }
        for owner in owners
    ]
    return manifest


def exists(kube: KubeHttp, resource: Resource, name: str) -> bool:
    assert kube.embedded is not None
    return kube.embedded.objects.get(resource, kube.namespace, name) is not None


class TestGarbage:
    async def test_dependents_follow_their_owner(self, kube: KubeHttp) -> None:
        top = await kube.create(CONFIGMAPS, config_map("top"))
        middle = await kube.create(PODS, owned(pod("middle"), top))
        await kube.create(CONFIGMAPS, owned(config_map("leaf"), middle))
        await kube.create(CONFIGMAPS, config_map("stranger"))

        accepted(await kube.delete(CONFIGMAPS, "top"))

        await until(lambda: not exists(kube, CONFIGMAPS, "leaf"))
        assert not exists(kube, PODS, "middle")
        assert exists(kube, CONFIGMAPS, "stranger")

    async def test_a_dependent_stays_while_one_owner_lives(self, kube: KubeHttp) -> None:
        owners = [await kube.create(CONFIGMAPS, config_map(name)) for name in ("a", "b")]
        await kube.create(CONFIGMAPS, owned(config_map("leaf"), *owners))

        await kube.delete(CONFIGMAPS, "a")
        assert kube.embedded is not None
        objects = kube.embedded.objects

        def references() -> list[str]:
            leaf = objects.get(CONFIGMAPS, kube.namespace, "leaf")
            return [r["name"] for r in leaf["metadata"]["ownerReferences"]] if leaf else []

        await until(lambda: references() == ["b"])
        await kube.delete(CONFIGMAPS, "b")
        await until(lambda: not exists(kube, CONFIGMAPS, "leaf"))

    async def test_an_object_whose_owner_never_was_goes(self, kube: KubeHttp) -> None:
        ghost = config_map("ghost")
        ghost["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
        await kube.create(CONFIGMAPS, owned(config_map("leaf"), ghost))

        await until(lambda: not exists(kube, CONFIGMAPS, "leaf"))

    async def test_an_owner_in_another_namespace_is_no_owner(self, kube: KubeHttp) -> None:
        response = await kube.client.post(CONFIGMAPS.path("default"), json=config_map("top"))
        await kube.create(CONFIGMAPS, owned(config_map("leaf"), accepted(response, 201)))

        await until(lambda: not exists(kube, CONFIGMAPS, "leaf"))

    async def test_foreground_keeps_the_owner_until_its_dependents_are_gone(self, kube: KubeHttp) -> None:
        top = await kube.create(CONFIGMAPS, config_map("top"))
        leaf = owned(config_map("leaf"), top)
        leaf["metadata"]["finalizers"] = ["example.com/wait"]
        await kube.create(CONFIGMAPS, leaf)

        accepted(await kube.delete(CONFIGMAPS, "top", propagationPolicy="Foreground"))

        assert kube.embedded is not None
        objects = kube.embedded.objects

        def is_marked() -> bool:
            found = objects.get(CONFIGMAPS, kube.namespace, "leaf")
            return found is not None and "deletionTimestamp" in found["metadata"]

        await until(is_marked)
        assert exists(kube, CONFIGMAPS, "top")
        accepted(await kube.patch(CONFIGMAPS, "leaf", {"metadata": {"finalizers": None}}))
        await until(lambda: not exists(kube, CONFIGMAPS, "top"))

    async def test_orphans_stay(self, kube: KubeHttp) -> None:
        top = await kube.create(CONFIGMAPS, config_map("top"))
        await kube.create(CONFIGMAPS, owned(config_map("leaf"), top))

        accepted(await kube.delete(CONFIGMAPS, "top", propagationPolicy="Orphan"))

        await until(lambda: not exists(kube, CONFIGMAPS, "top"))
        assert "ownerReferences" not in (await kube.get(CONFIGMAPS, "leaf"))["metadata"]


class TestNamespaces:
    async def test_nothing_is_made_in_a_namespace_that_is_not_there(self, kube: KubeHttp) -> None:
        response = await kube.client.post(CONFIGMAPS.path("nowhere"), json=config_map("a"))

        assert refused(response, 404, "NotFound")["message"] == 'namespaces "nowhere" not found'

    async def test_a_deleted_namespace_takes_its_objects_along(self, kube: KubeHttp, widgets: Resource) -> None:
        await kube.create(CONFIGMAPS, config_map("a"))
        await kube.create(widgets, widget("a"))

        marked = accepted(await kube.client.delete(NAMESPACES.path(name=kube.namespace)))

        assert marked["status"]["phase"] == "Terminating"
        assert kube.embedded is not None
        objects = kube.embedded.objects
        await until(lambda: objects.get(NAMESPACES, "", kube.namespace) is None)
        assert not exists(kube, CONFIGMAPS, "a")
        assert not exists(kube, widgets, "a")

    async def test_a_namespace_waits_for_what_is_held(self, kube: KubeHttp) -> None:
        held = config_map("a")
        held["metadata"]["finalizers"] = ["example.com/wait"]
        await kube.create(CONFIGMAPS, held)
        await kube.client.delete(NAMESPACES.path(name=kube.namespace))

        response = await kube.client.post(kube.path(CONFIGMAPS), json=config_map("b"))

        status = refused(response, 403, "Forbidden")
        assert status["details"]["causes"][0]["reason"] == "NamespaceTerminating"
        accepted(await kube.patch(CONFIGMAPS, "a", {"metadata": {"finalizers": None}}))
        assert kube.embedded is not None
        objects = kube.embedded.objects
        await until(lambda: objects.get(NAMESPACES, "", kube.namespace) is None)

    async def test_a_deleted_definition_takes_its_objects_along(self, kube: KubeHttp, widgets: Resource) -> None:
        manifest = widget("a")
        manifest["metadata"]["finalizers"] = ["example.com/wait"]
        await kube.create(widgets, manifest)
        name = widget_definition()["metadata"]["name"]

        accepted(await kube.client.delete(CRDS.path(name=name)))
        assert (await kube.client.get(kube.path(widgets, "a"))).status_code == 200
        accepted(await kube.patch(widgets, "a", {"metadata": {"finalizers": None}}))

        await kube.wait_for_answer(kube.path(widgets), 404)


class TestPods:
    async def test_a_pod_without_a_node_goes_at_once(self, kube: KubeHttp) -> None:
        await kube.create(PODS, pod("a"))

        assert accepted(await kube.delete(PODS, "a"))["kind"] == "Status"
        assert not exists(kube, PODS, "a")

    async def test_a_pod_on_a_node_is_given_time(self, kube: KubeHttp, server: ApiServer) -> None:
        await kube.create(PODS, pod("a", nodeName="n", terminationGracePeriodSeconds=20))

        marked = accepted(await kube.delete(PODS, "a"))["metadata"]
        assert marked["deletionGracePeriodSeconds"] == 20
        assert marked["deletionTimestamp"] > marked["creationTimestamp"]
        longer = accepted(await kube.delete(PODS, "a", gracePeriodSeconds=60))["metadata"]
        shorter = accepted(await kube.delete(PODS, "a", gracePeriodSeconds=5))["metadata"]
        assert (longer["deletionGracePeriodSeconds"], shorter["deletionGracePeriodSeconds"]) == (20, 5)

        server.objects.delete(PODS, kube.namespace, "a", grace_period_seconds=0)  # the kubelet's word
        refused(await kube.client.get(kube.path(PODS, "a")), 404, "NotFound")

    async def test_a_pod_that_is_over_goes_at_once(self, kube: KubeHttp) -> None:
        await kube.create(PODS, pod("a", nodeName="n"))
        await kube.patch(PODS, "a", {"status": {"phase": "Succeeded"}}, subresource="status")

        accepted(await kube.delete(PODS, "a"))

        assert not exists(kube, PODS, "a")

    @pytest.mark.parametrize(
        ("spec", "field"),
        [
            ({"containers": []}, "spec.containers"),
            ({"containers": [{"name": "main"}]}, "spec.containers[0].image"),
            ({"containers": [{"name": "Main", "image": "x"}]}, "spec.containers[0].name"),
            ({"restartPolicy": "Sometimes"}, "spec.restartPolicy"),
            (
                {"containers": [{"name": "main", "image": "x", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]},
                "spec.containers[0].volumeMounts[0].name",
            ),
        ],
        ids=str,
    )
    async def test_a_pod_that_could_not_run_is_refused(self, kube: KubeHttp, spec: dict[str, Any], field: str) -> None:
        status = refused(await kube.client.post(kube.path(PODS), json=pod("a", **spec)), 422, "Invalid")

        assert field in [cause["field"] for cause in status["details"]["causes"]]

    async def test_a_pod_is_put_on_a_node_once_and_changes_little_else(self, kube: KubeHttp) -> None:
        await kube.create(PODS, pod("a"))

        accepted(await kube.patch(PODS, "a", {"spec": {"nodeName": "n"}}))
        for change in ({"nodeName": "m"}, {"restartPolicy": "Never"}):
            refused(await kube.patch(PODS, "a", {"spec": change}), 422, "Invalid")

    async def test_a_pods_log_comes_from_the_kubelet(self, kube: KubeHttp, server: ApiServer) -> None:
        class Source:
            def __init__(self) -> None:
                self.asked: list[LogRequest] = []

            async def read(self, request: LogRequest) -> bytes:
                self.asked.append(request)
                if request.previous:
                    raise LookupError("previous terminated container not found")
                return b"one\ntwo\n"

            async def follow(self, request: LogRequest) -> AsyncIterator[bytes]:
                yield b"one\n"
                yield b"two\n"

        await kube.create(PODS, pod("a"))
        path = kube.path(PODS, "a", "log")
        assert (await kube.client.get(path)).status_code == 500
        source = Source()
        server.register_log_source(source)

        answer = await kube.client.get(path, params={"tailLines": "5", "timestamps": "true"})
        assert (answer.text, answer.headers["content-type"]) == ("one\ntwo\n", "text/plain")
        assert source.asked == [LogRequest(kube.namespace, "a", "main", tail_lines=5, timestamps=True)]
        assert (await kube.client.get(path, params={"follow": "true"})).text == "one\ntwo\n"
        refused(await kube.client.get(path, params={"container": "other"}), 400, "BadRequest")
        refused(await kube.client.get(path, params={"previous": "true"}), 400, "BadRequest")
        refused(await kube.client.get(kube.path(PODS, "b", "log")), 404, "NotFound")


async def test_services_get_addresses_unless_they_are_headless(kube: KubeHttp) -> None:
    def service(name: str, **spec: Any) -> Manifest:
        spec = {"ports": [{"port": 80}], **spec}
        return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec}

    first = (await kube.create(SERVICES, service("a")))["spec"]
    second = (await kube.create(SERVICES, service("b")))["spec"]
    headless = (await kube.create(SERVICES, service("c", clusterIP="None")))["spec"]

    assert first["clusterIP"] != second["clusterIP"]
    assert headless["clusterIP"] == "None"
    assert first["ports"] == [{"port": 80, "protocol": "TCP", "targetPort": 80}]
    manifest = service("d", ports=[{"port": 1}, {"port": 2}])
    refused(await kube.client.post(kube.path(SERVICES), json=manifest), 422, "Invalid")


async def test_only_its_token_opens_the_server(kube: KubeHttp) -> None:
    for header in ("Bearer wrong", "Basic abc", f"Token {TOKEN}", "", "Bearer \xff"):
        headers = [(b"authorization", header.encode("latin-1"))]
        for path in (kube.path(PODS), "/api", "/version", "/nowhere"):
            assert (
                refused(await kube.client.get(path, headers=headers), 401, "Unauthorized")["message"] == "Unauthorized"
            )
    assert (await kube.client.get("/readyz")).text == "ok"


class TestBookmarks:
    async def test_a_watch_ends_with_a_bookmark(self, kube: KubeHttp) -> None:
        created = await kube.create(CONFIGMAPS, config_map("a"))

        async with kube.watch(CONFIGMAPS, allowWatchBookmarks="true", timeoutSeconds="1") as events:
            assert await events.names(1) == [("ADDED", "a")]
            type_, bookmark = await events.next()

        assert (type_, bookmark["kind"], bookmark["apiVersion"]) == ("BOOKMARK", "ConfigMap", "v1")
        assert int(bookmark["metadata"]["resourceVersion"]) >= int(created["metadata"]["resourceVersion"])

    async def test_a_quiet_watch_gets_one_now_and_then(self, kube: KubeHttp, server: ApiServer) -> None:
        server.endpoints.bookmark_interval = 0.05

        async with kube.watch(LEASES, allowWatchBookmarks="true") as events:
            first = await events.next()
            await kube.create(CONFIGMAPS, config_map("a"))
            second = await events.next()

        assert (first[0], second[0]) == ("BOOKMARK", "BOOKMARK")

    async def test_the_end_of_what_exists_is_marked(self, kube: KubeHttp) -> None:
        await kube.create(CONFIGMAPS, config_map("a"))
        query = {
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
            "allowWatchBookmarks": "true",
        }

        async with kube.watch(CONFIGMAPS, **query) as events:
            assert await events.names(1) == [("ADDED", "a")]
            type_, bookmark = await events.next()

        assert type_ == "BOOKMARK"
        assert bookmark["metadata"]["annotations"] == {"k8s.io/initial-events-end": "true"}


async def test_a_table_goes_on_as_rows(kube: KubeHttp) -> None:
    await kube.create(PODS, pod("a"))
    kube.client.headers["accept"] = "application/json;as=Table;v=v1;g=meta.k8s.io"

    async with kube.watch(PODS) as events:
        type_, table = await events.next()

    assert (type_, table["kind"], len(table["rows"])) == ("ADDED", "Table", 1)
    assert table["rows"][0]["cells"][:4] == ["a", "0/1", "Pending", 0]


async def test_a_history_of_few_changes_forgets_the_first(tmp_path: Path) -> None:
    async with embedded_kubernetes(tmp_path, history=3) as server, kube_http(server, "default") as kube:
        since = (await kube.list(CONFIGMAPS))["metadata"]["resourceVersion"]
        for name in "abc":
            await kube.create(CONFIGMAPS, config_map(name))
        async with kube.watch(CONFIGMAPS, resourceVersion=since) as events:
            assert len(await events.names(3)) == 3
        await kube.create(CONFIGMAPS, config_map("d"))
        async with kube.watch(CONFIGMAPS, resourceVersion=since) as events:
            assert (await events.next())[1]["code"] == 410


async def test_watches_end_when_the_server_does(kube: KubeHttp, server: ApiServer) -> None:
    async with kube.watch(CONFIGMAPS, resourceVersion="0") as events:
        await asyncio.wait_for(server.stop(), 5)
        with pytest.raises(StopAsyncIteration):
            await events.next()


async def test_a_body_that_is_too_large_is_refused(kube: KubeHttp) -> None:
    response = await kube.client.post(kube.path(CONFIGMAPS), json=config_map("a", x="x" * 4_000_000))

    refused(response, 413, "RequestEntityTooLarge")


@pytest.mark.parametrize("keyword", ["x-kubernetes-validations", "two versions"])
async def test_definitions_beyond_this_server_are_refused(kube: KubeHttp, keyword: str) -> None:
    definition = widget_definition()
    version = definition["spec"]["versions"][0]
    if keyword == "two versions":
        definition["spec"]["versions"].append({**version, "name": "v2", "storage": False})
    else:
        version["schema"]["openAPIV3Schema"][keyword] = [{"rule": "true"}]

    response = await kube.client.post(CRDS.path(), json=definition)

    refused(response, 422, "Invalid")


async def test_nonsense_is_refused_and_breaks_nothing(kube: KubeHttp) -> None:
    for resource, manifest in (
        (PODS, {**pod("a"), "spec": {"containers": [None]}}),
        (PODS, {**pod("a"), "metadata": {"name": "a", "managedFields": [None]}}),
        (CONFIGMAPS, {"metadata": None}),
        (CONFIGMAPS, {**config_map("a"), "binaryData": {"x": "é"}}),
        (CRDS, {"metadata": {"name": "a"}, "spec": {"versions": [None]}}),
        (CRDS, {"metadata": {"name": "a"}, "spec": None}),
    ):
        response = await kube.client.post(kube.path(resource), json=manifest)
        assert response.status_code in (400, 422), response.text
    await kube.create(CONFIGMAPS, config_map("a"))
    for preconditions in ("x", {"uid": 1}):
        refused(await kube.delete(CONFIGMAPS, "a", preconditions=preconditions), 400, "BadRequest")
    body = json.dumps({**config_map("a"), "data": {"x": 2**70}})
    response = await kube.client.patch(
        kube.path(CONFIGMAPS, "a"),
        content=body,
        headers={"content-type": "application/apply-patch+yaml"},
        params={"fieldManager": "one"},
    )
    refused(response, 400, "BadRequest")


async def test_a_kubeconfig_is_all_that_a_client_needs(kube_server: KubeServer) -> None:
    client = await KubeClient.connect(KubeSettings(kubeconfig=kube_server.kubeconfig))
    try:
        assert kube_server.kubeconfig.stat().st_mode & 0o077 == 0
        created = await client.create(CONFIGMAPS, config_map("a"), namespace="default")
        assert await client.get(CONFIGMAPS, "a", namespace="default") == created
    finally:
        await client.close()
