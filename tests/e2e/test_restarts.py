"""The gateway's own pods are taken away in the middle of a job, which goes on."""

import pytest

from gateway_common.kube import KubeClient
from gateway_common.names import APP_NAME, COMPONENT_LABEL, NAME_LABEL
from gateway_common.resources import PODS
from tests.e2e.installation import PATIENCE_SECONDS, Installation, new_user
from tests.kit.patience import patiently
from tests.kit.waiting import eventually

#: As the charts label their pods, the one that dask-gateway 2026.3.0 came with, too.
COMPONENTS = {"api": "gateway", "controller": "controller"}


@pytest.mark.parametrize("service", COMPONENTS)
async def test_a_job_goes_on_while_the_pods_of_a_service_are_replaced(
    installation: Installation, kubernetes: KubeClient, service: str
) -> None:
    pods = GatewayPods(installation, kubernetes, COMPONENTS[service])
    if not await pods.uids():
        pytest.skip(f"no pods of the {service} in {installation.namespace}: GATEWAY_NAMESPACE says where to look")
    async with (
        installation.connect(new_user()) as gateway,
        gateway.new_cluster(shutdown_on_close=True) as cluster,
        cluster.get_client() as client,
    ):
        await cluster.scale(1)
        await client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
        kept = await client.scatter(list(range(10)))

        before = await pods.uids()
        await pods.delete()
        assert await client.submit(sum, kept) == 45, "the way to the scheduler is none of this service's"
        await patiently(lambda: gateway.scale_cluster(cluster.name, 2), PATIENCE_SECONDS)
        await client.wait_for_workers(2, timeout=PATIENCE_SECONDS)
        assert await client.submit(sum, kept, pure=False) == 45
        await eventually(lambda: pods.none_is_of(before), PATIENCE_SECONDS)


class GatewayPods:
    """Those of one service."""

    def __init__(self, installation: Installation, kubernetes: KubeClient, component: str) -> None:
        self._kubernetes = kubernetes
        self._namespace = installation.namespace
        self._labels = f"{NAME_LABEL}={APP_NAME},{COMPONENT_LABEL}={component}"

    async def uids(self) -> frozenset[str]:
        found = await self._kubernetes.list(PODS, namespace=self._namespace, label_selector=self._labels)
        return frozenset(pod["metadata"]["uid"] for pod in found.items)

    async def delete(self) -> None:
        """All at once, as if their node were lost."""
        await self._kubernetes.delete_collection(PODS, namespace=self._namespace, label_selector=self._labels)

    async def none_is_of(self, before: frozenset[str]) -> bool:
        """Whether there are pods, and all are new."""
        now = await self.uids()
        return bool(now) and now.isdisjoint(before)
