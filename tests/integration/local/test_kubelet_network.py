"""A pod's network, as its processes see it: an address of its own, and the names of the cluster."""

import asyncio
import json
from typing import Any

from gateway_common.resources import ENDPOINTSLICES, PODS, SERVICES
from tests.kit.pods import NAMESPACE, Node, container, is_ready, is_running, phase_is, pod

#: Answers every connection with its own hostname and address, on all addresses.
SERVER = (
    "import socket\n"
    "server = socket.create_server(('', 8786))\n"
    "print('listening', flush=True)\n"
    "while True:\n"
    "    peer, (caller, _) = server.accept()\n"
    "    peer.sendall(f'{socket.gethostname()} {peer.getsockname()[0]} to {caller}'.encode())\n"
    "    peer.close()\n"
)

#: Asks the name that it is given, again and again, until it has the answer that it is given.
CLIENT = (
    "import socket, sys, time\n"
    "name, port, wanted = sys.argv[1], int(sys.argv[2]), sys.argv[3]\n"
    "while True:\n"
    "    try:\n"
    "        with socket.create_connection((name, port), timeout=5) as peer:\n"
    "            answer = peer.recv(1000).decode()\n"
    "    except OSError as error:\n"
    "        answer = type(error).__name__\n"
    "    print(answer, flush=True)\n"
    "    if wanted in answer:\n"
    "        break\n"
    "    time.sleep(0.02)\n"
)

LOOK = (
    "import json, multiprocessing, os, platform, socket, subprocess, sys\n"
    "def own_address():\n"
    "    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:\n"
    "        s.connect(('8.8.8.8', 80))\n"
    "        return s.getsockname()[0]\n"
    "if __name__ == '__main__':\n"
    "    with multiprocessing.get_context('spawn').Pool(1) as pool:\n"
    "        spawned = pool.apply(own_address)\n"
    "    child = subprocess.run([sys.executable, '-c', 'import socket; print(socket.gethostname())'], stdout=-1)\n"
    "    print(json.dumps({\n"
    "        'own': own_address(), 'spawned': spawned, 'child': child.stdout.decode().strip(),\n"
    "        'hostname': socket.gethostname(), 'node': platform.node(), 'ipv6': socket.has_ipv6,\n"
    "        'by_name': socket.gethostbyname(socket.gethostname()),\n"
    "        'families': sorted({info[0].name for info in socket.getaddrinfo('localhost', 80)}),\n"
    "        'passive': socket.getaddrinfo(None, 80, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][4][0],\n"
    "    }))\n"
)


def service(name: str = "dask-a", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"selector": {"app": name}, "ports": [{"name": "tcp", "port": 8786, "protocol": "TCP"}], **spec},
    }


def server(name: str, app: str = "", **fields: Any) -> dict[str, Any]:
    return pod(container("python", "-c", SERVER, **fields), name=name, labels={"app": app or name})


def client(host: str, wanted: str, port: int = 8786) -> dict[str, Any]:
    return pod(container("python", "-c", CLIENT, host, str(port), wanted), name="client")


async def test_a_process_sees_the_address_and_name_of_its_pod_alone(node: Node) -> None:
    script = node.root / "look.py"
    script.write_text(LOOK)
    done = await node.run(pod(container("python", str(script))), phase_is("Succeeded"))
    address = done["status"]["podIP"]
    assert json.loads(await node.log("pod")) == {
        "own": address,
        "spawned": address,
        "child": "pod",
        "hostname": "pod",
        "node": "pod",
        "ipv6": False,
        "by_name": address,
        "families": ["AF_INET"],
        "passive": address,
    }


async def test_pods_listen_on_all_addresses_with_the_same_port(node: Node) -> None:
    answers = []
    for name in ("first", "second"):
        address = (await node.run(server(name), is_running))["status"]["podIP"]
        await node.wait_log(name, "listening")
        reader, writer = await asyncio.open_connection(address, 8786)
        answers.append((await reader.read()).decode() == f"{name} {address} to 127.0.0.1")
        writer.close()
        await writer.wait_closed()
    assert answers == [True, True]


