"""The DaskClusters of this installation: an informer's cache to read from, Kubernetes to write to.

Knows Kubernetes and no rules. It writes metadata and `spec` only: `status` is the controller's. Of Secrets it
reads the clusters' own, one by one, and watches none.
"""

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from gateway_api.clusters.record import FINISHED, Credentials, NewCluster, Record, build_dask_cluster
from gateway_api.clusters.waiters import Waiters
from gateway_api.errors import NamespaceMissing
from gateway_api.single_flight import SingleFlight
from gateway_common.clock import to_rfc3339
from gateway_common.configuration.model import ALL_NAMESPACES
from gateway_common.errors import Forbidden, Invalid, KubeUnavailable, NotFound
from gateway_common.informer import Informer, ObjectKey
from gateway_common.kube import KubeClient
from gateway_common.model import StopReason
from gateway_common.names import (
    API_TOKEN_KEY,
    APP_NAME,
    CERTIFICATE_KEY,
    CLUSTER_LABEL,
    INSTANCE_LABEL,
    NAME_LABEL,
    PRIVATE_KEY_KEY,
    SCHEDULER_GROUPS_ANNOTATION,
    SCHEDULER_REPLICAS_ANNOTATION,
    SCHEDULER_STARTED_ANNOTATION,
    ClusterName,
    instance_selector,
    secret_name,
)
from gateway_common.resources import DASKCLUSTERS, SECRETS

logger = logging.getLogger(__name__)

#: Secrets that are read at the same time: after a restart a list of 1,000 clusters needs 1,000 of them.
CONCURRENT_SECRETS = 32
#: Clusters that are read at the same time by one look at many.
CONCURRENT_READS = 16

#: Hears of each change before those that wait for it.
Listener = Callable[[ClusterName, Record | None], None]


