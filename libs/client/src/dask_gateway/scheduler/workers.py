"""Which workers a scheduler has, which of them leave, and which left: what a heartbeat says about workers."""

from collections.abc import Callable, Iterable
from typing import Any

from distributed.diagnostics.plugin import SchedulerPlugin


def group_of(worker_name: Any, cluster: str) -> str:
    """The group of a worker, which its name tells: ``dask-worker-<cluster>-<group>-3``; empty: it is in none.

    cluster   the DaskCluster's name, without its namespace
    """
    rest = str(worker_name).removeprefix(f"dask-worker-{cluster}-")
    return rest.rpartition("-")[0] if rest != str(worker_name) else ""


class WorkerLedger(SchedulerPlugin):  # type: ignore[misc]  # distributed is untyped here
    """Workers by name. A name is in one of the three sets at most.

    active    connected, and wanted
    closing   being retired: their data moves to others
    closed    left since a heartbeat was last delivered
    """

    name = "dask-gateway"

    def __init__(self, on_join: Callable[[], None], on_loss: Callable[[], None]) -> None:
        self.active: set[Any] = set()
        self.closing: set[Any] = set()
        self.closed: set[Any] = set()
        self._names: dict[str, Any] = {}  # by address: a removed worker is not in the scheduler any more
        self._on_join = on_join
        self._on_loss = on_loss

    def add_worker(self, scheduler: Any, worker: str) -> None:
        """A worker connected."""
        name = scheduler.workers[worker].name
        self._names[worker] = name
        self.active.add(name)
        self.closing.discard(name)
        self.closed.discard(name)
        self._on_join()

    def remove_worker(self, scheduler: Any, worker: str, **kwargs: Any) -> None:
        """A worker left, as it was told to or not."""
        name = self._names.pop(worker, None)
        if name is None:
            return
        expected = name in self.closing
        self.active.discard(name)
        self.closing.discard(name)
        self.closed.add(name)
        if not expected:
            self._on_loss()

    def start_closing(self, names: Iterable[Any]) -> None:
        """These workers are about to be retired."""
        self.active.difference_update(names)
        self.closing.update(names)

    def keep(self, names: Iterable[Any]) -> set[Any]:
        """The ones of these that are still here stay, for their data could not be moved; they are returned."""
        staying = self.closing.intersection(names)
        self.closing -= staying
        self.active |= staying
        return staying
