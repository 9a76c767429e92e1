"""What holds after any sequence of events: a world of one cluster in which the plans are carried out."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway_common.model import Phase
from gateway_common.names import WORKER_COMPONENT, scheduler_pod_name
from gateway_common.resources import PODS
from gateway_controller.core.observed import Cluster, Observed, Pod, arrange
from gateway_controller.core.plan import Create, CreateCredentials, Delete, DeletePods, Owner, plan
from gateway_controller.core.runs import Run
from tests.kit.observed import CLUSTER_UID, INSTALLATION, NAME, NOW, new_cluster, scheduler, worker

WORKER_START = timedelta(seconds=60)
TIMED = b'{"worker_start_timeout": 60, "scheduler_start_timeout": 120, "max_lifetime": 1000}'
SPOILT = b'{"worker_cores": -1}'
ORDER = [Phase.PENDING, Phase.RUNNING, Phase.STOPPING, Phase.STOPPED, Phase.FAILED]


@dataclass
class World:
    """Pods by name, and a controller that may be killed after any action, before it writes the status."""

    cluster: Cluster = field(default_factory=new_cluster)
    pods: dict[str, Pod] = field(default_factory=dict)
    secret: bool = False
    schedulers_made: int = 0
    names_used: set[str] = field(default_factory=set)
    next_slot: int = 0
    #: Names of workers that somebody took away before it was written that they are used up.
    lost: set[str] = field(default_factory=set)
    now: datetime = NOW

    def observe(self) -> Observed:
        return arrange(self.cluster, self.pods.values(), self.next_slot)

    def reconcile(self, survive: int | None = None) -> None:
        """Plan and act; a controller that survives only so many actions leaves no status behind."""
        observed = self.observe()
        self.next_slot = observed.next_slot
        before = self.cluster.status.phase
        decided = plan(observed, INSTALLATION, self.now)
        assert decided == plan(observed, INSTALLATION, self.now), "the same look leads to the same plan"
        actions = [action for batch in decided.actions for action in batch]
        for action in actions[:survive]:
            self.act(action)
        if survive is None:
            self.cluster = replace(self.cluster, status=decided.status)
            assert ORDER.index(decided.status.phase) >= ORDER.index(before)
            assert not before.is_terminal or decided.status == observed.cluster.status
        else:
            self.next_slot = 0

    def act(self, action: Any) -> None:
        match action:
            case CreateCredentials():
                self.secret = True
            case Create(resource, manifest, owner) if resource is PODS:
                name = manifest["metadata"]["name"]
                assert name not in self.pods
                self.pods[name] = self.make_scheduler() if owner is Owner.CLUSTER else self.make_worker(name)
            case Delete(resource, name) if resource is PODS:
                self.check_deletion(self.pods[name])
                self.pods[name] = replace(self.pods[name], deleting=True)
            case Delete():
                self.secret = False
            case DeletePods(_, uids):
                self.pods = {
                    name: replace(pod, deleting=True) if pod.uid in uids else pod for name, pod in self.pods.items()
                }

    def make_scheduler(self) -> Pod:
        assert not any(pod.owner_uid == CLUSTER_UID for pod in self.pods.values())
        self.schedulers_made += 1
        uid = f"scheduler-{self.schedulers_made}"
        return scheduler(uid=uid, running=False, ready=False, ip="", created=self.now.isoformat())

    def make_worker(self, name: str) -> Pod:
        observed = self.observe()
        assert observed.scheduler
        live = [pod for pod in observed.workers if not pod.deleting and not pod.finished]
        assert len(live) < self.cluster.replicas, "one more would be more than are wanted"
        assert name in self.lost or name not in self.names_used
        self.names_used.add(name)
        slot = int(name.rpartition("-")[2])
        self.next_slot = max(self.next_slot, slot + 1)
        return worker(slot, owner_uid=observed.scheduler.uid, running=False, created=self.now.isoformat())

    def check_deletion(self, pod: Pod) -> None:
        live = [other for other in self.observe().workers if not other.deleting and not other.finished]
        assert not pod.running, "a running worker is the scheduler's to retire"
        overdue = not pod.started and self.now - datetime.fromisoformat(pod.created) >= WORKER_START
        assert pod.finished or overdue or len(live) > self.cluster.replicas, "one less would be less than are wanted"
        assert pod.slot < (self.cluster.status.next_worker_slot or 0), "its name is not used up yet"

    def lose(self, name: str) -> None:
        """Somebody else takes a worker away at once."""
        pod = self.pods.pop(name, None)
        if pod and pod.slot >= (self.cluster.status.next_worker_slot or 0):
            self.lost.add(name)

    def settle(self) -> None:
        """Let everything that is under way come to its end."""
        for _ in range(10):
            for name, pod in list(self.pods.items()):
                if pod.deleting:
                    self.lose(name)
            self.reconcile()


Event = tuple[str, int]
#: What mostly happens; more than once, so that clusters get to live before something ends them.
LIFE = ["reconcile", "reconcile", "kubelet", "scale", "scale", "run a worker", "killed", "time passes"]
LOSS = ["worker ends", "worker deleted", "worker gone"]
END = ["stop", "spoil", "mend", "limit", "scheduler ends", "scheduler deleted", "scheduler gone"]
NUMBERS = st.integers(0, 12)
BEGIN: list[Event] = [("reconcile", 0), ("kubelet", 0), ("reconcile", 0)]
HISTORIES = st.builds(
    lambda begin, life, end, rest: [*begin, *life, *end, *rest],
    st.sampled_from([BEGIN, BEGIN, []]),
    st.lists(st.tuples(st.sampled_from(LIFE + LOSS), NUMBERS), max_size=30),
    st.lists(st.tuples(st.sampled_from(END), NUMBERS), max_size=2),
    st.lists(st.tuples(st.sampled_from(LIFE + LOSS + END), NUMBERS), max_size=10),
)


def change(world: World, name: str, **values: Any) -> None:
    if name in world.pods and not world.pods[name].finished:
        world.pods[name] = replace(world.pods[name], **values)


def apply(world: World, event: Event) -> None:
    kind, number = event
    workers = sorted(name for name, pod in world.pods.items() if pod.component == WORKER_COMPONENT)
    chosen = workers[number % len(workers)] if workers else ""
    boss = scheduler_pod_name(NAME)
    match kind:
        case "reconcile":
            world.reconcile()
        case "killed":
            world.reconcile(survive=number)
        case "kubelet":
            for name in world.pods:
                address = "10.0.0.1" if name == boss else ""
                change(world, name, running=True, started=name != boss, ready=name == boss, ip=address)
        case "scale":
            world.cluster = replace(world.cluster, replicas=number)
        case "stop":
            world.cluster = replace(world.cluster, active=False)
        case "spoil":
            world.cluster = replace(world.cluster, config=SPOILT)
        case "mend":
            world.cluster = replace(world.cluster, config=b"{}")
        case "run a worker":
            change(world, chosen, running=True, started=True)
        case "worker ends":
            change(world, chosen, running=False, finished=True, run=Run(last=120.0))  # after it had begun well
        case "worker deleted":
            change(world, chosen, deleting=True)
        case "worker gone":
            world.lose(chosen)
        case "time passes":
            world.now += timedelta(seconds=10 * number)
        case "limit":
            world.cluster = replace(world.cluster, config=TIMED)
        case "scheduler ends":
            change(world, boss, running=False, finished=True)
        case "scheduler deleted":
            change(world, boss, deleting=True)
        case "scheduler gone":
            world.pods.pop(boss, None)
        case _:
            raise AssertionError(kind)


@settings(max_examples=400, deadline=None)
# the reason for a stop that is cut off is gone when the next controller looks
@example([*BEGIN, ("scale", 1), ("reconcile", 0), ("limit", 0), ("killed", 2), ("mend", 0)])
@given(HISTORIES)
def test_whatever_happens_a_cluster_ends_where_its_spec_says(history: list[Event]) -> None:
    world = World()
    for event in history:
        apply(world, event)
    world.settle()

    observed = world.observe()
    phase = world.cluster.status.phase
    if phase.is_terminal:
        assert not world.pods
        assert not world.secret
        assert world.cluster.status.completion_time
    else:
        assert world.cluster.active
        assert observed.scheduler
        assert not observed.scheduler.finished
        assert world.secret
        assert (phase is Phase.RUNNING) == observed.scheduler.running
    if phase is Phase.RUNNING and world.cluster.config in (b"{}", TIMED):
        assert not any(pod.finished for pod in observed.workers)
        running = [pod for pod in observed.workers if pod.running]
        most = max(world.cluster.replicas, len(running))
        # after starts that failed, others are made after a pause
        assert len(observed.workers) == most or (world.cluster.status.start_failures and len(observed.workers) < most)

    steady = plan(observed, INSTALLATION, world.now)
    assert steady.actions == ()
    assert steady.status == world.cluster.status
