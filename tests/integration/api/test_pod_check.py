"""Kubernetes is asked about a cluster's pods, and makes none of them.

What admission and the rules of pods say is the embedded server's to answer: the real machinery at hand has neither.
"""

from collections.abc import AsyncIterator

import pytest

from gateway_api.clusters.pod_check import PodCheck
from gateway_api.errors import InvalidRequest
from gateway_common.config import parse_cluster_config, stored_cluster_config
from gateway_common.configuration.groups import KubeSettings
from gateway_common.errors import KubeUnavailable
from gateway_common.kube import KubeClient
from gateway_common.manifests.installation import Installation
from gateway_common.names import ClusterName
from gateway_common.resources import PODS
from gateway_local.apiserver.faults import Fault
from tests.kit.kube import KubeServer

INSTALLATION = Installation(instance="test", api_url="http://api:8000/api")


@pytest.fixture
async def client(kube: KubeSettings) -> AsyncIterator[KubeClient]:
    client = await KubeClient.connect(kube)
    yield client
    await client.close()


async def test_good_pods_pass_and_none_is_made(client: KubeClient, namespace: str) -> None:
    config = parse_cluster_config({"worker_extra_pod_labels": {"team": "data"}})
    await PodCheck(client, INSTALLATION).check(ClusterName(namespace, "c0ffee"), config)
    assert (await client.list(PODS, namespace=namespace)).items == []


async def test_what_kubernetes_says_against_a_pod_is_told(client: KubeClient, namespace: str) -> None:
    # as another version of the gateway may have written it, which does not know the rule
    config = stored_cluster_config({"worker_extra_pod_labels": {"user": "alice@example.com"}})
    with pytest.raises(InvalidRequest) as raised:
        await PodCheck(client, INSTALLATION).check(ClusterName(namespace, "c0ffee"), config)
    text = str(raised.value)
    assert text.startswith("Kubernetes would refuse the worker's pod: Pod ")
    assert 'metadata.labels: Invalid value: "alice@example.com"' in text
    assert "scheduler" not in text


@pytest.mark.parametrize("kube_server", ["embedded"], indirect=True)
async def test_a_pod_that_can_not_be_is_refused_by_its_spec(client: KubeClient, namespace: str) -> None:
    config = parse_cluster_config(
        {
            "scheduler_extra_container_config": {"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
            "worker_extra_pod_config": {"restartPolicy": "Sometimes"},
        }
    )
    with pytest.raises(InvalidRequest) as raised:
        await PodCheck(client, INSTALLATION).check(ClusterName(namespace, "c0ffee"), config)
    assert "the scheduler's pod: Pod " in str(raised.value)
    assert "volumeMounts[1].name: Not found" in str(raised.value)
    assert '; the worker\'s pod: Pod "dask-worker-c0ffee-0" is invalid: spec.restartPolicy' in str(raised.value)


@pytest.mark.parametrize("kube_server", ["embedded"], indirect=True)
async def test_a_namespace_that_is_not_there_is_named(client: KubeClient, namespace: str) -> None:
    name = ClusterName(f"{namespace}-nowhere", "c0ffee")
    with pytest.raises(InvalidRequest, match=f"there is no namespace '{name.namespace}' in Kubernetes"):
        await PodCheck(client, INSTALLATION).check(name, parse_cluster_config({}))


@pytest.mark.parametrize("kube_server", ["embedded"], indirect=True)
async def test_a_server_that_fails_is_not_taken_for_a_refusal(
    kube_server: KubeServer, client: KubeClient, namespace: str
) -> None:
    assert kube_server.embedded is not None
    kube_server.embedded.faults.add(Fault(verb="create", resource="pods", code=503))
    with pytest.raises(KubeUnavailable):
        await PodCheck(client, INSTALLATION).check(ClusterName(namespace, "c0ffee"), parse_cluster_config({}))
