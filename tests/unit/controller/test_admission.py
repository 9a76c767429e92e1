"""Limits hold after any sequence of events, and nobody waits for ever: admissions in a small world."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gateway_common.configuration.limits import Amounts, GroupLimits, LimitsGroup
from gateway_common.configuration.model import Configuration
from gateway_common.configuration.options import GroupSettings
from gateway_common.model import Phase
from gateway_common.names import SCHEDULER_COMPONENT, WORKER_COMPONENT, WORKER_GROUP_LABEL, scheduler_pod_name
from gateway_common.object_store import ObjectKey
from gateway_common.quantities import millicores
from gateway_common.quota import Kind, Scope, Usage, allowances, room_for_workers, scopes, usage_of
from gateway_common.reasons import Reason
from gateway_common.resources import PODS
from gateway_controller.admission import Admissions
from gateway_controller.core.observed import Admission, Cluster, Entry, Observed, Pod, arrange, parse_config
from gateway_controller.core.plan import Create, Delete, DeletePods, plan
from tests.kit.observed import INSTALLATION, NOW

#: Groups of the users; the second has limits of its own, in some of the configurations.
USERS = {"alice": ("students",), "bob": ("students", "staff"), "carol": ()}
CONFIGS: list[dict[str, Any]] = [
    {},
    {"scheduler_cores": 2},
    {"worker_cores": 0.5, "worker_max_cores": 3},
    {"worker_cores": 2},
    {"worker_groups": {"big": {"worker_cores": 3, "worker_memory": "3 G"}, "small": {"worker_cores": 0.5}}},
]
GROUPS = ("", "big", "small")


@dataclass
class World:
    """Clusters and pods by key, and a controller that looks at clusters in whatever order."""

    configuration: Configuration
    clusters: dict[ObjectKey, Cluster] = field(default_factory=dict)
    #: Deleted ones too: their pods are there for a while.
    seen: dict[ObjectKey, Cluster] = field(default_factory=dict)
    pods: dict[ObjectKey, dict[str, Pod]] = field(default_factory=dict)
    slots: dict[ObjectKey, int] = field(default_factory=dict)
    woken: dict[ObjectKey, None] = field(default_factory=dict)
    made: int = 0

    def __post_init__(self) -> None:
        self.admissions = Admissions(self.configuration, self.wake)

    def wake(self, key: ObjectKey) -> None:
        self.woken[key] = None

    def observe(self, key: ObjectKey) -> Observed:
        return arrange(self.clusters[key], self.pods.get(key, {}).values(), self.slots.get(key, 0))

    # what users, the api and kubelets do

    def create(self, user: str, config: dict[str, Any], replicas: int) -> None:
        self.made += 1
        key = ObjectKey("dask", f"c{self.made}")
        self.clusters[key] = self.seen[key] = Cluster(
            namespace=key.namespace,
            name=key.name,
            uid=f"uid-{self.made}",
            # several are made in one second
            created=f"2026-11-23T11:00:{self.made // 3:02}Z",
            user=user,
            groups=USERS[user],
            replicas=replicas,
            config=orjson.dumps(config),
        )
        self.changed(key)

    def change(self, key: ObjectKey, **values: Any) -> None:
        if key in self.clusters:
            self.clusters[key] = replace(self.clusters[key], **values)
            self.changed(key)

    def changed(self, key: ObjectKey) -> None:
        """The informer has seen it."""
        self.admissions.saw(key, self.clusters.get(key))
        self.wake(key)

    def delete(self, key: ObjectKey) -> None:
        """With all that belongs to it: the garbage collector marks its pods, which end later."""
        if self.clusters.pop(key, None):
            self.mark(key, self.pods.get(key, {}))
            self.changed(key)

    def mark(self, key: ObjectKey, names: Iterable[str]) -> None:
        pods = self.pods.get(key, {})
        for name in names:
            pods[name] = replace(pods[name], deleting=True)
        self.wake(key)

    def run_pods(self, key: ObjectKey) -> None:
        pods = self.pods.get(key, {})
        for name, pod in pods.items():
            pods[name] = replace(pod, running=True, started=True, ready=True, ip="10.0.0.1")
        self.wake(key)

    def remove_deleted(self, key: ObjectKey) -> None:
        self.pods[key] = {name: pod for name, pod in self.pods.get(key, {}).items() if not pod.deleting}
        self.wake(key)

    # what the controller does

    def restart(self) -> None:
        """A new process knows only what is there. Its informers wake every cluster.

        Whose the pods of a deleted cluster were, nobody knows any more: they are on their way out, and not counted.
        """
        self.seen = {key: cluster for key, cluster in self.seen.items() if key in self.clusters}
        self.woken = dict.fromkeys(self.clusters)
        self.admissions = Admissions(self.configuration, self.wake)
        self.admissions.recover([self.observe(key) for key in self.clusters])

    def reconcile(self, key: ObjectKey, *, dies: bool = False) -> None:
        """Look and act; one that dies leaves pods behind and no word in the status."""
        self.woken.pop(key, None)
        if key not in self.clusters:
            self.admissions.gone(key, len(self.pods.get(key, {})))
            return
        observed = self.admissions.look(self.observe(key))
        self.check_waiting(key, observed.admission)
        self.act(key, observed, dies=dies)
        self.check()
        if dies:
            self.restart()

    def act(self, key: ObjectKey, observed: Observed, *, dies: bool) -> None:
        decided = plan(observed, INSTALLATION, NOW)
        for action in (action for batch in decided.actions for action in batch):
            self.carry_out(key, action)
        if not dies and decided.status != observed.cluster.status:
            self.change(key, status=decided.status)

    def carry_out(self, key: ObjectKey, action: Any) -> None:
        match action:
            case Create(resource, manifest) if resource is PODS:
                self.make_pod(key, manifest)
            case Delete(resource, name) if resource is PODS:
                self.mark(key, {name})
            case DeletePods(_, uids):
                self.mark(key, {pod.name for pod in self.pods[key].values() if pod.uid in uids})

    def make_pod(self, key: ObjectKey, manifest: dict[str, Any]) -> None:
        name, pods = manifest["metadata"]["name"], self.pods.setdefault(key, {})
        assert name not in pods
        boss = scheduler_pod_name(key.name)
        is_worker = name != boss
        slot = int(name.rpartition("-")[2]) if is_worker else -1
        self.slots[key] = max(self.slots.get(key, 0), slot + 1)
        pods[name] = Pod(
            namespace=key.namespace,
            name=name,
            uid=f"{self.clusters[key].uid}/{name}",
            cluster=key.name,
            component=WORKER_COMPONENT if is_worker else SCHEDULER_COMPONENT,
            owner_uid=f"{self.clusters[key].uid}/{boss}" if is_worker else self.clusters[key].uid,
            slot=slot,
            group=manifest["metadata"]["labels"].get(WORKER_GROUP_LABEL, ""),
        )
        self.wake(key)

    # what must hold

    def used(self) -> dict[Scope, Usage]:
        """By what is really there, whatever the controller has booked."""
        totals: dict[Scope, Usage] = {}
        for key, cluster in self.seen.items():
            pods = self.pods.get(key, {}).values()
            if not pods:
                continue
            workers = Counter(pod.group for pod in pods if pod.component == WORKER_COMPONENT)
            usage = usage_of(parse_config(cluster.config), workers)
            for scope in scopes(self.configuration, cluster.user, cluster.groups):
                totals[scope] = totals.get(scope, Usage()) + usage
        return totals

    def check(self) -> None:
        used = self.used()
        for user, groups in USERS.items():
            allowed = allowances(self.configuration, user, groups)
            for scope, amounts in allowed.items():
                for kind in Kind:
                    limit = getattr(amounts, kind)
                    if limit is not None:
                        most = millicores(limit) if kind is Kind.CORES else limit
                        assert used.get(scope, Usage()).amount(kind) <= most, (scope, kind)

    def check_waiting(self, key: ObjectKey, admission: Admission) -> None:
        if admission.entry is not Entry.ADMITTED:
            assert admission.message
            assert (admission.workers, admission.groups) == (None, ())
            assert not self.pods.get(key), "it waits, but has something"

    def check_has_all_that_it_may(self, key: ObjectKey) -> None:
        """A cluster that is alone is short of workers for its limits' sake only."""
        cluster, config = self.clusters[key], parse_config(self.clusters[key].config)
        workers = Counter(pod.group for pod in self.pods[key].values() if pod.component == WORKER_COMPONENT)
        allowed, used = allowances(self.configuration, cluster.user, cluster.groups), usage_of(config, workers)
        for group in ("", *config.worker_groups):
            room = room_for_workers(allowed, lambda _: used, config.of_group(group)).workers
            # running ones too many are their scheduler's to retire
            assert workers[group] >= cluster.replicas_of(group) or room == 0

    def check_nobody_was_forgotten(self) -> None:
        """Whoever could have begun or grown was woken: a look at those who were not changes nothing."""
        for key in list(self.clusters):
            before = dict(self.pods.get(key, {}))
            self.reconcile(key)
            assert self.pods.get(key, {}) == before

    def in_phase(self, phase: Phase) -> set[ObjectKey]:
        return {key for key, cluster in self.clusters.items() if cluster.status.phase is phase}

    def settle(self) -> None:
        """Everybody who is woken is looked at, kubelets run and end pods, until nothing happens any more."""
        for _ in range(1000):
            for key in list(self.pods):
                if any(pod.deleting for pod in self.pods[key].values()):
                    self.remove_deleted(key)
                elif any(not pod.running for pod in self.pods[key].values()):
                    self.run_pods(key)
            if not self.woken:
                self.check_nobody_was_forgotten()
                return
            for key in list(self.woken):
                self.reconcile(key)
        raise AssertionError("it never comes to rest")


