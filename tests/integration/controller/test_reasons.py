"""Each thing that may befall a cluster: the status, its conditions and Events, and what the API tells its user.

Pods get the statuses that real kubelets and schedulers write; what the API server itself refuses comes from it, or from
a fault with its very words where the embedded one has no such admission.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway_common.configuration.limits import Amounts, LimitsGroup
from gateway_common.names import scheduler_pod_name, worker_pod_name
from gateway_common.resources import DASKCLUSTERS, EVENTS, PODS
from gateway_local.apiserver.faults import Fault
from tests.kit import pod_statuses as recorded
from tests.kit.api import Api, running_api
from tests.kit.controller import World
from tests.kit.kube import KubeServer
from tests.kit.waiting import eventually, until

Status = dict[str, Any]
#: What scenarios of the start give a scheduler's pod, in seconds.
QUICK = {"scheduler_start_error_timeout": 1}


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    async with running_api(world.settings.kube, world.namespace) as running:
        yield running


def name_of_container(status: Status, name: str) -> Status:
    """The recorded status with its Dask container called as in this cluster's pod."""
    named = [
        {**one, "name": name} if one["name"] == recorded.NAME else one for one in status.get("containerStatuses", ())
    ]
    return {**status, "containerStatuses": named} if named else status


async def scheduler_is(world: World, name: str, status: Status) -> None:
    await world.set_pod_status(scheduler_pod_name(name), name_of_container(status, "dask-scheduler"))


async def starting_cluster(world: World, **config: Any) -> str:
    name = await world.new_cluster(config=config)
    await world.reaches(name, "Pending")
    return name


async def over(world: World, name: str) -> Status:
    """The status once it is over; pods end as soon as somebody deletes them."""

    async def probe() -> Status | None:
        await world.remove_deleted_pods(name)
        status = await world.status(name)
        return status if "completionTime" in status else None

    return await eventually(probe)


def aspect(status: Status, kind: str) -> tuple[str, str]:
    found = next(one for one in status["conditions"] if one["type"] == kind)
    assert found["lastTransitionTime"].endswith("Z")
    return found["status"], found["reason"]


async def has_told(world: World, name: str, reason: str, kind: str = "Warning") -> str:
    """The message of the Event of this reason."""
    cluster = await world.client.get(DASKCLUSTERS, name, namespace=world.namespace)

    async def probe() -> Status | None:
        events = (await world.client.list(EVENTS, namespace=world.namespace)).items
        mine = [one for one in events if one["involvedObject"].get("uid") == cluster["metadata"]["uid"]]
        assert len(mine) <= 3
        return next((one for one in mine if one["reason"] == reason), None)

    event = await eventually(probe)
    assert (event["type"], event["involvedObject"]["kind"]) == (kind, "DaskCluster")
    return str(event["message"])


async def user_reads(world: World, api: Api, name: str, reason: str) -> Status:
    """Version 2 of the API, once it says this reason."""
    alice = api.user("alice")

    async def probe() -> Status | None:
        answer = await alice.get(f"/api/v2/clusters/{world.namespace}.{name}")
        described: Status = answer.json()
        return described if described["reason"] == reason else None

    return await eventually(probe)


async def waiting_is_refused(world: World, api: Api, name: str, message: str) -> None:
    """What released clients show, too."""
    await until(lambda: all(one.failed_to_start for one in api.repository.all() if one.name.name == name))
    answer = await api.user("alice").get(f"/api/v1/clusters/{world.namespace}.{name}?wait")
    error = f"Cluster {world.namespace}.{name} failed to start: {message}"
    assert (answer.status_code, answer.json()) == (409, {"error": error})


async def test_unschedulable_is_said_with_the_schedulers_own_sentence_for_as_long_as_it_is_so(
    world: World, api: Api
) -> None:
    await world.controller()
    name = await starting_cluster(world, **QUICK, scheduler_start_timeout=0)
    await scheduler_is(world, name, recorded.UNSCHEDULABLE)
    status = await world.says(name, "Unschedulable")
    assert status["phase"] == "Pending"
    assert status["message"].endswith(recorded.UNSCHEDULABLE_SENTENCE)
    assert aspect(status, "SchedulerScheduled") == ("False", "Unschedulable")
    assert aspect(status, "Ready") == ("False", "Unschedulable")
    assert recorded.UNSCHEDULABLE_SENTENCE in await has_told(world, name, "Unschedulable")
    described = await user_reads(world, api, name, "Unschedulable")
    assert (described["status"], described["message"]) == ("PENDING", status["message"])

    await scheduler_is(world, name, recorded.RUNNING)
    running = await world.reaches(name, "Running")
    assert aspect(running, "SchedulerScheduled") == ("True", "SchedulerScheduled")
    assert aspect(running, "Ready") == ("True", "SchedulerRunning")


