"""When an ended container is started again, and after which pause. Pure.

Kubernetes restarts at once after the first end, then after 10 s, 20 s, 40 s ... up to 5 minutes, and begins anew
once a container ran for 10 minutes (k8s.io/kubernetes/pkg/kubelet: backOffPeriod, MaxContainerBackOff). Failed image
pulls wait in the same steps.
"""

from dataclasses import dataclass


def restarts(policy: str, exit_code: int) -> bool:
    """Whether the pod's restartPolicy starts a container again that ended so."""
    return policy == "Always" or (policy == "OnFailure" and exit_code != 0)


@dataclass(slots=True)
class BackOff:
    """The pauses of one container, in seconds."""

    step: float = 10.0
    maximum: float = 300.0
    upcoming: float = 0.0

    def take(self, ran_seconds: float = 0.0) -> float:
        """The pause before the next start, after a run of `ran_seconds`."""
        if ran_seconds > 2 * self.maximum:
            self.upcoming = 0.0
        pause = self.upcoming
        self.upcoming = min(max(2 * pause, self.step), self.maximum)
        return pause
