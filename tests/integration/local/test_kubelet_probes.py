"""Probes decide when a container is started, ready, and no longer alive."""

import asyncio
from typing import Any

from gateway_common.resources import PODS
from tests.kit.pods import NAMESPACE, Node, condition, container, is_ready, is_running, phase_is, pod, state

SERVE = (
    "import http.server, pathlib, sys\n"
    "class Handler(http.server.BaseHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        self.send_response(200 if pathlib.Path('healthy').exists() else 503)\n"
    "        self.end_headers()\n"
    "    def log_message(self, *args): print(self.path, self.headers['User-Agent'], flush=True)\n"
    "http.server.HTTPServer(('', 8080), Handler).serve_forever()\n"
)


def probe(**fields: Any) -> dict[str, Any]:
    return {"periodSeconds": 1, "failureThreshold": 1, **fields}


def toggled_by(path: str) -> dict[str, Any]:
    return probe(exec={"command": ["test", "-e", path]})


async def test_a_container_is_ready_when_its_page_answers(node: Node) -> None:
    serving = container(
        "python",
        "-c",
        "import pathlib; pathlib.Path('healthy').touch()\n" + SERVE,
        ports=[{"name": "web", "containerPort": 8080}],
        readinessProbe=probe(httpGet={"path": "/api/health", "port": "web"}),
    )
    running = await node.run(pod(serving), is_running)
    assert condition(running, "Ready")["message"] == "containers with unready status: [main]"
    assert state(running)["ready"] is False
    ready = await node.wait("pod", is_ready)
    assert state(ready)["ready"] is True
    await node.wait_log("pod", "/api/health kube-probe/")


async def test_an_answer_of_503_is_not_ready(node: Node) -> None:
    serving = container("python", "-c", SERVE, readinessProbe=probe(httpGet={"path": "/", "port": 8080}))
    await node.run(pod(serving), is_running)
    await node.wait_log("pod", "kube-probe/")
    await node.wait_log("pod", "kube-probe/")
    assert not is_ready(await node.wait("pod", is_running))


async def test_readiness_comes_and_goes(node: Node) -> None:
    body = "touch ready; sleep 1.2; rm ready; sleep 1000"
    flapping = container("sh", "-c", body, readinessProbe=toggled_by("ready"))
    await node.run(pod(flapping), is_ready)
    unready = await node.wait("pod", lambda p: not is_ready(p))
    assert state(unready)["restartCount"] == 0


async def test_an_open_port_is_enough_for_a_socket_probe(node: Node) -> None:
    listening = container(
        "python",
        "-c",
        "import socket, time; s = socket.create_server(('', 9000)); time.sleep(1000)",
        readinessProbe=probe(tcpSocket={"port": 9000}),
    )
    await node.run(pod(listening), is_ready)


async def test_a_container_that_is_no_longer_alive_is_restarted(node: Node) -> None:
    body = "trap 'exit 7' TERM; touch alive; sleep 1.5; rm alive; while true; do sleep 0.01; done"
    hanging = container("sh", "-c", body, livenessProbe=toggled_by("alive") | {"initialDelaySeconds": 1})
    manifest = pod(hanging, restartPolicy="Always", terminationGracePeriodSeconds=5)
    restarted = await node.run(manifest, lambda p: state(p).get("restartCount", 0) >= 1)
    assert state(restarted)["lastState"]["terminated"]["exitCode"] == 7


async def test_other_probes_wait_for_the_startup_probe(node: Node) -> None:
    slow = container(
        "sh",
        "-c",
        "sleep 0.5; touch started; sleep 1000",
        startupProbe=probe(exec={"command": ["test", "-e", "started"]}, failureThreshold=30),
        livenessProbe=toggled_by("started"),
    )
    running = await node.run(pod(slow), is_running)
    assert state(running)["started"] is False
    ready = await node.wait("pod", is_ready)
    assert (state(ready)["started"], state(ready)["restartCount"]) == (True, 0)


async def test_a_container_that_never_starts_is_ended(node: Node) -> None:
    stuck = container("sleep", "1000", startupProbe=toggled_by("never"))
    failed = await node.run(pod(stuck), phase_is("Failed"))
    assert state(failed)["state"]["terminated"]["exitCode"] == 137


async def test_a_command_that_hangs_fails_its_probe_and_is_killed(node: Node) -> None:
    hanging = container("sleep", "1000", livenessProbe=probe(exec={"command": ["sleep", "1001"]}, timeoutSeconds=1))
    await node.run(pod(hanging), phase_is("Failed"))


async def test_deleting_a_pod_ends_its_probes(node: Node) -> None:
    probed = container("sleep", "1000", readinessProbe=probe(exec={"command": ["true"]}))
    await node.run(pod(probed, terminationGracePeriodSeconds=30), is_ready)
    node.objects.delete(PODS, NAMESPACE, "pod")
    await node.wait_gone("pod")
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("pod ")]