START_ERRORS = [
    pytest.param(recorded.ERR_IMAGE_PULL, "ImagePullBackOff", recorded.REGISTRY_WORDS, id="ErrImagePull"),
    pytest.param(recorded.IMAGE_PULL_BACK_OFF, "ImagePullBackOff", recorded.REGISTRY_WORDS, id="ImagePullBackOff"),
    pytest.param(recorded.CONFIG_ERROR, "CreateContainerConfigError", 'secret "aws-keys" not found', id="config"),
    pytest.param(recorded.CREATE_ERROR, "CreateContainerError", "no command specified", id="create"),
    pytest.param(
        recorded.INIT_CRASHING, "CrashLoopBackOff", "its container wait exited with code 1", id="init crashes"
    ),
]


@pytest.mark.parametrize(("pod_status", "reason", "words"), START_ERRORS)
async def test_an_error_that_does_not_pass_is_said_at_once_and_then_ends_the_wait(
    world: World, api: Api, pod_status: Status, reason: str, words: str
) -> None:
    await world.controller()
    name = await starting_cluster(world, scheduler_start_error_timeout=2)
    await scheduler_is(world, name, pod_status)
    pending = await world.says(name, reason)
    assert pending["phase"] == "Pending"
    assert aspect(pending, "SchedulerReady") == ("False", reason)
    status = await over(world, name)
    assert (status["phase"], status["reason"]) == ("Failed", reason)
    assert status["message"].startswith("The scheduler can't start: ")
    assert words in status["message"]
    assert aspect(status, "Ready") == ("False", reason)
    assert words in await has_told(world, name, reason)
    await user_reads(world, api, name, reason)
    await waiting_is_refused(world, api, name, status["message"])


@pytest.mark.parametrize(
    ("pod_status", "reason"),
    [(recorded.INVALID_IMAGE_NAME, "InvalidImageName"), (recorded.NEVER_PULL, "ErrImageNeverPull")],
)
async def test_what_never_passes_is_not_waited_for(world: World, api: Api, pod_status: Status, reason: str) -> None:
    await world.controller()
    name = await starting_cluster(world, scheduler_start_error_timeout=3600)
    await scheduler_is(world, name, pod_status)
    status = await over(world, name)
    assert (status["phase"], status["reason"]) == ("Failed", reason)
    await waiting_is_refused(world, api, name, status["message"])


ENDS = [
    pytest.param(recorded.FAILED, "SchedulerFailed", "it exited with code 1", 1, id="exit code"),
    pytest.param(recorded.SUCCEEDED, "SchedulerFailed", "it exited with code 0", 0, id="exit code 0"),
    pytest.param(recorded.OOM_KILLED, "OOMKilled", "it used more memory than its limit", 137, id="OOMKilled"),
    pytest.param(recorded.EVICTED, "Evicted", "The node was low on resource: memory.", 137, id="Evicted"),
    pytest.param(recorded.ORPHANED, "NodeLost", "PodGC: node no longer exists", None, id="NodeLost"),
]


@pytest.mark.parametrize(("pod_status", "reason", "words", "code"), ENDS)
async def test_a_scheduler_that_ends_fails_its_cluster_with_the_reason_and_its_exit_code(
    world: World, api: Api, pod_status: Status, reason: str, words: str, code: int | None
) -> None:
    controller = await world.controller()
    name = await world.running_cluster()
    await scheduler_is(world, name, pod_status)
    status = await over(world, name)
    assert (status["phase"], status["reason"]) == ("Failed", reason)
    assert status["message"].startswith("The scheduler ended: ")
    assert words in status["message"]
    assert status.get("schedulerFailure", {}).get("exitCode") == code
    assert aspect(status, "SchedulerReady") == ("False", reason)
    assert aspect(status, "SchedulerCreated") == ("True", "ObjectsCreated")
    assert words in await has_told(world, name, reason)
    assert controller.calls["log", "pods"] == 1
    described = await user_reads(world, api, name, reason)
    assert described["status"] == "FAILED"
    # it has run: who waits for it reads its record, as ever
    answer = await api.user("alice").get(f"/api/v1/clusters/{world.namespace}.{name}?wait")
    assert (answer.status_code, answer.json()["status"]) == (200, "FAILED")


