"""Which clusters may begin, and how many workers each may have, where users, groups or all together are limited.

Everything here is synchronous: between a look at what is used and the booking of more, nobody else books. What it
knows is a copy of what the informers show, so a controller that starts anew comes to the same end. No I/O, no clock.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache, partial

from gateway_common.config import ClusterConfig
from gateway_common.configuration.model import Configuration
from gateway_common.errors import InvalidConfig
from gateway_common.model import Phase
from gateway_common.object_store import ObjectKey
from gateway_common.quota import (
    Excess,
    Ledger,
    Room,
    Scope,
    Usage,
    exceeded,
    limits_on,
    room_for_workers,
    usage_of,
    worker_usage,
)
from gateway_common.reasons import Reason
from gateway_controller.core.observed import Admission, Cluster, Entry, Observed, parse_config
from gateway_controller.core.scaling import asked_workers, groups_of
from gateway_controller.core.starts import failures_of, has_given_up
from gateway_controller.waiting import Limit, Line, Order, Shortage, Terms, Waiter, terms_of

Wake = Callable[[ObjectKey], None]


class Admissions:
    """What is booked for each cluster, and who waits for room. `wake` is called with the keys of those that get it."""

    def __init__(self, configuration: Configuration, wake: Wake) -> None:
        self._wake = wake
        self._queues = configuration.limits.on_exceeded == "queue"
        self._max_queued = configuration.limits.max_queued
        self._terms = lru_cache(maxsize=4096)(partial(terms_of, configuration))
        self._booked: Ledger[ObjectKey] = Ledger()
        #: Those of the booked that are on their way out.
        self._leaving: Ledger[ObjectKey] = Ledger()
        self._line = Line()
        #: By group.
        self._short: dict[ObjectKey, dict[str, Shortage]] = {}
        self._uids: dict[ObjectKey, str] = {}
        #: Found undecided by this process: another may have begun with them.
        self._inherited: set[ObjectKey] = set()
        self._freed: set[Scope] = set()

    def recover(self, everything: Iterable[Observed]) -> None:
        """Book what is there; then those that wait, the oldest first, before anybody may grow.

        Pods that are left of deleted clusters are not counted: whose they were, nobody knows any more.
        """
        undecided = []
        for observed in everything:
            if _has_begun(observed) or _is_leaving(observed.cluster):
                self._book_present(observed)
            else:
                undecided.append(observed)
        self._inherited.update(_key(observed.cluster) for observed in undecided)
        for observed in sorted(undecided, key=lambda observed: _order(observed.cluster)):
            self._look(observed)

    def look(self, observed: Observed) -> Observed:
        """What is observed of a cluster, with what limits say. Nobody else may be working on this cluster."""
        admission = self._look(observed)
        self._hand_out()
        return replace(observed, admission=admission)

    def saw(self, key: ObjectKey, cluster: Cluster | None) -> None:
        """A cluster has changed: whether it is on its way out counts at once for others that would exceed a limit."""
        booked = self._booked.booked(key)
        if booked and (cluster is None or _is_leaving(cluster)):
            self._leaving.put(key, self._booked.scopes_of(key), booked)

    def gone(self, key: ObjectKey, pods: int) -> None:
        """The cluster is deleted. What its pods use counts until they are gone."""
        self._leave_line(key)
        self._inherited.discard(key)
        if pods:
            self.saw(key, None)
        else:
            self._release(key)
        self._hand_out()

    def _look(self, observed: Observed) -> Admission:
        cluster = observed.cluster
        key, terms = _key(cluster), self._terms(cluster.user, cluster.groups)
        if self._uids.get(key, cluster.uid) != cluster.uid:
            self._release(key)
        if _is_leaving(cluster) or (_has_begun(observed) and cluster.status.phase is not Phase.RUNNING):
            self._book_present(observed)
            return terms.admitted
        try:
            config = parse_config(cluster.config)
        except InvalidConfig:
            # nothing more will be made of it
            if _has_begun(observed):
                self._book_present(observed)
            return terms.admitted
        if _has_begun(observed):
            return self._grant(observed, config, terms)
        if key in self._booked:
            return terms.admitted
        return self._decide(observed, config, terms)

    # whether a cluster may begin

    def _decide(self, observed: Observed, config: ClusterConfig, terms: Terms) -> Admission:
        cluster = observed.cluster
        key = _key(cluster)
        previous = self._line.leave(key)
        waiter = previous or Waiter(_order(cluster), terms, usage_of(config, {}))
        limits, excesses = self._limits_of(waiter, self._line.before(waiter))
        if previous and not previous.limits <= limits:
            self._freed.update(terms.scopes)
        if not limits:
            self._admit(waiter, cluster.uid)
            return terms.admitted
        if why := self._why_not_wait(cluster, waiter, excesses):
            self._freed.update(terms.scopes if previous else ())
            return replace(terms.admitted, entry=Entry.REFUSED, message=why, untouched=key not in self._inherited)
        self._uids[key] = cluster.uid
        waiter = waiter.waiting_for(limits, _explain_waiting(excesses))
        self._line.join(waiter)
        return replace(terms.admitted, entry=Entry.WAITING, message=waiter.message)

    def _limits_of(self, waiter: Waiter, older: frozenset[Limit]) -> tuple[frozenset[Limit], list[Excess]]:
        """The limits that a cluster has to wait for: those it would exceed, and those that older ones wait for."""
        excesses = exceeded(waiter.terms.allowances, self._booked.used, waiter.asks)
        own = frozenset((excess.scope, excess.kind) for excess in excesses)
        return own | (waiter.limits_asked & older), excesses

    def _why_not_wait(self, cluster: Cluster, waiter: Waiter, excesses: list[Excess]) -> str:
        """Empty if the cluster may wait: for those on their way out anyone may, for more room only where one queues."""
        if hopeless := [excess for excess in excesses if excess.is_hopeless]:
            return _explain_refusal(hopeless)
        later = exceeded(waiter.terms.allowances, self._used_later, waiter.asks)
        if not later:
            return ""
        if not self._queues:
            return _explain_refusal(later)
        if cluster.status.reason == Reason.QUOTA_EXCEEDED or waiter.limits:
            # it was let in before, perhaps by another process
            return ""
        waiting = self._line.ledger.used(waiter.terms.user).clusters
        if waiting < self._max_queued:
            return ""
        return f"{_explain_refusal(later)}, and {waiting} of at most {self._max_queued} wait for room"

    def _used_later(self, scope: Scope) -> Usage:
        """What will be used when those that leave are gone and those that wait are there."""
        return self._booked.used(scope) - self._leaving.used(scope) + self._line.ledger.used(scope)

    def _admit(self, waiter: Waiter, uid: str) -> None:
        self._leave_line(waiter.key)
        self._inherited.discard(waiter.key)
        self._uids[waiter.key] = uid
        self._booked.put(waiter.key, waiter.terms.scopes, waiter.asks)

    # how many workers it may have

    def _grant(self, observed: Observed, config: ClusterConfig, terms: Terms) -> Admission:
        """As many as are there, and what fits of those that are wanted beyond: of one group after the other."""
        key = _key(observed.cluster)
        before = self._booked.booked(key)
        present = _workers_present(observed)
        usage = usage_of(config, present)
        self._put(observed, terms, usage)
        previous, short = self._short.pop(key, {}), dict[str, Shortage]()
        workers: dict[str, int] = {}
        said: list[str] = []
        for group in groups_of(observed, config):
            of_group = config.of_group(group)
            live = sum(pod.group == group and not pod.deleting and not pod.finished for pod in observed.workers)
            if _has_given_up(observed.cluster, of_group, group):
                # what will not be made keeps no room from others; it gets some when this is forgotten
                workers[group] = live
                continue
            wanted = asked_workers(observed.cluster, config, group)
            missing = max(wanted - live, 0)
            granted = self._most(missing, terms, of_group, held=(before - usage) if before else Usage())
            usage += worker_usage(of_group, granted)
            self._put(observed, terms, usage)
            if granted < missing:
                limit = self._room(terms, of_group).limit
                shortage = Shortage(live + granted, wanted, terms, of_group, limit, group=group)
                short[group] = shortage = shortage.worded(previous.get(group))
                workers[group] = shortage.have
                # what only has to wait for its own predecessors is soon there, and not worth a word
                said += [shortage.message] if shortage.missing > present[group] - live else []
        self._note_freed(terms, before, usage)
        if short:
            self._short[key] = short
        if not workers:
            return terms.admitted
        groups = tuple((group, count) for group, count in sorted(workers.items()) if group)
        return replace(terms.admitted, workers=workers.get(""), groups=groups, shortage="; ".join(said))

    def _most(self, missing: int, terms: Terms, config: ClusterConfig, held: Usage) -> int:
        """How many of those that are missing may be made now.

        What is `held`, booked for the cluster before and not made yet, is not withdrawn from it for the sake of those
        who have come to wait for it meanwhile: they would give it back, and so on for ever.
        """
        free = room_for_workers(terms.allowances, self._booked.used, config).workers
        most = missing if free is None else min(missing, free)
        return min(most, held.holds(worker_usage(config))) if self._is_awaited(terms, config) else most

    def _room(self, terms: Terms, config: ClusterConfig) -> Room:
        """For more workers: none where clusters wait for the same, or growth would keep them waiting for ever."""
        room = room_for_workers(terms.allowances, self._booked.used, config)
        if not self._is_awaited(terms, config):
            return room
        return Room(0, room.limit if room.workers == 0 else None)

    def _is_awaited(self, terms: Terms, config: ClusterConfig) -> bool:
        """Whether clusters wait for a limit that counts for such workers, too."""
        return not self._line.limits.keys().isdisjoint(limits_on(terms.allowances, worker_usage(config)))

    # what is booked

    def _book_present(self, observed: Observed) -> None:
        cluster = observed.cluster
        key, terms = _key(cluster), self._terms(cluster.user, cluster.groups)
        self._leave_line(key)
        self._short.pop(key, None)
        if _is_leaving(cluster) and all(pod.stuck for pod in observed.pods):
            self._release(key)
            return
        workers = _workers_present(observed)
        before = self._booked.booked(key)
        try:
            usage = usage_of(parse_config(cluster.config), workers)
        except InvalidConfig:
            usage = before or Usage(clusters=1, workers=workers.total())
        self._put(observed, terms, usage)
        self._note_freed(terms, before, usage)

    def _put(self, observed: Observed, terms: Terms, usage: Usage) -> None:
        key = _key(observed.cluster)
        self._uids[key] = observed.cluster.uid
        self._booked.put(key, terms.scopes, usage)
        if _is_leaving(observed.cluster):
            self._leaving.put(key, terms.scopes, usage)

    def _release(self, key: ObjectKey) -> None:
        self._freed.update(self._booked.scopes_of(key))
        self._booked.remove(key)
        self._leaving.remove(key)
        self._short.pop(key, None)
        self._uids.pop(key, None)
        self._leave_line(key)

    def _leave_line(self, key: ObjectKey) -> None:
        """Who waits no longer may have kept others waiting."""
        if waiter := self._line.leave(key):
            self._freed.update(waiter.terms.scopes)

    def _note_freed(self, terms: Terms, before: Usage | None, after: Usage) -> None:
        if before and before.exceeds(after):
            self._freed.update(terms.scopes)

    # who gets what has become free

    def _hand_out(self) -> None:
        """Let in those that have waited longest, then give workers to those that are short of them."""
        if not self._freed:
            return
        freed, self._freed = self._freed, set()
        self._let_in(freed)
        self._freed = set()
        for key, shortages in list(self._short.items()):
            for group, shortage in list(shortages.items()):
                if not freed.isdisjoint(shortage.terms.scopes) and self._hand_workers(key, shortage):
                    del shortages[group]
                    self._wake(key)
            if not shortages:
                del self._short[key]

    def _hand_workers(self, key: ObjectKey, shortage: Shortage) -> bool:
        room = self._room(shortage.terms, shortage.config)
        more = shortage.missing if room.workers is None else min(shortage.missing, room.workers)
        booked = self._booked.booked(key)
        if more <= 0 or not booked:
            return False
        self._booked.put(key, shortage.terms.scopes, booked + shortage.usage(more))
        return True

    def _let_in(self, freed: set[Scope]) -> None:
        older: frozenset[Limit] = frozenset()
        for waiter in self._line:
            # one whose limits older ones all wait for has nothing to hope for; of others some may be over
            if not freed.isdisjoint(waiter.terms.scopes) and not waiter.limits <= older:
                limits, excesses = self._limits_of(waiter, older)
                if limits != waiter.limits:
                    freed.update(waiter.terms.scopes)
                    self._wake(waiter.key)
                if not limits:
                    self._admit(waiter, self._uids[waiter.key])
                    continue
                older |= limits
                self._line.join(waiter.waiting_for(limits, _explain_waiting(excesses)))
            else:
                older |= waiter.limits


def _has_begun(observed: Observed) -> bool:
    """Whether it was admitted, by whichever process: there are objects of it."""
    status = observed.cluster.status
    return bool(status.scheduler_pod or observed.scheduler) or status.phase is not Phase.PENDING


def _is_leaving(cluster: Cluster) -> bool:
    phase = cluster.status.phase
    return cluster.deleting or not cluster.active or phase is Phase.STOPPING or phase.is_terminal


def _key(cluster: Cluster) -> ObjectKey:
    return ObjectKey(cluster.namespace, cluster.name)


def _workers_present(observed: Observed) -> Counter[str]:
    """All that may use something, by group, those on their way out too, unless that takes too long.

    Whoever has lost a node need not wait until it is back, or an operator has taken it out of Kubernetes.
    """
    workers = (pod for pod in observed.pods if pod is not observed.scheduler)
    return Counter(pod.group for pod in workers if not pod.finished and not pod.stuck)


def _has_given_up(cluster: Cluster, config: ClusterConfig, group: str) -> bool:
    return has_given_up(failures_of(cluster.status, group, cluster.replicas_of(group)), config)


def _order(cluster: Cluster) -> Order:
    return cluster.created, cluster.name, cluster.namespace


def _explain_waiting(excesses: list[Excess]) -> str:
    if not excesses:
        return "Waiting for room: clusters that have waited longer go first"
    return "Waiting for room: " + _sentences(excesses)


def _explain_refusal(excesses: list[Excess]) -> str:
    return "There is no room for this cluster: " + _sentences(excesses)


def _sentences(excesses: Iterable[Excess]) -> str:
    return "; ".join(excess.sentence() for excess in excesses)
