"""How many workers to make, and which to delete."""

from dataclasses import dataclass
from datetime import datetime

from gateway_common.config import ClusterConfig
from gateway_controller.core.observed import Cluster, Observed, Pod
from gateway_controller.core.starts import NO_FAILURES, Starts, failures_of, judge_starts

#: Workers that one plan makes at the most. What happens meanwhile is looked at before the next are made.
MOST_AT_ONCE = 511


@dataclass(frozen=True, slots=True)
class Scaling:
    """Slots to make workers in, and pods to delete; `more` says that workers are wanted beyond these."""

    create: tuple[int, ...] = ()
    delete: tuple[Pod, ...] = ()
    more: bool = False
    starts: Starts = NO_FAILURES
    #: When to look again, though nothing happens.
    look_again: datetime | None = None


def scale_workers(observed: Observed, config: ClusterConfig, now: datetime) -> Scaling:
    """The way from the workers that are there to those that are wanted.

    Pods that ended are deleted, and replaced as long as so many are wanted (K-032, K-033). Pods that don't run yet
    count as workers (E-02). Of these alone some are deleted where there are too many, the newest first, exactly as
    many as needed (E-01): running workers may hold results, and the scheduler retires them. Pods that fail to start are
    deleted, too; others take their places when they are gone, so there are never more than were granted, and after a
    pause that is the longer, the more have failed in a row.
    """
    cluster = observed.cluster
    present = [pod for pod in observed.workers if not pod.deleting]
    live = [pod for pod in present if not pod.finished]
    missing = wanted_workers(observed, config) - len(live)
    known = failures_of(cluster.status, None, cluster.replicas)
    starts = judge_starts(present, known, config, now, group=None, replicas=cluster.replicas, missing=missing)
    failed = {pod.uid for pod in starts.failed}
    ended = tuple(pod for pod in present if pod.finished or pod.uid in failed)
    if missing > 0:
        if starts.holds_back(now):
            return Scaling((), ended, starts=starts, look_again=_earliest(starts.resume, starts.look_again))
        count = min(missing, MOST_AT_ONCE)
        slots = range(observed.next_slot, observed.next_slot + count)
        return Scaling(tuple(slots), ended, count < missing, starts, starts.look_again)
    idle = [pod for pod in live if not pod.running and pod.uid not in failed]
    idle.sort(key=lambda pod: pod.slot, reverse=True)
    leaving = sum(pod.uid in failed for pod in live)
    return Scaling((), (*ended, *idle[: max(-missing - leaving, 0)]), starts=starts, look_again=starts.look_again)


def _earliest(*moments: datetime | None) -> datetime | None:
    return min((moment for moment in moments if moment is not None), default=None)


def asked_workers(cluster: Cluster, config: ClusterConfig) -> int:
    """Never more than the cluster's own limits allow: whoever wrote `replicas` may not have asked for them."""
    return cluster.replicas if config.max_workers is None else min(cluster.replicas, config.max_workers)


def wanted_workers(observed: Observed, config: ClusterConfig) -> int:
    """As many as are asked for, as far as the limits of users and groups leave room."""
    asked, granted = asked_workers(observed.cluster, config), observed.admission.workers
    return asked if granted is None else min(asked, granted)


def batches(count: int) -> list[int]:
    """Sizes 1, 2, 4, 8, ... that add up to `count`: a quota that is used up costs one refused call, not hundreds."""
    sizes = []
    size = 1
    while count > 0:
        sizes.append(min(size, count))
        count -= sizes[-1]
        size *= 2
    return sizes
