"""Helm installs, upgrades, rolls back and removes the chart, on Kubernetes' own API machinery.

It knows neither NetworkPolicies nor PodDisruptionBudgets, which are left out, and runs no pods.
"""

import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import helm_python
import httpx
import pytest

from gateway_common.crd import crd
from gateway_common.resources import CRDS, DASKCLUSTERS, NAMESPACES, Resource
from tests.kit.chart import CHART
from tests.kit.clusters import as_new, dask_cluster
from tests.kit.kube import KubeServer, Manifest, real_kubernetes, why_no_real_kubernetes
from tests.kit.waiting import until

NAMESPACE = "gw"
DEPLOYMENTS = Resource("apps", "v1", "deployments", "Deployment")
ROLES = Resource("rbac.authorization.k8s.io", "v1", "roles", "Role")
KINDS = [
    *(Resource("", "v1", f"{kind.lower()}s", kind) for kind in ("Secret", "ConfigMap", "Service", "ServiceAccount")),
    DEPLOYMENTS,
    ROLES,
    CRDS,
]
DEFINITION = "daskclusters.gateway.dask.org"


class Cluster:
    """A Kubernetes with Helm."""

    def __init__(self, server: KubeServer, helm: helm_python.Config) -> None:
        self._helm = helm
        self._http = httpx.Client(
            base_url=server.url,
            headers={"authorization": f"Bearer {server.token}"},
            verify=False,  # noqa: S501  # its certificate is its own
            trust_env=False,
        )

    def close(self) -> None:
        self._http.close()

    def install(self, release: str = "dg", **values: Any) -> Manifest:
        return self._helm.install(CHART, release, _without_policies(values), create_namespace=True)

    def upgrade(self, release: str = "dg", **values: Any) -> Manifest:
        return self._helm.upgrade(CHART, release, _without_policies(values))

    def rollback(self) -> None:
        self._helm.rollback("dg")

    def uninstall(self, release: str = "dg") -> None:
        self._helm.uninstall(release)

    def notes(self, release: str = "dg") -> str:
        return str(self._helm.get_all(release)["info"]["notes"])

    def post(self, resource: Resource, manifest: Manifest) -> None:
        """As Helm did it for those who have installed it before."""
        self._http.post(resource.path(), json=manifest, params={"fieldManager": "helm"}).raise_for_status()

    def patch(self, resource: Resource, name: str, patch: Manifest) -> None:
        headers = {"content-type": "application/merge-patch+json"}
        path = resource.path(NAMESPACE, name)
        self._http.patch(path, json=patch, headers=headers).raise_for_status()

    def get(self, resource: Resource, name: str) -> Manifest:
        found: Manifest = self._http.get(resource.path(NAMESPACE, name)).raise_for_status().json()
        return found

    async def delete(self, resource: Resource, name: str) -> None:
        """Return once it is gone."""
        path = resource.path(NAMESPACE, name)
        self._http.delete(path).raise_for_status()
        await until(lambda: self._http.get(path).status_code == httpx.codes.NOT_FOUND)

    def create_namespace(self, name: str) -> None:
        manifest = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        self._http.post(NAMESPACES.path(), json=manifest).raise_for_status()

    def create_dask_cluster(self, namespace: str, *, instance: str) -> str:
        manifest = as_new(dask_cluster(namespace=namespace, instance=instance))
        made = self._http.post(DASKCLUSTERS.path(namespace), json=manifest).raise_for_status().json()
        return str(made["metadata"]["name"])

    def end_dask_cluster(self, namespace: str, name: str) -> None:
        headers = {"content-type": "application/merge-patch+json"}
        path = DASKCLUSTERS.path(namespace, name, "status")
        self._http.patch(path, json={"status": {"phase": "Stopped"}}, headers=headers).raise_for_status()

    def versions(self) -> dict[str, str]:
        """The resourceVersions of all objects but Helm's own notes."""
        return {
            f"{resource.kind} {item['metadata']['name']}": item["metadata"]["resourceVersion"]
            for resource in KINDS
            for item in self._http.get(resource.path(NAMESPACE)).raise_for_status().json()["items"]
            if item.get("type") != "helm.sh/release.v1"
        }


def _without_policies(values: Manifest) -> Manifest:
    off = {"enabled": False}
    return {"networkPolicies": off, "podDisruptionBudgets": off, **values}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """One of its own: definitions are everybody's."""
    if reason := why_no_real_kubernetes():
        pytest.skip(reason)
    with (
        real_kubernetes(tmp_path) as server,
        helm_python.Config(kubeconfig_path=str(server.kubeconfig), namespace=NAMESPACE) as helm,
    ):
        cluster = Cluster(server, helm)
        yield cluster
        cluster.close()


