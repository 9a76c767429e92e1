"""What becomes of Kubernetes' answers to the question whether it would take a cluster's pods."""

import asyncio
import json
import logging
from typing import Any

import pytest

from gateway_api.clusters.pod_check import PodCheck
from gateway_api.errors import InvalidRequest
from gateway_common.config import parse_cluster_config
from gateway_common.configuration.groups import KubeSettings
from gateway_common.errors import TooManyRequests
from gateway_common.kube import KubeClient
from gateway_common.manifests.installation import Installation
from gateway_common.names import ClusterName
from tests.kit.scripted_server import Exchange, scripted_server

INSTALLATION = Installation(instance="test", api_url="http://api:8000/api")
NAME = ClusterName("dask", "c0ffee")
QUOTA = 'pods "dask-worker-c0ffee-0" is forbidden: exceeded quota: compute'
NO_RIGHT = 'pods is forbidden: User "system:serviceaccount:gw:api" cannot create resource "pods" in API group ""'
NO_DRY_RUN = "admission webhook inject.example.com does not support dry run"


class PodServer:
    """An API server that only takes pods; it answers a component with a status, if it has one for it."""

    def __init__(self, pods: int = 2, **answers: tuple[int, str, str]) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.together = asyncio.Barrier(pods)

    async def handle(self, exchange: Exchange) -> None:
        pod = json.loads(exchange.body)
        labels = pod["metadata"]["labels"]
        component = labels["app.kubernetes.io/component"].removeprefix("dask-")
        component = labels.get("gateway.dask.org/worker-group", component)
        self.asked.append((exchange.method, exchange.path, exchange.query))
        async with asyncio.timeout(60):
            await self.together.wait()
        code, reason, message = self.answers.get(component, (201, "", ""))
        if code == 201:
            await exchange.answer(201, pod)
        else:
            status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
            # who is told to come back much later does not try again
            await exchange.answer(code, {**status, "reason": reason, "message": message}, retry_after="3600")


async def check(server: PodServer, **config: Any) -> None:
    async with scripted_server(server.handle) as running:
        kube = await KubeClient.connect(KubeSettings(url=running.url))
        try:
            await PodCheck(kube, INSTALLATION).check(NAME, parse_cluster_config(config))
        finally:
            await kube.close()


async def test_both_pods_are_asked_about_at_the_same_time_and_nothing_is_stored() -> None:
    server = PodServer()
    await check(server)
    assert server.asked == [("POST", "/api/v1/namespaces/dask/pods", {"dryRun": "All"})] * 2


@pytest.mark.parametrize("code", [400, 403, 422])
async def test_a_refusal_says_whose_pod_and_why(code: int) -> None:
    with pytest.raises(InvalidRequest) as raised:
        await check(PodServer(worker=(code, "Forbidden", QUOTA)))
    assert str(raised.value) == f"Kubernetes would refuse the worker's pod: {QUOTA}"


async def test_both_refusals_are_told_at_once() -> None:
    answers = {"scheduler": (422, "Invalid", "no such class"), "worker": (403, "Forbidden", QUOTA)}
    with pytest.raises(InvalidRequest, match=r"the scheduler's pod: no such class; the worker's pod: pods .* quota"):
        await check(PodServer(**answers))


async def test_a_worker_of_each_group_is_asked_about_too() -> None:
    server = PodServer(pods=4, gpu=(422, "Invalid", "no such class"))
    with pytest.raises(InvalidRequest, match=r"refuse the pod of a worker of group gpu: no such class$"):
        await check(server, worker_groups={"gpu": {"worker_cores": 4}, "small": {}})
    assert len(server.asked) == 4


async def test_a_namespace_that_is_not_there_is_named() -> None:
    missing = (404, "NotFound", 'namespaces "dask" not found')
    with pytest.raises(InvalidRequest, match="there is no namespace 'dask' in Kubernetes"):
        await check(PodServer(scheduler=missing, worker=missing))


@pytest.mark.parametrize(("code", "message"), [(403, NO_RIGHT), (400, NO_DRY_RUN)], ids=["no right", "no dry run"])
async def test_where_kubernetes_can_not_be_asked_the_log_says_so_and_the_cluster_is_made(
    code: int, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        await check(PodServer(scheduler=(code, "", message), worker=(code, "", message)))
    assert f"(validatePods): {message}" in caplog.text


async def test_a_server_that_has_no_time_is_not_taken_for_a_refusal() -> None:
    busy = (429, "TooManyRequests", "slow down")
    server = PodServer(scheduler=busy, worker=busy)
    with pytest.raises(TooManyRequests):
        await check(server)