@pytest.mark.parametrize(
    ("pod_status", "reason"),
    [
        pytest.param(recorded.DRAINED, "Evicted", id="drained"),
        pytest.param(recorded.PREEMPTED, "Evicted", id="preempted"),
        pytest.param(recorded.TAINTED, "NodeLost", id="its node is unreachable"),
    ],
)
async def test_a_scheduler_that_is_taken_away_says_by_whom(world: World, pod_status: Status, reason: str) -> None:
    await world.controller()
    name = await world.running_cluster()
    await scheduler_is(world, name, pod_status)
    assert await world.phase(name) == "Running"
    # a kubelet that is to end it, or that nobody can reach
    pod = scheduler_pod_name(name)
    await world.client.patch(PODS, pod, {"metadata": {"finalizers": ["test/kubelet"]}}, namespace=world.namespace)
    await world.client.delete(PODS, pod, namespace=world.namespace)
    status = await world.says(name, reason)
    assert status["message"].startswith("The scheduler was lost: ")
    await world.client.patch(PODS, pod, {"metadata": {"finalizers": None}}, namespace=world.namespace)
    assert (await over(world, name))["phase"] == "Failed"


async def test_a_cluster_beyond_our_limits_says_so(world: World, api: Api) -> None:
    limits = LimitsGroup(user=Amounts(clusters=1), on_exceeded="queue")
    world.settings = world.settings.model_copy(update={"limits": limits})
    await world.controller()
    await world.running_cluster()
    name = await world.new_cluster()
    status = await world.says(name, "QuotaExceeded")
    assert aspect(status, "SchedulerCreated") == ("False", "QuotaExceeded")
    assert "1 of 1 clusters" in await has_told(world, name, "QuotaExceeded")
    described = await user_reads(world, api, name, "QuotaExceeded")
    assert (described["status"], described["message"]) == ("PENDING", status["message"])


IDLE_TIMEOUT = ("IdleTimeout", "The cluster was idle for longer than its idle timeout")
NO_CLIENT = ("NoClientTimeout", "Nobody was connected to the cluster for longer than its no-client timeout")
DELETED = ("Deleted", "The cluster was asked to stop")


@pytest.mark.parametrize(
    ("stop_reason", "said"), [("IdleTimeout", IDLE_TIMEOUT), ("NoClientTimeout", NO_CLIENT), (None, DELETED)]
)
async def test_a_cluster_that_was_to_stop_says_for_whom(
    world: World, api: Api, stop_reason: str | None, said: tuple[str, str]
) -> None:
    await world.controller()
    name = await world.running_cluster()
    await world.set_spec(name, active=False, **({"stopReason": stop_reason} if stop_reason else {}))
    status = await over(world, name)
    assert (status["phase"], status["reason"], status["message"]) == ("Stopped", *said)
    assert aspect(status, "Ready") == ("False", said[0])
    assert "schedulerFailure" not in status
    assert await has_told(world, name, said[0], "Normal") == said[1]
    assert (await user_reads(world, api, name, said[0]))["status"] == "STOPPED"


async def test_a_lifetime_that_is_over_is_told(world: World, api: Api) -> None:
    await world.controller()
    name = await world.new_cluster(config={"max_lifetime": 1})
    status = await over(world, name)
    assert (status["phase"], status["reason"]) == ("Stopped", "MaxLifetime")
    assert aspect(status, "Ready") == ("False", "MaxLifetime")
    await has_told(world, name, "MaxLifetime", "Normal")
    await user_reads(world, api, name, "MaxLifetime")


async def test_a_start_that_takes_too_long_says_what_it_waited_for(world: World, api: Api) -> None:
    await world.controller()
    name = await starting_cluster(world, scheduler_start_timeout=2)
    await scheduler_is(world, name, recorded.UNSCHEDULABLE)
    status = await over(world, name)
    assert (status["phase"], status["reason"]) == ("Failed", "StartTimeout")
    assert status["message"].endswith(recorded.UNSCHEDULABLE_SENTENCE)
    assert aspect(status, "Ready") == ("False", "StartTimeout")
    await has_told(world, name, "StartTimeout")
    await waiting_is_refused(world, api, name, status["message"])


WORKER_PROBLEMS = [
    pytest.param(recorded.UNSCHEDULABLE, "Unschedulable", "pending", id="Unschedulable"),
    pytest.param(recorded.IMAGE_PULL_BACK_OFF, "ImagePullBackOff", "failed", id="ImagePullBackOff"),
    pytest.param(recorded.CONFIG_ERROR, "CreateContainerConfigError", "failed", id="CreateContainerConfigError"),
]