def configured(
    user: Amounts, total: Amounts, students: Amounts, staff: Amounts, mode: str, max_queued: int
) -> Configuration:
    return Configuration(
        instance="test",
        limits=LimitsGroup(user=user, total=total, on_exceeded=mode, max_queued=max_queued),
        groups={
            "students": GroupSettings(limits=GroupLimits(group=students)),
            "staff": GroupSettings(limits=GroupLimits(user=staff)),
        },
    )


AMOUNTS = st.builds(
    Amounts,
    clusters=st.none() | st.integers(1, 3),
    workers=st.none() | st.integers(0, 5),
    cores=st.none() | st.integers(2, 8),
    memory=st.none() | st.integers(4, 12).map(lambda number: number * 2**30),
)
LIMITS = AMOUNTS | st.just(Amounts())
Event = tuple[str, int, int]
KINDS = ["create", "create", "reconcile", "reconcile", "wake", "wake", "run", "scale", "stop", "delete", "gone"]
EVENTS = st.tuples(st.sampled_from([*KINDS, "killed", "restart"]), st.integers(0, 11), st.integers(0, 6))


def apply(world: World, event: Event) -> None:
    kind, number, amount = event
    keys = list(world.seen)
    key = keys[number % len(keys)] if keys else ObjectKey("dask", "none")
    match kind:
        case "create":
            world.create(list(USERS)[number % 3], CONFIGS[number % len(CONFIGS)], amount)
        case "reconcile":
            world.reconcile(key)
        case "wake":
            for woken in list(world.woken):
                world.reconcile(woken)
        case "run":
            world.run_pods(key)
        case "scale":
            if group := GROUPS[number % len(GROUPS)]:
                world.change(key, group_replicas=((group, amount),))
            else:
                world.change(key, replicas=amount)
        case "stop":
            world.change(key, active=False)
        case "delete":
            world.delete(key)
        case "gone":
            world.remove_deleted(key)
        case "killed":
            world.reconcile(key, dies=True)
        case "restart":
            world.restart()


