"""The Deployment controller: carries out, step by step, what `rollout` decides."""

from gateway_common.resources import PODS, Manifest
from gateway_local.resources import DEPLOYMENTS, REPLICASETS
from gateway_local.workloads.controller import WorkloadController
from gateway_local.workloads.pods import controller_of, is_controlled_by, is_over
from gateway_local.workloads.reconciling import Key
from gateway_local.workloads.rollout import REVISION, Rollout, plan


class DeploymentController(WorkloadController):
    """Rolls Deployments out by their ReplicaSets."""

    resource = DEPLOYMENTS
    owned = REPLICASETS

    async def start(self) -> None:
        """Begin; what there is already is seen first."""
        await super().start()
        self._loops.follow(self._objects, PODS, self._pod_changed)

    def _pod_changed(self, change: str, pod: Manifest) -> None:
        """Whoever replaces pods all at once waits for the last to be gone; all else comes by way of the ReplicaSet."""
        if change == "DELETED" and (owner := controller_of(pod, REPLICASETS.kind)):
            replica_set = self._objects.get(REPLICASETS, pod["metadata"]["namespace"], owner["name"])
            if replica_set is not None:
                self._owned_changed(change, replica_set)

    def _reconcile(self, key: Key) -> float | None:
        deployment = self._objects.get(DEPLOYMENTS, *key)
        if deployment is None or "deletionTimestamp" in deployment["metadata"]:
            return None
        replica_sets = [r for r in self._objects.list(REPLICASETS, key[0]) if is_controlled_by(r, deployment)]
        rollout = plan(deployment, replica_sets, self._count_pods(key[0], replica_sets), self._clock())
        self._execute(deployment, rollout)
        return rollout.requeue_after

    def _count_pods(self, namespace: str, replica_sets: list[Manifest]) -> dict[str, int]:
        pods = [pod for pod in self._objects.list(PODS, namespace) if not is_over(pod)]
        return {
            replica_set["metadata"]["name"]: sum(is_controlled_by(pod, replica_set) for pod in pods)
            for replica_set in replica_sets
        }

    def _execute(self, deployment: Manifest, rollout: Rollout) -> None:
        namespace, name = deployment["metadata"]["namespace"], deployment["metadata"]["name"]
        if rollout.create is not None:
            self._objects.create(REPLICASETS, rollout.create)
        for replica_set, replicas in rollout.scale.items():
            self._objects.patch(REPLICASETS, namespace, replica_set, {"spec": {"replicas": replicas}})
        for replica_set in rollout.prune:
            self._objects.delete(REPLICASETS, namespace, replica_set)
        numbered = {"metadata": {"annotations": {REVISION: str(rollout.revision)}}}
        if rollout.renumber:
            self._objects.patch(REPLICASETS, namespace, rollout.renumber, numbered)
        current = self._objects.patch(DEPLOYMENTS, namespace, name, numbered)
        if current.get("status") != rollout.status:
            self._objects.update(DEPLOYMENTS, {**current, "status": rollout.status}, "status")
