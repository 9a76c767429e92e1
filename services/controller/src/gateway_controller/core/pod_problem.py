"""What keeps a pod from running, or how it ended: Kubernetes' many ways to say it, as one reason and one clause.

Pure reading of `status` as kubelets, kube-scheduler and the controllers that take pods away write it (Kubernetes 1.30
and later; k8s.io/kubernetes pkg/kubelet/images/types.go and pkg/kubelet/container/sync_result.go name the reasons).
"""

import re
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from gateway_common.names import SCHEDULER_COMPONENT
from gateway_common.reasons import Reason
from gateway_controller.core.liveness import explain_liveness_kill

Part = Mapping[str, Any]

#: Registries and runtimes may say pages.
LONGEST_CLAUSE = 900

_WAITING = {
    "ErrImagePull": Reason.IMAGE_PULL_BACK_OFF,
    "ImagePullBackOff": Reason.IMAGE_PULL_BACK_OFF,
    "RegistryUnavailable": Reason.IMAGE_PULL_BACK_OFF,
    "SignatureValidationFailed": Reason.IMAGE_PULL_BACK_OFF,
    "ImageInspectError": Reason.IMAGE_PULL_BACK_OFF,
    "ErrImageNeverPull": Reason.IMAGE_NEVER_PULL,
    "InvalidImageName": Reason.INVALID_IMAGE_NAME,
    "CreateContainerConfigError": Reason.CREATE_CONTAINER_CONFIG_ERROR,
    "CreateContainerError": Reason.CREATE_CONTAINER_ERROR,
    "PreCreateHookError": Reason.CREATE_CONTAINER_ERROR,
    "PreStartHookError": Reason.CREATE_CONTAINER_ERROR,
    "PostStartHookError": Reason.CREATE_CONTAINER_ERROR,
    "RunContainerError": Reason.CREATE_CONTAINER_ERROR,
    "CrashLoopBackOff": Reason.CRASH_LOOP_BACK_OFF,
}
_WORDS = {
    Reason.IMAGE_PULL_BACK_OFF: "{image} can't be pulled",
    Reason.IMAGE_NEVER_PULL: "{image} is not on the node, and may not be pulled",
    Reason.INVALID_IMAGE_NAME: "{image} has an impossible name",
    Reason.CREATE_CONTAINER_CONFIG_ERROR: "{container} can't be configured",
    Reason.CREATE_CONTAINER_ERROR: "{container} can't be started",
}
#: Errors that rarely pass by themselves.
STUBBORN = frozenset(
    {
        Reason.IMAGE_PULL_BACK_OFF,
        Reason.CREATE_CONTAINER_CONFIG_ERROR,
        Reason.CREATE_CONTAINER_ERROR,
        Reason.CRASH_LOOP_BACK_OFF,
        Reason.OOM_KILLED,
        Reason.INVALID_IMAGE_NAME,
        Reason.IMAGE_NEVER_PULL,
    }
)
#: Errors that never do.
HOPELESS = frozenset({Reason.INVALID_IMAGE_NAME, Reason.IMAGE_NEVER_PULL})

#: Why a pod was taken away (core/v1 PodConditionType DisruptionTarget).
_DISRUPTIONS = {
    "DeletionByTaintManager": Reason.NODE_LOST,
    "DeletionByPodGC": Reason.NODE_LOST,
    "EvictionByEvictionAPI": Reason.EVICTED,
    "PreemptionByScheduler": Reason.EVICTED,
    "TerminationByKubelet": Reason.EVICTED,
}
#: `status.reason` of pods that a kubelet or a node's controller has ended.
_ENDINGS = {
    "NodeLost": Reason.NODE_LOST,
    "Evicted": Reason.EVICTED,
    "Preempting": Reason.EVICTED,
    "Terminated": Reason.EVICTED,
    "NodeShutdown": Reason.EVICTED,
}
_TAKEN = {Reason.NODE_LOST: "its node was lost", Reason.EVICTED: "its pod was evicted"}

