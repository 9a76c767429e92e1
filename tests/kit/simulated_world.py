"""A Kubernetes cluster in virtual time: API server, scheduler, kubelet and network, and controllers that die in it.

Whoever watches the storage (`History`) sees every version of every object, and notes what must never be.
"""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

from gateway_common import informer, kube_calls
from gateway_common.configuration.groups import KubeSettings
from gateway_common.configuration.model import Configuration
from gateway_common.configuration.services import ControllerGroup
from gateway_common.crd import crd
from gateway_common.names import CLUSTER_LABEL, COMPONENT_LABEL, INSTANCE_LABEL, WORKER_COMPONENT
from gateway_common.resources import (
    DASKCLUSTERS,
    INGRESSROUTES,
    INGRESSROUTETCPS,
    NAMESPACES,
    PODS,
    SECRETS,
    SERVICES,
    Manifest,
    Resource,
)
from gateway_controller.controller import Controller
from gateway_local.apiserver.server import ApiServer
from gateway_local.apiserver.storage import Change, Table
from gateway_local.kubelet import SimulatedKubelet
from gateway_local.scheduling import Scheduler
from tests.kit.simulated_network import MortalProcess, Network
from tests.kit.virtual_time import virtual_loop

NAMESPACE = "dask"
CHILDREN = (SECRETS, PODS, SERVICES, INGRESSROUTES, INGRESSROUTETCPS)
PHASES = ["", "Pending", "Running", "Stopping", "Stopped", "Failed"]
_TRACKED = {(resource.group, resource.plural): resource for resource in CHILDREN}


class History:
    """Every object that was ever made, and all that must never happen and did."""

    def __init__(self) -> None:
        self.created: Counter[tuple[str, str]] = Counter()
        self.deleted: Counter[str] = Counter()
        self.problems: list[str] = []
        self._phases: defaultdict[str, str] = defaultdict(str)
        self._most_wanted: Counter[str] = Counter()
        self._gone: set[str] = set()
        self._live: defaultdict[str, set[str]] = defaultdict(set)

    def saw(self, table: Table, change: Change) -> None:
        manifest = change.stored.object
        if table.key == (DASKCLUSTERS.group, DASKCLUSTERS.plural):
            self._check_phase(manifest)
            if change.type == "DELETED":
                self._gone.add(change.stored.name)
        elif resource := _TRACKED.get(table.key):
            if change.type == "DELETED":
                self.deleted[resource.kind] += 1
            elif change.previous is None:
                self._check_creation(resource, manifest)
            if resource is PODS:
                self._check_workers(manifest, gone=change.type == "DELETED")

    @property
    def made(self) -> int:
        """How many objects there have ever been, the clusters excepted."""
        return self.created.total()

    def _check_creation(self, resource: Resource, manifest: Manifest) -> None:
        name = manifest["metadata"]["name"]
        self.created[resource.kind, name] += 1
        # what is made for a cluster that is gone, by whoever has not heard of it yet, has no owner and goes at once
        is_owned = manifest["metadata"]["labels"][CLUSTER_LABEL] not in self._gone
        if self.created[resource.kind, name] > 1 and is_owned:
            self.problems.append(f"{resource.kind} {name} was made again")

    def _check_phase(self, manifest: Manifest) -> None:
        name, phase = manifest["metadata"]["name"], manifest.get("status", {}).get("phase", "")
        self._most_wanted[name] = max(self._most_wanted[name], manifest["spec"].get("replicas", 0))
        before, self._phases[name] = self._phases[name], phase
        if PHASES.index(phase) < PHASES.index(before) or (phase != before and before in ("Stopped", "Failed")):
            self.problems.append(f"{name} went from {before} to {phase}")

    def _check_workers(self, pod: Manifest, *, gone: bool) -> None:
        labels, name = pod["metadata"]["labels"], pod["metadata"]["name"]
        if labels[COMPONENT_LABEL] != WORKER_COMPONENT:
            return
        cluster = labels[CLUSTER_LABEL]
        if gone or not is_live(pod):
            self._live[cluster].discard(name)
            return
        self._live[cluster].add(name)
        if len(self._live[cluster]) > self._most_wanted[cluster]:
            self.problems.append(f"{cluster} has more workers than were ever wanted")


def is_live(pod: Manifest) -> bool:
    """Whether nobody is deleting it and it has not ended."""
    ended = pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
    return not ended and "deletionTimestamp" not in pod["metadata"]


