"""A namespace full of clusters that dask-gateway 2026.3.0 has made is taken over in place.

See tests/data/dask-gateway-2026.3.0/README.md for where they come from.
"""

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateway_common.config import stored_cluster_config
from gateway_common.configuration.groups import KubeSettings
from gateway_common.crd import crd
from gateway_common.kube import KubeClient
from gateway_common.names import (
    CLUSTER_LABEL,
    INSTANCE_LABEL,
    ClusterName,
    scheduler_pod_name,
    secret_name,
)
from gateway_common.resources import (
    CRDS,
    DASKCLUSTERS,
    INGRESSROUTES,
    INGRESSROUTETCPS,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICES,
)
from gateway_local.apiserver.objects import Objects
from gateway_local.kubelet import SimulatedKubelet
from gateway_local.scheduling import Scheduler
from tests.kit.api import INSTANCE, Api, running_api
from tests.kit.clusters import any_kind
from tests.kit.controller import RunningController, World
from tests.kit.kube import KubeServer
from tests.kit.pods import running
from tests.kit.scripted_server import scripted_server
from tests.kit.waiting import until

Manifest = dict[str, Any]
RECORDED = Path(__file__).parents[2] / "data/dask-gateway-2026.3.0/clusters.jsonl"
NAMESPACE = "dask"
KINDS = {resource.kind: resource for resource in (SECRETS, PODS, SERVICES, INGRESSROUTES, INGRESSROUTETCPS)}
V1_KEYS = ["name", "dashboard_route", "status", "start_time", "stop_time", "options", "tls_cert", "tls_key"]


def recorded() -> Iterator[Manifest]:
    for line in RECORDED.read_text().splitlines():
        entry = json.loads(line)
        for manifest in (entry["cluster"], *entry["children"]):
            manifest["metadata"]["labels"][INSTANCE_LABEL] = INSTANCE
        yield entry


@dataclass
class Inheritance:
    """What is there when our gateway is installed. `names` are those of the recorded clusters, by their titles."""

    server: KubeServer
    objects: Objects
    names: dict[str, str]

    @property
    def kube(self) -> KubeSettings:
        return KubeSettings(kubeconfig=self.server.kubeconfig)

    def cluster(self, title: str) -> ClusterName:
        return ClusterName(NAMESPACE, self.names[title])

    def status(self, title: str) -> Manifest:
        manifest = self.objects.get(DASKCLUSTERS, NAMESPACE, self.names[title])
        return dict((manifest or {}).get("status") or {})

    def uids(self, title: str) -> dict[str, str]:
        """Of all objects of a cluster, by their names."""
        found = {}
        for resource in KINDS.values():
            for manifest in self.objects.list(resource, NAMESPACE, f"{CLUSTER_LABEL}={self.names[title]}"):
                found[f"{resource.kind} {manifest['metadata']['name']}"] = manifest["metadata"]["uid"]
        return found


@pytest.fixture
async def inheritance(embedded_kube_server: KubeServer) -> AsyncIterator[Inheritance]:
    """Clusters as they were left, on an API server whose definition of DaskCluster is ours from now on."""
    server = embedded_kube_server.embedded
    assert server is not None
    objects = server.objects
    definition = any_kind(DASKCLUSTERS)
    definition["spec"]["versions"][0]["subresources"] = {"status": {}}
    objects.create(CRDS, definition)
    objects.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
    names = {entry["title"]: _leave(objects, entry) for entry in recorded()}
    async with running(Scheduler(objects), SimulatedKubelet(objects)):
        await until(lambda: all(pod["status"]["phase"] == "Running" for pod in objects.list(PODS)))
        current = objects.get(CRDS, "", definition["metadata"]["name"])
        assert current is not None
        objects.update(CRDS, {**current, "spec": crd()["spec"]})
        yield Inheritance(embedded_kube_server, objects, names)


def _leave(objects: Objects, entry: Manifest) -> str:
    """Make a recorded cluster and all that belongs to it; its name."""
    cluster = entry["cluster"]
    name: str = cluster["metadata"]["name"]
    created = objects.create(DASKCLUSTERS, cluster)
    uids = {f"uid-of-DaskCluster-{name}": created["metadata"]["uid"]}
    if "status" in cluster:
        objects.patch(DASKCLUSTERS, NAMESPACE, name, {"status": cluster["status"]}, "status")
    for child in entry["children"]:
        (owner,) = child["metadata"]["ownerReferences"]
        owner["uid"] = uids[owner["uid"]]
        made = objects.create(KINDS[child["kind"]], child)
        uids[f"uid-of-{child['kind']}-{child['metadata']['name']}"] = made["metadata"]["uid"]
    return name


@asynccontextmanager
async def taken_over(inheritance: Inheritance, **settings: Any) -> AsyncIterator[RunningController]:
    """Our controller runs."""
    client = await KubeClient.connect(inheritance.kube)
    world = World(client, inheritance.kube, NAMESPACE)
    try:
        yield await world.controller(**settings)
    finally:
        await world.close()
        await client.close()


async def reaches(inheritance: Inheritance, title: str, phase: str) -> None:
    await until(lambda: inheritance.status(title).get("phase") == phase)


