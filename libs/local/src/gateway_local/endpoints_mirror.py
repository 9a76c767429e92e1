"""Endpoints as Kubernetes had them before EndpointSlices, for programs that still look at them.

The controller of dask-gateway 2026.3.0 is one: it makes no route before a scheduler is in its Endpoints.
"""

from gateway_common.resources import ENDPOINTSLICES, Manifest
from gateway_local.apiserver.errors import StatusError
from gateway_local.apiserver.objects import Objects
from gateway_local.endpoints import CONTROLLER, MANAGED_BY_LABEL, SERVICE_NAME_LABEL
from gateway_local.following import Loops
from gateway_local.resources import ENDPOINTS


class EndpointsMirror:
    """Keeps one object a service as the slice of our EndpointsController says, between start() and stop().

    It goes with its service, by the owner reference of the slice.
    """

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._loops = Loops()

    async def start(self) -> None:
        """Begin; what there is already is seen first."""
        self._loops.follow(self._objects, ENDPOINTSLICES, self._slice_changed)

    async def stop(self) -> None:
        await self._loops.stop()

    def _slice_changed(self, change: str, piece: Manifest) -> None:
        if change == "DELETED" or piece["metadata"].get("labels", {}).get(MANAGED_BY_LABEL) != CONTROLLER:
            return
        wanted = build_endpoints(piece)
        metadata = wanted["metadata"]
        current = self._objects.get(ENDPOINTS, metadata["namespace"], metadata["name"])
        try:
            if current is None:
                self._objects.create(ENDPOINTS, wanted)
            elif current.get("subsets") != wanted["subsets"]:
                kept = {"resourceVersion": current["metadata"]["resourceVersion"]}
                self._objects.update(ENDPOINTS, {**wanted, "metadata": {**metadata, **kept}})
        except StatusError as error:
            # its namespace is being deleted, and everything in it
            if error.code not in (403, 404):
                raise


def build_endpoints(piece: Manifest) -> Manifest:
    """What the Endpoints of a service are, from its EndpointSlice."""
    metadata = piece["metadata"]
    labels = {name: value for name, value in metadata["labels"].items() if name != MANAGED_BY_LABEL}
    staying = [endpoint for endpoint in piece["endpoints"] if not endpoint["conditions"]["terminating"]]
    subset = {
        "addresses": [_address(endpoint) for endpoint in staying if endpoint["conditions"]["ready"]],
        "notReadyAddresses": [_address(endpoint) for endpoint in staying if not endpoint["conditions"]["ready"]],
        "ports": piece["ports"],
    }
    return {
        "apiVersion": ENDPOINTS.api_version,
        "kind": ENDPOINTS.kind,
        "metadata": {
            "name": labels.pop(SERVICE_NAME_LABEL),
            "namespace": metadata["namespace"],
            "labels": labels,
            "ownerReferences": metadata["ownerReferences"],
        },
        "subsets": [{name: found for name, found in subset.items() if found}] if staying else [],
    }


def _address(endpoint: Manifest) -> Manifest:
    return {"ip": endpoint["addresses"][0], "nodeName": endpoint["nodeName"], "targetRef": endpoint["targetRef"]}
