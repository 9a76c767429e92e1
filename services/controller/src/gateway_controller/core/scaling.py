"""How many workers to make, and which to delete."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import chain, islice
from itertools import count as countup

from gateway_common.config import ClusterConfig
from gateway_common.quota import own_room
from gateway_controller.core.observed import Cluster, Observed, Pod
from gateway_controller.core.starts import NO_FAILURES, Starts, failures_of, judge_starts

#: Workers that one plan makes at the most. What happens meanwhile is looked at before the next are made.
MOST_AT_ONCE = 511


@dataclass(frozen=True, slots=True)
class Scaling:
    """Of one group of workers: slots to make some in, and pods to delete; `more` says that others are wanted beyond."""

    create: tuple[int, ...] = ()
    delete: tuple[Pod, ...] = ()
    more: bool = False
    group: str = ""
    starts: Starts = NO_FAILURES
    #: When to look again, though nothing happens.
    look_again: datetime | None = None


def scale_workers(observed: Observed, config: ClusterConfig, now: datetime) -> list[Scaling]:
    """The way from the workers that are there to those that are wanted, of each group by itself.

    Workers outside of groups come first, then groups by name, where a cluster's own limits don't leave room for all.
    """
    scalings: list[Scaling] = []
    next_slot, room = observed.next_slot, MOST_AT_ONCE
    live = Counter(pod.group for pod in observed.workers if not pod.deleting and not pod.finished)
    for group in groups_of(observed, config):
        own = own_room(config, live, group)
        most = room if own is None else min(room, own)
        scaling = _scale_group(observed, config, now, group, next_slot, most)
        scalings.append(replace(scaling, more=scaling.more and most == room))
        made = len(scaling.create)
        next_slot, room, live[group] = next_slot + made, room - made, live[group] + made
    return scalings


def groups_of(observed: Observed, config: ClusterConfig) -> list[str]:
    """The groups that there are, or that workers are left of; first "", those outside of groups."""
    return sorted({"", *config.worker_groups, *(pod.group for pod in observed.workers)})


def _scale_group(
    observed: Observed, config: ClusterConfig, now: datetime, group: str, next_slot: int, most: int
) -> Scaling:
    """Make at most `most` workers of a group.

    Pods that ended are deleted, and replaced as long as so many are wanted (K-032, K-033). Pods that don't run yet
    count as workers (E-02). Of these alone some are deleted where there are too many, the newest first, exactly as
    many as needed (E-01): running workers may hold results, and the scheduler retires them. Pods that fail to start are
    deleted, too; others take their places when they are gone, so there are never more than were granted, and after a
    pause that is the longer, the more have failed in a row.
    """
    cluster, replicas = observed.cluster, observed.cluster.replicas_of(group)
    present = [pod for pod in observed.workers if pod.group == group and not pod.deleting]
    live = [pod for pod in present if not pod.finished]
    missing = wanted_workers(observed, config, group) - len(live)
    known = failures_of(cluster.status, group, replicas)
    starts = judge_starts(
        present,
        known,
        config.of_group(group),
        now,
        group=group,
        replicas=replicas,
        missing=missing,
        deletable=used_up(observed),
    )
    failed = {pod.uid for pod in starts.failed}
    ended = tuple(pod for pod in present if pod.finished or pod.uid in failed)
    if missing > 0:
        if starts.holds_back(now):
            return Scaling((), ended, False, group, starts, _earliest(starts.resume, starts.look_again))
        count = min(missing, most)
        unsure = [slot for of, slot in observed.unsure_slots if of == group]
        slots = islice(chain(unsure, countup(next_slot)), count)
        return Scaling(tuple(slots), ended, count < missing, group, starts, starts.look_again)
    idle = [pod for pod in live if not pod.running and pod.uid not in failed]
    idle.sort(key=lambda pod: pod.slot, reverse=True)
    leaving = sum(pod.uid in failed for pod in live)
    surplus = idle[: max(-missing - leaving, 0)]
    return Scaling((), (*ended, *surplus), False, group, starts, starts.look_again)


def used_up(observed: Observed) -> int:
    """Numbers of workers below this are written to be used up.

    Before a worker is deleted its number is written, or who takes over from us would use its name again.
    """
    return observed.cluster.status.next_worker_slot or 0


def asked_workers(cluster: Cluster, config: ClusterConfig, group: str = "") -> int:
    """Never more than the cluster's own limits allow: whoever wrote the number may not have asked for them."""
    if group and group not in config.worker_groups:
        return 0
    asked, limit = cluster.replicas_of(group), config.of_group(group).max_workers
    return asked if limit is None else min(asked, limit)


def wanted_workers(observed: Observed, config: ClusterConfig, group: str = "") -> int:
    """As many as are asked for, as far as the limits of users and groups leave room."""
    asked, granted = asked_workers(observed.cluster, config, group), observed.admission.workers_of(group)
    return asked if granted is None else min(asked, granted)


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def batches(count: int) -> list[int]:
    """Sizes 1, 2, 4, 8, ... that add up to `count`: a quota that is used up costs one refused call, not hundreds."""
    sizes = []
    size = 1
    while count > 0:
        sizes.append(min(size, count))
        count -= sizes[-1]
        size *= 2
    return sizes
