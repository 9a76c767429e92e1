"""Carries out a plan's actions. Every one of them may have been carried out before, by a controller that died since."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from gateway_common.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    KubeError,
    KubeUnavailable,
    NotFound,
)
from gateway_common.kube import KubeClient
from gateway_common.manifests.installation import Installation
from gateway_common.manifests.metadata import with_owner
from gateway_common.model import DaskClusterStatus
from gateway_common.names import CLUSTER_LABEL, INSTANCE_LABEL, WORKER_GROUP_LABEL, scheduler_pod_name
from gateway_common.object_store import ObjectKey
from gateway_common.reasons import Reason
from gateway_common.resources import DASKCLUSTERS, PODS, SECRETS, Resource
from gateway_controller.certificates import make_credentials
from gateway_controller.core.build.secret import build_secret
from gateway_controller.core.drift import renewal
from gateway_controller.core.observed import Cluster, Observed, slot_of
from gateway_controller.core.plan import Action, Batch, Create, CreateCredentials, Delete, DeletePods, Owner, Renew
from gateway_controller.core.refusals import classify_refusal
from gateway_controller.core.status import status_patch
from gateway_controller.events import Events
from gateway_controller.informers import Informers
from gateway_controller.observe import Observer

#: Calls at once. Fewer than the client has connections: one scale may mean a thousand pods, and who waits here waits
#: without a time-out. Enough: with 90, 200 clusters do not start sooner.
MOST_CALLS = 40


class NameTaken(KubeError):
    """An object of the name that we need is there, and is not this cluster's."""


class SchedulerRejected(KubeError):
    """The API server refuses the scheduler's pod, and would refuse it again."""


