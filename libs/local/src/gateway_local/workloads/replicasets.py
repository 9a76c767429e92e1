"""The ReplicaSet controller: as many pods as a ReplicaSet says."""

from collections.abc import Sequence

from gateway_common.resources import PODS, Manifest
from gateway_local.apiserver.errors import StatusError
from gateway_local.apiserver.selectors import format_label_selector
from gateway_local.resources import REPLICASETS
from gateway_local.workloads.controller import WorkloadController
from gateway_local.workloads.pods import build_pod, is_controlled_by
from gateway_local.workloads.reconciling import Key
from gateway_local.workloads.replicas import build_status, plan

_RETRY_SECONDS = 1.0


class ReplicaSetController(WorkloadController):
    """Creates and deletes the pods of ReplicaSets."""

    resource = REPLICASETS

    def _reconcile(self, key: Key) -> float | None:
        replica_set = self._objects.get(REPLICASETS, *key)
        if replica_set is None:
            return None
        replication = plan(replica_set, self._pods(replica_set), self._clock())
        failure = self._execute(replica_set, replication.create, replication.delete)
        status = build_status(replica_set, self._pods(replica_set), failure, self._clock())
        if status != replica_set.get("status"):
            self._objects.update(REPLICASETS, {**replica_set, "status": status}, "status")
        return _RETRY_SECONDS if failure else replication.requeue_after

    def _pods(self, replica_set: Manifest) -> list[Manifest]:
        selector = format_label_selector(replica_set["spec"]["selector"])
        pods = self._objects.list(PODS, replica_set["metadata"]["namespace"], selector)
        return [pod for pod in pods if is_controlled_by(pod, replica_set)]

    def _execute(self, replica_set: Manifest, create: int, delete: Sequence[str]) -> str:
        """The answer is why pods could not be created, "" when they were."""
        for name in delete:
            self._objects.delete(PODS, replica_set["metadata"]["namespace"], name)
        try:
            for _ in range(create):
                self._objects.create(PODS, build_pod(replica_set))
        except StatusError as error:
            return error.message
        return ""
