"""kubectl, as people use it, against the embedded API server."""

import asyncio
import json
import os
import re
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway_common.resources import CRDS
from gateway_local.apiserver.podlogs import LogRequest
from gateway_local.apiserver.server import ApiServer
from tests.contract.kube.widgets import widget, widget_definition
from tests.kit.kube import KubeServer, embedded_kubernetes

KUBECTL = Path(sysconfig.get_path("scripts")) / "kubectl"

POD = """
apiVersion: v1
kind: Pod
metadata: {name: a, labels: {app: x}}
spec: {containers: [{name: main, image: "none:1"}]}
"""
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
data: {x: "1"}
"""


class Kubectl:
    """The program, with a server and a cache of its own."""

    def __init__(self, server: KubeServer, directory: Path) -> None:
        self._command = [str(KUBECTL), "--kubeconfig", str(server.kubeconfig)]
        self._environment = {"HOME": str(directory), "PATH": os.environ["PATH"], "NO_PROXY": "*"}

    async def __call__(self, *arguments: str, text: str = "", code: int = 0) -> str:
        """Run it to its end; the answer is what it prints, errors included."""
        process = await asyncio.create_subprocess_exec(
            *self._command,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=self._environment,
        )
        output, _ = await asyncio.wait_for(process.communicate(text.encode()), 60)
        assert process.returncode == code, output.decode()
        return output.decode()

    @asynccontextmanager
    async def running(self, *arguments: str) -> AsyncIterator[asyncio.StreamReader]:
        """Let it run; the answer is its output as it comes."""
        process = await asyncio.create_subprocess_exec(
            *self._command, *arguments, stdout=asyncio.subprocess.PIPE, env=self._environment
        )
        assert process.stdout is not None
        try:
            yield process.stdout
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()
            # the transport closes with the pipe, which is only noticed when somebody reads on
            await process.stdout.read()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[KubeServer]:
    async with embedded_kubernetes(tmp_path) as server:
        yield server


@pytest.fixture
def kubectl(server: KubeServer, tmp_path: Path) -> Kubectl:
    return Kubectl(server, tmp_path)


@pytest.fixture
def inside(server: KubeServer) -> ApiServer:
    assert server.embedded is not None
    return server.embedded


async def test_objects_are_created_read_and_deleted(kubectl: Kubectl) -> None:
    assert "pod/a created" in await kubectl("create", "-f", "-", text=POD)
    table = await kubectl("get", "pods", "-o", "wide")
    assert table.split()[:4] == ["NAME", "READY", "STATUS", "RESTARTS"]
    assert table.splitlines()[1].split()[:4] == ["a", "0/1", "Pending", "0"]
    assert json.loads(await kubectl("get", "pod", "a", "-o", "json"))["metadata"]["labels"] == {"app": "x"}
    assert "pod/a" in await kubectl("get", "po", "-l", "app=x", "-o", "name", "--all-namespaces")
    assert "none:1" in await kubectl("describe", "pod", "a")
    assert "already exists" in await kubectl("create", "-f", "-", text=POD, code=1)
    assert 'pod "a" deleted' in await kubectl("delete", "pod", "a")
    assert 'pods "a" not found' in await kubectl("get", "pod", "a", code=1)


async def test_what_is_unknown_or_wrong_is_said(kubectl: Kubectl) -> None:
    output = await kubectl("create", "-f", "-", text=CONFIG + "surprise: 1\n", code=1)
    assert 'unknown field "surprise"' in output
    wrong = POD.replace("restartPolicy", "x").replace("spec: {", "spec: {restartPolicy: Sometimes, ")
    assert "spec.restartPolicy: Unsupported value" in await kubectl("create", "-f", "-", text=wrong, code=1)
    assert "doesn't have a resource type" in await kubectl("get", "nothings", code=1)


async def test_apply_creates_changes_and_takes_away(kubectl: Kubectl) -> None:
    assert "configmap/c created" in await kubectl("apply", "-f", "-", text=CONFIG)
    assert "configmap/c unchanged" in await kubectl("apply", "-f", "-", text=CONFIG)
    changed = CONFIG.replace('x: "1"', 'z: "2"')
    assert "configmap/c configured" in await kubectl("apply", "-f", "-", text=changed)
    assert json.loads(await kubectl("get", "cm", "c", "-o", "json"))["data"] == {"z": "2"}


async def test_apply_on_the_server_reports_conflicts(kubectl: Kubectl) -> None:
    apply = ("apply", "--server-side", "-f", "-", "--field-manager")
    assert "configmap/c serverside-applied" in await kubectl(*apply, "one", text=CONFIG)
    other = CONFIG.replace('"1"', '"2"')
    assert 'conflict with "one": .data.x' in await kubectl(*apply, "two", text=other, code=1)
    await kubectl(*apply, "two", "--force-conflicts", text=other)
    assert json.loads(await kubectl("get", "cm", "c", "-o", "json"))["data"] == {"x": "2"}


async def test_every_sort_of_patch(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", text=POD)
    strategic = json.dumps({"spec": {"containers": [{"name": "main", "image": "none:2"}]}})
    await kubectl("patch", "pod", "a", "-p", strategic)
    await kubectl("patch", "pod", "a", "--type", "merge", "-p", '{"metadata":{"annotations":{"k":"v"}}}')
    operation = '[{"op":"add","path":"/metadata/labels/new","value":"y"}]'
    await kubectl("patch", "pod", "a", "--type", "json", "-p", operation)
    await kubectl("patch", "pod", "a", "--subresource", "status", "-p", '{"status":{"phase":"Running"}}')
    await kubectl("label", "pod", "a", "app-")
    await kubectl("annotate", "pod", "a", "other=1")

    patched = json.loads(await kubectl("get", "pod", "a", "-o", "json"))
    assert patched["spec"]["containers"][0]["image"] == "none:2"
    assert patched["metadata"]["annotations"] == {"k": "v", "other": "1"}
    assert patched["metadata"]["labels"] == {"new": "y"}
    assert patched["status"]["phase"] == "Running"


async def test_a_watch_prints_what_happens(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", text=POD)
    async with kubectl.running("get", "pods", "--watch", "--no-headers") as output:
        assert (await asyncio.wait_for(output.readline(), 30)).split()[:3] == [b"a", b"0/1", b"Pending"]
        await kubectl("patch", "pod", "a", "--subresource", "status", "-p", '{"status":{"phase":"Running"}}')
        assert (await asyncio.wait_for(output.readline(), 30)).split()[:3] == [b"a", b"0/1", b"Running"]


async def test_waiting_for_a_condition(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", text=POD)
    waiting = asyncio.create_task(kubectl("wait", "--for=condition=Ready", "pod/a", "--timeout=30s"))
    conditions = '{"status":{"conditions":[{"type":"Ready","status":"True"}]}}'
    await kubectl("patch", "pod", "a", "--subresource", "status", "-p", conditions)
    assert "condition met" in await waiting


async def test_logs_are_read_and_followed(kubectl: Kubectl, inside: ApiServer) -> None:
    class Source:
        async def read(self, request: LogRequest) -> bytes:
            return b"one\ntwo\n" if request.tail_lines is None else b"two\n"

        async def follow(self, request: LogRequest) -> AsyncIterator[bytes]:
            yield b"one\n"
            yield b"two\n"

    inside.register_log_source(Source())
    await kubectl("create", "-f", "-", text=POD)

    assert await kubectl("logs", "a") == "one\ntwo\n"
    assert await kubectl("logs", "a", "--tail=1") == "two\n"
    assert await kubectl("logs", "a", "-f") == "one\ntwo\n"


async def test_discovery_and_explanations(kubectl: Kubectl) -> None:
    resources = await kubectl("api-resources", "-o", "name")
    assert {"pods", "configmaps", "leases.coordination.k8s.io", "ingressroutes.traefik.io"} <= set(resources.split())
    assert "v1" in (await kubectl("api-versions")).split()
    assert "containers" in await kubectl("explain", "pod.spec")
    assert "Server Version: v1." in await kubectl("version")


async def test_custom_resources_have_short_names_columns_and_a_scale(kubectl: Kubectl, inside: ApiServer) -> None:
    inside.objects.create(CRDS, widget_definition())
    await kubectl("create", "-f", "-", text=json.dumps(widget("a", size=3)))

    table = (await kubectl("get", "wd")).splitlines()
    assert [line.split()[:2] for line in table] == [["NAME", "SIZE"], ["a", "3"]]
    assert re.fullmatch(r"\d+s", table[1].split()[2])

    assert "widget.contract.example.com/a scaled" in await kubectl("scale", "wd", "a", "--replicas=4")
    assert "scaled" in await kubectl("scale", "widgets/a", "--current-replicas=4", "--replicas=2")
    await kubectl("scale", "wd", "a", "--current-replicas=4", "--replicas=9", code=1)
    assert json.loads(await kubectl("get", "wd", "a", "-o", "json"))["spec"]["replicas"] == 2


async def test_events_are_listed_and_described_with_what_they_are_about(kubectl: Kubectl) -> None:
    await kubectl("create", "-f", "-", text=POD)
    pod = json.loads(await kubectl("get", "pod", "a", "-o", "json"))
    event = {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": "a.1", "namespace": "default"},
        "involvedObject": {
            "apiVersion": "v1",
            "kind": "Pod",
            "namespace": "default",
            "name": "a",
            "uid": pod["metadata"]["uid"],
        },
        "type": "Warning",
        "reason": "Evicted",
        "message": "The node was low on resource: memory.",
        "source": {"component": "kubelet"},
        "firstTimestamp": pod["metadata"]["creationTimestamp"],
        "lastTimestamp": pod["metadata"]["creationTimestamp"],
        "count": 1,
    }
    await kubectl("create", "-f", "-", text=json.dumps(event))

    assert "pod/a" in await kubectl("get", "events")
    assert "low on resource" in await kubectl("events", "--for", "pod/a")
    assert re.search(r"Warning +Evicted +\S+ +kubelet +The node was low", await kubectl("describe", "pod", "a"))
    assert "a.1" in await kubectl("get", "ev", "--field-selector", "reason=Evicted", "-o", "name")


async def test_a_namespace_is_deleted_with_all_that_is_in_it(kubectl: Kubectl) -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: other}\n"
    await kubectl("create", "-f", "-", text=namespace)
    await kubectl("create", "-n", "other", "-f", "-", text=CONFIG)

    await kubectl("delete", "namespace", "other", "--timeout=30s")

    assert "c" not in (await kubectl("get", "cm", "-A", "--no-headers")).split()
