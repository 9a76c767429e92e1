"""Two Dask clusters side by side, with the commands that the controller writes, on the same ports."""

import asyncio
import base64
from typing import Any

import httpx
from distributed import Client
from distributed.security import Security

from gateway_common.names import CERTIFICATE_KEY, CREDENTIALS_PATH, PRIVATE_KEY_KEY
from gateway_common.resources import PODS, SECRETS, SERVICES
from tests.kit.pods import NAMESPACE, Node, container, is_ready, pod
from tests.kit.tls import make_key_pair

_VOLUMES: dict[str, Any] = {"volumes": [{"name": "credentials", "secret": {"secretName": "credentials"}}]}
_CERTIFICATE, _KEY = f"{CREDENTIALS_PATH}/{CERTIFICATE_KEY}", f"{CREDENTIALS_PATH}/{PRIVATE_KEY_KEY}"
_TLS = {
    "CA_FILE": _CERTIFICATE,
    "SCHEDULER__CERT": _CERTIFICATE,
    "SCHEDULER__KEY": _KEY,
    "WORKER__CERT": _CERTIFICATE,
    "WORKER__KEY": _KEY,
}
_ENV = [{"name": f"DASK_DISTRIBUTED__COMM__TLS__{name}", "value": value} for name, value in _TLS.items()]


def dask(*command: str, env: list[dict[str, Any]] | None = None, **fields: Any) -> dict[str, Any]:
    mounts = [{"name": "credentials", "mountPath": f"{CREDENTIALS_PATH}/", "readOnly": True}]
    return container("dask", *command, env=[*_ENV, *(env or [])], volumeMounts=mounts, **fields)


def scheduler(name: str) -> dict[str, Any]:
    command = ("--protocol", "tls", "--host", "", "--port", "8786", "--dashboard-address", ":8787")
    probe = {"httpGet": {"path": "/health", "port": 8787}, "periodSeconds": 1}
    return pod(dask("scheduler", *command, readinessProbe=probe), name=name, labels={"app": name}, **_VOLUMES)


def worker(name: str, of: str, method: str) -> dict[str, Any]:
    command = (f"tls://{of}.{NAMESPACE}:8786", "--dashboard-address", ":8787", "--name", "$(NAME)", "--nthreads", "1")
    env: list[dict[str, Any]] = [
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "DASK_DISTRIBUTED__WORKER__MULTIPROCESSING_METHOD", "value": method},
    ]
    return pod(dask("worker", *command, env=env), name=name, **_VOLUMES)


def headless(name: str) -> dict[str, Any]:
    spec = {"clusterIP": "None", "publishNotReadyAddresses": True, "selector": {"app": name}}
    ports = [{"name": "scheduler", "port": 8786, "protocol": "TCP"}]
    return {"kind": "Service", "metadata": {"name": name, "namespace": NAMESPACE}, "spec": {**spec, "ports": ports}}


def make_secret(key: str, certificate: str) -> dict[str, Any]:
    files = {CERTIFICATE_KEY: certificate, PRIVATE_KEY_KEY: key}
    data = {name: base64.b64encode(text.encode()).decode() for name, text in files.items()}
    return {"kind": "Secret", "metadata": {"name": "credentials", "namespace": NAMESPACE}, "data": data}


async def test_two_clusters_run_side_by_side_on_the_same_ports(node: Node) -> None:
    key, certificate = make_key_pair()
    node.objects.create(SECRETS, make_secret(key, certificate))
    security = Security(
        tls_ca_file=certificate, tls_client_cert=certificate, tls_client_key=key, require_encryption=True
    )
    for name, method in (("dask-a", "fork"), ("dask-b", "spawn")):
        node.objects.create(SERVICES, headless(name))
        node.objects.create(PODS, scheduler(name))
        node.objects.create(PODS, worker(f"worker-{name}", name, method))

    for name in ("dask-a", "dask-b"):
        address = (await node.wait(name, is_ready))["status"]["podIP"]
        worker_address = (await node.wait(f"worker-{name}", is_ready))["status"]["podIP"]
        async with Client(f"tls://{address}:8786", security=security, asynchronous=True) as client:
            async with asyncio.timeout(60):
                await client.wait_for_workers(1)
            workers = (await client.scheduler.identity())["workers"]
            assert [(w["id"], w["host"]) for w in workers.values()] == [(f"worker-{name}", worker_address)]
            assert await client.submit(sum, [1, 2, 3]) == 6
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"http://{address}:8787/status")).status_code == 200
            assert (await http.get(f"http://{worker_address}:8787/status")).status_code == 200
