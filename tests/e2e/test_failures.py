"""What becomes of clusters that can't start, that lose their scheduler, or for which there is no room."""

import asyncio

import pytest

from dask_gateway import ClusterReport, Gateway, GatewayClusterError
from gateway_common.kube import KubeClient
from gateway_common.names import CLUSTER_LABEL, COMPONENT_LABEL, SCHEDULER_COMPONENT, parse_cluster_name
from gateway_common.resources import PODS
from tests.e2e.installation import PATIENCE_SECONDS, Installation, new_user
from tests.kit.waiting import eventually


async def test_a_cluster_that_can_not_start_says_why(installation: Installation) -> None:
    options = installation.wanted("unstartable")
    async with installation.connect(new_user()) as gateway:
        with pytest.raises(GatewayClusterError, match=r"failed to start: .+"):
            await gateway.new_cluster(**options)


async def test_a_cluster_without_its_scheduler_has_failed_and_the_next_one_runs(
    installation: Installation, kubernetes: KubeClient
) -> None:
    user = new_user()
    async with installation.connect(user) as gateway:
        cluster = await gateway.new_cluster()
        namespace, name = parse_cluster_name(cluster.name)
        labels = f"{CLUSTER_LABEL}={name},{COMPONENT_LABEL}={SCHEDULER_COMPONENT}"
        await kubernetes.delete_collection(PODS, namespace=namespace, label_selector=labels)

        report = await eventually(lambda: failed(gateway, user), PATIENCE_SECONDS)
        assert report.name == cluster.name
        assert "scheduler" in report.message
        assert await gateway.list_clusters() == []
        await cluster.close(shutdown=False)
        async with gateway.new_cluster(shutdown_on_close=True) as another:
            assert another.status == "running"


async def failed(gateway: Gateway, user: str) -> ClusterReport | None:
    """The user's only cluster that has failed; asked for by the user's name, it says why."""
    return next(iter(await gateway.list_clusters(status="failed", user=user)), None)


async def test_a_cluster_over_the_limit_is_refused_with_what_is_used_and_allowed(installation: Installation) -> None:
    limit = installation.wanted("clusters_per_user")
    async with installation.connect(new_user()) as gateway:
        names = [await gateway.submit() for _ in range(limit)]
        try:
            with pytest.raises(GatewayClusterError, match=rf"{limit} of {limit}"):
                await gateway.new_cluster()
        finally:
            await asyncio.gather(*(gateway.stop_cluster(name) for name in names))