def test_a_second_run_changes_nothing_and_a_rollback_brings_back_what_was(cluster: Cluster) -> None:
    assert cluster.install()["status"] == "deployed"
    first = cluster.versions()
    assert f"CustomResourceDefinition {DEFINITION}" in first
    assert "CustomResourceDefinition ingressroutes.traefik.io" in first
    cluster.upgrade()
    assert cluster.versions() == first

    cluster.upgrade(gateway={"loglevel": "DEBUG", "auth": {"simple": {"password": "secret"}}})
    changed = {name for name, version in cluster.versions().items() if first.get(name) != version}
    assert changed == {
        "Secret config-dg-dask-gateway",
        "Secret auth-dg-dask-gateway",
        *(f"Deployment {part}-dg-dask-gateway" for part in ("api", "auth", "controller")),
    }
    annotations = cluster.get(DEPLOYMENTS, "api-dg-dask-gateway")["spec"]["template"]["metadata"]["annotations"]
    cluster.rollback()
    before = cluster.get(DEPLOYMENTS, "api-dg-dask-gateway")["spec"]["template"]["metadata"]["annotations"]
    assert before != annotations


def test_what_users_have_outlives_the_release(cluster: Cluster) -> None:
    cluster.install()
    keys = cluster.get(KINDS[0], "signing-keys-dg-dask-gateway")["data"]
    cluster.upgrade(gateway={"loglevel": "DEBUG"})
    assert cluster.get(KINDS[0], "signing-keys-dg-dask-gateway")["data"] == keys, "nobody is signed out"
    cluster.uninstall()
    left = cluster.versions()
    assert left
    assert {name.partition(" ")[0] for name in left} == {"CustomResourceDefinition"}, "with all clusters' records"
    assert cluster.install()["status"] == "deployed"


def test_definitions_that_were_there_before_stay_and_can_be_handed_over(cluster: Cluster) -> None:
    old = crd()
    del old["spec"]["versions"][0]["additionalPrinterColumns"]
    cluster.post(CRDS, old)
    assert cluster.install()["status"] == "deployed"
    present = cluster.get(CRDS, DEFINITION)
    assert "additionalPrinterColumns" not in present["spec"]["versions"][0]

    (command,) = (line for line in cluster.notes().splitlines() if f"kubectl patch crd {DEFINITION}" in line)
    patch = json.loads(shlex.split(command)[-1])
    # Helm applies as what its program is called: here it is a library of another
    patch["metadata"]["managedFields"][0]["manager"] = "python"
    cluster.patch(CRDS, DEFINITION, patch)
    cluster.upgrade()
    assert "additionalPrinterColumns" in cluster.get(CRDS, DEFINITION)["spec"]["versions"][0]
    assert "kubectl patch" not in cluster.notes()


def test_two_releases_in_one_namespace_share_nothing_but_definitions(cluster: Cluster) -> None:
    cluster.install("one")
    first = cluster.versions()
    cluster.install("two")
    both = cluster.versions()
    assert {name: both[name] for name in first} == first
    names = {name.partition(" ")[2] for name in both.keys() - first.keys()}
    assert names
    assert all(name.endswith("-two-dask-gateway") for name in names)
    cluster.upgrade("one")
    cluster.upgrade("two")
    assert cluster.versions() == both
    cluster.uninstall("two")
    assert cluster.versions() == first


def test_a_namespace_is_not_left_while_clusters_run_in_it(cluster: Cluster) -> None:
    cluster.create_namespace("old")
    cluster.create_namespace("new")
    cluster.install(gateway={"backend": {"namespace": "old"}})
    name = cluster.create_dask_cluster("old", instance="dg-dask-gateway")
    cluster.create_dask_cluster("old", instance="another")
    with pytest.raises(helm_python.HelmError, match=f"cluster {name} still runs in old"):
        cluster.upgrade(gateway={"backend": {"namespace": "new"}})
    kept = {"backend": {"namespace": "new", "namespaces": ["new", "old"]}}
    assert cluster.upgrade(gateway=kept)["status"] == "deployed"
    cluster.end_dask_cluster("old", name)
    assert cluster.upgrade(gateway={"backend": {"namespace": "new"}})["status"] == "deployed"


async def test_definitions_that_somebody_deleted_keep_nobody_from_leaving_a_namespace(cluster: Cluster) -> None:
    cluster.create_namespace("old")
    cluster.install(gateway={"backend": {"namespace": "old"}})
    await cluster.delete(CRDS, DEFINITION)
    assert cluster.upgrade()["status"] == "deployed"
    assert cluster.get(CRDS, DEFINITION)["kind"] == "CustomResourceDefinition"


def test_a_controller_that_elects_nobody_is_gone_before_one_that_does_begins(cluster: Cluster) -> None:
    def strategy() -> str:
        return str(cluster.get(DEPLOYMENTS, "controller-dg-dask-gateway")["spec"]["strategy"]["type"])

    cluster.install(controller={"leaderElection": False})
    assert strategy() == "Recreate"
    cluster.upgrade()
    assert strategy() == "Recreate"
    cluster.upgrade()
    assert strategy() == "RollingUpdate"
