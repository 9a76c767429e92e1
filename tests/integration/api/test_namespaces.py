"""Clusters in several backend namespaces, or in all."""

from functools import partial

import pytest

from gateway_common import informer
from gateway_common.configuration.groups import KubeSettings
from gateway_common.resources import DASKCLUSTERS
from gateway_local.apiserver.faults import Fault
from tests.kit.api import INSTANCE, running_api
from tests.kit.clusters import as_new, dask_cluster
from tests.kit.kube import KubeServer


@pytest.mark.parametrize("kube_server", ["embedded"], indirect=True)
async def test_a_namespace_that_was_lost_costs_no_other_and_nobody_hears_that_its_clusters_are_gone(
    kube_server: KubeServer, kube: KubeSettings, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kube_server.embedded
    monkeypatch.setattr(informer, "WatchTiming", partial(informer.WatchTiming, longest_refusal=0.1))
    lost = "dask-lost"
    kube_server.embedded.faults.add(Fault(path=f"/namespaces/{lost}/", code=403, message="not yours"))
    async with running_api(kube, namespace, namespaces=[lost, namespace], backend={"namespace": namespace}) as api:
        alice = api.user("alice")
        cluster = await api.create(alice)
        assert list((await alice.get("/api/v1/clusters/")).json()) == [str(cluster)]
        unknown = await alice.get(f"/api/v1/clusters/{lost}.0123456789abcdef0123456789abcdef")
        assert unknown.status_code == 503


async def test_in_all_namespaces_clusters_are_found_wherever_they_are(kube: KubeSettings, namespace: str) -> None:
    async with running_api(kube, namespace, namespaces=["*"], backend={"namespace": namespace}) as api:
        alice = api.user("alice")
        cluster = await api.create(alice)
        manifest = as_new(dask_cluster(namespace=namespace, instance=INSTANCE, user="alice"))
        made = await api.kube.create(DASKCLUSTERS, manifest)

        other = f"{namespace}.{made['metadata']['name']}"
        assert (await alice.get(f"/api/v1/clusters/{other}")).json()["status"] == "PENDING"
        assert (await alice.get("/api/v1/clusters/")).json().keys() >= {str(cluster), other}
        missing = await alice.get("/api/v1/clusters/nowhere.0123456789abcdef0123456789abcdef")
        assert missing.status_code == 404


async def test_a_namespace_that_does_not_exist_is_named(
    kube_server: KubeServer, kube: KubeSettings, namespace: str
) -> None:
    if kube_server.embedded is None:
        pytest.skip("this machinery lacks the part of Kubernetes that looks whether the namespace is there")
    async with running_api(
        kube, namespace, namespaces=[namespace, "no-such-place"], backend={"namespace": "no-such-place"}
    ) as api:
        answer = await api.user("alice").post("/api/v1/clusters/", json={})

        assert answer.status_code == 422
        assert answer.json()["error"] == (
            "namespace: there is no namespace 'no-such-place' in Kubernetes, and the gateway makes none. "
            "Ask its operator to make it."
        )
