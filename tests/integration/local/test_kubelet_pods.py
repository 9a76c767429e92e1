"""What becomes of a pod, as its status says it."""

import base64
from typing import Any

import pytest

from gateway_common.resources import CONFIGMAPS, PODS, SECRETS
from tests.kit.disruptions import collect_lost_pods, lose_node, preempt
from tests.kit.pods import (
    IMAGE,
    NAMESPACE,
    Node,
    condition,
    container,
    is_ready,
    is_running,
    phase_is,
    pod,
    state,
    waiting_reason,
)


def secret(name: str = "credentials", **data: str) -> dict[str, object]:
    encoded = {key.replace("_", "-"): base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"kind": "Secret", "metadata": {"name": name, "namespace": NAMESPACE}, "data": encoded}


async def test_a_program_that_ends_well_completes_its_pod(node: Node) -> None:
    done = await node.run(pod(container("true")), phase_is("Succeeded"))
    ended = state(done)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (0, "Completed")
    assert condition(done, "Ready") | {"lastTransitionTime": ""} == {
        "type": "Ready",
        "status": "False",
        "reason": "PodCompleted",
        "lastTransitionTime": "",
    }
    assert condition(done, "Initialized")["reason"] == "PodCompleted"


async def test_a_program_that_fails_fails_its_pod_with_its_exit_code(node: Node) -> None:
    failed = await node.run(pod(container("sh", "-c", "echo why >&2; exit 3")), phase_is("Failed"))
    ended = state(failed)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")
    assert condition(failed, "Ready")["reason"] == "PodFailed"
    assert await node.log("pod") == "why\n"


async def test_a_program_that_is_killed_ends_with_128_and_the_signal(node: Node) -> None:
    failed = await node.run(pod(container("sh", "-c", "kill -9 $$$$")), phase_is("Failed"))
    assert state(failed)["state"]["terminated"]["exitCode"] == 137


async def test_the_end_of_the_log_explains_a_failure_where_the_pod_asks_for_it(node: Node) -> None:
    explained = container("sh", "-c", "echo no disk; exit 1", terminationMessagePolicy="FallbackToLogsOnError")
    failed = await node.run(pod(explained), phase_is("Failed"))
    assert state(failed)["state"]["terminated"]["message"] == "no disk\n"


async def test_a_running_pod_says_where_and_since_when(node: Node) -> None:
    running = await node.run(pod(), is_ready)
    status = running["status"]
    assert status["podIP"].startswith("127.")
    assert status["podIPs"] == [{"ip": status["podIP"]}]
    assert status["hostIP"] != status["podIP"]
    assert status["startTime"]
    assert state(running)["started"] is True
    assert state(running)["restartCount"] == 0
    assert {entry["type"] for entry in status["conditions"] if entry["status"] == "True"} == {
        "PodScheduled",
        "PodReadyToStartContainers",
        "Initialized",
        "ContainersReady",
        "Ready",
    }


