"""Following objects in the same process: the loop that all embedded controllers share."""

from collections.abc import Callable
from typing import Any

from gateway_common.resources import Resource
from gateway_local.apiserver.errors import StatusError
from gateway_local.apiserver.objects import Objects

Manifest = dict[str, Any]


async def follow(objects: Objects, resource: Resource, changed: Callable[[str, Manifest], None]) -> None:
    """Call `changed` with ("ADDED" | "MODIFIED" | "DELETED", object) for all there is, then for each change, for ever.

    After falling too far behind it begins anew; what was deleted in between is told first, so that a follower that
    handles every object it is told of never keeps one that is gone.
    """
    known: dict[tuple[str, str], Manifest] = {}
    while True:
        present = {_key(manifest) for manifest in objects.list(resource)}
        for key in known.keys() - present:
            changed("DELETED", known.pop(key))
        try:
            async for change, manifest in objects.watch(resource):
                if change == "DELETED":
                    known.pop(_key(manifest), None)
                else:
                    known[_key(manifest)] = manifest
                changed(change, manifest)
        except StatusError as error:
            if error.code != 410:
                raise


def _key(manifest: Manifest) -> tuple[str, str]:
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
