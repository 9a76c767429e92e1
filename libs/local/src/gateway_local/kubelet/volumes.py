"""Volumes as directories, and the paths at which containers think that they are mounted.

Nothing can be mounted without root. A volume is a directory of the pod's, and a mount is a translation of paths: in
the container's command, arguments and environment each path below a mount path is replaced by the real one
(`MountTable.rewrite`), so that every program finds it, in any language; in Python processes the pod shim translates
the paths that are given to `open` and its like, so that a path written in code works, too.
"""

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from gateway_common.resources import Manifest
from gateway_local.kubelet.environment import (
    ContainerConfigError,
    Lookup,
    PodContext,
    field_value,
    object_data,
    resource_value,
)

_OBJECT_KINDS = {"secret": "Secret", "configMap": "ConfigMap"}
_OWNERS_ALONE = 0o600


@dataclass(frozen=True, slots=True)
class _File:
    content: bytes
    mode: int


class VolumeUnavailable(Exception):
    """A volume can't be set up now. The text is that of the FailedMount event on a cluster."""


@dataclass(frozen=True, slots=True)
class MountTable:
    """Mount path -> directory, of one container."""

    mounts: Mapping[str, str]

    @classmethod
    def of(cls, container: Manifest, volumes: Mapping[str, Path]) -> "MountTable":
        mounts = {}
        for mount in container.get("volumeMounts") or []:
            directory = volumes[mount["name"]] / (mount.get("subPath") or "")
            mounts[str(PurePosixPath(mount["mountPath"]))] = str(directory)
        # the deepest first: it hides what is above
        return cls(dict(sorted(mounts.items(), key=lambda item: -len(item[0]))))

    def rewrite(self, text: str) -> str:
        """Replace each path at or below a mount path, wherever a path can begin in the text."""
        if not self.mounts:
            return text
        paths = "|".join(re.escape(path) for path in self.mounts)
        # not inside of a longer path or word: /a/etc/x, /etc/xy; but after = : , quotes and blanks
        pattern = rf"(?<![\w./~-])({paths})(?![\w.-])"
        return re.sub(pattern, lambda found: self.mounts[found[1]], text)


def write_volumes(pod: Manifest, context: PodContext, lookup: Lookup, directory: Path) -> dict[str, Path]:
    """Set up all of a pod's volumes below `directory`; raises VolumeUnavailable."""
    return {
        volume["name"]: _write_volume(volume, context, lookup, directory / volume["name"])
        for volume in pod["spec"].get("volumes") or []
    }


def rewrite_volumes(
    pod: Manifest, context: PodContext, lookup: Lookup, volumes: Mapping[str, Path], changed: tuple[str, str]
) -> None:
    """Bring the volumes of a running pod up to date with a Secret or ConfigMap: (kind, name).

    What is missing of it now stays as it was, as in Kubernetes.
    """
    for volume in pod["spec"].get("volumes") or []:
        if any(_refers_to(kind, source, changed) for kind, source in _sources(volume)):
            with contextlib.suppress(VolumeUnavailable):
                _write_volume(volume, context, lookup, volumes[volume["name"]])


def _write_volume(volume: Manifest, context: PodContext, lookup: Lookup, directory: Path) -> Path:
    if "hostPath" in volume:
        return Path(volume["hostPath"]["path"])
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    sources = _sources(volume)
    if not sources and "projected" not in volume:  # an emptyDir, which is also what a volume without a kind is
        return directory
    mode = next(volume[kind] for kind in volume if kind != "name").get("defaultMode", _OWNERS_ALONE)
    files: dict[str, _File] = {}
    try:
        for kind, source in sources:
            files |= _projection(kind, source, mode, context, lookup)
        _replace_files(directory, files)
    except ContainerConfigError as error:
        raise VolumeUnavailable(f'MountVolume.SetUp failed for volume "{volume["name"]}" : {error}') from error
    return directory


def _sources(volume: Manifest) -> list[tuple[str, Manifest]]:
    """(kind, source) of all that a volume consists of; none for volumes that are not made of API objects."""
    parts = (volume.get("projected") or {}).get("sources") or [volume]
    return [(kind, part[kind]) for part in parts for kind in part if kind not in ("name", "projected", "emptyDir")]


def _refers_to(kind: str, source: Manifest, changed: tuple[str, str]) -> bool:
    return kind in _OBJECT_KINDS and (_OBJECT_KINDS[kind], _name_of(source)) == changed


def _name_of(source: Manifest) -> str:
    return str(source.get("secretName") or source.get("name"))


def _projection(kind: str, source: Manifest, mode: int, context: PodContext, lookup: Lookup) -> dict[str, _File]:
    """The files of one source. `mode` is for those that have none of their own."""
    items = source.get("items") or []
    if kind == "downwardAPI":
        return {item["path"]: _File(_downward(item, context).encode(), item.get("mode", mode)) for item in items}
    if kind == "serviceAccountToken":
        return {source["path"]: _File(_issue_token(context).encode(), mode)}
    if kind not in _OBJECT_KINDS:
        raise ContainerConfigError(f"this kubelet has no volumes of kind {kind}")
    kind, name = _OBJECT_KINDS[kind], _name_of(source)
    manifest = lookup(kind, name)
    if manifest is None:
        if source.get("optional"):
            return {}
        raise ContainerConfigError(f'{kind.lower()} "{name}" not found')
    data = object_data(manifest)
    if not items:
        return {name: _File(content, mode) for name, content in data.items()}
    missing = [item["key"] for item in items if item["key"] not in data]
    if missing and not source.get("optional"):
        raise ContainerConfigError(f"references non-existent {kind.lower()} key: {missing[0]}")
    return {item["path"]: _File(data[item["key"]], item.get("mode", mode)) for item in items if item["key"] in data}


def _issue_token(context: PodContext) -> str:
    if context.issue_token is None:
        raise ContainerConfigError("this kubelet projects no serviceAccountToken: it knows no service accounts")
    try:
        return context.issue_token()
    except KeyError as error:
        raise ContainerConfigError(str(error.args[0])) from error


def _downward(item: Manifest, context: PodContext) -> str:
    if "fieldRef" in item:
        return field_value(item["fieldRef"]["fieldPath"], context)
    containers: Sequence[Manifest] = context.pod["spec"]["containers"]
    return resource_value(item["resourceFieldRef"], containers)


def _replace_files(directory: Path, files: Mapping[str, _File]) -> None:
    """Make these the files of a directory. Whoever reads one meanwhile sees what was there, or what is."""
    for name, file in files.items():
        path = directory / name
        if not path.resolve().is_relative_to(directory.resolve()):
            raise ContainerConfigError(f"invalid path {name!r}: must stay inside of the volume")
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_name(f"..{path.name}")
        fresh.touch(mode=_OWNERS_ALONE)  # before the content: other users of this machine must not read it
        fresh.write_bytes(file.content)
        fresh.chmod(file.mode)
        fresh.replace(path)
    kept = {directory / name for name in files}
    for path in list(directory.rglob("*")):
        if path.is_file() and path not in kept:
            path.unlink()