class SimulatedWorld:
    """What `simulated_world` gives: everything that a controller meets."""

    def __init__(self, seed: int) -> None:
        self.loop = virtual_loop()
        self.rng = random.Random(seed)  # has to be repeatable
        self.server = ApiServer(definitions=[crd()], clock=self.loop.clock)
        self.objects = self.server.objects
        self.history = History()
        self.server.storage.listeners.append(self.history.saw)
        self.kubelet = SimulatedKubelet(self.objects, startup_seconds=2.0, clock=self.loop.clock)
        self.scheduler = Scheduler(self.objects, self.loop.clock)
        self.network = Network(self.server.application, self.rng)
        #: Requests of all controllers, lists and watches excepted, by verb and resource.
        self.calls: Counter[tuple[str, str]] = Counter()

    async def start(self) -> None:
        self.server.begin()
        self.objects.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
        await self.scheduler.start()
        await self.kubelet.start()

    async def stop(self) -> None:
        await self.network.close()
        await self.kubelet.stop()
        await self.scheduler.stop()
        await self.server.stop()

    async def controller(self, **settings: Any) -> "MortalController":
        """A controller that runs from now on."""
        configuration = Configuration(
            instance="test",
            kube=KubeSettings(namespaces=[NAMESPACE]),
            clusters_api_url="http://127.0.0.1:8000/api",
            controller=ControllerGroup(**settings),
        )
        process = await self.network.connect(on_call=self._count)
        return MortalController(process, Controller(configuration, process.client, self.loop.clock))

    # what the api does

    def new_cluster(self, name: str, **spec: Any) -> None:
        labels = {INSTANCE_LABEL: "test", CLUSTER_LABEL: name}
        manifest = {
            "apiVersion": DASKCLUSTERS.api_version,
            "kind": DASKCLUSTERS.kind,
            "metadata": {"name": name, "namespace": NAMESPACE, "labels": labels},
            "spec": {"username": "alice", **spec},
        }
        self.objects.create(DASKCLUSTERS, manifest)

    def set_spec(self, name: str, **spec: Any) -> None:
        self.objects.patch(DASKCLUSTERS, NAMESPACE, name, {"spec": spec})

    def delete_cluster(self, name: str) -> None:
        self.objects.delete(DASKCLUSTERS, NAMESPACE, name)

    # what pods do

    def ends(self, name: str, exit_code: int) -> bool:
        """End the programs of a pod if it runs, as if by themselves; whether it did."""
        pod = self.objects.get(PODS, NAMESPACE, name)
        if pod is None or pod["status"]["phase"] != "Running" or "deletionTimestamp" in pod["metadata"]:
            return False
        self.kubelet.exit_containers(NAMESPACE, name, exit_code)
        return True

    # what is there

    def clusters(self) -> dict[str, Manifest]:
        return {manifest["metadata"]["name"]: manifest for manifest in self.objects.list(DASKCLUSTERS, NAMESPACE)}

    def phase(self, name: str) -> str:
        manifest = self.objects.get(DASKCLUSTERS, NAMESPACE, name) or {}
        return str(manifest.get("status", {}).get("phase", ""))

    def workers(self) -> dict[str, list[Manifest]]:
        """By cluster, those that live."""
        found: defaultdict[str, list[Manifest]] = defaultdict(list)
        for pod in self.objects.list(PODS, NAMESPACE, f"{COMPONENT_LABEL}={WORKER_COMPONENT}"):
            if is_live(pod):
                found[pod["metadata"]["labels"][CLUSTER_LABEL]].append(pod)
        return found

    def children(self) -> dict[str, Counter[str]]:
        """How many objects of each kind there are, by cluster."""
        found: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for resource in CHILDREN:
            for manifest in self.objects.list(resource, NAMESPACE):
                labels = manifest["metadata"].get("labels") or {}
                found[labels.get(CLUSTER_LABEL, "")][resource.kind] += 1
        return found

    def _count(self, verb: str, resource: Resource, _: int) -> None:
        if verb not in ("list", "watch"):
            self.calls[verb, resource.plural] += 1


class MortalController:
    """A controller in a process of its own, which may be killed between any two steps of the event loop."""

    def __init__(self, process: MortalProcess, controller: Controller) -> None:
        self.controller = controller
        self._process = process
        self._task = asyncio.create_task(controller.run())

    async def kill(self) -> None:
        """As by SIGKILL: what it has sent is on its way, and it says nothing more."""
        self._process.die()
        self._task.cancel()
        results = await asyncio.gather(self._task, return_exceptions=True)
        if isinstance(results[0], Exception):
            raise results[0]


@asynccontextmanager
async def simulated_world(seed: int = 0) -> AsyncGenerator[SimulatedWorld, None]:
    world = SimulatedWorld(seed)

    def same_every_time() -> random.Random:
        return random.Random(world.rng.random())  # has to be repeatable

    with (
        patch.object(kube_calls, "system_random", same_every_time),
        patch.object(informer, "system_random", same_every_time),
    ):
        await world.start()
        try:
            yield world
        finally:
            await world.stop()