async def test_a_running_cluster_goes_on_with_all_its_objects_and_workers(inheritance: Inheritance) -> None:
    before = inheritance.uids("running")
    assert len(before) == 8
    async with taken_over(inheritance) as controller:
        await until(lambda: "schedulerAddress" in inheritance.status("running"))
        await until(lambda: len(controller.controller.queue) == 0)
        assert inheritance.uids("running") == before
        assert inheritance.status("running")["phase"] == "Running"


async def test_what_had_only_begun_is_finished_with_what_is_there(inheritance: Inheritance) -> None:
    before = inheritance.uids("pending")
    assert len(before) == 2
    async with taken_over(inheritance):
        await reaches(inheritance, "pending", "Running")
        await reaches(inheritance, "just created", "Running")
    after = inheritance.uids("pending")
    assert len(after) == len(inheritance.uids("just created")) == 5
    assert before.items() <= after.items()


async def test_what_was_told_to_stop_is_stopped_and_leaves_nothing(inheritance: Inheritance) -> None:
    async with taken_over(inheritance):
        await reaches(inheritance, "stopping", "Stopped")
        await until(lambda: not inheritance.uids("stopping"))


async def test_records_stay_as_they_are_until_they_are_too_old(inheritance: Inheritance) -> None:
    before = {title: inheritance.status(title) for title in ("stopped", "failed")}
    async with taken_over(inheritance, completed_cluster_max_age=1e9) as controller:
        await reaches(inheritance, "just created", "Running")
        await until(lambda: len(controller.controller.queue) == 0)
        assert {title: inheritance.status(title) for title in before} == before
    async with taken_over(inheritance):  # they ended more than a day ago
        await until(lambda: not inheritance.status("stopped") and not inheritance.status("failed"))
    assert inheritance.status("running")["phase"] == "Running"


async def test_users_find_their_clusters_and_scale_and_stop_them(inheritance: Inheritance) -> None:
    cluster = inheritance.cluster("running")
    async with taken_over(inheritance), running_api(inheritance.kube, NAMESPACE) as api:
        await until(lambda: "schedulerAddress" in inheritance.status("running"))
        alice = api.user("alice")
        report = (await alice.get(f"/api/v1/clusters/{cluster}")).json()
        assert list(report) == V1_KEYS
        assert (report["status"], report["options"]) == ("RUNNING", {"image": "next"})
        assert report["tls_cert"] == f"the dask.crt of {secret_name(cluster.name)}"

        await _scale(inheritance, api, cluster)

        assert (await alice.delete(f"/api/v1/clusters/{cluster}")).status_code == 204
        await reaches(inheritance, "running", "Stopped")
        await until(lambda: not inheritance.uids("running"))


async def _scale(inheritance: Inheritance, api: Api, cluster: ClusterName) -> None:
    """By the user's word to the scheduler, whose heartbeat with the token that it has then brings the workers."""
    pod = inheritance.objects.get(PODS, NAMESPACE, scheduler_pod_name(cluster.name))
    assert pod is not None
    token = f"the api-token of {secret_name(cluster.name)}"
    async with scripted_server(api.scheduler.handle, api.scheduler.port, host=pod["status"]["podIP"]):
        answer = await api.user("alice").post(f"/api/v1/clusters/{cluster}/scale", json={"count": 5})
        assert answer.status_code == 200, answer.text
    assert api.scheduler.messages == [{"op": "scale", "count": 5}]
    assert api.scheduler.authorizations == [f"token {token}"]
    report = {"count": 5, "active_workers": [], "closing_workers": [], "closed_workers": []}
    scheduler = api.client(authorization=f"token {token}")
    answer = await scheduler.post(f"/api/v1/clusters/{cluster}/heartbeat", json=report)
    assert answer.status_code == 200, answer.text

    before = inheritance.uids("running")
    await until(lambda: len(inheritance.uids("running")) == 10)
    assert before.items() <= inheritance.uids("running").items()


async def test_statuses_are_those_that_released_clients_know(inheritance: Inheritance) -> None:
    expected = {
        "just created": "PENDING",
        "pending": "PENDING",
        "running": "RUNNING",
        "stopping": "STOPPING",
        "stopped": "STOPPED",
        "failed": "FAILED",
    }
    async with running_api(inheritance.kube, NAMESPACE) as api:
        listing = (
            await api.user("alice").get("/api/v1/clusters/", params={"status": ",".join(set(expected.values()))})
        ).json()
        statuses = {title: listing[str(inheritance.cluster(title))]["status"] for title in expected}
    assert statuses == expected
    assert listing[str(inheritance.cluster("stopped"))]["stop_time"] == 1795428000000


@pytest.mark.parametrize("entry", list(recorded()), ids=lambda entry: entry["title"])
def test_every_field_of_a_recorded_configuration_means_what_it_meant(entry: Manifest) -> None:
    stored = entry["cluster"]["spec"]["config"]
    config = stored_cluster_config(stored)
    assert {key: value for key, value in config.model_dump().items() if key in stored} == stored
    assert config.max_workers == stored["cluster_max_workers"]
