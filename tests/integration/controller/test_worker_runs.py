"""What a kubelet says of workers that crash, and what the controller reads from it."""

from pathlib import Path

import pytest

from gateway_controller.core.runs import Run, read_run
from tests.kit.pods import container, pod, running_node, state, waiting_reason


@pytest.mark.parametrize("init", [False, True])
async def test_a_worker_that_ends_again_and_again_is_seen_with_how_it_ended(tmp_path: Path, init: bool) -> None:
    crashing = container("sh", "-c", "exit 3", name="crash")
    fine = container("sleep", "1000", name="dask-worker")
    worker = (
        pod(fine, initContainers=[crashing], restartPolicy="OnFailure")
        if init
        else pod({**crashing, "name": "dask-worker"}, restartPolicy="OnFailure")
    )
    name = "crash" if init else "dask-worker"
    async with running_node(tmp_path) as node:
        seen = await node.run(worker, lambda manifest: waiting_reason(manifest, name) == "CrashLoopBackOff")
    run = read_run(seen["status"], state(seen, "dask-worker"))
    assert run.looping
    assert run.problem == "it exited with code 3 (Error)"
    assert run.last is None if init else (run.last or 0.0) < 60


async def test_a_worker_that_runs_is_seen_with_its_beginning(tmp_path: Path) -> None:
    async with running_node(tmp_path) as node:
        seen = await node.run(
            pod(container("sleep", "1000", name="dask-worker")),
            lambda manifest: "running" in state(manifest, "dask-worker").get("state", {}),
        )
    run = read_run(seen["status"], state(seen, "dask-worker"))
    assert run == Run(since=run.since)
    assert run.since is not None