async def test_a_command_that_does_not_exist_is_a_start_error(node: Node) -> None:
    failed = await node.run(pod(container("no-such-program")), phase_is("Failed"))
    ended = state(failed)["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (128, "StartError")
    assert 'exec: "no-such-program": executable file not found in $PATH' in ended["message"]


async def test_a_working_directory_that_does_not_exist_is_a_start_error(node: Node) -> None:
    failed = await node.run(pod(container("true", workingDir="/no/such/place")), phase_is("Failed"))
    assert 'chdir to cwd ("/no/such/place")' in state(failed)["state"]["terminated"]["message"]


async def test_a_command_that_does_not_exist_is_tried_again_where_the_policy_says_so(node: Node) -> None:
    manifest = pod(container("/no/such/program"), restartPolicy="Always")
    looping = await node.run(manifest, lambda p: waiting_reason(p) == "CrashLoopBackOff")
    assert state(looping)["lastState"]["terminated"]["reason"] == "StartError"
    assert looping["status"]["phase"] == "Running"


async def test_a_crash_loop_waits_longer_each_time_and_keeps_the_previous_log(node: Node) -> None:
    manifest = pod(container("sh", "-c", "echo run; exit 1"), restartPolicy="OnFailure")
    looping = await node.run(manifest, lambda p: waiting_reason(p) == "CrashLoopBackOff")
    assert state(looping)["restartCount"] == 1
    message = state(looping)["state"]["waiting"]["message"]
    uid = looping["metadata"]["uid"]
    assert message == f"back-off 0.2s restarting failed container=main pod=pod_{NAMESPACE}({uid})"
    assert state(looping)["lastState"]["terminated"]["exitCode"] == 1
    longer = await node.wait("pod", lambda p: "0.4s" in state(p)["state"].get("waiting", {}).get("message", ""))
    assert state(longer)["restartCount"] == 2
    assert await node.log("pod", previous=True) == "run\n"


async def test_a_container_that_ends_well_is_restarted_only_by_the_policy_always(node: Node) -> None:
    await node.run(pod(container("true"), name="once", restartPolicy="OnFailure"), phase_is("Succeeded"))
    again = pod(container("true"), name="always", restartPolicy="Always")
    restarted = await node.run(again, lambda p: state(p).get("restartCount", 0) >= 1)
    assert restarted["status"]["phase"] == "Running"


async def test_an_image_without_an_environment_can_not_be_pulled(node: Node) -> None:
    manifest = pod(container("true", image="registry.example/unknown:2"))
    pulling = await node.run(manifest, lambda p: waiting_reason(p) == "ErrImagePull")
    assert 'failed to pull image "registry.example/unknown:2"' in state(pulling)["state"]["waiting"]["message"]
    waiting = await node.wait("pod", lambda p: waiting_reason(p) == "ImagePullBackOff")
    assert 'Back-off pulling image "registry.example/unknown:2"' in state(waiting)["state"]["waiting"]["message"]
    assert waiting["status"]["phase"] == "Pending"


async def test_a_name_that_no_image_can_have_is_not_pulled(node: Node) -> None:
    manifest = pod(container("true", image="registry.example/Upper:1"))
    waiting = await node.run(manifest, lambda p: waiting_reason(p) == "InvalidImageName")
    assert 'parse image name "registry.example/Upper:1"' in state(waiting)["state"]["waiting"]["message"]


async def test_an_image_that_must_be_there_and_is_not_is_not_pulled(node: Node) -> None:
    manifest = pod(container("true", image="registry.example/unknown:2", imagePullPolicy="Never"))
    waiting = await node.run(manifest, lambda p: waiting_reason(p) == "ErrImageNeverPull")
    assert state(waiting)["state"]["waiting"]["message"] == (
        'Container image "registry.example/unknown:2" is not present with pull policy of Never'
    )


async def test_a_container_that_outgrows_its_memory_limit_is_killed(node: Node) -> None:
    child = "import time; memory = b'x' * 300_000_000; time.sleep(1000)"
    hungry = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    limited = container("python", "-c", hungry, resources={"limits": {"memory": "200Mi"}})
    ended = state(await node.run(pod(limited), phase_is("Failed")))["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (137, "OOMKilled")


async def test_an_evicted_pod_ends_where_it_is_and_says_why(node: Node) -> None:
    await node.run(pod(restartPolicy="Always"), is_ready)
    await node.kubelet.evict(NAMESPACE, "pod")
    evicted = await node.wait("pod", phase_is("Failed"))
    assert evicted["status"]["reason"] == "Evicted"
    assert evicted["status"]["message"].startswith("The node was low on resource: memory.")
    assert condition(evicted, "DisruptionTarget")["reason"] == "TerminationByKubelet"
    assert state(evicted)["state"]["terminated"]["exitCode"] == 137
    with pytest.raises(KeyError):
        await node.kubelet.evict(NAMESPACE, "another")


async def test_a_pod_whose_node_is_lost_is_deleted_and_stays_until_it_is_collected(node: Node) -> None:
    await node.run(pod(terminationGracePeriodSeconds=30), is_ready)
    node.kubelet.freeze()
    lose_node(node.objects, "local")
    lost = node.objects.get(PODS, NAMESPACE, "pod")
    assert lost is not None
    assert "deletionTimestamp" in lost["metadata"]
    assert condition(lost, "DisruptionTarget")["reason"] == "DeletionByTaintManager"
    collect_lost_pods(node.objects, "local")
    assert node.objects.get(PODS, NAMESPACE, "pod") is None


async def test_a_preempted_pod_says_so_while_it_ends(node: Node) -> None:
    await node.run(pod(terminationGracePeriodSeconds=30), is_ready)
    node.kubelet.freeze()
    preempt(node.objects, NAMESPACE, "pod")
    going = node.objects.get(PODS, NAMESPACE, "pod")
    assert going is not None
    assert condition(going, "DisruptionTarget")["reason"] == "PreemptionByScheduler"
    node.kubelet.thaw()
    await node.wait_gone("pod")


async def test_a_missing_key_of_a_secret_is_named_until_it_is_there(node: Node) -> None:
    node.objects.create(SECRETS, secret(other="x"))
    reference = {"secretKeyRef": {"name": "credentials", "key": "token"}}
    manifest = pod(container("sh", "-c", "echo $TOKEN", env=[{"name": "TOKEN", "valueFrom": reference}]))
    waiting = await node.run(manifest, lambda p: waiting_reason(p) == "CreateContainerConfigError")
    assert state(waiting)["state"]["waiting"]["message"] == "couldn't find key token in Secret default/credentials"
    node.objects.patch(SECRETS, NAMESPACE, "credentials", {"data": {"token": base64.b64encode(b"sesame").decode()}})
    await node.wait("pod", phase_is("Succeeded"))
    assert await node.log("pod") == "sesame\n"


async def test_environment_and_arguments_are_as_the_manifest_says(node: Node) -> None:
    node.objects.create(
        CONFIGMAPS,
        {"kind": "ConfigMap", "metadata": {"name": "settings", "namespace": NAMESPACE}, "data": {"COLOR": "red"}},
    )

    def field(path: str) -> dict[str, object]:
        return {"fieldRef": {"fieldPath": path}}

    printing = container(
        "sh",
        "-c",
        "echo $NAME $LABEL $IP $NODE $S_COLOR $GREETING $1; env",
        "argument",
        "$(NAME)-$$(NAME)-$(UNKNOWN)",
        envFrom=[{"configMapRef": {"name": "settings"}, "prefix": "S_"}],
        env=[
            {"name": "NAME", "valueFrom": field("metadata.name")},
            {"name": "LABEL", "valueFrom": field("metadata.labels['app']")},
            {"name": "IP", "valueFrom": field("status.podIP")},
            {"name": "NODE", "valueFrom": field("spec.nodeName")},
            {"name": "GREETING", "value": "hello-$(NAME)"},
        ],
    )
    done = await node.run(pod(printing, labels={"app": "test"}), phase_is("Succeeded"))
    first, *variables = (await node.log("pod")).splitlines()
    address = done["status"]["podIP"]
    assert first == f"pod test {address} local red hello-pod pod-$(NAME)-$(UNKNOWN)"
    assert not any(line.startswith(("PYTEST", "USER=")) for line in variables), "nothing of this process is inherited"


async def test_files_of_a_secret_are_found_at_their_mount_path(node: Node) -> None:
    node.objects.create(SECRETS, secret(api_token="sesame"))
    mounted: Any = {"volumeMounts": [{"name": "credentials", "mountPath": "/etc/dask-credentials/"}]}
    file = "/etc/dask-credentials/api-token"
    code = (
        "import os; directory = '/etc/' + 'dask-credentials'; path = directory + '/api-token'\n"
        "print(open(path).read(), os.path.exists(path), os.listdir(directory))"
    )
    manifest = pod(
        container("cat", file, name="argument", **mounted),
        container("sh", "-c", 'cat "$FILE"', name="variable", env=[{"name": "FILE", "value": file}], **mounted),
        container("python", "-c", code, name="python", **mounted),
        volumes=[{"name": "credentials", "secret": {"secretName": "credentials"}}],
    )
    await node.run(manifest, phase_is("Succeeded"))
    assert await node.log("pod", "argument") == "sesame"
    assert await node.log("pod", "variable") == "sesame"
    assert await node.log("pod", "python") == "sesame True ['api-token']\n"


async def test_a_pod_waits_for_the_secret_of_its_volume(node: Node) -> None:
    manifest = pod(container("true"), volumes=[{"name": "late", "secret": {"secretName": "credentials"}}])
    waiting = await node.run(manifest, lambda p: bool(state(p).get("state", {}).get("waiting", {}).get("message")))
    assert state(waiting)["state"]["waiting"] == {
        "reason": "ContainerCreating",
        "message": 'MountVolume.SetUp failed for volume "late" : secret "credentials" not found',
    }
    node.objects.create(SECRETS, secret(token="x"))
    await node.wait("pod", phase_is("Succeeded"))


async def test_containers_share_an_empty_directory(node: Node) -> None:
    shared: Any = {"volumeMounts": [{"name": "shared", "mountPath": "/shared"}]}
    manifest = pod(
        container("cat", "/shared/note", **shared),
        initContainers=[container("sh", "-c", "echo hello > /shared/note", name="writer", **shared)],
        volumes=[{"name": "shared", "emptyDir": {}}],
    )
    done = await node.run(manifest, phase_is("Succeeded"))
    assert await node.log("pod") == "hello\n"
    assert state(done, "writer")["state"]["terminated"]["reason"] == "Completed"


async def test_containers_wait_for_init_containers(node: Node) -> None:
    manifest = pod(container("true"), initContainers=[container("sleep", "1000", name="first")])
    waiting = await node.run(manifest, lambda p: "running" in state(p, "first").get("state", {}))
    assert waiting_reason(waiting) == "PodInitializing"
    assert waiting["status"]["phase"] == "Pending"
    assert condition(waiting, "Initialized")["message"] == "containers with incomplete status: [first]"


async def test_a_failed_init_container_fails_the_pod(node: Node) -> None:
    manifest = pod(container("true"), initContainers=[container("false", name="first")])
    failed = await node.run(manifest, phase_is("Failed"))
    assert waiting_reason(failed) == "PodInitializing"


async def test_a_pod_that_does_not_fit_the_node_says_why_and_is_scheduled_when_it_does(node: Node) -> None:
    greedy = container("true", resources={"requests": {"cpu": "70000"}})
    await node.run(pod(container("sleep", "1000", resources=greedy["resources"]), name="first"), is_running)
    waiting = await node.run(pod(greedy, name="second"), lambda p: bool(condition(p, "PodScheduled")))
    assert condition(waiting, "PodScheduled") | {"lastTransitionTime": ""} == {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
        "1 No preemption victims found for incoming pod.",
        "lastTransitionTime": "",
    }
    node.objects.delete(PODS, NAMESPACE, "first")
    await node.wait("second", phase_is("Succeeded"))


async def test_a_pod_of_another_kind_of_node_is_not_scheduled(node: Node) -> None:
    manifest = pod(container("true"), nodeSelector={"accelerator": "gpu"})
    waiting = await node.run(manifest, lambda p: bool(condition(p, "PodScheduled")))
    expected = (
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. preemption: 0/1 nodes are "
        "available: 1 Preemption is not helpful for scheduling."
    )
    assert condition(waiting, "PodScheduled")["message"] == expected


async def test_a_deleted_pod_may_end_in_its_own_time(node: Node) -> None:
    graceful = container("sh", "-c", "trap 'echo bye; exit 0' TERM; echo ready; while true; do sleep 0.01; done")
    node.objects.create(PODS, pod(graceful, terminationGracePeriodSeconds=20))
    await node.wait("pod", is_running)
    await node.wait_log("pod", "ready")
    node.objects.delete(PODS, NAMESPACE, "pod")
    ended = await node.wait("pod", lambda p: "terminated" in state(p).get("state", {}))
    assert state(ended)["state"]["terminated"]["exitCode"] == 0
    await node.wait_gone("pod")


async def test_a_deleted_pod_that_ignores_the_signal_is_killed_after_its_grace_period(node: Node) -> None:
    deaf = container("sh", "-c", "trap '' TERM; echo ready; while true; do sleep 0.01; done")
    await node.run(pod(deaf, terminationGracePeriodSeconds=1), is_running)
    await node.wait_log("pod", "ready")
    node.objects.delete(PODS, NAMESPACE, "pod")
    ended = await node.wait("pod", lambda p: "terminated" in state(p).get("state", {}))
    assert state(ended)["state"]["terminated"]["exitCode"] == 137


async def test_a_second_delete_can_shorten_the_grace_period(node: Node) -> None:
    deaf = container("sh", "-c", "trap '' TERM; echo ready; while true; do sleep 0.01; done")
    await node.run(pod(deaf, terminationGracePeriodSeconds=1000), is_running)
    await node.wait_log("pod", "ready")
    node.objects.delete(PODS, NAMESPACE, "pod")
    await node.wait("pod", lambda p: "deletionTimestamp" in p["metadata"])
    node.objects.delete(PODS, NAMESPACE, "pod", grace_period_seconds=1)
    await node.wait_gone("pod")


async def test_a_deleted_pod_that_waits_for_its_restart_goes_at_once(node: Node) -> None:
    manifest = pod(container("false"), restartPolicy="Always", terminationGracePeriodSeconds=30)
    await node.run(manifest, lambda p: waiting_reason(p) == "CrashLoopBackOff")
    node.objects.delete(PODS, NAMESPACE, "pod")
    await node.wait_gone("pod")


async def test_a_frozen_node_reports_nothing_until_it_is_thawed(node: Node) -> None:
    await node.run(pod(container("sh", "-c", "echo ready; sleep 0.1"), name="ending"), is_running)
    await node.run(pod(name="deleted"), is_running)
    node.kubelet.freeze()
    node.objects.delete(PODS, NAMESPACE, "deleted", grace_period_seconds=5)
    node.objects.create(PODS, pod(container("true"), name="new"))
    await node.wait_log("ending", "ready")
    await node.wait("new", lambda p: bool(p["spec"].get("nodeName")))
    assert is_running(await node.wait("ending", lambda _: True))
    assert "deletionTimestamp" in (await node.wait("deleted", lambda _: True))["metadata"]
    assert phase_is("Pending")(await node.wait("new", lambda _: True))

    node.kubelet.thaw()
    await node.wait("ending", phase_is("Succeeded"))
    await node.wait("new", phase_is("Succeeded"))
    await node.wait_gone("deleted")


async def test_a_pod_is_known_by_its_image(node: Node) -> None:
    running = await node.run(pod(), is_running)
    assert state(running)["image"] == IMAGE


async def test_a_running_pod_sees_what_changes_in_its_config_map(node: Node) -> None:
    node.objects.create(
        CONFIGMAPS, {"metadata": {"name": "settings", "namespace": NAMESPACE}, "data": {"color": "red"}}
    )
    watching = (
        "import time\n"
        "seen = ''\n"
        "while seen != 'blue':\n"
        "    before, seen = seen, open('/etc/settings/color').read()\n"
        "    if seen != before:\n"
        "        print(seen, flush=True)\n"
        "    time.sleep(0.02)\n"
    )
    mount = {"name": "settings", "mountPath": "/etc/settings"}
    volume = {"name": "settings", "configMap": {"name": "settings"}}
    node.objects.create(PODS, pod(container("python", "-c", watching, volumeMounts=[mount]), volumes=[volume]))
    await node.wait("pod", is_running)
    await node.wait_log("pod", "red")

    node.objects.patch(CONFIGMAPS, NAMESPACE, "settings", {"data": {"color": "blue"}})

    await node.wait("pod", phase_is("Succeeded"))
    assert await node.log("pod") == "red\nblue\n"
