"""The rules for clusters: who may see and change which, what is asked of whom, within which limits.

Knows no HTTP and no Kubernetes.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from uuid import uuid4

from gateway_api.admins import Admins
from gateway_api.clusters.limits import Limits
from gateway_api.clusters.pod_check import PodCheck
from gateway_api.clusters.record import LIVE, ClusterStatus, NewCluster, Record
from gateway_api.clusters.repository import ClusterRepository
from gateway_api.clusters.schemas import AdaptRequest, CreateRequest, ScaleRequest
from gateway_api.errors import (
    ClusterFailedToStart,
    ClusterNotFound,
    ClusterNotRunning,
    InvalidRequest,
    PermissionDenied,
    SchedulerTooOld,
    SchedulerUnreachable,
)
from gateway_api.options.service import OptionsService
from gateway_api.scheduler_client import SchedulerClient
from gateway_common.config import stored_cluster_config
from gateway_common.errors import InvalidClusterName
from gateway_common.model import StopReason
from gateway_common.names import ClusterName, parse_cluster_name
from gateway_common.principal import Principal
from gateway_common.quota import Room

#: Seconds that a request may wait for a cluster (R-052). Proxies cut what takes much longer.
LONGEST_WAIT = 20.0

#: Seconds until a scheduler that serves has reported for the first time, at the most.
FIRST_REPORT = 5.0

#: In place of a user's name: whoever it is.
EVERYBODY = "*"

#: Not that it was deleted: that is for people to say.
_SCHEDULERS_STOP_REASONS = (StopReason.IDLE_TIMEOUT, StopReason.NO_CLIENT_TIMEOUT)


class ClusterService:
    """What a user can do with clusters."""

    def __init__(
        self,
        repository: ClusterRepository,
        options: OptionsService,
        schedulers: SchedulerClient,
        *,
        admins: Admins,
        limits: Limits,
        pods: PodCheck | None = None,
        longest_wait: float = LONGEST_WAIT,
        new_name: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        self._repository = repository
        self._options = options
        self._schedulers = schedulers
        self._admins = admins
        self._limits = limits
        self._pods = pods
        self._longest_wait = longest_wait
        self._new_name = new_name

    async def list(
        self,
        principal: Principal,
        statuses: Collection[ClusterStatus],
        *,
        user: str | None = None,
        described: bool = False,
    ) -> bytes:
        """Clusters in these states: a JSON object, clusters by name. Raises PermissionDenied.

        Parameters
        ----------
        user
            Whose; `*` means everybody's. Default: the caller's own.
        described
            As version 2 of the REST API shows them.
        """
        records = [record for record in self._visible(principal, user) if record.status in statuses]
        unfinished = [record for record in records if record.body is None]
        bodies = await asyncio.gather(*map(self._repository.body, unfinished))
        late = {record.name: body for record, body in zip(unfinished, bodies, strict=True)}
        parts = [b"{"]
        for record in records:
            body = record.body or late[record.name]
            parts += (record.entry, record.described(body) if described else body, b",")
        # one copy of what may be megabytes
        parts[max(len(parts) - 1, 1) :] = [b"}"]
        return b"".join(parts)

    async def create(self, principal: Principal, request: CreateRequest) -> ClusterName:
        """Make a cluster and return its name; it starts from then on.

        Raises InvalidRequest and InvalidConfig where the options do not give a possible cluster, and LimitReached.
        """
        chosen = await self._options.resolve(principal, request.cluster_options or {}, request.notebook_image)
        name = ClusterName(chosen.namespace, self._new_name())
        new = NewCluster(name, principal.name, chosen.groups, chosen.options, chosen.config)
        async with self._limits.place_for(new) as allowed:
            if self._pods is not None:
                await self._pods.check(name, stored_cluster_config(dict(allowed.config)))
            record = await self._repository.create(allowed)
        await self._limits.wait_for_verdict(record)
        return name

    async def read(self, principal: Principal, name: str, *, described: bool = False) -> bytes:
        """One cluster as JSON; raises ClusterNotFound and PermissionDenied."""
        record = await self._owned(principal, name, "view")
        body = await self._repository.body(record)
        return record.described(body) if described else body

    async def wait(self, principal: Principal, name: str, *, described: bool = False) -> bytes:
        """One cluster as JSON as soon as it has started or ended, or as it is when the longest wait is over.

        Only a cluster that exists and may be seen is waited for. Raises ClusterFailedToStart: clients of all versions
        show an error's text to their users, while a failed cluster's JSON has no place for one.
        """
        record = await self._owned(principal, name, "view")
        if record.status is ClusterStatus.PENDING:
            await self._repository.wait_until(
                record.name, lambda latest: latest.status is not ClusterStatus.PENDING, seconds=self._longest_wait
            )
            record = await self._owned(principal, name, "view")
        if record.failed_to_start:
            raise ClusterFailedToStart(str(record.name), record.message or str(record.reason))
        body = await self._repository.body(record)
        return record.described(body) if described else body

    async def stop(self, principal: Principal, name: str) -> None:
        """Stop a cluster; raises PermissionDenied. One that is gone, or never was, is stopped already."""
        try:
            record = await self._owned(principal, name, "stop")
        except ClusterNotFound:
            return
        await self._stop(record, StopReason.DELETED)

    async def stop_unused(self, record: Record, reason: str | None) -> None:
        """Stop the cluster of a scheduler that says why it has no use. Released schedulers say so when idle only."""
        given = next((known for known in _SCHEDULERS_STOP_REASONS if known == reason), StopReason.IDLE_TIMEOUT)
        await self._stop(record, given)

    async def _stop(self, record: Record, reason: StopReason) -> None:
        if record.status in LIVE:
            await self._repository.deactivate(record, reason)

    async def scale(self, principal: Principal, name: str, request: ScaleRequest, group: str = "") -> str | None:
        """Ask the scheduler for a number of workers, of a group or outside of groups.

        Returns what was done instead where that is too many. Raises SchedulerTooOld where groups are unknown to it.
        """
        count, notice = request.count, None
        record = await self._owned(principal, name, "scale")
        if count < 0:
            raise InvalidRequest(f"Scale expects a non-negative integer, got {count}")
        record = await self._running(record)
        if group:
            record = await self._with_group(record, group)
        own, room = record.max_workers_of(group), self._limits.workers_for(record, group)
        limit = least(own, room.workers)
        if limit is not None and count > limit:
            notice = (
                f"Scale request of {count} workers would exceed resource limit of {limit} workers. "
                f"Scaling to {limit} instead.{explain(room, own, to_owner=record.user == principal.name)}"
            )
            count = limit
        await self._tell_scheduler(record, {"op": "scale", "count": count, **({"group": group} if group else {})})
        return notice

    async def adapt(self, principal: Principal, name: str, request: AdaptRequest) -> str | None:
        """Let the scheduler choose the number of workers; returns what was done instead where limits are too wide."""
        record = await self._running(await self._owned(principal, name, "adapt"))
        own = record.max_workers
        room = self._limits.workers_for(record) if request.active else Room(None)
        minimum, maximum, notice = cap_range(request.minimum, request.maximum, own, room.workers)
        if notice is not None:
            notice += explain(room, own, to_owner=record.user == principal.name)
        message = {"op": "adapt", "minimum": minimum, "maximum": maximum, "active": request.active}
        await self._tell_scheduler(record, message)
        return notice

    def _visible(self, principal: Principal, user: str | None) -> Sequence[Record]:
        if user is None or user == principal.name:
            return self._repository.of_user(principal.name)
        if principal not in self._admins:
            whose = "all users" if user == EVERYBODY else f"user {user}"
            raise PermissionDenied(f"User {principal.name} lacks permissions to list the clusters of {whose}")
        return self._repository.all() if user == EVERYBODY else self._repository.of_user(user)

    async def _owned(self, principal: Principal, text: str, action: str) -> Record:
        """The cluster if it is the caller's, or the caller an administrator."""
        try:
            name = parse_cluster_name(text)
        except InvalidClusterName as error:
            # no cluster can have this name, and Kubernetes is not asked about it
            raise ClusterNotFound(text[:100]) from error
        record = await self._repository.find(name)
        if record is None:
            raise ClusterNotFound(text)
        if record.user != principal.name and principal not in self._admins:
            raise PermissionDenied(f"User {principal.name} lacks permissions to {action} cluster {text}")
        return record

    async def _running(self, record: Record) -> Record:
        """The record if it is running, by a second look if need be: another replica may have seen more."""
        if record.status is not ClusterStatus.RUNNING:
            latest = await self._repository.refresh(record.name)
            if latest is None:
                raise ClusterNotFound(str(record.name))
            record = latest
        if record.status is not ClusterStatus.RUNNING:
            raise ClusterNotRunning(str(record.name))
        return record

    async def _with_group(self, record: Record, group: str) -> Record:
        """The record if its scheduler can scale the group: others would take the number for all workers."""
        if group not in record.worker_groups:
            there = f"its groups are {', '.join(record.worker_groups)}" if record.worker_groups else "it has no groups"
            raise InvalidRequest(f"Cluster {record.name} has no group of workers {group[:40]!r}: {there}")
        if not record.scheduler_has_groups:
            # it says so in its first report, which may be on its way
            latest = await self._repository.refresh(record.name)
            if latest is not None and not latest.scheduler_started:
                latest = await self._repository.wait_until(
                    record.name, lambda seen: seen.scheduler_started, seconds=FIRST_REPORT
                )
            if latest is None or not latest.scheduler_has_groups:
                raise SchedulerTooOld(
                    f"The scheduler of cluster {record.name} can't scale groups of workers: its image has another "
                    "version of the dask-gateway package"
                )
            record = latest
        return record

    async def _tell_scheduler(self, record: Record, message: Mapping[str, object]) -> None:
        """Deliver a message; raises SchedulerUnreachable, and never touches the cluster for it (E-07)."""
        credentials = await self._repository.credentials(record)
        if credentials is not None and await self._schedulers.send(record.scheduler_host, credentials.token, message):
            return
        latest = await self._repository.refresh(record.name)
        if latest is None or latest.status is not ClusterStatus.RUNNING:
            raise ClusterNotRunning(str(record.name))
        if credentials is None:
            raise SchedulerUnreachable(
                f"The credentials of cluster {record.name} are gone: somebody has deleted its Secret. Nothing can "
                "reach its scheduler without them. Stop the cluster, and start another."
            )
        raise SchedulerUnreachable(
            f"The scheduler of cluster {record.name} did not answer. The cluster still runs: try again in a moment."
        )


