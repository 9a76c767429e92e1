"""Cluster DNS and service addresses for pods, as files that the pod shim reads when a name is looked up.

`dns/<namespace>/<service>` holds what cluster DNS answers: the address of the service, or those of its ready endpoints
when it is headless. `proxy/<address>:<port>` holds the endpoints behind a service's address, one `address port` a line:
no address but the loopback ones is routed here, so what kube-proxy does in the kernel is done when a pod connects.
Each file is replaced atomically: a name changes for running pods at once, and nothing is read before it is asked for.
"""

import contextlib
import os
import shutil
from pathlib import Path

from gateway_common.resources import Manifest
from gateway_local.kubelet.services import Key, ServiceTable, is_headless


class ClusterDNS:
    """Keeps the files below `directory` as the table says."""

    def __init__(self, table: ServiceTable, directory: Path) -> None:
        self._table = table
        self._directory = directory
        self._written: dict[Key, dict[Path, str]] = {}
        shutil.rmtree(self._directory, ignore_errors=True)
        table.listen(self._write)

    def _write(self, key: Key) -> None:
        """Make the files of one service what they should be, touching only what differs."""
        service = self._table.find(key)
        wanted = self._files(key, service) if service else {}
        written = self._written.pop(key, {})
        for path in written.keys() - wanted.keys():
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
        for path, text in wanted.items():
            if written.get(path) != text:
                _replace(path, text)
        if wanted:
            self._written[key] = wanted

    def _files(self, key: Key, service: Manifest) -> dict[Path, str]:
        namespace, name = key
        record = self._directory / "dns" / namespace / name
        if is_headless(service):
            return {record: "\n".join(self._table.addresses(key))}
        address = service["spec"]["clusterIP"]
        files = {record: address}
        for port in service["spec"].get("ports") or []:
            backends = self._table.backends(key, port.get("name") or "")
            lines = [f"{backend} {target}" for backend, target in backends]
            files[self._directory / "proxy" / f"{address}:{port['port']}"] = "\n".join(lines)
        return files


def _replace(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.fresh")
    fresh.write_text(text)
    os.replace(fresh, path)  # atomic; the shim may be reading the file
