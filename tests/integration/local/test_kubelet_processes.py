"""No process of a pod outlives its pod or its kubelet, whatever happens to that."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import psutil

from gateway_common.resources import PODS
from tests.kit.pods import NAMESPACE, Node, container, is_running, phase_is, pod, running_node, state
from tests.kit.waiting import until

#: A family: a child in a session of its own, one that has lost its parent, too, and one in the same group.
FAMILY = "setsid sleep 7001 & (setsid sh -c 'sleep 7002; true' &) ; sleep 7003 & echo ready; wait"

HOST = """
import asyncio, pathlib, sys
from tests.kit.pods import container, is_running, pod, running_node

async def main():
    async with running_node(pathlib.Path(sys.argv[1])) as node:
        await node.run(pod(container("sh", "-c", sys.argv[2]), terminationGracePeriodSeconds=30), is_running)
        await node.wait_log("pod", "ready")
        print("ready", flush=True)
        await asyncio.sleep(1000)

asyncio.run(main())
"""


def processes_of(directory: Path) -> list[psutil.Process]:
    """All processes whose environment names the directory: those of the pods of a kubelet with that root."""
    found = []
    for process in psutil.process_iter():
        try:
            values = process.environ().values()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        if process.status() != psutil.STATUS_ZOMBIE and any(str(directory) in value for value in values):
            found.append(process)
    return found


def has_secrets(directory: Path) -> bool:
    return any(directory.glob("pods-*"))


async def run_family(node: Node) -> None:
    await node.run(pod(container("sh", "-c", FAMILY), terminationGracePeriodSeconds=30), is_running)
    await node.wait_log("pod", "ready")


async def test_a_deleted_pod_leaves_no_process(node: Node, tmp_path: Path) -> None:
    await run_family(node)
    await until(lambda: len(processes_of(tmp_path)) >= 4)
    node.objects.delete(PODS, NAMESPACE, "pod")
    await node.wait_gone("pod")
    assert processes_of(tmp_path) == []


async def test_a_pod_that_is_removed_by_force_leaves_no_process(node: Node, tmp_path: Path) -> None:
    await run_family(node)
    node.objects.delete(PODS, NAMESPACE, "pod", grace_period_seconds=0)
    await until(lambda: processes_of(tmp_path) == [])


async def test_a_container_that_ends_takes_along_what_it_started(node: Node, tmp_path: Path) -> None:
    await node.run(pod(container("sh", "-c", FAMILY.replace("wait", "exit 0"))), phase_is("Succeeded"))
    assert processes_of(tmp_path) == []


async def test_stopping_the_kubelet_leaves_no_process_and_no_secret(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        await run_family(node)
    assert processes_of(tmp_path) == []
    assert not has_secrets(tmp_path)


async def test_a_killed_kubelet_leaves_no_process(tmp_path: Path) -> None:
    host = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", HOST, str(tmp_path), FAMILY),
        stdout=asyncio.subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": "."},
    )
    assert host.stdout
    assert await host.stdout.readline() == b"ready\n"
    await until(lambda: len(processes_of(tmp_path)) >= 4)
    host.kill()
    await host.wait()
    await until(lambda: processes_of(tmp_path) == [] and not has_secrets(tmp_path))


async def test_pods_end_with_the_program_that_supervises_them(node: Node) -> None:
    running = await node.run(pod(), is_running)
    process = psutil.Process(int(state(running)["containerID"].removeprefix("process://")))
    supervisor = process.parent()
    assert supervisor
    supervisor.send_signal(signal.SIGKILL)
    failed = await node.wait("pod", phase_is("Failed"))
    assert state(failed)["state"]["terminated"]["exitCode"] == 137
    await until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE)


async def test_looking_after_idle_pods_polls_nothing(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        for number in range(5):
            await node.run(pod(name=f"pod-{number}"), is_running)
        supervisor = next(p for p in psutil.Process().children() if "supervisor.py" in " ".join(p.cmdline()))
        await until(lambda: supervisor.status() == psutil.STATUS_SLEEPING)
        before = supervisor.num_ctx_switches().voluntary
        await asyncio.sleep(0.5)
        assert supervisor.num_ctx_switches().voluntary <= before + 2