#: What a kubelet says before the registry's own words.
_PULL_PREFIX = re.compile(
    r'Back-off pulling image "[^"]*"(?:: )?|(?:ErrImagePull|ImagePullBackOff): |rpc error: code = \w+ desc = '
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A reason, and a clause that explains it, to follow "the scheduler can't start: " or the like."""

    reason: Reason
    message: str


def find_problem(manifest: Part, container: Part, *, is_scheduler: bool) -> Problem | None:
    """What is wrong with a pod; None of one that runs, starts as it should, or has ended in success.

    `container` is the status of the container that runs Dask, empty while there is none.
    """
    status = manifest.get("status") or {}
    phase = status.get("phase")
    if phase == "Failed" or (is_scheduler and (phase == "Succeeded" or _terminated(container))):
        # A scheduler has failed whatever its exit code (K-022); a worker that ends in success was retired.
        hung = _hanging(manifest, container) if is_scheduler else None
        return hung or _ending(status, container, is_scheduler=is_scheduler)
    if taken := disruption(status):
        return taken
    if (entry := _condition(status, "PodScheduled")) and entry.get("status") == "False":
        return _problem(Reason.UNSCHEDULABLE, "no node has room for it", entry.get("message"))
    for statuses, is_init in (("initContainerStatuses", True), ("containerStatuses", False)):
        for part in status.get(statuses) or ():
            ours = part.get("name") == container.get("name")
            if problem := _container_problem(part, ours=ours, is_init=is_init):
                return problem
    return None


def disruption(status: Part) -> Problem | None:
    """Why somebody takes the pod away, where they say so."""
    entry = _condition(status, "DisruptionTarget")
    if entry is None or entry.get("status") != "True":
        return None
    reason = _DISRUPTIONS.get(entry.get("reason", ""))
    return _problem(reason, _TAKEN[reason], entry.get("message")) if reason else None


def exit_code(status: Part, container: Part) -> int | None:
    """Of the Dask container, or of the one that has failed before it could start."""
    ended = _last_end(container) or _last_end(_failed_part(status))
    code = ended.get("exitCode")
    return code if isinstance(code, int) else None


def log_container(status: Part, container: Part) -> str:
    """The name of the container whose log says the most; empty: none has run."""
    for part in (container, _failed_part(status)):
        if "running" in (part.get("state") or {}) or _last_end(part):
            return str(part.get("name"))
    return ""


def _hanging(manifest: Part, container: Part) -> Problem | None:
    """The end of a scheduler that did not answer any more."""
    ended = _terminated(container)
    if not ended or (manifest.get("status") or {}).get("reason"):
        return None
    words = explain_liveness_kill(manifest, SCHEDULER_COMPONENT, ended)
    return Problem(Reason.SCHEDULER_FAILED, words) if words else None


def _ending(status: Part, container: Part, *, is_scheduler: bool) -> Problem:
    """How a pod has ended: by whoever ended the whole of it, by its own container, or by one before that."""
    word = status.get("reason") or ""
    if reason := _ENDINGS.get(word):
        return _problem(reason, _TAKEN[reason], status.get("message"))
    if taken := disruption(status):
        return taken
    failed = Reason.SCHEDULER_FAILED if is_scheduler else Reason.WORKER_FAILED
    if word:
        return _problem(failed, f"its pod has failed: {word}", status.get("message"))
    if ended := _terminated(container):
        return _ended_problem(ended, failed, "it")
    part = _failed_part(status)
    if ended := _terminated(part):
        return _ended_problem(ended, failed, f"its container {part['name']}")
    return _problem(failed, f"its pod is {status.get('phase')}", status.get("message"))


def _ended_problem(ended: Part, failed: Reason, who: str) -> Problem:
    if ended.get("reason") == "OOMKilled":
        return _problem(Reason.OOM_KILLED, f"{who} used more memory than its limit, and was killed", None)
    return _problem(failed, f"{who} {_exit_words(ended)}", ended.get("message"))


def _container_problem(part: Part, *, ours: bool, is_init: bool) -> Problem | None:
    """Of one container of a pod that has not ended."""
    state = part.get("state") or {}
    if "running" in state:
        return None
    waiting = state.get("waiting") or {}
    reason = _WAITING.get(waiting.get("reason", ""))
    name = "" if ours else f" {part.get('name')}"
    if reason is None or reason is Reason.CRASH_LOOP_BACK_OFF:
        # What has ended in failure is about to be started again; a sidecar that ended is not missed.
        last = _last_end(part) if ours or is_init or "terminated" not in state else {}
        return _crashing(last, f"its container{name}" if name else "it") if reason or _code(last) else None
    message = waiting.get("message") or ""
    if reason is Reason.IMAGE_PULL_BACK_OFF:
        message = _PULL_PREFIX.sub("", message)
    image = f"the image of its container{name}" if name else "its image"
    return _problem(reason, _WORDS[reason].format(image=image, container=f"its container{name}"), message)


def _crashing(last: Part, who: str) -> Problem:
    if last.get("reason") == "OOMKilled":
        return _problem(Reason.OOM_KILLED, f"{who} used more memory than its limit, and was killed", None)
    how = _exit_words(last) if last else "ends"
    return _problem(Reason.CRASH_LOOP_BACK_OFF, f"{who} {how}, and is started again", last.get("message"))


def _exit_words(ended: Part) -> str:
    code, reason = _code(ended), ended.get("reason")
    if reason in ("StartError", "ContainerCannotRun"):
        return "could not be started"
    words = f"exited with code {code}"
    if reason and reason not in ("Error", "Completed"):
        return f"{words} ({reason})"
    return f"{words} (killed by {name})" if (name := _signal_name(code)) else words


def _signal_name(code: int) -> str:
    """Shells and runtimes report the end by a signal as 128 and its number."""
    try:
        return signal.Signals(code - 128).name if code > 128 else ""
    except ValueError:
        return ""


def _failed_part(status: Part) -> Part:
    """The first container, init containers before others, that has ended in failure."""
    parts: Iterable[Part] = (*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ()))
    return next((part for part in parts if _code(_last_end(part))), {})


def _terminated(part: Part) -> Part:
    return (part.get("state") or {}).get("terminated") or {}


def _last_end(part: Part) -> Part:
    """How it ended, also if it has been started again since."""
    return _terminated(part) or (part.get("lastState") or {}).get("terminated") or {}


def _code(ended: Part) -> int:
    code = ended.get("exitCode")
    return code if isinstance(code, int) else 0


def _condition(status: Part, kind: str) -> Part | None:
    return next((entry for entry in status.get("conditions") or () if entry.get("type") == kind), None)


def _problem(reason: Reason, words: str, details: Any) -> Problem:
    said = " ".join(str(details).split()) if details else ""
    return _shared(reason, f"{words}: {said}"[:LONGEST_CLAUSE] if said else words)


@lru_cache(maxsize=1024)
def _shared(reason: Reason, message: str) -> Problem:
    """Thousands of workers may have the same problem."""
    return Problem(reason, message)
