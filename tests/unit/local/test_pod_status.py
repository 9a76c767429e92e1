"""A pod's phase and conditions from what its containers do."""

from typing import Any

import pytest

from gateway_local.kubelet.states import ContainerRecord, Running, State, Terminated, Waiting
from gateway_local.kubelet.status import PodFacts, build_status, classify_phase

NOW = 1_800_000_000.0
CREATING = Waiting("ContainerCreating")
RUNNING = Running(NOW)
DONE = Terminated(0, "Completed", NOW, NOW)
FAILED = Terminated(1, "Error", NOW, NOW)
CRASHING = (Waiting("CrashLoopBackOff"), FAILED)

Described = State | tuple[Waiting, Terminated]


def record(described: Described, name: str = "main") -> ContainerRecord:
    state, last = described if isinstance(described, tuple) else (described, None)
    ready = isinstance(state, Running)
    return ContainerRecord(name, "image", state, last=last, started=ready, ready=ready)


def facts(policy: str, *containers: Described, init: tuple[Described, ...] = ()) -> PodFacts:
    return PodFacts(
        restart_policy=policy,
        init=[record(state, f"init-{index}") for index, state in enumerate(init)],
        containers=[record(state, f"main-{index}") for index, state in enumerate(containers)],
        pod_ip="127.9.0.2",
        host_ip="127.9.0.1",
        started_at=NOW,
    )


@pytest.mark.parametrize(
    ("policy", "containers", "phase"),
    [
        ("Never", [CREATING], "Pending"),
        ("Never", [RUNNING, CREATING], "Pending"),
        ("Never", [RUNNING], "Running"),
        ("Never", [RUNNING, FAILED], "Running"),
        ("Never", [DONE, DONE], "Succeeded"),
        ("Never", [DONE, FAILED], "Failed"),
        ("OnFailure", [DONE], "Succeeded"),
        ("OnFailure", [FAILED], "Running"),
        ("OnFailure", [CRASHING], "Running"),
        ("Always", [DONE], "Running"),
        ("Always", [CRASHING], "Running"),
    ],
)
def test_the_phase_follows_from_the_containers(policy: str, containers: list[Described], phase: str) -> None:
    assert classify_phase(facts(policy, *containers)) == phase


@pytest.mark.parametrize(
    ("policy", "init", "phase"),
    [
        ("Never", [RUNNING, CREATING], "Pending"),
        ("Never", [DONE, CREATING], "Pending"),
        ("Never", [DONE, FAILED], "Failed"),
        ("Always", [CRASHING], "Pending"),
    ],
)
def test_init_containers_hold_the_pod_back(policy: str, init: list[Described], phase: str) -> None:
    assert classify_phase(facts(policy, CREATING, init=tuple(init))) == phase


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        (facts("Never", RUNNING), {"Ready": ("True", None), "ContainersReady": ("True", None)}),
        (facts("Never", CREATING), {"Ready": ("False", "ContainersNotReady"), "Initialized": ("True", None)}),
        (facts("Never", DONE), {"Ready": ("False", "PodCompleted"), "Initialized": ("True", "PodCompleted")}),
        (facts("Never", FAILED), {"Ready": ("False", "PodFailed")}),
        (facts("Never", CREATING, init=(RUNNING,)), {"Initialized": ("False", "ContainersNotInitialized")}),
    ],
)
def test_conditions_say_what_is_missing(described: PodFacts, expected: dict[str, Any]) -> None:
    conditions = build_status(described, {}, NOW)["conditions"]
    found = {c["type"]: (c["status"], c.get("reason")) for c in conditions}
    assert found | expected == found


def test_a_condition_keeps_its_time_while_its_status_stays() -> None:
    before = build_status(facts("Never", CREATING), {}, NOW)
    after = build_status(facts("Never", RUNNING), before, NOW + 60)
    times = {c["type"]: c["lastTransitionTime"] for c in after["conditions"]}
    assert times["Initialized"] == "2027-01-15T08:00:00Z"
    assert times["Ready"] == "2027-01-15T08:01:00Z"


def test_conditions_of_others_stay() -> None:
    theirs = {"type": "example.com/checked", "status": "True"}
    assert theirs in build_status(facts("Never", RUNNING), {"conditions": [theirs]}, NOW)["conditions"]


def test_a_readiness_gate_must_be_true_too() -> None:
    gated = PodFacts("Never", [], [record(RUNNING)], "127.9.0.2", "127.9.0.1", NOW, readiness_gates=["gate"])

    def ready(*conditions: dict[str, str]) -> str:
        status = build_status(gated, {"conditions": list(conditions)}, NOW)
        return next(str(c["status"]) for c in status["conditions"] if c["type"] == "Ready")

    assert ready() == "False"
    assert ready({"type": "gate", "status": "True"}) == "True"


def test_a_container_status_is_written_as_kubernetes_does() -> None:
    looping = ContainerRecord(
        "main",
        "image:1",
        Waiting("CrashLoopBackOff", "back-off 10s"),
        last=Terminated(137, "Error", NOW, NOW + 5, "killed", "process://7"),
        restarts=2,
        container_id="process://7",
    )
    assert looping.manifest() == {
        "name": "main",
        "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s"}},
        "lastState": {
            "terminated": {
                "exitCode": 137,
                "reason": "Error",
                "message": "killed",
                "startedAt": "2027-01-15T08:00:00Z",
                "finishedAt": "2027-01-15T08:00:05Z",
                "containerID": "process://7",
            }
        },
        "ready": False,
        "started": False,
        "restartCount": 2,
        "image": "image:1",
        "imageID": "image:1",
        "containerID": "process://7",
    }
