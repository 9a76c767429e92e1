"""LocalGateway puts everything together: API server, kubelet, services, Traefik.

The services are the real ones, each a process of its own with nothing but environment variables to tell it where
it runs; they are started again when they end. Only the API server and the kubelet live in this process.
"""

import asyncio
import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from gateway_common.config import ClusterConfig
from gateway_common.configuration.loading import load_configuration
from gateway_common.configuration.model import ALL_NAMESPACES, Configuration
from gateway_common.crd import crd
from gateway_common.errors import InvalidConfig
from gateway_common.kube_configuration import own_namespace
from gateway_common.resources import NAMESPACES
from gateway_common.traefik_crds import traefik_definitions
from gateway_local.apiserver.server import ApiServer
from gateway_local.cluster import Cluster
from gateway_local.errors import LocalGatewayError
from gateway_local.manifests import build_installation, dashboard_middlewares
from gateway_local.ports import check_free, free_port
from gateway_local.processes import SupervisedProcess
from gateway_local.traefik import ENTRYPOINT, find_traefik, traefik_command


@dataclass(frozen=True, kw_only=True)
class LocalSettings:
    """What can be chosen.

    `images` maps an image's name to the directory of the virtual environment that stands for it; pods of the
    default image run in the environment of this program. `config` are an operator's values files and Python
    configuration code.
    """

    port: int = 8000
    password: str | None = None
    namespace: str = "dask-gateway"
    directory: Path | None = None
    images: Mapping[str, Path] = field(default_factory=dict)
    config: Sequence[Path] = ()
    simulated: bool = False
    log_level: str = "INFO"
    environment: Mapping[str, str] = field(default_factory=dict)


