"""A controller on a real API server, and a test that plays everything else: the api, the kubelet, the user."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from typing import Any, NoReturn, TypeVar
from uuid import uuid4

from gateway_common.configuration.groups import KubeSettings
from gateway_common.configuration.model import Configuration
from gateway_common.configuration.services import ControllerGroup
from gateway_common.errors import Conflict, NotFound
from gateway_common.kube import KubeClient, KubeObject
from gateway_common.names import CLUSTER_LABEL, INSTANCE_LABEL, scheduler_pod_name, secret_name, service_name
from gateway_common.resources import (
    DASKCLUSTERS,
    EVENTS,
    INGRESSROUTES,
    INGRESSROUTETCPS,
    PODS,
    SECRETS,
    SERVICES,
    Resource,
)
from gateway_controller.controller import Controller, Elect
from gateway_controller.leader import Work
from tests.kit.waiting import eventually, until

T = TypeVar("T")
STATUS_WRITE = ("patch", "daskclusters")
#: All objects of a cluster but its workers.
CHILDREN: tuple[tuple[Resource, Callable[[str], str]], ...] = (
    (SECRETS, secret_name),
    (PODS, scheduler_pod_name),
    (SERVICES, service_name),
    (INGRESSROUTES, service_name),
    (INGRESSROUTETCPS, service_name),
)


class MortalClient(KubeClient):
    """A client whose owner dies when so many of its writes have been answered, and never gets that answer."""

    def mortal(self, writes: int | None) -> None:
        self._left = writes
        self._under_way: set[asyncio.Future[Any]] = set()
        self.died = asyncio.Event()

    async def create(self, *args: Any, **options: Any) -> KubeObject:
        return await self._write(super().create(*args, **options))

    async def patch(self, *args: Any, **options: Any) -> KubeObject:
        return await self._write(super().patch(*args, **options))

    async def delete(self, *args: Any, **options: Any) -> None:
        await self._write(super().delete(*args, **options))

    async def delete_collection(self, *args: Any, **options: Any) -> None:
        await self._write(super().delete_collection(*args, **options))

    async def settle(self) -> None:
        """Wait for what the server is still doing: a request that was sent is carried out, whoever dies."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _write(self, call: Coroutine[Any, Any, T]) -> T:
        if self.died.is_set():
            call.close()
            await _never()
        under_way = asyncio.ensure_future(call)
        self._under_way.add(under_way)
        try:
            return await asyncio.shield(under_way)
        finally:
            self._under_way.discard(under_way)
            if self._left is not None:
                self._left -= 1
                if self._left <= 0:
                    self.died.set()
                    await _never()


async def _never() -> NoReturn:
    await asyncio.Event().wait()
    raise AssertionError("an event that nobody sets")


