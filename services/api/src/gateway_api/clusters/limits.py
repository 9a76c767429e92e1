"""The api's side of limits: an immediate answer, and the controller's decision where that differs.

Two replicas may both find room for the last cluster: the controller alone admits. Clusters that are stopping don't
count here: a new one waits for them, which is the controller's business too.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from gateway_api.clusters.record import LIVE, ClusterStatus, NewCluster, Record
from gateway_api.clusters.repository import ClusterRepository
from gateway_api.errors import LimitReached
from gateway_api.single_flight import FreshFlight
from gateway_common.config import ClusterConfig, stored_cluster_config
from gateway_common.configuration.limits import Amounts
from gateway_common.configuration.model import Configuration
from gateway_common.errors import InvalidConfig
from gateway_common.names import ClusterName
from gateway_common.principal import Principal
from gateway_common.quota import (
    Allowances,
    Excess,
    Kind,
    Ledger,
    Owner,
    Room,
    Scope,
    Usage,
    allowances,
    exceeded,
    has_limits,
    lifetime_limit,
    room_for_workers,
    scopes,
    usage_of,
    worker_usage,
)
from gateway_common.usage import NOTHING

#: Seconds that a new cluster's user waits for the controller's decision, which takes a fraction of one.
LONGEST_VERDICT = 5.0
#: Clusters that a refusal names.
NAMED = 10

#: The controller's word for a cluster that waits for room, or that there was none for.
QUOTA_EXCEEDED = "QuotaExceeded"


class Limits:
    """What is used of each limit as this replica knows it: what is in its cache, and what it is about to make."""

    def __init__(
        self, configuration: Configuration, repository: ClusterRepository, *, longest_verdict: float = LONGEST_VERDICT
    ) -> None:
        self._configuration = configuration
        self._repository = repository
        self._longest_verdict = longest_verdict
        self._queueing = configuration.limits.on_exceeded == "queue"
        self._used: Ledger[ClusterName] = Ledger()
        #: the clusters of each user that wait for room, where they may
        self._queue: Ledger[ClusterName] = Ledger()
        self._looks: FreshFlight[str, None] = FreshFlight()
        self._limited = has_limits(configuration)
        if self._limited:
            repository.tell(self._changed)

    @asynccontextmanager
    async def place_for(self, new: NewCluster) -> AsyncIterator[NewCluster]:
        """Hold a place for a cluster while it is made; raises LimitReached where there is none, and KubeError.

        What it returns is the cluster within the limits' lifetime.
        """
        if not self._allowed(new.user, new.groups):
            yield new
            return
        await self._take_place(new)
        try:
            yield self._with_lifetime(new)
        finally:
            # what has been made is in the cache, and counts for as long as it is there
            if self._repository.cached(new.name) is None:
                self._forget(new.name)

    async def wait_for_verdict(self, record: Record) -> None:
        """Return when the controller has let a new cluster in, or wait; raises LimitReached where it has refused it."""
        if not _is_counted(self._allowed(record.user, record.groups)):
            return
        latest = await self._repository.wait_until(record.name, _is_decided, seconds=self._longest_verdict)
        if latest is not None and latest.active and latest.status not in LIVE and latest.reason == QUOTA_EXCEEDED:
            raise LimitReached(latest.message or "There is no room for another cluster")

    def workers_for(self, record: Record, group: str = "") -> Room:
        """How many workers of a group a cluster may have, those that it has included, and the limit that is the reason.

        Of "": how many outside of groups.
        """
        allowed = self._allowed(record.user, record.groups)
        if not allowed or record.name not in self._used:
            return Room(None)
        try:
            config = stored_cluster_config(dict(record.config))
        except InvalidConfig:
            return Room(None)
        room = room_for_workers(allowed, self._used.used, config.of_group(group))
        if room.workers is None:
            return room
        latest = self._repository.cached(record.name) or record
        return replace(room, workers=self._counted(latest, config).get(group, 0) + room.workers)

    def of_user(self, user: Principal) -> tuple[Usage, Amounts]:
        """What a user's clusters use, and what they may use at the most."""
        live = [record for record in self._repository.of_user(user.name) if record.status in LIVE]
        used = sum(map(self._usage_of, live), NOTHING)
        groups = [name for name in self._configuration.groups if name in user.groups]
        return used, self._allowed(user.name, groups).get(Scope(Owner.USER, user.name), Amounts())

    def _allowed(self, user: str, groups: Sequence[str]) -> Allowances:
        return allowances(self._configuration, user, groups) if self._limited else {}

    async def _take_place(self, new: NewCluster) -> None:
        asked = usage_of(stored_cluster_config(dict(new.config)), {})
        if self._excess(new, asked):
            # another replica may have stopped one a moment ago
            await self._looks.run(new.user, lambda: self._look(new.user))
        # from here to the booking nobody comes between
        excess = self._excess(new, asked)
        if not excess:
            self._used.put(new.name, scopes(self._configuration, new.user, new.groups), asked)
        elif self._queueing and not any(limit.is_hopeless for limit in excess):
            self._take_place_in_queue(new.name, new.user)
        else:
            raise LimitReached(self._refusal(excess[0], new.user))

    def _take_place_in_queue(self, name: ClusterName, user: str) -> None:
        scope = Scope(Owner.USER, user)
        waiting, most = len(self._queue.members(scope)), self._configuration.limits.max_queued
        if waiting >= most:
            raise LimitReached(
                f"{waiting} of {most} clusters of yours are waiting for room already. Stop one, or try again later."
            )
        self._queue.put(name, (scope,), Usage())

    def _excess(self, new: NewCluster, asked: Usage) -> list[Excess]:
        return exceeded(self._allowed(new.user, new.groups), self._used.used, asked)

    async def _look(self, user: str) -> None:
        """See what has become of a user's clusters."""
        records = map(self._repository.cached, self._used.members(Scope(Owner.USER, user)))
        for record in await self._repository.gone([record for record in records if record is not None]):
            self._forget(record.name)

    def _with_lifetime(self, new: NewCluster) -> NewCluster:
        limit = lifetime_limit(self._allowed(new.user, new.groups))
        own = new.config.get("max_lifetime") or 0
        if limit is None or 0 < own <= limit:
            return new
        return replace(new, config={**new.config, "max_lifetime": limit})

    def _refusal(self, excess: Excess, user: str) -> str:
        if excess.is_hopeless:
            less = "" if excess.kind is Kind.CLUSTERS else "for less, or "
            return f"{_capital(excess.sentence())}. Ask {less}the operator of this gateway for more."
        names = self._used.members(Scope(Owner.USER, user))
        own = excess.scope.owner is Owner.USER
        advice = ("Stop one" if own else "Stop one of yours") if names else "Try again later"
        listed = ""
        if own and excess.kind is Kind.CLUSTERS:
            # of what two replicas have let through the controller admits as many as are allowed
            names.sort(key=self._is_undecided)
            count = min(excess.used, max(excess.allowed, sum(not self._is_undecided(name) for name in names)))
            excess = replace(excess, used=count)
            listed = f": {_listed(names[:count])}"
        return f"{_capital(excess.sentence())}{listed}. {advice}, or ask the operator of this gateway for more."

    def _is_undecided(self, name: ClusterName) -> bool:
        record = self._repository.cached(name)
        return record is None or not record.admitted

    def _forget(self, name: ClusterName) -> None:
        self._used.remove(name)
        self._queue.remove(name)

    def _changed(self, name: ClusterName, record: Record | None) -> None:
        if record is None or record.status not in LIVE:
            self._forget(name)
        elif self._queueing and not record.admitted and (record.reason == QUOTA_EXCEEDED or name in self._queue):
            self._used.remove(name)
            self._queue.put(name, (Scope(Owner.USER, record.user),), Usage())
        else:
            self._queue.remove(name)
            where = scopes(self._configuration, record.user, record.groups)
            self._used.put(name, where, self._usage_of(record))

    def _usage_of(self, record: Record) -> Usage:
        try:
            config = stored_cluster_config(dict(record.config))
        except InvalidConfig:
            # made by hand or by another version: it is a cluster all the same
            return Usage(clusters=1, workers=sum(record.granted.values()))
        return usage_of(config, self._counted(record, config))

    def _counted(self, record: Record, config: ClusterConfig) -> dict[str, int]:
        """Its workers by group.

        No more than its own limits allow: what a scheduler wants is its user's word, and costs others nothing.
        """
        allowed, usage = self._allowed(record.user, record.groups), usage_of(config, {})
        counted = {}
        for group, granted in record.granted.items():
            of_group = config.of_group(group)
            room = _room_beside(allowed, usage, of_group)
            counted[group] = granted if room is None else min(granted, room)
            usage += worker_usage(of_group, counted[group])
        return counted


def _room_beside(allowed: Allowances, usage: Usage, config: ClusterConfig) -> int | None:
    """How many workers fit beside this usage alone, as if nobody else were there."""
    return room_for_workers(allowed, lambda _: usage, config).workers


def _is_counted(allowed: Allowances) -> bool:
    """Whether anything but the lifetime is limited: that alone lets everybody in."""
    amounts = ("clusters", "workers", "cores", "memory")
    return any(getattr(limits, name) is not None for limits in allowed.values() for name in amounts)


def _is_decided(record: Record) -> bool:
    return record.admitted or record.reason == QUOTA_EXCEEDED or record.status is not ClusterStatus.PENDING


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _listed(names: Sequence[ClusterName]) -> str:
    text = ", ".join(map(str, names[:NAMED]))
    return f"{text} and {len(names) - NAMED} more" if len(names) > NAMED else text
