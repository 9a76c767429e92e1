"""Helm installs the chart into a cluster whose pods are processes: what it has deployed serves, and goes on serving."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from gateway_common.resources import PODS, SERVICES, Manifest
from gateway_local.cluster import Cluster, gateway_images
from gateway_local.resources import DEPLOYMENTS
from tests.integration.gateway.conftest import PASSWORD
from tests.kit.chart import CHART, FULLNAME, NAMESPACE, RELEASE
from tests.kit.end_to_end import ROOT, run
from tests.kit.helm import Helm, helm

VALUES: Manifest = yaml.safe_load((ROOT / "tests/e2e/values.yaml").read_text())
SERVICES_OF_OURS = ("api", "auth", "controller")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with Cluster(directory=tmp_path / "pods", images=gateway_images()) as cluster:
        yield cluster


@pytest.fixture
async def release(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Helm]:
    async with helm(cluster, tmp_path, CHART, RELEASE, NAMESPACE) as release:
        yield release


def variables(cluster: Cluster, directory: Path) -> dict[str, str]:
    """Where the end-to-end tests find the installation: at the address that NOTES.txt tells to look up."""
    service = cluster.objects.get(SERVICES, NAMESPACE, f"traefik-{FULLNAME}")
    assert service is not None
    return {
        "KUBECONFIG": str(cluster.server.kubeconfig(directory / "kubeconfig")),
        "GATEWAY_ADDRESS": f"http://{service['status']['loadBalancer']['ingress'][0]['ip']}",
        "GATEWAY_NAMESPACE": NAMESPACE,
    }


def pods_of(cluster: Cluster, service: str) -> set[str]:
    """The pods of a Deployment that are not on their way out."""
    deployment = cluster.objects.get(DEPLOYMENTS, NAMESPACE, f"{service}-{FULLNAME}")
    assert deployment is not None
    labels = deployment["spec"]["selector"]["matchLabels"]
    selector = ",".join(f"{name}={value}" for name, value in labels.items())
    found = cluster.objects.list(PODS, NAMESPACE, selector)
    return {pod["metadata"]["name"] for pod in found if "deletionTimestamp" not in pod["metadata"]}


@pytest.mark.timeout(600)
async def test_all_end_to_end_tests_pass_on_what_helm_has_installed(
    cluster: Cluster, release: Helm, tmp_path: Path, released_environment: Path
) -> None:
    await release.install(gateway={**VALUES["gateway"], "auth": {"simple": {"password": PASSWORD}}})

    output = await run(
        *("pytest", "-q", "-p", "no:cacheprovider", "tests/e2e"),
        **variables(cluster, tmp_path),
        GATEWAY_PASSWORD=PASSWORD,
        GATEWAY_RELEASED_PYTHON=str(released_environment / "bin/python"),
        GATEWAY_UNSTARTABLE=json.dumps({"kind": "unstartable"}),
        GATEWAY_CLUSTERS_PER_USER="2",
    )

    assert "18 passed" in output, output
    assert "skipped" not in output, output


@pytest.mark.timeout(600)
async def test_an_upgrade_replaces_the_services_while_a_cluster_works_on(
    cluster: Cluster, release: Helm, tmp_path: Path
) -> None:
    await release.install()
    before = {service: pods_of(cluster, service) for service in SERVICES_OF_OURS}
    known = variables(cluster, tmp_path)
    values = json.dumps({"gateway": {"loglevel": "DEBUG"}})
    upgrade = (sys.executable, "-m", "tests.kit.helm", known["KUBECONFIG"], CHART, RELEASE, NAMESPACE, values)

    output = await run("tests.e2e.survives", "--", *upgrade, **known)

    assert "tasks while it ran" in output
    for service in SERVICES_OF_OURS:
        assert pods_of(cluster, service).isdisjoint(before[service])
    assert await release.history() == {1: "superseded", 2: "deployed"}


async def test_the_same_upgrade_again_rolls_nothing(cluster: Cluster, release: Helm) -> None:
    await release.install()
    everything = (*SERVICES_OF_OURS, "traefik")
    before = {service: pods_of(cluster, service) for service in everything}

    await release.upgrade()

    assert {service: pods_of(cluster, service) for service in everything} == before
