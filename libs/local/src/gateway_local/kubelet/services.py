"""Which pods stand behind which service, as services and EndpointSlices say: what cluster DNS and proxies go by."""

from collections.abc import Callable, Iterable

from gateway_common.resources import ENDPOINTSLICES, SERVICES, Manifest
from gateway_local.apiserver.objects import Objects
from gateway_local.endpoints import SERVICE_NAME_LABEL
from gateway_local.following import Loops

Key = tuple[str, str]
"""(namespace, name) of a service."""


class ServiceTable:
    """Services and their ready backends, kept up to date on loops that somebody else stops."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._services: dict[Key, Manifest] = {}
        self._slices: dict[Key, dict[str, Manifest]] = {}
        self._listeners: list[Callable[[Key], None]] = []

    def listen(self, changed: Callable[[Key], None]) -> None:
        """Have `changed` called with a service's key whenever it or its backends change."""
        self._listeners.append(changed)

    def start(self, loops: Loops) -> None:
        """Begin; what there is already is told first."""
        loops.follow(self._objects, SERVICES, self._service_changed)
        loops.follow(self._objects, ENDPOINTSLICES, self._slice_changed)

    def find(self, key: Key) -> Manifest | None:
        """The service of that name."""
        return self._services.get(key)

    def addresses(self, key: Key) -> list[str]:
        """The addresses of all ready pods, whatever their ports."""
        return sorted({address for manifest in self._slices_of(key) for address in _ready_addresses(manifest)})

    def backends(self, key: Key, port_name: str) -> list[tuple[str, int]]:
        """(address, port) of the ready pods behind a service's port of that name."""
        return sorted(
            (address, target["port"])
            for manifest in self._slices_of(key)
            for target in manifest.get("ports") or []
            if (target.get("name") or "") == port_name
            for address in _ready_addresses(manifest)
        )

    def _slices_of(self, key: Key) -> Iterable[Manifest]:
        return self._slices.get(key, {}).values()

    def _service_changed(self, change: str, service: Manifest) -> None:
        key = (service["metadata"]["namespace"], service["metadata"]["name"])
        if change == "DELETED":
            self._services.pop(key, None)
        else:
            self._services[key] = service
        self._tell(key)

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
        self._tell(key)

    def _tell(self, key: Key) -> None:
        for changed in self._listeners:
            changed(key)


def is_headless(service: Manifest) -> bool:
    """Whether it has no address of its own."""
    return service["spec"].get("clusterIP") in (None, "", "None")


def _ready_addresses(manifest: Manifest) -> list[str]:
    return [
        address
        for endpoint in manifest.get("endpoints") or []
        if (endpoint.get("conditions") or {}).get("ready") is not False
        for address in endpoint["addresses"]
    ]
