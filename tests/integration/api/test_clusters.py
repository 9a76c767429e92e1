"""Clusters from their creation to their end, as their user sees them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway_api.options.service import LONGEST_OPTIONS
from gateway_common.configuration.groups import KubeSettings
from gateway_common.model import Phase
from gateway_common.names import CLUSTER_LABEL, INSTANCE_LABEL, ClusterName, parse_cluster_name
from gateway_common.resources import DASKCLUSTERS
from tests.kit.api import INSTANCE, Api, running_api, two_replicas
from tests.kit.clusters import CERTIFICATE, PRIVATE_KEY, as_new, dask_cluster, set_status
from tests.kit.waiting import until

KEYS = ["name", "dashboard_route", "status", "start_time", "stop_time", "options", "tls_cert", "tls_key"]


@pytest.fixture
async def replicas(kube: KubeSettings, namespace: str) -> AsyncIterator[tuple[Api, Api]]:
    async with two_replicas(kube, namespace) as both:
        yield both


async def test_a_new_cluster_is_a_daskcluster_with_the_resolved_configuration(api: Api) -> None:
    cluster = await api.create(api.user("alice"), worker_cores=2, image="next")

    assert cluster.namespace == api.namespace
    assert len(cluster.name) == 32
    stored = await api.stored(cluster)
    assert stored["metadata"]["labels"][INSTANCE_LABEL] == INSTANCE
    assert stored["metadata"]["labels"][CLUSTER_LABEL] == cluster.name
    spec = stored["spec"]
    assert spec["username"] == "alice"
    assert spec["options"] == {"worker_cores": 2, "image": "next", "environment": {"TZ": "UTC"}}
    assert spec["config"]["image"] == "registry.example/next:1"
    assert spec["config"]["worker_cores"] == spec["config"]["worker_cores_limit"] == 2
    assert spec["config"]["namespace"] == api.namespace
    assert "active" not in spec
    assert spec["replicas"] == 0


async def test_a_read_right_after_the_creation_sees_a_pending_cluster_with_exactly_the_known_keys(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.create(alice)

    answer = await alice.get(f"/api/v1/clusters/{cluster}")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    report = answer.json()
    assert list(report) == KEYS
    assert report["name"] == str(cluster)
    assert report["status"] == "PENDING"
    assert report["start_time"] > 1_700_000_000_000
    assert report["options"] == {"worker_cores": 1, "image": "stable", "environment": {"TZ": "UTC"}}
    assert [report[key] for key in KEYS if key not in ("name", "status", "start_time", "options")] == [None] * 4


async def test_a_read_sees_what_another_replica_has_just_made(replicas: tuple[Api, Api]) -> None:
    one, other = replicas
    alice = one.user("alice")

    for _ in range(5):
        cluster = await one.create(alice)
        answer = await other.user("alice").get(f"/api/v1/clusters/{cluster}")
        assert answer.json()["status"] == "PENDING"


async def test_a_delete_right_after_the_creation_stops_the_cluster_on_every_replica(
    replicas: tuple[Api, Api],
) -> None:
    one, other = replicas
    for _ in range(5):
        cluster = await one.create(one.user("alice"))
        answer = await other.user("alice").delete(f"/api/v1/clusters/{cluster}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await one.stored(cluster))["spec"]["active"] is False


async def test_a_running_cluster_shows_its_dashboard_and_its_tls_pair(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.running_cluster(alice)

    report = (await alice.get(f"/api/v1/clusters/{cluster}")).json()

    assert list(report) == KEYS
    assert report["status"] == "RUNNING"
    assert report["dashboard_route"] == f"/clusters/{cluster}/status"
    assert (report["tls_cert"], report["tls_key"]) == (CERTIFICATE, PRIVATE_KEY)


async def test_a_list_has_the_callers_live_clusters_by_name_with_their_tls_pairs(api: Api) -> None:
    alice = api.user("alice")
    pending, running = await api.create(alice), await api.running_cluster(alice)
    stopped = await api.create(alice)
    await set_status(api.kube, stopped, phase="Stopped", completionTime="2026-11-23T10:00:00Z")
    await api.repository.refresh(stopped)
    await api.create(api.user("bob"))

    listed = (await alice.get("/api/v1/clusters/")).json()

    assert listed.keys() == {str(pending), str(running)}
    assert listed[str(running)]["tls_cert"] == CERTIFICATE
    assert listed[str(pending)] == (await alice.get(f"/api/v1/clusters/{pending}")).json()


async def test_finished_clusters_are_listed_when_asked_for_in_any_case(api: Api) -> None:
    alice = api.user("alice")
    await api.create(alice)
    stopped, failed = await api.create(alice), await api.create(alice)
    for cluster, phase in ((stopped, Phase.STOPPED), (failed, Phase.FAILED)):
        await set_status(api.kube, cluster, phase=phase, completionTime="2026-11-23T10:00:01Z")
        await api.repository.refresh(cluster)

    listed = (await alice.get("/api/v1/clusters/?status=Stopped,FAILED")).json()

    assert {name: report["status"] for name, report in listed.items()} == {
        str(stopped): "STOPPED",
        str(failed): "FAILED",
    }
    assert listed[str(failed)]["stop_time"] == 1_795_428_001_000


@pytest.mark.parametrize(("query", "word"), [("nonsense", "nonsense"), ("", ""), ("running,", ""), ("a b", "a b")])
async def test_a_state_that_does_not_exist_is_named(api: Api, query: str, word: str) -> None:
    answer = await api.user("alice").get("/api/v1/clusters/", params={"status": query})

    assert answer.status_code == 422
    assert answer.json() == {"error": f"'{word}' is not a valid ClusterStatus"}


async def test_another_users_cluster_can_be_neither_seen_nor_changed(api: Api) -> None:
    cluster = await api.running_cluster(api.user("alice"))
    bob = api.user("bob")
    url = f"/api/v1/clusters/{cluster}"

    answers = {
        "view": await bob.get(url),
        "stop": await bob.delete(url),
        "scale": await bob.post(f"{url}/scale", json={"count": 1}),
        "adapt": await bob.post(f"{url}/adapt", json={}),
    }

    for action, answer in answers.items():
        assert answer.status_code == 403
        assert answer.json() == {"error": f"User bob lacks permissions to {action} cluster {cluster}"}
    assert (await bob.get(f"{url}?wait")).status_code == 403
    assert (await bob.get("/api/v1/clusters/")).json() == {}


async def test_a_cluster_that_was_told_to_stop_is_stopping_at_once_and_can_be_told_again(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.running_cluster(alice)
    url = f"/api/v1/clusters/{cluster}"

    assert [(await alice.delete(url)).status_code for _ in range(3)] == [204] * 3

    assert (await alice.get(url)).json()["status"] == "STOPPING"
    assert (await alice.get("/api/v1/clusters/")).json() == {}


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "a.b.c",
        "%2E%2E",
        "%2E",
        "%00",
        "UPPER.case",
        "dask.%2e%2e%2fsecrets",
        "dask." + "x" * 300,
        "\N{SNOWMAN}.b",
        "other-namespace.0123456789abcdef0123456789abcdef",
        "NAMESPACE.0123456789abcdef0123456789abcdef",
    ],
)
async def test_a_name_of_any_shape_that_no_cluster_has_is_not_found(api: Api, name: str) -> None:
    alice = api.user("alice")
    url = f"/api/v1/clusters/{name.replace('NAMESPACE', api.namespace)}"

    for answer in (
        await alice.get(url),
        await alice.get(f"{url}?wait"),
        await alice.post(f"{url}/scale", json={"count": 1}),
        await alice.post(f"{url}/adapt", json={}),
    ):
        assert answer.status_code == 404, answer.text
        assert answer.json()["error"]
    assert (await alice.delete(url)).status_code in (204, 404)
    assert (await api.client().post(f"{url}/heartbeat", json={"count": 1})).status_code in (401, 404)


async def test_the_text_for_an_unknown_cluster_is_what_clients_know(api: Api) -> None:
    name = f"{api.namespace}.0123456789abcdef0123456789abcdef"
    alice = api.user("alice")

    assert (await alice.get(f"/api/v1/clusters/{name}")).json() == {"error": f"Cluster {name} not found"}
    assert (await alice.delete(f"/api/v1/clusters/{name}")).status_code == 204


async def test_a_cluster_of_another_installation_does_not_exist_here(api: Api) -> None:
    manifest = as_new(dask_cluster(namespace=api.namespace, instance="another"))
    made = await api.kube.create(DASKCLUSTERS, manifest)
    cluster = ClusterName(api.namespace, made["metadata"]["name"])

    assert (await api.user("alice").get(f"/api/v1/clusters/{cluster}")).status_code == 404
    assert (await api.user("alice").delete(f"/api/v1/clusters/{cluster}")).status_code == 204
    assert "active" not in (await api.stored(cluster))["spec"]


async def test_a_hand_made_cluster_of_this_installation_is_as_good_as_any(api: Api) -> None:
    manifest = as_new(dask_cluster(namespace=api.namespace, name="made-by-hand", instance=INSTANCE, user="alice"))
    await api.kube.create(DASKCLUSTERS, manifest)

    answer = await api.user("alice").get(f"/api/v1/clusters/{api.namespace}.made-by-hand")

    assert answer.json()["status"] == "PENDING"


async def test_a_wait_ends_when_the_cluster_runs(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.create(alice)
    waiting = asyncio.create_task(alice.get(f"/api/v1/clusters/{cluster}?wait"))
    await until(lambda: len(api.repository.waiters) == 1)

    await api.run(cluster)

    report = (await waiting).json()
    assert report["status"] == "RUNNING"
    assert report["tls_cert"] == CERTIFICATE
    assert len(api.repository.waiters) == 0


async def test_a_wait_ends_with_404_when_the_cluster_is_deleted(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.create(alice)
    waiting = asyncio.create_task(alice.get(f"/api/v1/clusters/{cluster}?wait=1"))
    await until(lambda: len(api.repository.waiters) == 1)

    await api.kube.delete(DASKCLUSTERS, cluster.name, namespace=cluster.namespace)

    assert (await waiting).status_code == 404


async def test_a_wait_ends_when_the_process_is_about_to_end(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.create(alice)
    waiting = asyncio.create_task(alice.get(f"/api/v1/clusters/{cluster}?wait"))
    await until(lambda: len(api.repository.waiters) == 1)

    api.app.state.waiters.close()

    assert (await waiting).json()["status"] == "PENDING"


@pytest.mark.parametrize("query", ["", "?wait=0", "?wait=no"])
async def test_without_a_wish_to_wait_the_answer_comes_at_once(api: Api, query: str) -> None:
    alice = api.user("alice")
    cluster = await api.create(alice)

    # each wait would take twenty seconds
    async with asyncio.timeout(60):
        for _ in range(4):
            assert (await alice.get(f"/api/v1/clusters/{cluster}{query}")).json()["status"] == "PENDING"


async def test_a_cluster_that_goes_away_disappears(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.running_cluster(alice)
    await alice.get(f"/api/v1/clusters/{cluster}")

    await api.kube.delete(DASKCLUSTERS, cluster.name, namespace=cluster.namespace)

    await until(lambda: api.repository.cached(cluster) is None)
    assert (await alice.get(f"/api/v1/clusters/{cluster}")).status_code == 404


async def test_many_clusters_made_and_stopped_at_once_are_all_stopped(replicas: tuple[Api, Api]) -> None:
    one, other = replicas
    alice, same_alice = one.user("alice"), other.user("alice")

    async def make_and_stop() -> ClusterName:
        cluster = await one.create(alice)
        assert (await same_alice.delete(f"/api/v1/clusters/{cluster}")).status_code == 204
        return cluster

    clusters = await asyncio.gather(*(make_and_stop() for _ in range(30)))

    for cluster in clusters:
        assert (await one.stored(cluster))["spec"]["active"] is False


async def test_a_caller_that_hangs_up_is_not_waited_for(api: Api) -> None:
    alice = api.user("alice")
    cluster = await api.create(alice)
    cookie = f"dask-gateway-session={alice.cookies['dask-gateway-session']}"
    hung_up = asyncio.Event()

    async def receive() -> dict[str, str]:
        await hung_up.wait()
        return {"type": "http.disconnect"}

    async def send(message: object) -> None:
        """Nobody hears it."""

    path = f"/api/v1/clusters/{cluster}"
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"wait",
        "root_path": "",
        "headers": [(b"cookie", cookie.encode())],
        "client": ("127.0.0.1", 1),
        "server": ("gateway", 80),
    }
    request = asyncio.create_task(api.app(scope, receive, send))
    await until(lambda: len(api.repository.waiters) == 1)

    hung_up.set()
    await request

    await until(lambda: len(api.repository.waiters) == 0)


async def test_a_new_cluster_has_the_image_of_the_users_notebook_where_the_operator_allows_it(
    kube: KubeSettings, namespace: str
) -> None:
    async with running_api(kube, namespace, notebook_images=["quay.io/pangeo/*"], backend={"image": "own:1"}) as api:
        alice = api.user("alice")

        async def image(body: dict[str, Any]) -> str:
            answer = await alice.post("/api/v1/clusters/", json=body)
            assert answer.status_code == 201, answer.text
            stored = await api.stored(parse_cluster_name(answer.json()["name"]))
            return str(stored["spec"]["config"]["image"])

        assert await image({"notebook_image": "quay.io/pangeo/pangeo-notebook:1"}) == "quay.io/pangeo/pangeo-notebook:1"
        assert await image({"notebook_image": "evil.example/notebook:1"}) == "own:1"
        assert await image({"notebook_image": None}) == await image({}) == "own:1"
        wrong = await alice.post("/api/v1/clusters/", json={"notebook_image": 7})
        assert wrong.status_code == 422


@pytest.mark.parametrize("version", ["v1", "v2"])
async def test_who_waits_for_a_cluster_that_can_not_start_is_told_why_before_its_pods_are_gone(
    api: Api, version: str
) -> None:
    alice = api.user("alice")
    cluster = await api.create(alice)
    waiting = asyncio.create_task(alice.get(f"/api/{version}/clusters/{cluster}?wait"))
    await until(lambda: len(api.repository.waiters) == 1)

    why = {"reason": "ImagePullBackOff", "message": "The scheduler can't start: its image can't be pulled: not found"}
    await set_status(api.kube, cluster, phase="Stopping", **why)

    answer = await waiting
    assert (answer.status_code, answer.json()) == (
        409,
        {"error": f"Cluster {cluster} failed to start: {why['message']}"},
    )
    # who only reads it reads it as ever
    read = await alice.get(f"/api/{version}/clusters/{cluster}")
    assert (read.status_code, read.json()["status"]) == (200, "STOPPING")


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ({"phase": "Failed", "reason": "OOMKilled", "schedulerAddress": "10.0.0.1"}, "FAILED"),
        ({"phase": "Stopped", "reason": "MaxLifetime"}, "STOPPED"),
    ],
)
async def test_a_cluster_that_has_run_or_was_stopped_is_no_error_to_who_waits_for_it(
    api: Api, status: dict[str, Any], shown: str
) -> None:
    alice = api.user("alice")
    cluster = await api.create(alice)
    await set_status(api.kube, cluster, **status, completionTime="2026-11-23T10:00:00Z")
    await api.repository.refresh(cluster)

    answer = await alice.get(f"/api/v1/clusters/{cluster}?wait")

    assert (answer.status_code, answer.json()["status"]) == (200, shown)


@pytest.mark.usefixtures("audited")
async def test_what_is_stored_of_a_users_wishes_has_a_limit(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    alice = api.user("alice")
    long = {"environment": {"A": "x" * LONGEST_OPTIONS}}
    answer = await alice.post("/api/v1/clusters/", json={"cluster_options": long})
    assert answer.status_code == 422
    assert answer.json()["error"].startswith("cluster_options: at most 65536 bytes are taken")
    assert "environment" in answer.json()["error"]

    wrong = {"environment": "é" * (LONGEST_OPTIONS // 4)}
    assert (await alice.post("/api/v1/clusters/", json={"cluster_options": wrong})).status_code == 422
    entries = [record.getMessage() for record in caplog.records if record.name == "dask_gateway.audit"]
    assert max(map(len, entries)) < 3000

    most = {"environment": {"A": "x" * (LONGEST_OPTIONS - 100)}}
    assert (await alice.post("/api/v1/clusters/", json={"cluster_options": most})).status_code == 201
