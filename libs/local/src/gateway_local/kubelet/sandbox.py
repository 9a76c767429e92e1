"""What a pod's containers share: an address, directories, volumes, names. On a cluster this is the pod sandbox."""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from gateway_common.clock import Clock
from gateway_common.resources import CONFIGMAPS, SECRETS, SERVICES, Manifest
from gateway_local.apiserver.admission import DEFAULT_ACCOUNT
from gateway_local.apiserver.authentication import ServiceAccountTokens
from gateway_local.apiserver.objects import Objects
from gateway_local.kubelet.environment import PodContext, service_links
from gateway_local.kubelet.images import Images
from gateway_local.kubelet.runtime import Runtime
from gateway_local.kubelet.volumes import MountTable, rewrite_volumes, write_volumes

POD_SHIM = Path(__file__).parent / "podshim"
_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_SHIM_VARIABLE = "GATEWAY_LOCAL_POD_"


@dataclass(frozen=True, slots=True)
class Host:
    """What a node lends to its pods.

    `scratch` and `temporary` are gone when the kubelet is. The path of `temporary` is short: Unix sockets, which Python
    puts there, allow 107 characters.
    `cluster` is the directory that `dns` writes, `proxy` a URL for programs that can't see the cluster's network. `api`
    is where pods reach the Kubernetes API by TLS (host, port), and `service_accounts` makes their tokens for it.
    `restart_step` is the first pause between restarts and image pulls in seconds, `retry` that after a configuration
    error.
    """

    objects: Objects
    runtime: Runtime
    images: Images
    clock: Clock
    address: str
    scratch: Path
    logs: Path
    temporary: Path
    cluster: Path
    proxy: str
    api: tuple[str, int] | None = None
    service_accounts: ServiceAccountTokens | None = None
    restart_step: float = 10.0
    retry: float = 0.5


@dataclass(slots=True)
class Sandbox:
    """One pod's part of the machine."""

    host: Host
    pod: Manifest
    address: str
    directory: Path
    logs: Path
    temporary: Path
    volumes: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def create(cls, host: Host, pod: Manifest, address: str) -> "Sandbox":
        metadata = pod["metadata"]
        directory = host.scratch / metadata["uid"]
        logs = host.logs / f"{metadata['namespace']}_{metadata['name']}_{metadata['uid']}"
        for path in (directory, logs):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix="", dir=host.temporary))
        return cls(host, pod, address, directory, logs, temporary)

    def remove(self) -> None:
        """Forget the pod."""
        for path in (self.directory, self.logs, self.temporary):
            shutil.rmtree(path, ignore_errors=True)

    @property
    def context(self) -> PodContext:
        tokens = self.host.service_accounts
        return PodContext(self.pod, self.address, self.host.address, self._issuer(tokens) if tokens else None)

    def _issuer(self, tokens: ServiceAccountTokens) -> Callable[[], str]:
        metadata = self.pod["metadata"]
        account = self.pod["spec"].get("serviceAccountName", DEFAULT_ACCOUNT)
        return lambda: tokens.issue(metadata["namespace"], account, metadata["name"])

    def lookup(self, kind: str, name: str) -> Manifest | None:
        """A Secret or ConfigMap of the pod's namespace."""
        resource = SECRETS if kind == "Secret" else CONFIGMAPS
        return self.host.objects.get(resource, self.pod["metadata"]["namespace"], name)

    def write_volumes(self) -> None:
        """Raises VolumeUnavailable."""
        self.volumes = write_volumes(self.pod, self.context, self.lookup, self.directory / "volumes")

    def update_volumes(self, kind: str, name: str) -> None:
        """After a change of a Secret or ConfigMap of the pod's namespace."""
        if self.volumes:
            changed = (kind, name)
            rewrite_volumes(self.pod, self.context, self.lookup, self.volumes, changed)

    def home(self, container: str) -> Path:
        """A directory of the container's own: its working directory and HOME."""
        path = self.directory / "containers" / container
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        return path

    def log_path(self, container: str, run: int) -> Path:
        path = self.logs / container / f"{run}.log"
        path.parent.mkdir(exist_ok=True)
        return path

    def environment(self, container: Manifest, asked: Mapping[str, str], image: Path) -> dict[str, str]:
        """All variables of a process: those of the image, those `asked` for by the manifest, those of the pod shim.

        Nothing is inherited from this process.
        """
        metadata = self.pod["metadata"]
        hostname = self.pod["spec"].get("hostname") or metadata["name"][:63]
        mounts = MountTable.of(container, self.volumes)
        variables = {
            "PATH": f"{image / 'bin'}:{_SYSTEM_PATH}",
            "HOME": str(self.home(container["name"])),
            "TMPDIR": str(self.temporary),
            "LANG": "C.UTF-8",
            "HOSTNAME": hostname,
            **self._service_links(),
            **self._api_variables(),
            **{name: mounts.rewrite(value) for name, value in asked.items()},
        }
        inherited = variables.get("PYTHONPATH")
        variables["PYTHONPATH"] = os.pathsep.join([str(POD_SHIM), *([inherited] if inherited else [])])
        shim = {
            "IP": self.address,
            "HOSTNAME": hostname,
            "NAMESPACE": metadata["namespace"],
            "CLUSTER": str(self.host.cluster),
            "PROXY": self.host.proxy,
            "KEPT": os.pathsep.join(str(path) for path in self._own_directories()),
            "MOUNTS": "\n".join(f"{path}\t{directory}" for path, directory in mounts.mounts.items()),
        }
        return variables | {_SHIM_VARIABLE + name: value for name, value in shim.items()}

    def _own_directories(self) -> list[Path]:
        """Real paths that the pod is told, which are not to be taken for paths below a mount."""
        return [self.host.scratch, self.host.temporary, POD_SHIM]

    def _service_links(self) -> dict[str, str]:
        if self.pod["spec"].get("enableServiceLinks") is False:
            return {}
        return service_links(self.host.objects.list(SERVICES, self.pod["metadata"]["namespace"]))

    def _api_variables(self) -> dict[str, str]:
        """Where clients look for the Kubernetes API. It is its own address: services' are routed for Python alone."""
        if self.host.api is None:
            return {}
        host, port = self.host.api
        return {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
