"""Replicas of the controller, as processes: one acts, and another goes on whatever happens to it.

How long each hand-over takes at the most is proven in virtual time (tests/unit/controller/test_leader.py).
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway_common.names import scheduler_pod_name
from gateway_common.resources import LEASES
from gateway_local.apiserver.faults import Fault
from tests.kit.controller import CHILDREN, World
from tests.kit.controller_process import ControllerProcesses, controller_processes
from tests.kit.kube import KubeServer, elsewhere, server_of
from tests.kit.tcp_proxy import tcp_proxy
from tests.kit.waiting import eventually

LEASE = "dask-gateway-controller-test"


@pytest.fixture
async def processes(world: World, kube_server: KubeServer, tmp_path: Path) -> AsyncIterator[ControllerProcesses]:
    async with controller_processes(
        tmp_path, kubeconfig=kube_server.kubeconfig, namespace=world.namespace
    ) as processes:
        yield processes


async def holder(world: World) -> str:
    lease = await world.find(LEASES, LEASE)
    assert lease
    return str(lease["spec"]["holderIdentity"])


async def becomes_running(world: World, name: str) -> None:
    await world.reaches(name, "Pending")
    await world.run_pod(scheduler_pod_name(name))
    await world.reaches(name, "Running")
    assert len(await world.children(name)) == len(CHILDREN)


async def test_of_three_one_acts_and_all_are_ready(world: World, processes: ControllerProcesses) -> None:
    leader, *others = await processes.start_ready("a", "b", "c")
    await becomes_running(world, await world.new_cluster())
    assert await holder(world) == "a"
    assert await leader.writes() > 0
    for replica in others:
        assert await replica.stands_by()
        assert await replica.writes() == 0


async def test_a_leader_that_is_killed_is_replaced(world: World, processes: ControllerProcesses) -> None:
    leader, *others = await processes.start_ready("a", "b", "c")
    name = await world.new_cluster()
    await world.reaches(name, "Pending")
    leader.process.kill()
    await leader.ends()
    # what happens while nobody leads
    late = await world.new_cluster()
    await world.run_pod(scheduler_pod_name(name))
    await world.reaches(name, "Running")
    await becomes_running(world, late)
    assert sorted([await replica.is_leading() for replica in others]) == [False, True]


async def test_a_leader_that_is_told_to_stop_hands_over_at_once(world: World, processes: ControllerProcesses) -> None:
    leader, other = await processes.start_ready("a", "b")
    name = await world.new_cluster()
    leader.process.send_signal(signal.SIGTERM)
    assert await leader.ends() == 0
    assert await holder(world) in ("", "b")
    await other.leads()
    await becomes_running(world, name)


async def test_a_leader_that_was_paused_does_nothing_when_it_wakes(
    world: World, processes: ControllerProcesses
) -> None:
    leader, other = await processes.start_ready("a", "b")
    written = await leader.writes()
    leader.freeze()
    name = await world.new_cluster()
    await becomes_running(world, name)
    leader.thaw()
    await eventually(leader.stands_by)
    assert await leader.writes() == written
    assert await other.is_leading()


async def test_a_leader_whose_network_is_cut_is_replaced_and_what_it_had_begun_does_no_harm(
    world: World, kube_server: KubeServer, processes: ControllerProcesses, tmp_path: Path
) -> None:
    url = server_of(kube_server.kubeconfig)
    assert url.port
    async with tcp_proxy(url.host, url.port) as proxy:
        behind = elsewhere(kube_server.kubeconfig, proxy.port, tmp_path / "behind.kubeconfig")
        first = await processes.start("a", KUBE__KUBECONFIG=str(behind))
        await first.leads()
        second = await processes.start("b")
        await eventually(second.is_ready)
        running = await world.running_cluster()
        proxy.cut()
        name = await world.new_cluster()
        await becomes_running(world, name)
        await eventually(first.stands_by)
        # counted only now: until its time was up it could still try
        tried = await first.writes()
        proxy.mend()
        await world.set_spec(running, active=False)
        await world.stops(running)
        assert await first.writes() == tried
        second.process.send_signal(signal.SIGTERM)
        assert await second.ends() == 0
        await first.leads()
        await world.set_spec(name, active=False)
        await world.stops(name)


class TestOnTheEmbeddedServer:
    """What takes an API server that can be told to be slow."""

    @pytest.fixture
    def kube_server(self, embedded_kube_server: KubeServer) -> KubeServer:
        return embedded_kube_server

    async def test_a_leader_paused_in_the_middle_of_a_start_leaves_the_rest_to_its_successor(
        self, world: World, kube_server: KubeServer, processes: ControllerProcesses
    ) -> None:
        assert kube_server.embedded
        leader, other = await processes.start_ready("a", "b")
        slow = kube_server.embedded.faults.add(Fault(verb="create", resource="pods", latency=3.0))
        name = await world.new_cluster()

        async def is_in_the_middle() -> bool:
            return slow.met > 0

        await eventually(is_in_the_middle)
        leader.freeze()
        written = len(await world.children(name))
        assert written == 1
        kube_server.embedded.faults.clear()
        await other.leads()
        await becomes_running(world, name)
        leader.thaw()
        await eventually(leader.stands_by)
        # the Secret before it was paused, the pod when it was: nothing of what would have come next
        assert await leader.writes() == 2
        await asyncio.gather(*(replica.read_metrics() for replica in (leader, other)))
        refused = ("dask_gateway_controller_reconciles_total", (("outcome", "defect"),))
        assert leader.series[refused] == other.series[refused] == 0