@settings(max_examples=300, deadline=None)
# a waiting one and a growing one gave a worker's memory to and fro
@example(
    configured(Amounts(clusters=1), Amounts(), Amounts(memory=4 * 2**30), Amounts(), "queue", 1),
    [("create", 1, 0), ("create", 0, 1), ("create", 0, 0)],
)
# one that waited for less than before was still thought to wait for more, and kept the last from beginning
@example(
    configured(Amounts(), Amounts(), Amounts(memory=4 * 2**30), Amounts(cores=2), "queue", 2),
    [("create", 0, 0), *[("create", 1, 0)] * 3, ("create", 0, 0)],
)
@given(
    st.builds(configured, LIMITS, LIMITS, LIMITS, LIMITS, st.sampled_from(["reject", "queue"]), st.integers(0, 9)),
    st.lists(EVENTS, max_size=40),
)
def test_whatever_happens_no_limit_is_exceeded_and_everybody_gets_a_turn(
    configuration: Configuration, events: list[Event]
) -> None:
    world = World(configuration)
    for event in events:
        apply(world, event)
    world.settle()

    # one after the other those that have begun go, until nobody is left who waits
    waiting = {key for key, cluster in world.clusters.items() if cluster.status.reason == Reason.QUOTA_EXCEEDED}
    waiting &= world.in_phase(Phase.PENDING)
    begun: set[ObjectKey] = set()
    while running := world.in_phase(Phase.RUNNING):
        begun |= running
        if len(world.in_phase(Phase.PENDING) | running) == 1:
            world.check_has_all_that_it_may(*running)
        world.change(min(running), active=False)
        world.settle()
    assert world.in_phase(Phase.PENDING) == set(), "somebody waits for nobody"
    assert waiting <= begun
    assert not any(world.pods.values())


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 3), st.lists(st.integers(0, 6), min_size=1, max_size=9), st.booleans())
def test_those_that_wait_begin_in_the_order_of_their_making(room: int, replicas: list[int], restarts: bool) -> None:
    limits = LimitsGroup(user=Amounts(clusters=room), on_exceeded="queue", max_queued=99)
    world = World(Configuration(instance="test", limits=limits))
    for number in replicas:
        world.create("alice", {}, number)
    world.settle()
    keys = sorted(world.clusters, key=lambda key: (world.clusters[key].created, key.name))
    for position, key in enumerate(keys):
        if restarts:
            world.restart()
            world.settle()
        assert sorted(world.in_phase(Phase.RUNNING), key=keys.index) == keys[position : position + room]
        world.change(key, active=False)
        world.settle()
    assert not any(world.pods.values())
