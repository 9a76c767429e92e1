"""What the controller counts and shows to Prometheus. No series is of one cluster: there may be thousands.

Names and labels are an interface: dashboards and alerts rely on them (docs/operating.md lists them).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from gateway_common import __version__
from gateway_common.resources import Resource

PREFIX = "dask_gateway_controller"

#: Seconds. A look that changes nothing takes a millisecond, a start five calls, a large scale up hundreds.
_RECONCILE_BUCKETS = (0.001, 0.005, 0.02, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """How things are now: numbers of clusters by phase, of workers and of keys in the queue by state."""

    leading: bool
    synced: bool
    clusters: Mapping[str, int] = field(default_factory=dict)
    workers: Mapping[str, int] = field(default_factory=dict)
    queue: Mapping[str, int] = field(default_factory=dict)


class Metrics:
    """The series of one controller, in a registry of its own."""

    def __init__(self) -> None:
        # a second series for each counter, which says when it was made
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        Info(PREFIX, "The program.", registry=self._registry).info({"version": __version__})
        self._calls = Counter(
            f"{PREFIX}_kube_calls",
            "HTTP exchanges with the Kubernetes API; code 0: no answer. A watch counts once, when its stream ends.",
            ["verb", "resource", "code"],
            registry=self._registry,
        )
        self._reconciles = Counter(
            f"{PREFIX}_reconciles",
            "Looks at a cluster; error: the Kubernetes API failed or refused, defect: the program did.",
            ["outcome"],
            registry=self._registry,
        )
        for outcome in ("success", "error", "defect"):
            self._reconciles.labels(outcome)
        self._seconds = Histogram(
            f"{PREFIX}_reconcile_seconds",
            "How long a look at a cluster took, with its calls.",
            buckets=_RECONCILE_BUCKETS,
            registry=self._registry,
        )

    def count_call(self, verb: str, resource: Resource, code: int) -> None:
        """A CallHook for the Kubernetes client."""
        self._calls.labels(verb, resource.plural, str(code)).inc()

    def reconciled(self, outcome: str, seconds: float) -> None:
        """A look at a cluster has ended: with `success`, an `error` of the Kubernetes API, or a `defect`."""
        self._reconciles.labels(outcome).inc()
        self._seconds.observe(seconds)

    def show(self, snapshot: Callable[[], Snapshot]) -> None:
        """Show what the function answers when somebody asks; it costs nothing until then."""
        self._registry.register(_SnapshotCollector(snapshot))

    def encode(self, accept: str) -> tuple[bytes, str]:
        """All series, in the format that an Accept header asks for, and its media type."""
        encoder, media_type = choose_encoder(accept)
        return encoder(self._registry), media_type


class _SnapshotCollector(Collector):
    def __init__(self, snapshot: Callable[[], Snapshot]) -> None:
        self._snapshot = snapshot

    def collect(self) -> Iterable[Metric]:
        now = self._snapshot()
        yield GaugeMetricFamily(f"{PREFIX}_leader", "1: this replica acts, 0: it stands by.", float(now.leading))
        yield GaugeMetricFamily(f"{PREFIX}_synced", "1: all clusters and pods have been read.", float(now.synced))
        yield _family("clusters", "DaskClusters by phase; from the leader alone.", "phase", now.clusters)
        yield _family("workers", "Workers' pods by state; from the leader alone.", "state", now.workers)
        yield _family("queue", "Clusters to look at by state; from the leader alone.", "state", now.queue)


def _family(name: str, documentation: str, label: str, values: Mapping[str, int]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", documentation, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