def least(*limits: int | None) -> int | None:
    """The smallest of limits; None: there is none."""
    return min((limit for limit in limits if limit is not None), default=None)


def explain(room: Room, own: int | None, *, to_owner: bool) -> str:
    """A sentence, to follow another, about the limit that counts, if that is not the cluster's own."""
    if room.workers is None or room.limit is None or (own is not None and own <= room.workers):
        return ""
    sentence = room.limit.sentence("another worker needs", to_owner=to_owner)
    return f" {sentence[0].upper()}{sentence[1:]}."


def cap_range(
    minimum: int | None, maximum: int | None, own: int | None, room: int | None = None
) -> tuple[int | None, int | None, str | None]:
    """The bounds of adaptive scaling within limits, and what to tell the user where that changes them (R-080).

    The cluster's own limit takes the place of a maximum that is not given. What there is room for just now does not:
    it would bind the cluster for ever, and the controller grants no more anyway.
    """
    limit = least(own, room)
    if limit is None:
        return minimum, maximum, None
    asked_minimum = 0 if minimum is None and own is not None else minimum
    asked_maximum = own if maximum is None else maximum
    minimum = least(asked_minimum, limit) if asked_minimum is not None else None
    maximum = least(asked_maximum, limit) if maximum is not None else own
    if (minimum, maximum) == (asked_minimum, asked_maximum):
        return minimum, maximum, None
    notice = (
        f"Adapt with `maximum={asked_maximum}, minimum={asked_minimum}` workers would exceed resource limit of "
        f"{limit} workers. Using `maximum={maximum}, minimum={minimum}` instead."
    )
    return minimum, maximum, notice


def parse_statuses(text: str | None) -> frozenset[ClusterStatus]:
    """The states in a comma-separated list of any case (R-021); raises InvalidRequest."""
    if text is None:
        return LIVE
    statuses = set()
    for word in text.split(","):
        try:
            statuses.add(ClusterStatus(word.upper()))
        except ValueError as error:
            raise InvalidRequest(f"{word!r} is not a valid ClusterStatus") from error
    return frozenset(statuses)
