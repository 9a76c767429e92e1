"""An embedded Kubernetes cluster: the API server, the controllers of its own kinds, and one node."""

import contextlib
import secrets
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from gateway_common.resources import Manifest
from gateway_local.accounts import AccountsController
from gateway_local.apiserver.server import ApiServer
from gateway_local.endpoints import EndpointsController
from gateway_local.endpoints_mirror import EndpointsMirror
from gateway_local.kubelet import Image, Kubelet, SimulatedKubelet, traefik_entrypoint
from gateway_local.scheduling import Scheduler
from gateway_local.traefik import find_traefik
from gateway_local.workloads import DeploymentController, JobController, ReplicaSetController

_CONTROLLER_MANAGER = "kube-controller-manager"
_SERVICES_IMAGE = "ghcr.io/dask/dask-gateway-server"
_USERS_IMAGE = "ghcr.io/dask/dask-gateway"
_TRAEFIK_IMAGES = ("traefik", "docker.io/traefik", "docker.io/library/traefik")


class Cluster:
    """A running cluster; an async context manager.

    Parameters
    ----------
    directory
        For the files of pods.
    images
        What stands for which image; see `Images`.
    definitions
        CustomResourceDefinitions to begin with. A cluster as it comes has none.
    simulated
        Run no process: pods go through their lives as `SimulatedKubelet` has it.
    """

    def __init__(
        self,
        *,
        directory: Path,
        images: Mapping[str, Path | Image],
        definitions: Iterable[Manifest] = (),
        simulated: bool = False,
    ) -> None:
        #: Of whoever may do everything.
        self.token = secrets.token_urlsafe(32)
        self.server = ApiServer(tokens=[self.token], definitions=definitions, has_traefik=False)
        self.objects = self.server.objects
        self._directory = directory
        self._images = images
        self._simulated = simulated
        self._running = contextlib.AsyncExitStack()

    async def __aenter__(self) -> "Cluster":
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Start everything. Nothing is left behind when that fails."""
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything, in the reverse order; no process is left."""
        await self._running.aclose()

    async def _start(self) -> None:
        await self.server.start("127.0.0.1", 0)
        self._running.push_async_callback(self.server.stop)
        controllers = self.objects.acting_as(_CONTROLLER_MANAGER)
        for part in (
            AccountsController(controllers, self.server.certificate),
            Scheduler(self.objects),
            EndpointsController(controllers),
            EndpointsMirror(controllers),
            DeploymentController(controllers),
            ReplicaSetController(controllers),
            JobController(controllers),
            SimulatedKubelet(self.objects) if self._simulated else self._kubelet(),
        ):
            await part.start()
            self._running.push_async_callback(part.stop)

    def _kubelet(self) -> Kubelet:
        address = urlsplit(self.server.secure_url)
        kubelet = Kubelet(
            self.objects,
            images=self._images,
            root=self._directory,
            api=(address.hostname or "", address.port or 443),
            service_accounts=self.server.service_accounts,
        )
        self.server.register_log_source(kubelet.logs)
        return kubelet


def gateway_images() -> dict[str, Image]:
    """What stands for the images that the gateway's chart names: this program's own environment, and its Traefik.

    `LocalGatewayError` where there is no Traefik.
    """
    environment = Path(sys.prefix)
    return {
        _SERVICES_IMAGE: Image(environment, command=("dask-gateway-api",)),
        _USERS_IMAGE: Image(environment, command=("dask", "scheduler")),
        **dict.fromkeys(_TRAEFIK_IMAGES, traefik_image(find_traefik())),
    }


def traefik_image(program: Path) -> Image:
    """What stands for an image of Traefik."""
    start = (sys.executable, str(traefik_entrypoint.__file__), str(program))
    return Image(Path(sys.prefix), entrypoint=start)