class Executor:
    """Turns actions into calls, and their answers into the informers' knowledge."""

    def __init__(
        self,
        client: KubeClient,
        informers: Informers,
        observer: Observer,
        installation: Installation,
        now: Callable[[], datetime],
        events: Events,
    ) -> None:
        self._client = client
        self._informers = informers
        self._observer = observer
        self._installation = installation
        self._now = now
        self._events = events
        self._calls = asyncio.Semaphore(MOST_CALLS)

    async def execute(self, observed: Observed, actions: tuple[Batch, ...]) -> None:
        """Carry out one batch after the other; the first that fails is finished, and its first error raised."""
        run = _Run(observed)
        for batch in actions:
            results = await asyncio.gather(*(self._act(run, action) for action in batch), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result

    async def write_status(self, cluster: Cluster, status: DaskClusterStatus) -> None:
        """Write a cluster's status if it changed."""
        patch = status_patch(cluster.uid, cluster.status, status)
        if patch is None:
            return
        # Who was deleted meanwhile needs no status, and its children go with it.
        async with self._calls:
            with suppress(NotFound):
                answer = await self._client.patch(
                    DASKCLUSTERS, cluster.name, patch, namespace=cluster.namespace, subresource="status"
                )
                self._informers.clusters.absorb(answer)
                self._events.tell(cluster, status)

    async def _act(self, run: "_Run", action: Action) -> None:
        async with self._calls:
            await self._call(run, action)

    async def _call(self, run: "_Run", action: Action) -> None:
        match action:
            case CreateCredentials():
                await self._create_credentials(run)
            case Create(owner=Owner.CLUSTER):
                run.scheduler_uid = await self._create_scheduler(run, action.manifest)
            case Create(resource, manifest, Owner.SCHEDULER) if resource is PODS:
                await self._create_worker(run, run.owned_by_scheduler(manifest))
            case Create(resource, manifest, Owner.SCHEDULER):
                await self._create(run.cluster, resource, run.owned_by_scheduler(manifest))
            case Renew():
                await self._renew(run, action)
            case Delete():
                await self._delete(run, action)
            case DeletePods(selector, uids):
                await self._client.delete_collection(PODS, namespace=run.cluster.namespace, label_selector=selector)
                self._observer.expect_deletion(run.key, uids)

    async def _create_credentials(self, run: "_Run") -> None:
        credentials = await make_credentials(run.cluster.name, self._now())
        manifest = build_secret(self._installation, run.cluster.full_name, credentials)
        await self._create(run.cluster, SECRETS, run.owned_by_cluster(manifest))

    async def _create_scheduler(self, run: "_Run", manifest: dict[str, Any]) -> str:
        try:
            pod = await self._create(run.cluster, PODS, run.owned_by_cluster(manifest))
        except (Invalid, Forbidden) as error:
            if classify_refusal(error) != Reason.POD_REJECTED:
                raise
            raise SchedulerRejected(str(error)) from error
        uid: str = pod["metadata"]["uid"]
        return uid

    async def _create_worker(self, run: "_Run", manifest: dict[str, Any]) -> None:
        try:
            await self._create(run.cluster, PODS, manifest)
        except KubeUnavailable:
            metadata = manifest["metadata"]
            group = metadata["labels"].get(WORKER_GROUP_LABEL, "")
            self._informers.doubt_slot(run.key, group, slot_of(metadata["name"]))
            raise

    async def _create(self, cluster: Cluster, resource: Resource, manifest: dict[str, Any]) -> dict[str, Any]:
        """Create an object, or adopt the one of its name if it is what we would have made."""
        metadata = manifest["metadata"]
        try:
            answer = await self._client.create(resource, manifest)
        except AlreadyExists:
            answer = await self._adopt(cluster, resource, metadata["name"], metadata["ownerReferences"][0]["uid"])
        if resource is PODS:
            self._informers.pods.absorb(answer)
        return answer

    async def _adopt(self, cluster: Cluster, resource: Resource, name: str, owner_uid: str) -> dict[str, Any]:
        try:
            found = await self._client.get(resource, name, namespace=cluster.namespace)
        except NotFound:
            raise Conflict(f"{resource.kind} {name} was deleted just now") from None
        if not self._is_ours(found["metadata"], cluster, owner_uid):
            raise NameTaken(f"{resource.kind} {name} exists and is not this cluster's")
        return found

    def _is_ours(self, found: dict[str, Any], cluster: Cluster, owner_uid: str) -> bool:
        """By label and by owner: what an earlier cluster of this name has left goes when its owner is collected."""
        labels = found.get("labels") or {}
        owners = found.get("ownerReferences") or ()
        return (
            labels.get(INSTANCE_LABEL) == self._installation.instance
            and labels.get(CLUSTER_LABEL) == cluster.name
            and any(owner["uid"] == owner_uid for owner in owners)
        )

    async def _renew(self, run: "_Run", action: Renew) -> None:
        """One that was deleted meanwhile is found missing later."""
        name, namespace = action.manifest["metadata"]["name"], run.cluster.namespace
        with suppress(NotFound):
            await self._client.patch(action.resource, name, renewal(action.manifest), namespace=namespace)

    async def _delete(self, run: "_Run", action: Delete) -> None:
        """What is gone already, or was replaced by another of its name, is what was asked for."""
        with suppress(NotFound, Conflict):
            await self._client.delete(action.resource, action.name, namespace=run.cluster.namespace, uid=action.uid)
        if action.resource is PODS:
            self._observer.expect_deletion(run.key, frozenset((action.uid,)))


class _Run:
    """One plan's execution: whose it is, and the scheduler's uid once that is known."""

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self.cluster = observed.cluster
        self.key = ObjectKey(observed.cluster.namespace, observed.cluster.name)
        self.scheduler_uid = observed.scheduler.uid if observed.scheduler else ""

    def owned_by_cluster(self, manifest: dict[str, Any]) -> dict[str, Any]:
        return with_owner(manifest, DASKCLUSTERS, self.cluster.name, self.cluster.uid)

    def owned_by_scheduler(self, manifest: dict[str, Any]) -> dict[str, Any]:
        return with_owner(manifest, PODS, scheduler_pod_name(self.cluster.name), self.scheduler_uid)
