"""Settings in environment variables: `DASK_GATEWAY__CONTROLLER__PARALLELISM`, and so on.

Clients have variables with the same prefix, which say nothing here: a process may be both.
"""

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Union, get_args, get_origin

import orjson
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from gateway_common.config import ClusterConfig
from gateway_common.configuration.model import ENV_PREFIX, Configuration, read_cluster_field
from gateway_common.configuration.options import GroupSettings
from gateway_common.configuration.problems import ENVIRONMENT, Problem, nearest
from gateway_common.configuration.sources import Path, Source

FILES_VARIABLE = f"{ENV_PREFIX}CONFIG_FILES"
#: The same settings, where whoever installs the gateway knows a better default: files and code win over these.
DEFAULT_PREFIX = "DASK_GATEWAY_DEFAULT__"

#: Below the prefix: what the client reads (its defaults are in dask_gateway/gateway.yaml), and where files are.
_OTHERS = ("ADDRESS", "PUBLIC_ADDRESS", "PROXY_ADDRESS", "AUTH__TYPE", "CONFIG_FILES")
_OTHERS_BEGIN = ("AUTH__KWARGS", "HTTP_CLIENT", "CLUSTER__")


@dataclass(frozen=True, slots=True)
class Variables:
    """What the environment says."""

    settings: dict[Path, Any] = field(default_factory=dict)
    sources: dict[Path, Source] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_variables(environ: Mapping[str, str], prefix: str = ENV_PREFIX) -> Variables:
    """The settings in the environment whose names begin so. Groups before what is in them, which wins."""
    known = dict(known_variables())
    found = Variables()
    for variable in sorted(environ, key=lambda name: (name.count("__"), name)):
        name = variable.upper()
        if not name.startswith(prefix) or _is_of_others(name.removeprefix(prefix)):
            continue
        name = ENV_PREFIX + name.removeprefix(prefix)
        if name not in known:
            found.problems.append(Problem(ENVIRONMENT, variable, _unknown(name, known)))
            continue
        path, info = known[name]
        try:
            value = _read(path, environ[variable], info)
        except ValueError:
            found.problems.append(Problem(ENVIRONMENT, variable, f"expected {_expected(info.annotation)} as JSON"))
            continue
        for setting, part in _parts(path, value, info.annotation):
            found.settings[setting] = part
            found.sources[setting] = Source(ENVIRONMENT, variable)
    return found


def known_variables() -> Iterator[tuple[str, tuple[Path, FieldInfo]]]:
    """All variables, and the setting or group of settings that each is for."""
    for path, info in _fields(Configuration, ()):
        yield variable_of(path), (path, info)


def variable_of(path: Path) -> str:
    """The variable that sets a setting."""
    return ENV_PREFIX + "__".join(path).upper()


def _fields(model: type[BaseModel], where: Path) -> Iterator[tuple[Path, FieldInfo]]:
    for name, info in model.model_fields.items():
        path = (*where, name)
        yield path, info
        if path == ("backend",):
            yield from (((*path, field), inner) for field, inner in ClusterConfig.model_fields.items())
        elif _is_model(info.annotation):
            yield from _fields(info.annotation, path)  # type: ignore[arg-type]  # it is one


def _read(path: Path, text: str, info: FieldInfo) -> Any:
    """Text, or JSON where the setting is no text."""
    if len(path) > 1 and path[0] == "backend":
        return read_cluster_field(path[1], text)
    if _expected(info.annotation) is not None:
        value = orjson.loads(text)
        if value is not None and not isinstance(value, list | dict):
            raise ValueError("a scalar")
        return value
    return text


def _parts(path: Path, value: Any, annotation: Any) -> Iterator[tuple[Path, Any]]:
    """One by one what was given as a whole, so that each has its source."""
    if not isinstance(value, Mapping):
        yield path, value
    elif _is_model(annotation):
        fields: Mapping[str, FieldInfo] = annotation.model_fields
        for name, part in value.items():
            yield from _parts((*path, name), part, fields[name].annotation if name in fields else None)
    elif path == ("groups",):
        for name, part in value.items():
            yield from _parts((*path, name), part, GroupSettings)
    elif path[-1] == "backend":
        yield from (((*path, name), part) for name, part in value.items())
    else:
        yield path, value


def _expected(annotation: Any) -> str | None:
    """What JSON is expected, if any."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _expected(get_args(annotation)[0])
    if origin in {Union, types.UnionType}:
        return next(filter(None, map(_expected, get_args(annotation))), None)
    if annotation is dict or origin is dict or _is_model(annotation):
        return "an object"
    return "a list" if (origin or annotation) in {list, tuple} else None


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _is_of_others(name: str) -> bool:
    return name in _OTHERS or name.startswith(_OTHERS_BEGIN)


def _unknown(name: str, known: Mapping[str, tuple[Path, FieldInfo]]) -> str:
    for outer in ("BACKEND", "GROUPS", "COMMON_LABELS", "COMMON_ANNOTATIONS", "AUTH__CUSTOM__CONFIG"):
        deeper = [known_name for known_name in known if name.startswith(f"{known_name}__")]
        if deeper and name.startswith(f"{ENV_PREFIX}{outer}"):
            whole = max(deeper, key=len)
            if whole != f"{ENV_PREFIX}BACKEND":
                return f"names in it keep no upper and lower case here: set all of it in {whole}, as a JSON object"
    near = nearest(name, known)
    return "unknown setting" + (f": did you mean {near}?" if near else "")
