"""What holds after any sequence of events: a world of one cluster in which the plans are carried out."""

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_common.model import Phase
from gateway_common.resources import PODS
from gateway_controller.core.observed import Cluster, Observed, Pod, arrange
from gateway_controller.core.plan import Create, CreateCredentials, Delete, DeletePods, Owner, plan
from tests.kit.observed import CLUSTER_UID, INSTALLATION, NOW, new_cluster, scheduler, worker

ORDER = [Phase.PENDING, Phase.RUNNING, Phase.STOPPING, Phase.STOPPED, Phase.FAILED]


@dataclass
class World:
    """Pods by name, and a controller that may be killed after any action, before it writes the status."""

    cluster: Cluster = field(default_factory=new_cluster)
    pods: dict[str, Pod] = field(default_factory=dict)
    secret: bool = False
    schedulers_made: int = 0
    next_slot: int = 0

    def observe(self) -> Observed:
        return arrange(self.cluster, self.pods.values(), self.next_slot)

    def reconcile(self, survive: int | None = None) -> None:
        """Plan and act; a controller that survives only so many actions leaves no status behind."""
        observed = self.observe()
        self.next_slot = observed.next_slot
        before = self.cluster.status.phase
        decided = plan(observed, INSTALLATION, NOW)
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
                assert not self.pods[name].running, "a running worker is the scheduler's to retire"
                self.pods[name] = replace(self.pods[name], deleting=True)
            case Delete():
                self.secret = False
            case DeletePods():
                self.pods = {name: replace(pod, deleting=True) for name, pod in self.pods.items()}

    def make_scheduler(self) -> Pod:
        assert not any(pod.owner_uid == CLUSTER_UID for pod in self.pods.values())
        self.schedulers_made += 1
        uid = f"scheduler-{self.schedulers_made}"
        return scheduler(uid=uid, running=False, ready=False, ip="")

    def make_worker(self, name: str) -> Pod:
        observed = self.observe()
        assert observed.scheduler
        live = [pod for pod in observed.workers if not pod.deleting and not pod.finished]
        assert len(live) < self.cluster.replicas, "one more would be more than are wanted"
        slot = int(name.rpartition("-")[2])
        return worker(slot, owner_uid=observed.scheduler.uid, running=False)

    def settle(self) -> None:
        """Let everything that is under way come to its end."""
        for _ in range(10):
            self.pods = {name: pod for name, pod in self.pods.items() if not pod.deleting}
            self.reconcile()


Event = tuple[str, int]
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(
            ["reconcile", "killed", "scale", "run", "serve", "finish", "delete", "gone", "stop", "spoil", "mend"]
        ),
        st.integers(0, 12),
    ),
    max_size=40,
)


def apply(world: World, event: Event) -> None:
    kind, number = event
    names = sorted(world.pods)
    chosen = names[number % len(names)] if names else ""
    match kind:
        case "reconcile":
            world.reconcile()
        case "killed":
            world.reconcile(survive=number)
        case "scale":
            world.cluster = replace(world.cluster, replicas=number)
        case "stop":
            world.cluster = replace(world.cluster, active=False)
        case "spoil":
            world.cluster = replace(world.cluster, config=b'{"worker_cores": -1}')
        case "mend":
            world.cluster = replace(world.cluster, config=b"{}")
        case "run" if chosen and not world.pods[chosen].finished:
            world.pods[chosen] = replace(world.pods[chosen], running=True, ip="10.0.0.1")
        case "serve" if chosen and world.pods[chosen].running:
            world.pods[chosen] = replace(world.pods[chosen], ready=True)
        case "finish" if chosen:
            world.pods[chosen] = replace(world.pods[chosen], running=False, finished=True)
        case "delete" if chosen:
            world.pods[chosen] = replace(world.pods[chosen], deleting=True)
        case "gone" if chosen:
            del world.pods[chosen]


@settings(max_examples=300, deadline=None)
@given(EVENTS)
def test_whatever_happens_a_cluster_ends_where_its_spec_says(events: list[Event]) -> None:
    world = World()
    for event in events:
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
        assert world.secret
    if phase is Phase.RUNNING and world.cluster.config == b"{}":
        live = [pod for pod in observed.workers if not pod.finished]
        running = [pod for pod in live if pod.running]
        assert len(live) == max(world.cluster.replicas, len(running))

    steady = plan(observed, INSTALLATION, NOW)
    assert steady.actions == ()
    assert steady.status == world.cluster.status