class LocalGateway:
    """A running gateway; an async context manager.

    Raises LocalGatewayError from `start` when it can't run here; nothing is left behind then.
    """

    instance = "local"
    #: Where logs and the files of pods are; known once it has started.
    directory: Path
    _cluster: Cluster

    def __init__(self, settings: LocalSettings) -> None:
        self.settings = settings
        self.port = settings.port or free_port()
        self._configuration = _load(self.instance, settings)
        self.address = f"http://127.0.0.1:{self.port}{self._configuration.prefix}"
        #: The gateway's own processes by name: auth, api, controller, traefik.
        self.processes: dict[str, SupervisedProcess] = {}
        self._ports: dict[str, int] = {}
        self._running = contextlib.AsyncExitStack()

    async def __aenter__(self) -> "LocalGateway":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything and wait until the gateway answers."""
        if not sys.platform.startswith("linux"):
            raise LocalGatewayError(f"pods as processes need Linux; this is {sys.platform}")
        traefik = find_traefik()
        _require_free(self.port)
        self.directory = self.settings.directory or Path(tempfile.mkdtemp(prefix="dask-gateway-"))
        self.logs.mkdir(parents=True, exist_ok=True)
        try:
            await self._start_kubernetes()
            await self._start_services(traefik)
            await self._wait_until_healthy()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything, in the reverse order; no process is left."""
        await self._running.aclose()

    @property
    def kubernetes(self) -> ApiServer:
        """The API server, once it has started."""
        return self._cluster.server

    @property
    def logs(self) -> Path:
        """A file for each of our own processes."""
        return self.directory / "logs"

    @property
    def kubeconfig(self) -> Path:
        """For kubectl."""
        return self.directory / "kubeconfig"

    def port_of(self, service: str) -> int:
        """The port on 127.0.0.1 where one of our services listens itself, without Traefik in front."""
        return self._ports[service]

    async def _start_kubernetes(self) -> None:
        self._cluster = Cluster(
            directory=self.directory / "pods",
            images={ClusterConfig.model_fields["image"].default: Path(sys.prefix), **self.settings.images},
            definitions=[*traefik_definitions(), crd()],
            simulated=self.settings.simulated,
        )
        self._running.push_async_callback(self._cluster.stop)
        await self._cluster.start()
        self.kubernetes.kubeconfig(self.kubeconfig, namespace=self.settings.namespace)
        objects = self.kubernetes.objects
        for name in {self.settings.namespace, *self._configuration.namespaces} - {ALL_NAMESPACES}:
            if objects.get(NAMESPACES, "", name) is None:
                objects.create(NAMESPACES, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})

    async def _start_services(self, traefik: Path) -> None:
        for name in ("auth", "api", "controller", "ping"):
            self._ports[name] = free_port()
        configuration = self._configuration
        for resource, manifest in build_installation(
            self.instance, self.settings.namespace, self._ports["api"], configuration.prefix, configuration.dashboards
        ):
            self.kubernetes.objects.create(resource, manifest)

        command = traefik_command(
            traefik,
            port=self.port,
            ping_port=self._ports["ping"],
            kubernetes_url=self.kubernetes.url,
            token=self._cluster.token,
            instance=self.instance,
        )
        await self._run("traefik", command)
        for name in ("auth", "controller", "api"):
            await self._run(name, [sys.executable, "-m", f"gateway_{name}.main"])

    async def _run(self, name: str, command: list[str]) -> None:
        process = SupervisedProcess(name, command, log=self.logs / f"{name}.log", environment=self._environment())
        await process.start()
        self._running.push_async_callback(process.stop)
        self.processes[name] = process

    def _environment(self) -> dict[str, str]:
        settings = {
            "INSTANCE": self.instance,
            "LOG__LEVEL": self.settings.log_level,
            # by URL, since nothing is gained by TLS within one machine; the kubeconfig is for kubectl
            "KUBE__URL": self.kubernetes.url,
            "KUBE__TOKEN": self._cluster.token,
            "KUBE__NAMESPACES": json.dumps(self._configuration.namespaces),
            "AUTH__HOST": "127.0.0.1",
            "AUTH__PORT": str(self._ports["auth"]),
            "API__HOST": "127.0.0.1",
            "API__PORT": str(self._ports["api"]),
            "API__AUTH_URL": f"http://127.0.0.1:{self._ports['auth']}",
            "CONTROLLER__HOST": "127.0.0.1",
            "CONTROLLER__PORT": str(self._ports["controller"]),
            # there is one, and it is started again sooner than a lease expires
            "CONTROLLER__LEADER_ELECTION": "false",
            "CLUSTERS_API_URL": f"http://127.0.0.1:{self._ports['api']}/api",
            "CONTROLLER__PROXY_WEB_ENTRYPOINT": ENTRYPOINT,
            "CONTROLLER__PROXY_TCP_ENTRYPOINT": ENTRYPOINT,
            "CONTROLLER__PROXY_OWN_MIDDLEWARES": json.dumps(
                [
                    {"name": name, "namespace": self.settings.namespace}
                    for name in dashboard_middlewares(self._configuration.dashboards)
                ]
            ),
        }
        if self.settings.config:
            settings["CONFIG_FILES"] = json.dumps([str(path.resolve()) for path in self.settings.config])
        else:
            settings["CLUSTER_OPTIONS"] = "gateway_local.options:OPTIONS"
        if self.settings.password is not None:
            settings["AUTH__SIMPLE__PASSWORD"] = self.settings.password
        prefixed = {f"DASK_GATEWAY__{name}": value for name, value in settings.items()}
        return {**prefixed, **self.settings.environment}

    async def _wait_until_healthy(self, timeout_seconds: float = 60.0) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_seconds
        async with httpx.AsyncClient(trust_env=False, timeout=5.0) as client:
            while not await self._is_healthy(client):
                broken = next((name for name, process in self.processes.items() if process.restarts >= 3), None)
                if broken is not None or loop.time() > deadline:
                    culprit = broken or "the gateway"
                    raise LocalGatewayError(f"{culprit} does not start: see {self.logs}")
                await asyncio.sleep(0.05)

    async def _is_healthy(self, client: httpx.AsyncClient) -> bool:
        addresses = [
            f"{self.address}/api/health",
            f"http://127.0.0.1:{self._ports['auth']}/health",
            f"http://127.0.0.1:{self._ports['controller']}/ready",
        ]
        try:
            return all([(await client.get(address)).is_success for address in addresses])
        except httpx.TransportError:
            return False


def _load(instance: str, settings: LocalSettings) -> Configuration:
    """What the services will read: here it decides on routes and namespaces, and a mistake in it is told at once."""
    environment = {**os.environ, "DASK_GATEWAY__INSTANCE": instance, **settings.environment}
    try:
        configuration = load_configuration(settings.config, environment).configuration
    except InvalidConfig as error:
        raise LocalGatewayError(str(error)) from error
    if configuration.kube.namespaces or configuration.default_namespace != own_namespace():
        return configuration
    kube = configuration.kube.model_copy(update={"namespaces": [settings.namespace]})
    return configuration.model_copy(update={"kube": kube})


def _require_free(port: int) -> None:
    try:
        check_free(port)
    except OSError as error:
        raise LocalGatewayError(f"port {port} is taken ({error.strerror}): choose another by --port") from error
