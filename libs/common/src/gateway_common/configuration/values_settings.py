"""From the keys of values files to the settings that they stand for."""

from collections.abc import Iterator, Mapping
from typing import Any

from gateway_common.config import ClusterConfig
from gateway_common.configuration.known_keys import ANY_NAME, Key
from gateway_common.configuration.sources import Path, Source
from gateway_common.configuration.values_file import Values, leaves, split_environment

_DEFAULT_IMAGE = str(ClusterConfig.model_fields["image"].default)


def settings_of_values(values: Values) -> tuple[dict[Path, Any], dict[Path, Source]]:
    """The settings, and where each came from."""
    settings: dict[Path, Any] = {}
    sources: dict[Path, Source] = {}
    for path, key, value in leaves(values.tree):
        for setting, meant in _settings(path, key, value):
            settings[setting] = meant
            sources[setting] = _source(values, path)
    for place in _groups_without_keys(values):
        settings[place] = {}
    images = _images(values)
    settings.update({setting: image for setting, (image, _) in images.items()})
    sources.update({setting: source for setting, (_, source) in images.items()})
    return settings, sources


def place_setting(settings: dict[str, Any], path: Path, value: Any) -> None:
    """Put one into a tree of them."""
    for part in path[:-1]:
        below = settings.get(part)
        settings[part] = dict(below) if isinstance(below, Mapping) else {}
        settings = settings[part]
    settings[path[-1]] = value


def _settings(path: Path, key: Key, value: Any) -> Iterator[tuple[Path, Any]]:
    for template in key.settings:
        names = iter([name for name, part in zip(path, key.path, strict=True) if part == ANY_NAME])
        setting = tuple(next(names) if part == ANY_NAME else part for part in template)
        if key.cluster_field == "environment":
            plain, secrets, _ = split_environment(value)
            if plain or not secrets:
                yield setting, plain
            if secrets:
                yield (*setting[:-1], "environment_secrets"), secrets
        else:
            yield setting, value


def _source(values: Values, path: Path) -> Source:
    return Source(", ".join(map(str, values.files.get(path, ()))), ".".join(path))


def _groups_without_keys(values: Values) -> Iterator[Path]:
    """Groups of workers that are like all others: `workerGroups: {spare: {}}`."""
    gateway = values.tree.get("gateway", {})
    backends: dict[Path, Any] = {("backend",): gateway.get("backend", {})}
    backends |= {("groups", name, "backend"): of.get("backend", {}) for name, of in gateway.get("groups", {}).items()}
    for place, backend in backends.items():
        groups = backend.get("workerGroups", {})
        yield from ((*place, "worker_groups", name) for name, group in groups.items() if not group)


def _images(values: Values) -> dict[Path, tuple[str, Source]]:
    """Images that are given in parts; the part that is missing is that of the default, for a group the general one."""
    gateway = values.tree.get("gateway", {})
    found: dict[Path, tuple[str, Source]] = {}
    place: Path = ("gateway", "backend")
    setting: Path = ("backend",)
    image = _images_of(values, place, setting, gateway.get("backend", {}), _DEFAULT_IMAGE, found)
    for name, group in gateway.get("groups", {}).items():
        place, setting = ("gateway", "groups", name, "backend"), ("groups", name, "backend")
        _images_of(values, place, setting, group.get("backend", {}), image, found)
    return found


def _images_of(
    values: Values,
    place: Path,
    setting: Path,
    backend: Mapping[str, Any],
    general: str,
    found: dict[Path, tuple[str, Source]],
) -> str:
    """Add the images of one backend and its groups of workers to those that are found; returns the former."""
    given = backend.get("image")
    image = given if isinstance(given, str) else _joined(given or {}, general)
    if image and isinstance(given, Mapping):
        found[(*setting, "image")] = image, _image_source(values, (*place, "image"), given)
    for name, group in backend.get("workerGroups", {}).items():
        where = (*place, "workerGroups", name, "image")
        parts = group.get("image")
        if isinstance(parts, Mapping) and (own := _joined(parts, image or general)):
            found[(*setting, "worker_groups", name, "image")] = own, _image_source(values, where, parts)
    return image or general


def _joined(parts: Mapping[str, Any], default: str) -> str | None:
    if not {"name", "tag"} & set(parts):
        return None
    name, tag = _split(default)
    given = parts.get("name")
    if parts.get("tag"):
        tag = ("@" if ":" in parts["tag"] else ":") + parts["tag"]
    elif given and _split(given)[1]:
        return str(given)
    return f"{given or name}{tag}"


def _split(image: str) -> tuple[str, str]:
    """Name, and tag or digest with the sign before it. The colon of a registry's port does not count."""
    if "@" in image:
        name, _, digest = image.partition("@")
        return name, f"@{digest}"
    name, colon, tag = image.rpartition(":")
    return (name, f":{tag}") if colon and "/" not in tag else (image, "")


def _image_source(values: Values, path: Path, parts: Mapping[str, Any]) -> Source:
    given = [part for part in ("name", "tag") if part in parts]
    files = dict.fromkeys(str(file) for part in given for file in values.files.get((*path, part), ()))
    return Source(", ".join(files), ".".join((*path, " and ".join(given))))
