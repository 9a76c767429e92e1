"""Following objects in the same process: what all embedded controllers are made of."""

import asyncio
import logging
from collections.abc import Callable

from gateway_common.resources import Manifest, Resource
from gateway_local.apiserver.errors import StatusError
from gateway_local.apiserver.objects import Objects

#: Called with "ADDED", "MODIFIED" or "DELETED", and the object.
Changed = Callable[[str, Manifest], None]

logger = logging.getLogger(__name__)


class Loops:
    """The running loops of one controller."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []

    def follow(self, objects: Objects, resource: Resource, changed: Changed) -> None:
        """Call `changed` for all there is, then for each change, until stop()."""
        task = asyncio.create_task(follow(objects, resource, changed), name=f"following {resource.plural}")
        task.add_done_callback(log_failure)
        self._tasks.append(task)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()


def log_failure(task: "asyncio.Task[None]") -> None:
    """For tasks that nobody awaits: say at once that one failed."""
    if not task.cancelled() and (error := task.exception()):
        logger.error("%s failed, which is a defect", task.get_name(), exc_info=error)


async def follow(objects: Objects, resource: Resource, changed: Changed) -> None:
    """Call `changed` for all there is, then for each change, until the API server stops.

    After falling too far behind it begins anew; what was deleted in between is told first, so that a follower that
    handles every object it is told of never keeps one that is gone.
    """
    known: dict[tuple[str, str], Manifest] = {}

    def tell(change: str, manifest: Manifest) -> None:
        try:
            changed(change, manifest)
        except Exception:  # one object that can't be handled must not keep the others from it
            logger.exception("%s %s could not be handled", resource.kind, _key(manifest))

    while True:
        present = {_key(manifest) for manifest in objects.list(resource)}
        for key in known.keys() - present:
            tell("DELETED", known.pop(key))
        try:
            async for change, manifest in objects.watch(resource):
                if change == "DELETED":
                    known.pop(_key(manifest), None)
                else:
                    known[_key(manifest)] = manifest
                tell(change, manifest)
                # a burst of changes must not keep the API from answering
                await asyncio.sleep(0)
            return  # the API server has stopped
        except StatusError as error:
            if error.code != 410:
                raise


def _key(manifest: Manifest) -> tuple[str, str]:
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]
