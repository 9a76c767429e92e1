"""How many workers to make, and which to delete."""

from dataclasses import dataclass

from gateway_common.config import ClusterConfig
from gateway_controller.core.observed import Observed, Pod

#: Workers that one plan makes at the most. What happens meanwhile is looked at before the next are made.
MOST_AT_ONCE = 511


@dataclass(frozen=True, slots=True)
class Scaling:
    """Slots to make workers in, and pods to delete; `more` says that workers are wanted beyond these."""

    create: tuple[int, ...] = ()
    delete: tuple[Pod, ...] = ()
    more: bool = False


def scale_workers(observed: Observed, config: ClusterConfig) -> Scaling:
    """The way from the workers that are there to those that are wanted.

    Pods that ended are deleted, and replaced as long as so many are wanted (K-032, K-033). Pods that don't run yet
    count as workers (E-02). Of these alone some are deleted where there are too many, the newest first, exactly as
    many as needed (E-01): running workers may hold results, and the scheduler retires them.
    """
    present = [pod for pod in observed.workers if not pod.deleting]
    ended = tuple(pod for pod in present if pod.finished)
    live = [pod for pod in present if not pod.finished]
    missing = wanted_workers(observed, config) - len(live)
    if missing > 0:
        count = min(missing, MOST_AT_ONCE)
        slots = range(observed.next_slot, observed.next_slot + count)
        return Scaling(tuple(slots), ended, more=missing > count)
    idle = sorted((pod for pod in live if not pod.running), key=lambda pod: pod.slot, reverse=True)
    return Scaling((), (*ended, *idle[:-missing])) if missing else Scaling((), ended)


def wanted_workers(observed: Observed, config: ClusterConfig) -> int:
    """Never more than the cluster's limits allow: whoever wrote `replicas` may not have asked for them."""
    replicas = observed.cluster.replicas
    return replicas if config.max_workers is None else min(replicas, config.max_workers)


def batches(count: int) -> list[int]:
    """Sizes 1, 2, 4, 8, ... that add up to `count`: a quota that is used up costs one refused call, not hundreds."""
    sizes = []
    size = 1
    while count > 0:
        sizes.append(min(size, count))
        count -= sizes[-1]
        size *= 2
    return sizes
