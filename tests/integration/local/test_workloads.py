"""Deployments, ReplicaSets and Jobs, whose pods are processes."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from gateway_common.resources import CONFIGMAPS, NAMESPACES, PODS, SERVICEACCOUNTS, Manifest, Resource
from gateway_local.cluster import Cluster
from gateway_local.resources import DEPLOYMENTS, JOBS, REPLICASETS
from tests.kit.pods import container, is_ready, is_running
from tests.kit.waiting import until

NAMESPACE = "default"


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with Cluster(directory=tmp_path / "pods", images={"example/python": Path(sys.prefix)}) as cluster:
        yield cluster


def template(*command: str, **spec: Any) -> Manifest:
    return {
        "metadata": {"labels": {"app": "web"}},
        "spec": {
            "containers": [container(*(command or ("sleep", "1000")))],
            "terminationGracePeriodSeconds": 0,
            **spec,
        },
    }


def deployment(replicas: int = 2, **spec: Any) -> Manifest:
    return {
        "metadata": {"name": "web", "namespace": NAMESPACE},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "template": template(),
            **spec,
        },
    }


def job(*command: str, **spec: Any) -> Manifest:
    return {
        "metadata": {"name": "once", "namespace": NAMESPACE},
        "spec": {"template": template(*command, restartPolicy="Never"), **spec},
    }


async def wait(cluster: Cluster, resource: Resource, condition: Callable[[Manifest], bool]) -> Manifest:
    """The first object of a resource that is as it should be."""
    async with asyncio.timeout(30):
        async for change, manifest in cluster.objects.watch(resource, NAMESPACE):
            if change != "DELETED" and condition(manifest):
                return manifest
    raise AssertionError("a watch does not end")


def is_rolled_out(manifest: Manifest) -> bool:
    status, wanted = manifest.get("status") or {}, manifest["spec"]["replicas"]
    if status.get("observedGeneration", 0) < manifest["metadata"]["generation"]:
        return False
    return all(status.get(name, 0) == wanted for name in ("replicas", "updatedReplicas", "availableReplicas"))


def is_over(type_: str) -> Callable[[Manifest], bool]:
    def check(manifest: Manifest) -> bool:
        conditions = manifest.get("status", {}).get("conditions") or []
        return any(c["type"] == type_ and c["status"] == "True" for c in conditions)

    return check


def live_pods(cluster: Cluster) -> list[Manifest]:
    pods = cluster.objects.list(PODS, NAMESPACE, "app=web")
    return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]


def change_environment(cluster: Cluster, value: str) -> None:
    found = cluster.objects.get(DEPLOYMENTS, NAMESPACE, "web")
    assert found is not None
    fresh = template()
    fresh["spec"]["containers"][0]["env"] = [{"name": "A", "value": value}]
    cluster.objects.update(DEPLOYMENTS, {**found, "spec": {**found["spec"], "template": fresh}})


async def test_a_deployment_s_pods_run_and_it_says_so(cluster: Cluster) -> None:
    cluster.objects.create(DEPLOYMENTS, deployment())

    await wait(cluster, DEPLOYMENTS, is_rolled_out)

    assert len(live_pods(cluster)) == 2
    assert all(map(is_running, live_pods(cluster)))


async def test_a_pod_that_is_lost_is_replaced(cluster: Cluster) -> None:
    cluster.objects.create(DEPLOYMENTS, deployment(replicas=1))
    await wait(cluster, DEPLOYMENTS, is_rolled_out)
    (lost,) = live_pods(cluster)

    cluster.objects.delete(PODS, NAMESPACE, lost["metadata"]["name"])

    uid = lost["metadata"]["uid"]
    await wait(cluster, PODS, lambda pod: pod["metadata"]["uid"] != uid and is_ready(pod))


async def test_scaling_makes_and_takes_pods_of_the_same_replica_set(cluster: Cluster) -> None:
    cluster.objects.create(DEPLOYMENTS, deployment(replicas=1))
    await wait(cluster, DEPLOYMENTS, is_rolled_out)
    for replicas in (3, 0):
        cluster.objects.patch(DEPLOYMENTS, NAMESPACE, "web", {"spec": {"replicas": replicas}})
        await wait(cluster, DEPLOYMENTS, is_rolled_out)
        assert len(live_pods(cluster)) == replicas
    assert len(cluster.objects.list(REPLICASETS, NAMESPACE)) == 1


@pytest.mark.parametrize("strategy", [{"type": "Recreate"}, {"type": "RollingUpdate"}], ids=lambda s: s["type"])
async def test_a_changed_template_replaces_all_pods(cluster: Cluster, strategy: Manifest) -> None:
    cluster.objects.create(DEPLOYMENTS, deployment(strategy=strategy))
    await wait(cluster, DEPLOYMENTS, is_rolled_out)
    before = {pod["metadata"]["uid"] for pod in live_pods(cluster)}

    change_environment(cluster, "2")
    await wait(cluster, DEPLOYMENTS, is_rolled_out)

    after = {pod["metadata"]["uid"] for pod in live_pods(cluster)}
    assert len(after) == 2
    assert after.isdisjoint(before)
    revisions = [r["metadata"]["annotations"] for r in cluster.objects.list(REPLICASETS, NAMESPACE)]
    assert sorted(r["deployment.kubernetes.io/revision"] for r in revisions) == ["1", "2"]


async def test_recreating_never_runs_old_and_new_side_by_side(cluster: Cluster) -> None:
    cluster.objects.create(DEPLOYMENTS, deployment(strategy={"type": "Recreate"}))
    await wait(cluster, DEPLOYMENTS, is_rolled_out)
    change_environment(cluster, "2")
    hashes = set()

    async with asyncio.timeout(30):
        async for change, _ in cluster.objects.watch(PODS, NAMESPACE):
            present = {p["metadata"]["labels"]["pod-template-hash"] for p in cluster.objects.list(PODS, NAMESPACE)}
            assert len(present) <= 1
            hashes |= present
            if change == "MODIFIED" and len(hashes) == 2 and all(map(is_ready, live_pods(cluster))):
                break

    assert len(live_pods(cluster)) == 2


async def test_a_deployment_takes_all_that_it_has_made_with_it(cluster: Cluster) -> None:
    cluster.objects.create(DEPLOYMENTS, deployment())
    await wait(cluster, DEPLOYMENTS, is_rolled_out)

    cluster.objects.delete(DEPLOYMENTS, NAMESPACE, "web")

    await until(lambda: not (cluster.objects.list(PODS, NAMESPACE) or cluster.objects.list(REPLICASETS, NAMESPACE)))


async def test_why_pods_can_not_be_made_is_said_until_they_can(cluster: Cluster) -> None:
    cluster.objects.create(DEPLOYMENTS, deployment(template=template(serviceAccountName="web")))
    stuck = await wait(cluster, REPLICASETS, is_over("ReplicaFailure"))
    assert 'serviceaccount "web" not found' in stuck["status"]["conditions"][0]["message"]

    cluster.objects.create(SERVICEACCOUNTS, {"metadata": {"name": "web", "namespace": NAMESPACE}})

    await wait(cluster, DEPLOYMENTS, is_rolled_out)


async def test_a_job_runs_to_its_end(cluster: Cluster) -> None:
    cluster.objects.create(JOBS, job("true", completions=3, parallelism=2))

    done = await wait(cluster, JOBS, is_over("Complete"))

    assert done["status"]["succeeded"] == 3
    assert done["status"]["startTime"] <= done["status"]["completionTime"]


async def test_a_job_that_may_not_be_tried_again_fails_with_its_pod(cluster: Cluster) -> None:
    cluster.objects.create(JOBS, job("false", backoffLimit=0))

    failed = await wait(cluster, JOBS, is_over("Failed"))

    assert failed["status"]["failed"] == 1
    assert failed["status"]["conditions"][-1]["reason"] == "BackoffLimitExceeded"


async def test_a_job_that_has_been_kept_long_enough_goes_with_its_pods(cluster: Cluster) -> None:
    cluster.objects.create(JOBS, job("true", ttlSecondsAfterFinished=0))

    await until(lambda: not (cluster.objects.list(PODS, NAMESPACE) or cluster.objects.list(JOBS, NAMESPACE)))


async def test_every_namespace_has_an_account_and_says_whom_to_trust(cluster: Cluster) -> None:
    cluster.objects.create(NAMESPACES, {"metadata": {"name": "another"}})
    async with asyncio.timeout(30):
        async for _, account in cluster.objects.watch(SERVICEACCOUNTS, "another"):
            assert account["metadata"]["name"] == "default"
            break
    trusted = cluster.objects.get(CONFIGMAPS, "another", "kube-root-ca.crt")
    assert trusted is not None
    assert trusted["data"]["ca.crt"].encode() == cluster.server.certificate
