"""What the controllers of workloads have in common: they look at an object when it, or what it owns, has changed."""

from abc import ABC, abstractmethod
from typing import ClassVar

from gateway_common.clock import Clock, system_clock
from gateway_common.resources import PODS, Manifest, Resource
from gateway_local.apiserver.objects import Objects
from gateway_local.following import Loops
from gateway_local.workloads.pods import controller_of
from gateway_local.workloads.reconciling import Key, Reconciler


class WorkloadController(ABC):
    """Reconciles all objects of a resource, between start() and stop()."""

    resource: ClassVar[Resource]
    #: What these objects make, and own.
    owned: ClassVar[Resource] = PODS

    def __init__(self, objects: Objects, clock: Clock = system_clock) -> None:
        self._objects = objects
        self._clock = clock
        self._loops = Loops()
        self._reconciler = Reconciler(self._reconcile)

    async def start(self) -> None:
        """Begin; what there is already is seen first."""
        self._loops.follow(self._objects, self.resource, self._changed)
        self._loops.follow(self._objects, self.owned, self._owned_changed)

    async def stop(self) -> None:
        await self._loops.stop()
        self._reconciler.stop()

    @abstractmethod
    def _reconcile(self, key: Key) -> float | None:
        """Look at one object; answers as `Reconcile` does."""

    def _changed(self, _: str, manifest: Manifest) -> None:
        self._reconciler.mark((manifest["metadata"]["namespace"], manifest["metadata"]["name"]))

    def _owned_changed(self, _: str, manifest: Manifest) -> None:
        if owner := controller_of(manifest, self.resource.kind):
            self._reconciler.mark((manifest["metadata"]["namespace"], owner["name"]))
