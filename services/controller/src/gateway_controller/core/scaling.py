"""How many workers to make, and which to delete."""

from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from itertools import count as countup

from gateway_common.config import ClusterConfig
from gateway_controller.core.deadlines import is_overdue
from gateway_controller.core.observed import Cluster, Observed, Pod

#: Workers that one plan makes at the most. What happens meanwhile is looked at before the next are made.
MOST_AT_ONCE = 511


@dataclass(frozen=True, slots=True)
class Scaling:
    """Slots to make workers in, and pods to delete; `more` says that workers are wanted beyond these."""

    create: tuple[int, ...] = ()
    delete: tuple[Pod, ...] = ()
    more: bool = False


def scale_workers(observed: Observed, config: ClusterConfig, now: datetime) -> Scaling:
    """The way from the workers that are there to those that are wanted.

    Pods that ended are deleted, and replaced as long as so many are wanted (K-032, K-033). Pods that don't run yet
    count as workers (E-02). Of these alone some are deleted where there are too many, the newest first, exactly as
    many as needed (E-01): running workers may hold results, and the scheduler retires them. Pods that take too long
    to run are deleted, too; others take their places when they are gone, so there are never more than were granted.
    """
    present = [pod for pod in observed.workers if not pod.deleting]
    live = [pod for pod in present if not pod.finished]
    overdue = {pod.uid for pod in live if is_overdue(pod, config, now)}
    ended = tuple(pod for pod in present if pod.finished or pod.uid in overdue)
    missing = wanted_workers(observed, config) - len(live)
    if missing > 0:
        count = min(missing, MOST_AT_ONCE)
        slots = islice(chain(observed.unsure_slots, countup(observed.next_slot)), count)
        return Scaling(tuple(slots), ended, more=missing > count)
    idle = [pod for pod in live if not pod.running and pod.uid not in overdue]
    idle.sort(key=lambda pod: pod.slot, reverse=True)
    return Scaling((), (*ended, *idle[: max(-missing - len(overdue), 0)]))


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
