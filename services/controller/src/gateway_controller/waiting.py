"""Those for whom there is no room now: clusters that wait in line to begin, and running ones that are short of workers.

Values and a sorted collection of them; who gets what is decided in `admission`.
"""

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from gateway_common.config import ClusterConfig
from gateway_common.configuration.model import Configuration
from gateway_common.object_store import ObjectKey
from gateway_common.quota import (
    Allowances,
    Excess,
    Kind,
    Ledger,
    Owner,
    Scope,
    Usage,
    allowances,
    lifetime_limit,
    limits_on,
    scopes,
    worker_usage,
)
from gateway_controller.core.observed import Admission

Limit = tuple[Scope, Kind]
#: When a cluster was made, then its name and namespace: its place in line.
Order = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Terms:
    """What counts for a user: where usage is booked, what is allowed there, and what an admitted cluster is told."""

    user: Scope
    scopes: tuple[Scope, ...]
    allowances: Allowances
    admitted: Admission


def terms_of(configuration: Configuration, user: str, groups: tuple[str, ...]) -> Terms:
    """The terms for the clusters of a user in these groups."""
    allowed = allowances(configuration, user, groups)
    lifetime = lifetime_limit(allowed)
    return Terms(Scope(Owner.USER, user), scopes(configuration, user, groups), allowed, Admission(lifetime=lifetime))


@dataclass(frozen=True, slots=True)
class Waiter:
    """A cluster that has not begun: what it asks for, and the limits that it waits for, in words too."""

    order: Order
    terms: Terms
    asks: Usage
    limits: frozenset[Limit] = frozenset()
    message: str = ""

    @property
    def key(self) -> ObjectKey:
        return ObjectKey(self.order[2], self.order[1])

    @property
    def limits_asked(self) -> frozenset[Limit]:
        return limits_on(self.terms.allowances, self.asks)

    def waiting_for(self, limits: frozenset[Limit], message: str) -> "Waiter":
        """Its words change with the limits alone: numbers change all the time, and each change would be written."""
        return self if limits == self.limits else replace(self, limits=limits, message=message)


class Line:
    """Those that wait, the oldest first."""

    def __init__(self) -> None:
        self._waiters: dict[ObjectKey, Waiter] = {}
        self._order: list[Order] = []
        #: What they will use.
        self.ledger: Ledger[ObjectKey] = Ledger()
        #: How many wait for a limit.
        self.limits: Counter[Limit] = Counter()

    def join(self, waiter: Waiter) -> None:
        """Wait, in place of what was said before."""
        self.leave(waiter.key)
        self._waiters[waiter.key] = waiter
        insort(self._order, waiter.order)
        self.ledger.put(waiter.key, waiter.terms.scopes, waiter.asks)
        self.limits.update(waiter.limits)

    def leave(self, key: ObjectKey) -> Waiter | None:
        """Wait no longer. Returns who did."""
        if (waiter := self._waiters.pop(key, None)) is None:
            return None
        del self._order[bisect_left(self._order, waiter.order)]
        self.ledger.remove(key)
        self.limits -= Counter(waiter.limits)
        return waiter

    def before(self, waiter: Waiter) -> frozenset[Limit]:
        """The limits that older ones wait for; all the same which, if they are not this one's."""
        if self.limits.keys().isdisjoint(waiter.limits_asked):
            return frozenset()
        older = self._order[: bisect_left(self._order, waiter.order)]
        return frozenset().union(*(self._waiters[ObjectKey(order[2], order[1])].limits for order in older))

    def __iter__(self) -> Iterator[Waiter]:
        """Those that wait now, whatever becomes of them meanwhile."""
        return iter([self._waiters[ObjectKey(order[2], order[1])] for order in self._order])

    def __len__(self) -> int:
        return len(self._waiters)


@dataclass(frozen=True, slots=True)
class Shortage:
    """A running cluster that has fewer workers than it wants, because of a limit; None: because others wait for it."""

    have: int
    wanted: int
    terms: Terms
    #: That of the workers' group.
    config: ClusterConfig
    limit: Excess | None
    message: str = ""
    group: str = ""

    @property
    def missing(self) -> int:
        return self.wanted - self.have

    def usage(self, workers: int) -> Usage:
        """What so many more workers use."""
        return worker_usage(self.config, workers)

    def worded(self, previous: "Shortage | None") -> "Shortage":
        """With a message: the previous one, unless more than the usage of others has changed."""
        if previous and previous.message and self._facts == previous._facts:
            return replace(self, message=previous.message)
        why = self.limit.sentence("a worker needs") if self.limit else "clusters that wait for room go first"
        workers = f"workers of group {self.group}" if self.group else "workers"
        return replace(self, message=f"{self.have} of {self.wanted} {workers}: {why}")

    @property
    def _facts(self) -> tuple[object, ...]:
        limit = self.limit
        return self.have, self.wanted, limit and (limit.scope, limit.kind, limit.allowed)