class Seat:
    """An election in which the test says when this replica leads."""

    def __init__(self) -> None:
        self._given = asyncio.Event()
        self._note = ""
        self._term: asyncio.Task[str] | None = None

    def give(self, note: str = "") -> None:
        """Let it lead; `note` is what the last leader has left."""
        self._note = note
        self._given.set()

    async def take_away(self) -> None:
        """As when a lease is lost: what is under way is cut off."""
        self._given.clear()
        if self._term:
            self._term.cancel()
            await asyncio.gather(self._term, return_exceptions=True)

    async def run(self, work: Work, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await self._given.wait()
            self._term = asyncio.create_task(work(self._note))
            await asyncio.wait((self._term,))
            if not self._term.cancelled():
                self._term.result()


class RunningController:
    """A controller in this process.

    `calls` counts its requests to the API server, watches, lists and Events excepted; `events` counts the last.
    """

    def __init__(self, settings: Configuration, client: MortalClient, elect: Elect | None = None) -> None:
        self._client = client
        self.controller = Controller(settings, client)
        self.calls: Counter[tuple[str, str]] = Counter()
        self.events = 0
        self._task = asyncio.create_task(self.controller.run(elect))

    @classmethod
    async def start(
        cls, settings: Configuration, die_after: int | None = None, elect: Elect | None = None
    ) -> "RunningController":
        """With `die_after` it ends as if killed when its so many-th write has been carried out."""

        def count(verb: str, resource: Resource, status: int) -> None:
            if resource is EVENTS:
                running.events += 1
            elif verb not in ("list", "watch"):
                running.calls[verb, resource.plural] += 1

        client = await MortalClient.connect(settings.kube, on_call=count)
        assert isinstance(client, MortalClient)
        client.mortal(die_after)
        running = cls(settings, client, elect)
        return running

    async def count_anew(self) -> None:
        """Begin to count calls, once the answer to the last one has come: its effect is seen by others before that."""
        await until(lambda: len(self.controller.queue) == 0)
        self.calls.clear()

    async def is_idle_after(self, calls: Mapping[tuple[str, str], int], *, more_writes: int = 0) -> None:
        """Wait until it has nothing more to do, and check what that has cost.

        Up to `more_writes` statuses may have been written besides: how workers get on is told once a second.
        """
        least = calls.get(STATUS_WRITE, 0)

        def are_as_expected() -> bool:
            others = {**self.calls, STATUS_WRITE: 0} == {**calls, STATUS_WRITE: 0}
            return others and least <= self.calls[STATUS_WRITE] <= least + more_writes

        with suppress(TimeoutError):
            await until(lambda: are_as_expected() and len(self.controller.queue) == 0, seconds=20)
        assert are_as_expected(), dict(self.calls)
        assert len(self.controller.queue) == 0

    async def dies(self) -> None:
        async with asyncio.timeout(60):
            await self._client.died.wait()
        await self.stop()

    async def stop(self) -> None:
        """Without any farewell: a controller that is stopped and one that is killed leave the same behind."""
        await self._client.settle()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await self._client.close()


class World:
    """An API server with a namespace of the test's own."""

    def __init__(self, client: KubeClient, kube: KubeSettings, namespace: str) -> None:
        self.client = client
        self.namespace = namespace
        self.settings = Configuration(
            instance="test",
            kube=kube.model_copy(update={"namespaces": [namespace]}),
            clusters_api_url="http://127.0.0.1:8000/api",
            controller=ControllerGroup(
                backoff_base_delay=0.02,
                backoff_max_delay=0.2,
                completed_cluster_cleanup_period=0.05,
            ),
        )
        self._controllers: list[RunningController] = []

    async def controller(
        self, *, die_after: int | None = None, elect: Elect | None = None, **settings: Any
    ) -> RunningController:
        group = self.settings.controller.model_copy(update=settings)
        configured = self.settings.model_copy(update={"controller": group})
        running = await RunningController.start(configured, die_after, elect)
        self._controllers.append(running)
        return running

    async def close(self) -> None:
        for running in self._controllers:
            await running.stop()

    # what the api does

    async def new_cluster(self, name: str = "", instance: str = "test", **spec: Any) -> str:
        name = name or uuid4().hex
        manifest = {
            "apiVersion": DASKCLUSTERS.api_version,
            "kind": DASKCLUSTERS.kind,
            "metadata": {
                "name": name,
                "namespace": self.namespace,
                "labels": {INSTANCE_LABEL: instance, CLUSTER_LABEL: name},
            },
            "spec": {"username": "alice", **spec},
        }
        await self.client.create(DASKCLUSTERS, manifest)
        return name

    async def set_spec(self, name: str, **spec: Any) -> None:
        await self.client.patch(DASKCLUSTERS, name, {"spec": spec}, namespace=self.namespace)

    async def status(self, name: str) -> dict[str, Any]:
        manifest = await self.client.get(DASKCLUSTERS, name, namespace=self.namespace)
        status: dict[str, Any] = manifest.get("status") or {}
        return status

    async def phase(self, name: str) -> str:
        return str((await self.status(name)).get("phase"))

    async def reaches(self, name: str, phase: str) -> dict[str, Any]:
        async def probe() -> dict[str, Any] | None:
            status = await self.status(name)
            return status if status.get("phase") == phase and (phase != "Pending" or status.get("service")) else None

        return await eventually(probe)

    async def says(self, name: str, reason: str) -> dict[str, Any]:
        """The status once it has this reason."""

        async def probe() -> dict[str, Any] | None:
            status = await self.status(name)
            return status if status.get("reason") == reason else None

        return await eventually(probe)

    async def workers_are(self, name: str, **counts: int) -> dict[str, Any]:
        """The status once it counts workers so."""

        async def probe() -> dict[str, Any] | None:
            status = await self.status(name)
            said = status.get("workers") or {}
            return status if counts == {state: said.get(state) for state in counts} else None

        return await eventually(probe)

    async def running_cluster(self, **spec: Any) -> str:
        name = await self.new_cluster(**spec)
        await self.reaches(name, "Pending")
        await self.run_pod(scheduler_pod_name(name))
        await self.reaches(name, "Running")
        return name

    async def stops(self, name: str, outcome: str = "Stopped") -> None:
        """Wait until a cluster that was told to stop, or has failed, is over, and end its pods meanwhile."""

        async def probe() -> bool:
            await self.remove_deleted_pods(name)
            return await self.phase(name) == outcome

        await eventually(probe)

    async def delete(self, name: str) -> None:
        """Delete a cluster's record."""
        await self.client.delete(DASKCLUSTERS, name, namespace=self.namespace)

    # what is there

    async def find(self, resource: Resource, name: str) -> dict[str, Any] | None:
        with suppress(NotFound):
            return await self.client.get(resource, name, namespace=self.namespace)
        return None

    async def children(self, name: str) -> dict[str, str]:
        """The uids of a cluster's objects by kind; of those that there are."""
        found = {resource.kind: await self.find(resource, naming(name)) for resource, naming in CHILDREN}
        return {kind: manifest["metadata"]["uid"] for kind, manifest in found.items() if manifest}

    async def workers(self, name: str) -> list[str]:
        """The names of a cluster's worker pods that nobody is deleting."""
        selector = f"{CLUSTER_LABEL}={name},app.kubernetes.io/component=dask-worker"
        pods = await self.client.list(PODS, namespace=self.namespace, label_selector=selector)
        return sorted(pod["metadata"]["name"] for pod in pods.items if "deletionTimestamp" not in pod["metadata"])

    async def has_workers(self, name: str, slots: list[int]) -> None:
        expected = sorted(f"dask-worker-{name}-{slot}" for slot in slots)

        async def probe() -> bool:
            return await self.workers(name) == expected

        await eventually(probe)

    async def collect_garbage(self, name: str, uids: Mapping[str, str]) -> None:
        """Delete what a cluster of this name has left, where no garbage collector does."""
        for resource, naming in CHILDREN:
            with suppress(NotFound, Conflict):
                await self.client.delete(
                    resource,
                    naming(name),
                    namespace=self.namespace,
                    uid=uids[resource.kind],
                    grace_period_seconds=0,
                )

    # what the kubelet does

    async def run_pod(self, name: str, *, ready: bool = True, state: dict[str, Any] | None = None) -> None:
        container = name.rpartition("-")[0] if "scheduler" in name else "dask-worker"
        status = {
            "phase": "Running",
            "podIP": "10.0.0.1",
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
            "containerStatuses": [
                {
                    "name": container,
                    "image": "image",
                    "imageID": "",
                    "ready": ready,
                    "restartCount": 0,
                    "state": state or {"running": {"startedAt": "2026-11-23T12:00:00Z"}},
                }
            ],
        }
        await self.set_pod_status(name, status)

    async def set_pod_status(self, name: str, status: dict[str, Any]) -> None:
        await self.client.patch(PODS, name, {"status": status}, namespace=self.namespace, subresource="status")

    async def remove_pod(self, name: str) -> None:
        """Delete a pod and wait for nothing: what a kubelet does when its processes are gone."""
        with suppress(NotFound):
            await self.client.delete(PODS, name, namespace=self.namespace, grace_period_seconds=0)

    async def remove_deleted_pods(self, name: str) -> None:
        """End the pods of a cluster that are being deleted, as their kubelet would."""
        pods = await self.client.list(PODS, namespace=self.namespace, label_selector=f"{CLUSTER_LABEL}={name}")
        for pod in pods.items:
            if "deletionTimestamp" in pod["metadata"]:
                await self.remove_pod(pod["metadata"]["name"])
