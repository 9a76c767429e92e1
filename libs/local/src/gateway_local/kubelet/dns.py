"""Cluster DNS and service addresses for pods, as files that the pod shim reads when a name is looked up.

`dns/<namespace>/<service>` holds what cluster DNS answers: the address of the service, or those of its ready endpoints
when it is headless. `proxy/<address>:<port>` holds the endpoints behind a service's address, one `address port` a line:
no address but the loopback ones is routed here, so what kube-proxy does in the kernel is done when a pod connects.
Each file is replaced atomically: a name changes for running pods at once, and nothing is read before it is asked for.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from gateway_common.resources import ENDPOINTSLICES, SERVICES, Manifest
from gateway_local.apiserver.objects import Objects
from gateway_local.endpoints import SERVICE_NAME_LABEL
from gateway_local.following import Loops

Key = tuple[str, str]


class ClusterDNS:
    """Keeps the files below `directory` as the services and EndpointSlices say, while it runs."""

    def __init__(self, objects: Objects, directory: Path) -> None:
        self._objects = objects
        self._directory = directory
        self._services: dict[Key, Manifest] = {}
        self._slices: dict[Key, dict[str, Manifest]] = {}
        self._written: dict[Key, dict[Path, str]] = {}

    def start(self, loops: Loops) -> None:
        """Begin, on loops that somebody else stops."""
        shutil.rmtree(self._directory, ignore_errors=True)
        loops.follow(self._objects, SERVICES, self._service_changed)
        loops.follow(self._objects, ENDPOINTSLICES, self._slice_changed)

    def _service_changed(self, change: str, service: Manifest) -> None:
        key = (service["metadata"]["namespace"], service["metadata"]["name"])
        if change == "DELETED":
            self._services.pop(key, None)
        else:
            self._services[key] = service
        self._write(key)

    def _slice_changed(self, change: str, manifest: Manifest) -> None:
        metadata = manifest["metadata"]
        service = (metadata.get("labels") or {}).get(SERVICE_NAME_LABEL)
        if not service:
            return
        key = (metadata["namespace"], service)
        slices = self._slices.setdefault(key, {})
        if change == "DELETED":
            slices.pop(metadata["name"], None)
            if not slices:
                del self._slices[key]
        else:
            slices[metadata["name"]] = manifest
        self._write(key)

    def _write(self, key: Key) -> None:
        """Make the files of one service what they should be, touching only what differs."""
        service = self._services.get(key)
        wanted = self._files(key, service, list(self._slices.get(key, {}).values())) if service else {}
        written = self._written.pop(key, {})
        for path in written.keys() - wanted.keys():
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        for path, text in wanted.items():
            if written.get(path) != text:
                _replace(path, text)
        if wanted:
            self._written[key] = wanted

    def _files(self, key: Key, service: Manifest, slices: Iterable[Manifest]) -> dict[Path, str]:
        namespace, name = key
        record = self._directory / "dns" / namespace / name
        address = service["spec"].get("clusterIP")
        if not address or address == "None":
            ready = {address for manifest in slices for address in _ready_addresses(manifest)}
            return {record: "\n".join(sorted(ready))}
        files = {record: address}
        for port in service["spec"].get("ports") or []:
            backends = sorted(
                f"{backend} {target['port']}"
                for manifest in slices
                for target in manifest.get("ports") or []
                if (target.get("name") or "") == (port.get("name") or "")
                for backend in _ready_addresses(manifest)
            )
            files[self._directory / "proxy" / f"{address}:{port['port']}"] = "\n".join(backends)
        return files


def _ready_addresses(manifest: Manifest) -> list[str]:
    return [
        address
        for endpoint in manifest.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint["addresses"]
    ]


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.fresh")
    fresh.write_text(text)
    os.replace(fresh, path)  # atomic; the shim may be reading the file
