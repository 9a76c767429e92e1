"""Finds the log that somebody asks the API server for: its `LogSource`."""

from collections.abc import AsyncIterator, Mapping

from gateway_local.apiserver.podlogs import LogRequest
from gateway_local.kubelet.logs import ContainerLog
from gateway_local.kubelet.pod import PodWorker
from gateway_local.kubelet.states import Waiting


class PodLogs:
    """The logs of one node's pods. Both calls raise LookupError, with the reason, when there is no such log."""

    def __init__(self, workers: Mapping[str, PodWorker]) -> None:
        self._workers = workers

    async def read(self, request: LogRequest) -> bytes:
        """The log as it is now."""
        return b"".join([line async for line in self._find(request).read(request, follow=False)])

    def follow(self, request: LogRequest) -> AsyncIterator[bytes]:
        """The log as it is now and as it grows, until the container ends."""
        return self._find(request).read(request, follow=True)

    def _find(self, request: LogRequest) -> ContainerLog:
        worker = next((worker for worker in self._workers.values() if _is_of(worker, request)), None)
        container = worker.container(request.container) if worker else None
        name = f'container "{request.container}" in pod "{request.pod}"'
        if container is None:
            raise LookupError(f"{name} is not available")
        if request.previous:
            if container.previous_log is None:
                raise LookupError(f"previous terminated {name} not found")
            return container.previous_log
        if container.log is None:
            state = container.record.state
            raise LookupError(f"{name} is waiting to start: {state.reason if isinstance(state, Waiting) else ''}")
        return container.log


def _is_of(worker: PodWorker, request: LogRequest) -> bool:
    metadata = worker.sandbox.pod["metadata"]
    return bool(metadata["namespace"] == request.namespace and metadata["name"] == request.pod)
