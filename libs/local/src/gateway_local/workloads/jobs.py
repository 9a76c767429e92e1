"""The Job controller: pods until enough have succeeded or too many have failed."""

from gateway_common.resources import PODS, Manifest
from gateway_local.resources import JOBS
from gateway_local.workloads.completion import is_finished, plan, seconds_kept
from gateway_local.workloads.controller import WorkloadController
from gateway_local.workloads.pods import build_pod, is_controlled_by
from gateway_local.workloads.reconciling import Key


class JobController(WorkloadController):
    """Runs Jobs to their end."""

    resource = JOBS

    def _reconcile(self, key: Key) -> float | None:
        job = self._objects.get(JOBS, *key)
        if job is None or "deletionTimestamp" in job["metadata"]:
            return None
        if is_finished(job):
            return self._forget_in_time(job)
        pods = [pod for pod in self._objects.list(PODS, key[0]) if is_controlled_by(pod, job)]
        step = plan(job, pods, self._clock())
        for name in step.delete:
            self._objects.delete(PODS, key[0], name)
        for _ in range(step.create):
            self._objects.create(PODS, build_pod(job))
        if step.status != job.get("status"):
            self._objects.update(JOBS, {**job, "status": step.status}, "status")
        return step.requeue_after

    def _forget_in_time(self, job: Manifest) -> float | None:
        kept = seconds_kept(job, self._clock())
        if kept == 0:
            metadata = job["metadata"]
            self._objects.delete(
                JOBS, metadata["namespace"], metadata["name"], uid=metadata["uid"], propagation_policy="Background"
            )
            return None
        return kept