@pytest.mark.parametrize(("pod_status", "reason", "state"), WORKER_PROBLEMS)
async def test_why_workers_do_not_run_is_said_of_all_together(
    world: World, api: Api, pod_status: Status, reason: str, state: str
) -> None:
    controller = await world.controller()
    name = await world.running_cluster(replicas=3)
    await world.has_workers(name, [0, 1, 2])
    await controller.count_anew()
    await world.run_pod(worker_pod_name(name, 0))
    for slot in (1, 2):
        await world.set_pod_status(worker_pod_name(name, slot), name_of_container(pod_status, "dask-worker"))
    counts = {"desired": 3, "pending": 0, "running": 1, "failed": 0, state: 2}
    status = await world.workers_are(name, **counts)
    assert (status["phase"], status["reason"]) == ("Running", reason)
    assert aspect(status, "WorkersReady") == ("False", reason)
    assert aspect(status, "Ready") == ("True", "SchedulerRunning")
    assert status["message"].startswith("1 of 3 workers run; 2 can't: ")
    await has_told(world, name, reason)
    described = await user_reads(world, api, name, reason)
    assert {key: described["workers_by_state"][key] for key in counts} == counts
    await controller.is_idle_after({}, more_writes=3)

    for slot in (1, 2):
        await world.run_pod(worker_pod_name(name, slot))
    well = await world.says(name, "SchedulerRunning")
    assert aspect(well, "WorkersReady") == ("True", "WorkersRunning")


@pytest.mark.parametrize(
    ("pod_status", "reason"), [(recorded.WORKER_CRASHING, "CrashLoopBackOff"), (recorded.WORKER_OOM, "OOMKilled")]
)
async def test_why_workers_fail_again_and_again_is_said_of_the_last_one(
    world: World, api: Api, pod_status: Status, reason: str
) -> None:
    await world.controller()
    name = await world.running_cluster(replicas=2)
    await world.has_workers(name, [0, 1])
    await world.run_pod(worker_pod_name(name, 0))
    await world.set_pod_status(worker_pod_name(name, 1), name_of_container(pod_status, "dask-worker"))

    async def is_said() -> bool:
        return (
            (await world.status(name))
            .get("message", "")
            .startswith("Workers fail to start, 1 in a row, the last one: it ")
        )

    await eventually(is_said)
    status = await world.says(name, reason)
    assert status["phase"] == "Running"
    assert aspect(status, "WorkersReady") == ("False", reason)
    await has_told(world, name, reason)
    await user_reads(world, api, name, reason)


async def test_a_cluster_that_comes_to_run_with_all_its_workers_is_written_three_times(world: World) -> None:
    controller = await world.controller()
    name = await world.running_cluster(replicas=3)
    await world.has_workers(name, [0, 1, 2])
    for slot in range(3):
        await world.run_pod(worker_pod_name(name, slot))
    status = await world.workers_are(name, running=3)
    assert aspect(status, "WorkersReady") == ("True", "WorkersRunning")
    # made, running, and the workers: late ones are told of a second later
    await controller.is_idle_after(
        {
            ("create", "secrets"): 1,
            ("create", "pods"): 4,
            ("create", "services"): 1,
            ("create", "ingressroutes"): 1,
            ("create", "ingressroutetcps"): 1,
            ("patch", "daskclusters"): 3,
        },
        more_writes=1,
    )
    assert controller.events == 1


class TestWhatKubernetesRefuses:
    """Words of admission plugins that only a whole cluster has."""

    @pytest.fixture
    def kube_server(self, embedded_kube_server: KubeServer) -> KubeServer:
        return embedded_kube_server

    async def test_a_quota_of_kubernetes_is_waited_for(self, world: World, api: Api, kube_server: KubeServer) -> None:
        said = 'pods "x" is forbidden: exceeded quota: team, requested: limits.cpu=1, used: limits.cpu=8, limited: 8'
        assert kube_server.embedded
        kube_server.embedded.faults.add(Fault(verb="create", resource="pods", code=403, message=said))
        await world.controller()
        name = await world.new_cluster()
        status = await world.says(name, "QuotaExceeded")
        assert (status["phase"], status["message"]) == ("Pending", said)
        assert aspect(status, "SchedulerCreated") == ("False", "QuotaExceeded")
        assert await has_told(world, name, "QuotaExceeded") == said
        assert (await user_reads(world, api, name, "QuotaExceeded"))["status"] == "PENDING"
        kube_server.embedded.faults.clear()
        await world.says(name, "SchedulerStarting")

    @pytest.mark.parametrize(
        "said",
        [
            'admission webhook "validate.kyverno.svc-fail" denied the request: no label team',
            'pods "x" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true',
        ],
    )
    async def test_an_admission_rule_is_not_tried_again(
        self, world: World, api: Api, kube_server: KubeServer, said: str
    ) -> None:
        assert kube_server.embedded
        kube_server.embedded.faults.add(Fault(verb="create", resource="pods", code=403, message=said))
        controller = await world.controller()
        name = await world.new_cluster()
        status = await over(world, name)
        assert (status["phase"], status["reason"]) == ("Failed", "PodRejected")
        assert said in status["message"]
        clusters = (await world.client.list(DASKCLUSTERS, namespace=world.namespace)).items
        assert controller.calls["create", "pods"] == len(clusters)
        assert said in await has_told(world, name, "PodRejected")
        await waiting_is_refused(world, api, name, status["message"])
