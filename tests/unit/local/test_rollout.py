"""What a Deployment does next."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_common.resources import Manifest
from gateway_local.workloads.rollout import REVISION, Rollout, find_new, plan, rolling_limits

NOW = 1_800_000_000.0
DEADLINE = 600


def deployment(replicas: int = 3, image: str = "api:1", **spec: Any) -> Manifest:
    labels = {"app": "api"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "api", "namespace": "gateway", "uid": "d-1", "generation": 1},
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 2,
            "progressDeadlineSeconds": DEADLINE,
            "selector": {"matchLabels": labels},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"}},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "api", "image": image}]},
            },
            **spec,
        },
    }


class World:
    """A Deployment, its ReplicaSets, and their pods, of which a test says when they become available or go."""

    def __init__(self, manifest: Manifest) -> None:
        self.deployment = manifest
        self.replica_sets: dict[str, Manifest] = {}
        self.now = NOW

    def step(self) -> Rollout:
        """Plan once, and do as planned; pods are made and taken away at once."""
        rollout = plan(self.deployment, list(self.replica_sets.values()), self.pods, self.now)
        if rollout.create:
            created = copy.deepcopy(rollout.create)
            self.replica_sets[created["metadata"]["name"]] = created
        for name, size in rollout.scale.items():
            self.replica_sets[name]["spec"]["replicas"] = size
        if rollout.renumber:
            self.replica_sets[rollout.renumber]["metadata"]["annotations"][REVISION] = str(rollout.revision)
        for name in rollout.prune:
            del self.replica_sets[name]
        self.deployment["status"] = rollout.status
        for replica_set in self.replica_sets.values():
            self.count(replica_set, self.available(replica_set))
        return rollout

    def count(self, replica_set: Manifest, available: int) -> None:
        size = replica_set["spec"]["replicas"]
        available = min(size, available)
        replica_set["status"] = {"replicas": size, "readyReplicas": available, "availableReplicas": available}

    def available(self, replica_set: Manifest) -> int:
        return int(replica_set.get("status", {}).get("availableReplicas", 0))

    @property
    def pods(self) -> dict[str, int]:
        return {name: r.get("status", {}).get("replicas", 0) for name, r in self.replica_sets.items()}

    @property
    def new(self) -> Manifest:
        found = find_new(self.deployment, list(self.replica_sets.values()))
        assert found is not None
        return found

    @property
    def total(self) -> int:
        return sum(r["spec"]["replicas"] for r in self.replica_sets.values())

    @property
    def serving(self) -> int:
        return sum(map(self.available, self.replica_sets.values()))

    @property
    def sizes(self) -> list[int]:
        """Of the old ReplicaSets."""
        new = find_new(self.deployment, list(self.replica_sets.values()))
        return [r["spec"]["replicas"] for r in self.replica_sets.values() if r is not new]

    def change(self, image: str) -> None:
        self.deployment["spec"]["template"]["spec"]["containers"][0]["image"] = image
        self.deployment["metadata"]["generation"] += 1

    def settle(self) -> None:
        """Until every pod that there is to be is available."""
        for _ in range(100):
            self.step()
            for replica_set in self.replica_sets.values():
                self.count(replica_set, replica_set["spec"]["replicas"])
            if self.condition("Progressing")["reason"] == "NewReplicaSetAvailable" and self.total == self.serving:
                return
        raise AssertionError("it never settles")

    def condition(self, type_: str) -> Manifest:
        found = (c for c in self.deployment["status"]["conditions"] if c["type"] == type_)
        return next(found, {})


@pytest.fixture
def world() -> World:
    """A Deployment that has rolled out once."""
    world = World(deployment())
    world.settle()
    return world


def test_a_new_deployment_makes_a_replica_set_of_its_size_and_template() -> None:
    world = World(deployment())

    rollout = world.step()

    assert rollout.create is not None
    labels = rollout.create["metadata"]["labels"]
    assert rollout.create["metadata"]["name"] == f"api-{labels['pod-template-hash']}"
    assert rollout.create["metadata"]["ownerReferences"][0]["uid"] == "d-1"
    assert rollout.create["spec"]["replicas"] == 3
    assert rollout.create["spec"]["selector"]["matchLabels"] == labels
    assert rollout.create["spec"]["template"]["metadata"]["labels"] == labels
    assert (rollout.revision, world.condition("Progressing")["reason"]) == (1, "NewReplicaSetCreated")


def test_it_is_complete_once_all_pods_are_available(world: World) -> None:
    status = world.deployment["status"]
    assert (status["replicas"], status["updatedReplicas"], status["availableReplicas"]) == (3, 3, 3)
    assert "unavailableReplicas" not in status
    assert world.condition("Available")["status"] == "True"
    assert world.condition("Progressing")["reason"] == "NewReplicaSetAvailable"


def test_a_complete_deployment_does_nothing_and_says_the_same(world: World) -> None:
    before = copy.deepcopy(world.deployment["status"])
    world.now += 10_000

    rollout = world.step()

    assert (rollout.create, rollout.scale, rollout.prune, rollout.requeue_after) == (None, {}, [], None)
    assert rollout.status == before


def test_a_new_template_gets_one_pod_more_before_an_old_one_goes(world: World) -> None:
    world.change("api:2")

    world.step()
    assert (world.new["spec"]["replicas"], world.sizes) == (1, [3])
    world.step()
    assert world.sizes == [3]

    world.count(world.new, 1)
    world.step()
    assert (world.new["spec"]["replicas"], world.sizes) == (1, [2])


def test_old_pods_that_serve_nobody_go_first(world: World) -> None:
    first = world.new
    world.change("api:2")
    world.step()
    broken = world.new
    world.change("api:3")

    world.step()

    assert (first["spec"]["replicas"], broken["spec"]["replicas"]) == (3, 0)


def test_a_template_that_was_there_before_is_rolled_back_to_by_its_replica_set(world: World) -> None:
    first = world.new["metadata"]["name"]
    world.change("api:2")
    world.settle()
    world.change("api:1")

    rollout = world.step()

    assert rollout.create is None
    assert world.new["metadata"]["name"] == first
    assert (rollout.revision, rollout.renumber) == (3, first)


def test_replica_sets_beyond_the_history_are_forgotten(world: World) -> None:
    for number in range(2, 7):
        world.change(f"api:{number}")
        world.settle()
    world.step()

    revisions = {r["metadata"]["annotations"][REVISION] for r in world.replica_sets.values()}
    assert revisions == {"4", "5", "6"}


def test_recreate_waits_until_the_last_old_pod_is_gone() -> None:
    world = World(deployment(strategy={"type": "Recreate"}))
    world.settle()
    (old,) = world.replica_sets.values()
    world.change("api:2")

    world.deployment["status"] = {}
    rollout = plan(world.deployment, [old], {old["metadata"]["name"]: 3}, NOW)
    assert (rollout.create, rollout.scale) == (None, {old["metadata"]["name"]: 0})

    world.step()
    rollout = world.step()
    assert rollout.create is not None
    assert rollout.create["spec"]["replicas"] == 3


def test_a_paused_deployment_rolls_nothing_out_but_can_be_scaled(world: World) -> None:
    world.deployment["spec"]["paused"] = True
    world.change("api:2")
    world.deployment["spec"]["replicas"] = 5

    rollout = world.step()

    assert rollout.create is None
    assert list(rollout.scale.values()) == [5]
    assert world.condition("Progressing")["reason"] == "DeploymentPaused"


def test_a_rollout_that_does_not_move_is_given_up_in_words_after_its_deadline(world: World) -> None:
    world.change("api:2")
    world.step()
    world.step()
    world.now += 5
    assert 0 < (world.step().requeue_after or 0) <= DEADLINE

    world.now += DEADLINE
    world.step()

    assert world.condition("Progressing")["reason"] == "ProgressDeadlineExceeded"
    assert world.condition("Progressing")["status"] == "False"
    assert world.sizes == [3]


def test_too_few_available_pods_are_said(world: World) -> None:
    world.count(world.new, 1)
    world.step()

    assert world.condition("Available")["reason"] == "MinimumReplicasUnavailable"
    assert world.deployment["status"]["unavailableReplicas"] == 2


@pytest.mark.parametrize(
    ("replicas", "unavailable", "surge", "limits"),
    [
        (4, "25%", "25%", (1, 1)),
        (3, "25%", "25%", (0, 1)),
        (10, 2, 3, (2, 3)),
        (2, "10%", 0, (1, 0)),
        (1, 0, 1, (0, 1)),
    ],
)
def test_percentages_are_rounded_in_favour_of_service(
    replicas: int, unavailable: int | str, surge: int | str, limits: tuple[int, int]
) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": surge}}
    assert rolling_limits(deployment(replicas, strategy=rolling)) == limits


@given(
    replicas=st.integers(1, 8),
    unavailable=st.integers(0, 4),
    surge=st.integers(0, 4),
    pods=st.lists(st.integers(0, 8), max_size=60),
)
def test_a_rollout_never_has_too_few_pods_or_too_many_and_always_ends(
    replicas: int, unavailable: int, surge: int, pods: list[int]
) -> None:
    rolling = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": unavailable, "maxSurge": surge}}
    world = World(deployment(replicas, strategy=rolling))
    world.settle()
    missing, extra = rolling_limits(world.deployment)
    world.change("api:2")

    for available in pods:
        world.step()
        assert world.total <= replicas + extra
        assert world.serving >= min(replicas - missing, replicas)
        # pods become ready as they like, and those that are ready stay so
        world.count(world.new, max(world.available(world.new), available))

    world.settle()
    assert world.sizes == [0]
    assert world.new["spec"]["replicas"] == replicas