class ClusterRepository:
    """Reads and writes of DaskClusters in the backend namespaces of one instance.

    Reads come from the cache. What this replica wrote is in its cache at once; `find` asks Kubernetes about a
    cluster that is not in the cache, because another replica may have made it a moment ago.
    """

    def __init__(self, kube: KubeClient, *, instance: str, namespaces: Sequence[str]) -> None:
        self._kube = kube
        self._instance = instance
        self._namespaces = frozenset(namespaces)
        everywhere = ALL_NAMESPACES in self._namespaces
        self._everywhere = everywhere
        self._informer: Informer[Record] = Informer(
            kube,
            DASKCLUSTERS,
            namespaces=None if everywhere else list(namespaces),
            label_selector=instance_selector(instance),
            transform=self._record_of,
            index=lambda record: record.user,
            on_change=self._changed,
        )
        self._credentials: dict[ClusterName, Credentials] = {}
        self._secret_reads: SingleFlight[ClusterName, Credentials | None] = SingleFlight()
        self._secret_slots = asyncio.Semaphore(CONCURRENT_SECRETS)
        self._live_reads: SingleFlight[ClusterName, Record | None] = SingleFlight()
        self._read_slots = asyncio.Semaphore(CONCURRENT_READS)
        self._listeners: list[Listener] = []
        self.waiters = Waiters()

    def tell(self, listener: Listener) -> None:
        """Have `listener` called for every change, with None for a cluster that is gone. To be set before `run`."""
        self._listeners.append(listener)

    async def run(self) -> None:
        """Keep the cache up to date until cancelled."""
        await self._informer.run()

    async def wait_synced(self) -> None:
        """Return when the cache has been filled once."""
        await self._informer.wait_synced()

    def cached(self, name: ClusterName) -> Record | None:
        """The cluster as last seen."""
        return self._informer.get(ObjectKey(*name))

    def of_user(self, user: str) -> list[Record]:
        """All clusters of one user as last seen, finished ones included."""
        return self._informer.by_index(user)

    def all(self) -> list[Record]:
        """All clusters of everybody as last seen, finished ones included."""
        return self._informer.values()

    async def find(self, name: ClusterName) -> Record | None:
        """The cluster from the cache, else from Kubernetes; raises KubeError."""
        return self.cached(name) or await self.refresh(name)

    async def refresh(self, name: ClusterName) -> Record | None:
        """The cluster as Kubernetes has it now, None where this gateway has no such cluster; raises KubeError."""
        if not self._everywhere and name.namespace not in self._namespaces:
            return None
        return await self._live_reads.run(name, lambda: self._read(name))

    async def gone(self, records: Iterable[Record]) -> list[Record]:
        """Ask Kubernetes about all of these clusters, and return those that it no longer has; raises KubeError.

        What it says of the others is in the cache then. Unlike `refresh`, it never shares the answer to a question
        that was asked before.
        """
        asked = list(records)
        answers = await asyncio.gather(*(self._reread(record.name) for record in asked))
        return [record for record, answer in zip(asked, answers, strict=True) if answer is None]

    async def wait_until(
        self, name: ClusterName, condition: Callable[[Record], bool], *, seconds: float
    ) -> Record | None:
        """The cluster once it fulfils `condition`, or as it is after so many seconds; None: it is gone."""
        record = self.cached(name)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while record is not None and not self.waiters.closed and not condition(record):
                    await self.waiters.next_change(name)
                    record = self.cached(name)
        return record

    async def create(self, new: NewCluster) -> Record:
        """Make a cluster; raises NamespaceMissing and KubeError."""
        name = new.name
        labels = {NAME_LABEL: APP_NAME, INSTANCE_LABEL: self._instance, CLUSTER_LABEL: name.name}
        manifest = build_dask_cluster(new, labels)
        try:
            return self._absorb(await self._kube.create(DASKCLUSTERS, manifest, namespace=name.namespace))
        except NotFound as error:
            # nothing else can be missing: the informer lists the same resource
            raise NamespaceMissing(name.namespace) from error

    async def deactivate(self, record: Record, reason: StopReason) -> None:
        """Ask the controller to stop the cluster; does nothing where it is gone already. Raises KubeError."""
        await self._patch(record, {"spec": {"active": False, "stopReason": reason}})

    async def report(
        self, record: Record, *, replicas: int, groups: Mapping[str, int] | None = None, now: float
    ) -> None:
        """Store what the scheduler says: that it has started, and how many workers it wants. Raises KubeError.

        `groups` is how many of each group of workers; None: it knows of no groups. Writes nothing where the scheduler
        only repeats itself: what somebody else has asked for since stays.
        """
        if record.scheduler_started and _repeats(record, replicas, groups):
            # Another replica may have written a different number that has not reached this cache: schedulers
            # report a number once, so a report that is wrongly passed over would be lost for an hour.
            latest = await self.refresh(record.name)
            if latest is None or _repeats(latest, replicas, groups):
                return
            record = latest
        await self._patch(record, _report_patch(record, replicas, groups, now))

    async def settle(self, record: Record, *, replicas: int) -> None:
        """Store a number that the scheduler has taken over; does nothing where it or anybody has written since.

        Raises KubeError.
        """
        annotation = f"/metadata/annotations/{SCHEDULER_REPLICAS_ANNOTATION.replace('/', '~1')}"
        patch: list[dict[str, Any]] = [
            {"op": "test", "path": "/metadata/uid", "value": record.uid},
            {"op": "test", "path": annotation, "value": str(record.reported)},
            {"op": "test", "path": "/spec/replicas", "value": record.replicas},
            {"op": "replace", "path": annotation, "value": str(replicas)},
            {"op": "replace", "path": "/spec/replicas", "value": replicas},
        ]
        try:
            await self._patch(record, patch)
        except Invalid:
            await self.refresh(record.name)

    async def credentials(self, record: Record) -> Credentials | None:
        """What the cluster's Secret holds, None while there is no such Secret; raises KubeError."""
        known = self._credentials.get(record.name)
        if known is not None and known.uid == record.uid:
            return known
        return await self._secret_reads.run(record.name, lambda: self._read_secret(record))

    async def body(self, record: Record) -> bytes:
        """The cluster's JSON, with the credentials of a running one; raises KubeError."""
        if record.body is not None:
            return record.body
        credentials = await self.credentials(record)
        if credentials is None:
            # the Secret goes before the phase changes: the cluster is on its way out
            return record.body_without_credentials
        return record.complete(credentials)

    def _record_of(self, manifest: Mapping[str, Any]) -> Record:
        record = Record(manifest)
        credentials = self._credentials.get(record.name)
        if record.body is None and credentials is not None and credentials.uid == record.uid:
            record.complete(credentials)
        return record

    def _changed(self, key: ObjectKey, record: Record | None) -> None:
        name = ClusterName(*key)
        if record is None or record.status in FINISHED:
            self._credentials.pop(name, None)
        for listener in self._listeners:
            listener(name, record)
        self.waiters.notify(name)

    def _absorb(self, manifest: dict[str, Any]) -> Record:
        self._informer.absorb(manifest)
        record = self._record_of(manifest)
        return self.cached(record.name) or record

    async def _reread(self, name: ClusterName) -> Record | None:
        async with self._read_slots:
            return await self._read(name)

    async def _read(self, name: ClusterName) -> Record | None:
        try:
            manifest = await self._kube.get(DASKCLUSTERS, name.name, namespace=name.namespace)
        except NotFound:
            return None
        except Forbidden as error:
            # Not that the user may not have it: the operator has taken the namespace away, or is giving it.
            raise KubeUnavailable(f"the namespace {name.namespace} may not be read: {error}") from error
        if (manifest["metadata"].get("labels") or {}).get(INSTANCE_LABEL) != self._instance:
            return None
        return self._absorb(manifest)

    async def _patch(self, record: Record, patch: dict[str, Any] | list[dict[str, Any]]) -> None:
        namespace, name = record.name
        try:
            self._absorb(await self._kube.patch(DASKCLUSTERS, name, patch, namespace=namespace))
        except NotFound:
            logger.info("Cluster %s went away before it could be changed", record.name)

    async def _read_secret(self, record: Record) -> Credentials | None:
        namespace, name = record.name
        try:
            async with self._secret_slots:
                secret = await self._kube.get(SECRETS, secret_name(name), namespace=namespace)
            data = secret.get("data") or {}
            certificate, private_key, token = (
                base64.b64decode(data[key], validate=True).decode()
                for key in (CERTIFICATE_KEY, PRIVATE_KEY_KEY, API_TOKEN_KEY)
            )
        except NotFound:
            return None
        except (KeyError, binascii.Error, UnicodeDecodeError):
            logger.warning("The Secret %s of cluster %s is not readable", secret_name(name), record.name)
            return None
        credentials = Credentials(record.uid, certificate, private_key, token)
        if record.status not in FINISHED:
            self._credentials[record.name] = credentials
        return credentials


def _repeats(record: Record, replicas: int, groups: Mapping[str, int] | None) -> bool:
    """Whether this is what the scheduler said before."""
    in_groups = (record.workers.get(group, 0) == count for group, count in (groups or {}).items())
    return record.reported == replicas and all(in_groups)


def _report_patch(record: Record, replicas: int, groups: Mapping[str, int] | None, now: float) -> dict[str, Any]:
    """What is new in a scheduler's report."""
    spec: dict[str, Any] = {}
    annotations: dict[str, str] = {}
    if record.reported != replicas:
        spec["replicas"] = replicas
        annotations[SCHEDULER_REPLICAS_ANNOTATION] = str(replicas)
    if groups:
        spec["workerGroups"] = {name: {"replicas": count} for name, count in groups.items()}
    if not record.scheduler_started:
        annotations[SCHEDULER_STARTED_ANNOTATION] = to_rfc3339(now)
        if groups is not None:
            annotations[SCHEDULER_GROUPS_ANNOTATION] = "true"
    return {"metadata": {"annotations": annotations}, "spec": spec}
