"""Options, what is told of a cluster, its logs and its pages."""

from functools import partial

import httpx
import pytest

from dask_gateway import ClusterStatus
from gateway_common.kube import KubeClient
from gateway_common.names import CLUSTER_LABEL, COMPONENT_LABEL, SCHEDULER_COMPONENT, parse_cluster_name
from gateway_common.resources import PODS
from tests.e2e.installation import PATIENCE_SECONDS, Installation, new_user
from tests.kit.credentials import basic_credentials
from tests.kit.waiting import eventually


async def test_options_are_told_and_unknown_ones_refused_in_words(installation: Installation) -> None:
    async with installation.connect(new_user()) as gateway:
        options = await gateway.cluster_options()
        assert all(hasattr(options, name) for name in options)
        with pytest.raises(ValueError, match="no_such_option"):
            await gateway.submit(no_such_option=1)
        assert await gateway.list_clusters() == []


async def test_a_cluster_tells_of_itself_and_shows_its_logs(installation: Installation, kubernetes: KubeClient) -> None:
    async with installation.connect(new_user()) as gateway, gateway.new_cluster(shutdown_on_close=True) as cluster:
        report = await gateway.get_cluster(cluster.name)
        assert (report.name, report.status) == (cluster.name, ClusterStatus.RUNNING)
        assert report.start_time is not None

        await cluster.scale(1)
        async with cluster.get_client() as client:
            await client.wait_for_workers(1, timeout=PATIENCE_SECONDS)
            (worker,) = client.scheduler_info()["workers"]
            assert set(await client.get_worker_logs()) == {worker}
            assert await client.get_scheduler_logs()

        namespace, name = parse_cluster_name(cluster.name)
        labels = f"{CLUSTER_LABEL}={name},{COMPONENT_LABEL}={SCHEDULER_COMPONENT}"
        (pod,) = (await kubernetes.list(PODS, namespace=namespace, label_selector=labels)).items
        where = {"namespace": namespace, "container": pod["spec"]["containers"][0]["name"]}
        log = await kubernetes.pod_log(pod["metadata"]["name"], tail_lines=1000, **where)
        assert "distributed" in log


async def test_a_dashboard_is_for_its_owner(installation: Installation) -> None:
    owner = new_user()
    async with installation.connect(owner) as gateway, gateway.new_cluster(shutdown_on_close=True) as cluster:
        link = cluster.dashboard_link

        async def answer_for(user: str) -> httpx.Response | None:
            """Its route is made a moment after the cluster runs, and rests while the scheduler is not ready."""
            headers = basic_credentials(user, installation.password) if user else {}
            async with httpx.AsyncClient(trust_env=False, timeout=60, headers=headers) as client:
                answer = await client.get(link)
            return None if answer.status_code in (404, 502, 503) else answer

        for user, status in ((owner, 200), (new_user(), 403), ("", 401)):
            answer = await eventually(partial(answer_for, user), PATIENCE_SECONDS)
            assert answer.status_code == status, (answer.text, answer.headers)
