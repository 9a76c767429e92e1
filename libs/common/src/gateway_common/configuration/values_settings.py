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
        setting = tuple(path[key.path.index(ANY_NAME)] if part == ANY_NAME else part for part in template)
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


def _images(values: Values) -> dict[Path, tuple[str, Source]]:
    """Images that are given in parts; the part that is missing is that of the default, for a group the general one."""
    gateway = values.tree.get("gateway", {})
    general = gateway.get("backend", {}).get("image")
    found: dict[Path, tuple[str, Source]] = {}
    image = general if isinstance(general, str) else _joined(general or {}, _DEFAULT_IMAGE)
    if isinstance(general, Mapping) and image:
        found["backend", "image"] = image, _image_source(values, ("gateway", "backend", "image"), general)
    for name, group in gateway.get("groups", {}).items():
        parts = group.get("backend", {}).get("image")
        if isinstance(parts, Mapping) and (joined := _joined(parts, image or _DEFAULT_IMAGE)):
            place = ("gateway", "groups", name, "backend", "image")
            found["groups", name, "backend", "image"] = joined, _image_source(values, place, parts)
    return found


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
