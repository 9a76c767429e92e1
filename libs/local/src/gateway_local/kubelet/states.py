"""What a container is doing, as values. Each knows how Kubernetes writes it."""

from dataclasses import dataclass, field

from gateway_common.clock import to_rfc3339
from gateway_common.resources import Manifest

CONTAINER_CREATING = "ContainerCreating"
POD_INITIALIZING = "PodInitializing"


@dataclass(frozen=True, slots=True)
class Waiting:
    reason: str
    message: str = ""

    def manifest(self) -> Manifest:
        return {"waiting": _present(reason=self.reason, message=self.message)}


@dataclass(frozen=True, slots=True)
class Running:
    started_at: float

    def manifest(self) -> Manifest:
        return {"running": {"startedAt": to_rfc3339(self.started_at)}}


@dataclass(frozen=True, slots=True)
class Terminated:
    exit_code: int
    reason: str
    started_at: float
    finished_at: float
    message: str = ""
    container_id: str = ""

    @property
    def ran_seconds(self) -> float:
        """Zero for what was never started, whose start Kubernetes dates 1970."""
        return self.finished_at - self.started_at if self.started_at else 0.0

    def manifest(self) -> Manifest:
        return {
            "terminated": {
                "exitCode": self.exit_code,
                "startedAt": to_rfc3339(self.started_at),
                "finishedAt": to_rfc3339(self.finished_at),
                **_present(reason=self.reason, message=self.message, containerID=self.container_id),
            }
        }


State = Waiting | Running | Terminated


@dataclass(slots=True)
class ContainerRecord:
    """All that a pod's status says of one container. Its container writes it, status building reads it."""

    name: str
    image: str
    state: State = field(default_factory=lambda: Waiting(CONTAINER_CREATING))
    last: Terminated | None = None
    restarts: int = 0
    started: bool = False
    ready: bool = False
    container_id: str = ""

    @property
    def ended(self) -> Terminated | None:
        """The most recent end, when the container isn't running now."""
        if isinstance(self.state, Terminated):
            return self.state
        return self.last if isinstance(self.state, Waiting) else None

    def manifest(self) -> Manifest:
        return {
            "name": self.name,
            "state": self.state.manifest(),
            "lastState": self.last.manifest() if self.last else {},
            "ready": self.ready,
            "restartCount": self.restarts,
            "image": self.image,
            "imageID": self.image if self.container_id else "",
            "started": self.started,
            **_present(containerID=self.container_id),
        }


def _present(**entries: str) -> Manifest:
    return {key: value for key, value in entries.items() if value}
