"""The tests of tests/e2e, run as one runs them on an installation: against this machine's, by variables alone."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway_common.names import APP_NAME, COMPONENT_LABEL, NAME_LABEL, SCHEDULER_COMPONENT
from gateway_common.resources import PODS, Manifest
from gateway_local.gateway import LocalGateway, LocalSettings
from tests.integration.gateway.conftest import PASSWORD
from tests.kit.end_to_end import ROOT, run

VALUES = ROOT / "tests/e2e/values.yaml"
NAMESPACE = "dask-gateway"
#: Services by the component that charts label their pods with.
COMPONENTS = {"gateway": "api", "controller": "controller"}
#: The longest one: test_scenarios.py does the same work with the released client.
ELSEWHERE = "tests/e2e/test_scenarios.py::test_the_released_client[any_job]"


@asynccontextmanager
async def pods_of_services(gateway: LocalGateway) -> AsyncIterator[None]:
    """Pods that stand for the services' processes here: whoever deletes one kills the process, and a new one comes.

    This is the kubelet of their node, and what a Deployment does.
    """
    tasks = [asyncio.create_task(_stand_for(gateway, component)) for component in COMPONENTS]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _stand_for(gateway: LocalGateway, component: str) -> None:
    objects = gateway.kubernetes.objects
    pod = objects.create(PODS, _pod(component, number=0))
    async for event, seen in objects.watch(PODS, namespace=NAMESPACE):
        if seen["metadata"]["uid"] != pod["metadata"]["uid"]:
            continue
        if event == "MODIFIED" and "deletionTimestamp" in seen["metadata"]:
            process = gateway.processes[COMPONENTS[component]]
            process.kill()
            objects.delete(PODS, NAMESPACE, pod["metadata"]["name"], grace_period_seconds=0)
            pod = objects.create(PODS, _pod(component, number=process.restarts + 1))


def _pod(component: str, number: int) -> Manifest:
    labels = {NAME_LABEL: APP_NAME, COMPONENT_LABEL: component}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{component}-{number}", "namespace": NAMESPACE, "labels": labels},
        "spec": {"nodeName": "elsewhere", "containers": [{"name": component, "image": component}]},
    }


@pytest.mark.timeout(600)
async def test_all_of_them_pass_here(tmp_path: Path, released_environment: Path) -> None:
    settings = LocalSettings(port=0, password=PASSWORD, directory=tmp_path, namespace=NAMESPACE, config=[VALUES])
    async with LocalGateway(settings) as gateway, pods_of_services(gateway):
        output = await run(
            *("pytest", "-q", "-p", "no:cacheprovider", "--deselect", ELSEWHERE, "tests/e2e"),
            KUBECONFIG=str(gateway.kubeconfig),
            GATEWAY_ADDRESS=gateway.address,
            GATEWAY_PASSWORD=PASSWORD,
            GATEWAY_NAMESPACE=NAMESPACE,
            GATEWAY_RELEASED_PYTHON=str(released_environment / "bin/python"),
            GATEWAY_UNSTARTABLE='{"kind": "unstartable"}',
            GATEWAY_CLUSTERS_PER_USER="2",
        )
    assert "17 passed" in output, output
    assert "skipped" not in output, output
    assert gateway.processes["api"].restarts == gateway.processes["controller"].restarts == 1


async def test_a_cluster_at_work_is_held_against_what_a_command_does(tmp_path: Path) -> None:
    settings = LocalSettings(port=0, directory=tmp_path, namespace=NAMESPACE)
    async with LocalGateway(settings) as gateway, pods_of_services(gateway):
        variables = {"KUBECONFIG": str(gateway.kubeconfig), "GATEWAY_ADDRESS": gateway.address}
        delete = [Path(sys.executable).with_name("kubectl"), "delete", "pods", "--namespace", NAMESPACE, "--selector"]
        services = f"{COMPONENT_LABEL} in ({','.join(COMPONENTS)})"
        output = await run("tests.e2e.survives", "--", *delete, services, **variables)
        assert "tasks while it ran" in output
        assert gateway.processes["api"].restarts == 1

        with pytest.raises(AssertionError, match="the client has lost its connection"):
            await run("tests.e2e.survives", "--", *delete, f"{COMPONENT_LABEL}={SCHEDULER_COMPONENT}", **variables)
        with pytest.raises(AssertionError, match="false exited with 1"):
            await run("tests.e2e.survives", "--", "false", **variables)


async def test_without_an_installation_they_are_skipped_and_say_so() -> None:
    output = await run("pytest", "-q", "-p", "no:cacheprovider", "tests/e2e", KUBECONFIG="", GATEWAY_ADDRESS="")
    assert "KUBECONFIG and GATEWAY_ADDRESS not set" in output
    assert "passed" not in output
