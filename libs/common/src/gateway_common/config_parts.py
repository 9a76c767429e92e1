"""Extra configuration of pods and containers: parts of manifests, in the words of Kubernetes.

What a pod must not lose is refused here and kept by `gateway_common.manifests.pod`. All else is the operator's to say:
Kubernetes alone knows whether it is right.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from posixpath import normpath
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo

from gateway_common.config_types import EntryErrors, is_stored, name_of_type
from gateway_common.names import CREDENTIALS_PATH, CREDENTIALS_VOLUME, SCHEDULER_COMPONENT, WORKER_COMPONENT
from gateway_common.resources import Manifest

#: Deeper than any pod. Kubernetes itself reads 10,000 levels, orjson 254.
_DEEPEST = 64


def is_credentials_path(path: object) -> bool:
    """Whether something mounted there would hide the cluster's credentials."""
    # two slashes at the beginning are more than one to POSIX, and not to those who mount
    normal = normpath(f"/{path.lstrip('/')}") if isinstance(path, str) else ""
    return normal == CREDENTIALS_PATH or normal.startswith(f"{CREDENTIALS_PATH}/")


def _part(check: Callable[[Manifest], Iterator[tuple[str, str]]]) -> BeforeValidator:
    """A validator of a part of a manifest: JSON, and nothing that `check` finds fault with."""

    def validate(value: Any, info: ValidationInfo) -> Any:
        if not isinstance(value, Mapping):
            raise ValueError(f"expected an object, got {name_of_type(value)}")
        if is_stored(info):
            return value
        part: Manifest = _as_json(value, "", 0)
        if reasons := dict(check(part)):
            raise EntryErrors(reasons)
        return part

    return BeforeValidator(validate)


def _as_json(value: Any, path: str, depth: int) -> Any:
    """The same in plain dicts and lists; raises EntryErrors where JSON has no such thing."""
    if depth > _DEEPEST:
        raise EntryErrors({path[:80]: f"objects and lists are nested more than {_DEEPEST} deep"})
    if isinstance(value, Mapping):
        if strange := [key for key in value if not isinstance(key, str)]:
            raise EntryErrors({path: f"the name of an entry must be text, not {name_of_type(strange[0])}"})
        return {key: _as_json(entry, f"{path}.{key}" if path else key, depth + 1) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(entry, f"{path}.{index}", depth + 1) for index, entry in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise EntryErrors({path: f"{value} is no number that Kubernetes knows"})
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise EntryErrors({path: "the number is too large for Kubernetes"})
    if isinstance(value, str | bool | int | float | None):
        return value
    raise EntryErrors({path: f"expected what JSON can express, got {name_of_type(value)}"})


def _pod_faults(spec: Manifest) -> Iterator[tuple[str, str]]:
    yield from _not_lists(spec, "containers", "volumes")
    for volume in _objects(spec, "volumes"):
        if volume.get("name") == CREDENTIALS_VOLUME:
            yield "volumes", f"the gateway has a volume {CREDENTIALS_VOLUME} of its own: give this one another name"
    for container in _objects(spec, "containers"):
        if container.get("name") in (SCHEDULER_COMPONENT, WORKER_COMPONENT):
            yield "containers", f"the gateway's own container is called {container['name']}: give this one another name"


def _container_faults(container: Manifest) -> Iterator[tuple[str, str]]:
    yield from _not_lists(container, "env", "volumeMounts")
    for mount in _objects(container, "volumeMounts"):
        if is_credentials_path(mount.get("mountPath")):
            yield "volumeMounts", f"{CREDENTIALS_PATH} is where the cluster's credentials are: choose another mountPath"


def _not_lists(part: Manifest, *names: str) -> Iterator[tuple[str, str]]:
    """Lists append, anything else would replace what is there, and with it what the gateway needs."""
    for name in names:
        if name in part and not isinstance(part[name], list):
            yield name, f"expected a list, got {name_of_type(part[name])}"


def _objects(part: Manifest, name: str) -> Iterator[Manifest]:
    entries = part.get(name)
    yield from (entry for entry in entries if isinstance(entry, dict)) if isinstance(entries, list) else ()


#: Deep-merged into the spec of a pod.
PodPart = Annotated[Manifest, _part(_pod_faults)]
#: Deep-merged into a container.
ContainerPart = Annotated[Manifest, _part(_container_faults)]