async def test_a_pod_reaches_another_by_the_name_of_its_service(node: Node) -> None:
    node.objects.create(SERVICES, service(clusterIP="None"))
    address = (await node.run(server("dask-a"), is_ready))["status"]["podIP"]
    for name in ("dask-a", "dask-a.default", "dask-a.default.svc", "dask-a.default.svc.cluster.local."):
        done = await node.run(client(name, "dask-a"), phase_is("Succeeded"))
        expected = f"dask-a {address} to {done['status']['podIP']}"
        assert (await node.log("client")).splitlines()[-1] == expected
        node.objects.delete(PODS, NAMESPACE, "client")


async def test_a_name_appears_and_disappears_for_processes_that_run_already(node: Node) -> None:
    node.objects.create(PODS, client("dask-a.default", "dask-a 127"))
    await node.wait("client", is_running)
    await node.wait_log("client", "gaierror")
    node.objects.create(SERVICES, service(clusterIP="None"))
    await node.run(server("dask-a"), is_ready)
    await node.wait("client", phase_is("Succeeded"))
    node.objects.delete(PODS, NAMESPACE, "client")
    await node.wait_gone("client")

    node.objects.delete(PODS, NAMESPACE, "dask-a")
    await node.wait_gone("dask-a")
    await node.run(client("dask-a.default", "gaierror"), phase_is("Succeeded"))


async def test_a_service_with_an_address_forwards_to_the_port_of_its_pods(node: Node) -> None:
    ports = [{"name": "tcp", "port": 80, "targetPort": 8786, "protocol": "TCP"}]
    created = node.objects.create(SERVICES, service(ports=ports))
    assert created["spec"]["clusterIP"] not in ("", "None")
    await node.run(client("dask-a.default", "ConnectionRefusedError", port=80), phase_is("Succeeded"))
    node.objects.delete(PODS, NAMESPACE, "client")
    await node.run(server("dask-a"), is_ready)
    await node.wait_log("dask-a", "listening")
    await node.run(client("dask-a.default", "dask-a 127", port=80), phase_is("Succeeded"))


async def test_localhost_reaches_what_listens_in_the_same_pod(node: Node) -> None:
    manifest = server("dask-a")
    manifest["spec"]["containers"].append(container("python", "-c", CLIENT, "localhost", "8786", "dask-a", name="side"))
    node.objects.create(PODS, manifest)
    await node.wait(
        "dask-a", lambda p: "terminated" in p["status"].get("containerStatuses", [{}, {}])[1].get("state", {})
    )
    assert "dask-a 127" in await node.log("dask-a", "side")


async def test_a_service_may_publish_pods_that_are_not_ready(node: Node) -> None:
    never = {"readinessProbe": {"exec": {"command": ["false"]}}}
    node.objects.create(SERVICES, service("open", clusterIP="None", publishNotReadyAddresses=True))
    node.objects.create(SERVICES, service("strict", clusterIP="None"))
    await node.run(server("one", "open", **never), is_running)
    await node.run(server("two", "strict", **never), is_running)
    conditions = {name: await node.wait_endpoint(name) for name in ("open", "strict")}
    assert conditions == {
        "open": {"ready": True, "serving": False, "terminating": False},
        "strict": {"ready": False, "serving": False, "terminating": False},
    }
    await node.run(client("open", "one 127"), phase_is("Succeeded"))


async def test_slices_that_somebody_made_by_hand_are_left_alone_and_resolve(node: Node) -> None:
    node.objects.create(
        ENDPOINTSLICES,
        {
            "metadata": {"name": "by-hand", "namespace": NAMESPACE, "labels": {"kubernetes.io/service-name": "api"}},
            "addressType": "IPv4",
            "endpoints": [{"addresses": ["127.0.0.1"]}],
            "ports": [{"port": 8000}],
        },
    )
    before = node.objects.list(ENDPOINTSLICES)
    manual = {"kind": "Service", "metadata": {"name": "api", "namespace": NAMESPACE}}
    node.objects.create(SERVICES, {**manual, "spec": {"clusterIP": "None", "ports": [{"port": 8000}]}})
    look = "import socket; print(socket.gethostbyname('api.default'))"
    await node.run(pod(container("python", "-c", look)), phase_is("Succeeded"))
    assert await node.log("pod") == "127.0.0.1\n"
    assert node.objects.list(ENDPOINTSLICES) == before
