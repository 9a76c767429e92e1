"""Builds docs/configuration.md from the model: every setting with all its names."""

import json
import types
from collections.abc import Iterable, Iterator
from inspect import cleandoc
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, SecretStr
from pydantic.fields import FieldInfo

from gateway_common.config import ClusterConfig, parse_memory
from gateway_common.configuration.chart_keys import ChartKey, chart_keys
from gateway_common.configuration.environment import variable_of
from gateway_common.configuration.groups import SettingsGroup
from gateway_common.configuration.known_keys import all_keys
from gateway_common.configuration.limits import Amounts
from gateway_common.configuration.model import Configuration
from gateway_common.configuration.options import GroupSettings, OptionDeclaration
from gateway_common.setting import traits_of, unit_of, values_of
from gateway_common.worker_groups import WorkerGroup

_INTRODUCTION = Path(__file__).with_name("configuration_introduction.md")

_TITLES = {
    "": "The installation",
    "kube": "Kubernetes",
    "log": "Logs",
    "api": "The api",
    "auth": "Authentication",
    "dashboards": "Dashboards",
    "controller": "The controller",
    "proxy": "The proxy",
    "admin": "Administrators",
    "limits": "Limits",
}
_PLAIN = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Path: "path",
    SecretStr: "text, secret",
    dict: "object",
    Any: "anything",
    OptionDeclaration: "option",
}
_NONE = "-"


def build_configuration_page() -> str:
    """The reference page of all settings."""
    sections = [
        _INTRODUCTION.read_text(),
        *_settings(),
        _clusters(),
        _worker_groups(),
        _limits(),
        _options(),
        _groups(),
        _chart(),
    ]
    return "\n".join(sections)


def _settings() -> Iterator[str]:
    fields = Configuration.model_fields
    groups = {name: info.annotation for name, info in fields.items() if _is_model(info.annotation)}
    alone = {name: info for name, info in fields.items() if name not in groups and name not in ("backend", "groups")}
    rows = (_setting((name,), info) for name, info in alone.items())
    yield f"### {_TITLES['']}\n\n{_settings_table(rows)}"
    for name, model in groups.items():
        if name != "limits":
            yield f"### {_TITLES[name]}\n\n{cleandoc(model.__doc__)}\n\n{_settings_table(_of_model(model, (name,)))}"


def _of_model(model: type[BaseModel], path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    for name, info in model.model_fields.items():
        if _is_model(info.annotation):
            yield from _of_model(info.annotation, (*path, name))
        else:
            yield _setting((*path, name), info)


def _clusters() -> str:
    rows = [
        _setting(("backend", name), info, "gateway.backend.", (f"KubeClusterConfig.{name}",))
        for name, info in ClusterConfig.model_fields.items()
    ]
    parts = (all_keys()[f"gateway.backend.image.{part}"] for part in ("name", "tag"))
    rows += [(f"`{key.name}`", _NONE, _NONE, "text", f"`{key.default}`", key.description) for key in parts]
    text = (
        "Every cluster starts from these; groups and options override them, and options handlers answer with the names "
        "in the Python column. `c.ClusterConfig.<name>` is understood for all of them, too. All together they are JSON "
        "in `DASK_GATEWAY__BACKEND`."
    )
    return f"## Clusters: `gateway.backend`\n\n{text}\n\n{_settings_table(rows)}"


def _worker_groups() -> str:
    rows = [
        (", ".join(f"`{key}`" for key in values_of(info)), f"`{name}`", _type_of_field(info))
        for name, info in WorkerGroup.model_fields.items()
    ]
    text = (
        "What a group of workers has otherwise than the workers outside of groups, see "
        "[worker groups](worker-groups.md): the keys of `gateway.backend.worker` without that word, and those for "
        "environment and image. In Python, a group is a dict of the names in the second column."
    )
    table = _table(("key in a values file", "Python", "type"), rows)
    return f"## Groups of workers: `gateway.backend.workerGroups.<name>`\n\n{text}\n\n{table}"


def _limits() -> str:
    limits: Any = Configuration.model_fields["limits"].annotation
    rows = [_setting(("limits", name), info) for name, info in limits.model_fields.items() if values_of(info)]
    for owner in ("user", "total"):
        for name, info in Amounts.model_fields.items():
            rows.append(_setting(("limits", owner, name), info, "gateway.limits.", key=f"{owner}.{name}"))
    text = (
        "Cores and memory are what schedulers and workers request. What is not set is not limited. `user` is each "
        "user, `total` all users together; groups have limits of their own, see below."
    )
    return f"## Limits: `gateway.limits`\n\n{text}\n\n{_settings_table(rows)}"


def _options() -> str:
    rows = (_plain_row(f"`{name}`", info) for name, info in OptionDeclaration.model_fields.items())
    return (
        "## Options: `gateway.options`\n\nA list of what users may choose, each with these keys. The variable is "
        f"`DASK_GATEWAY__OPTIONS`, as JSON.\n\n{_table(('key', 'type', 'default', 'what it does'), rows)}"
    )


def _groups() -> str:
    def fields() -> Iterator[tuple[str, FieldInfo]]:
        for name, info in GroupSettings.model_fields.items():
            if not _is_model(info.annotation):
                yield name, info
                continue
            for owner, of_owner in info.annotation.model_fields.items():
                for amount, inner in of_owner.annotation.model_fields.items():
                    merged = f"{of_owner.description} {inner.description}"
                    yield f"limits.{owner}.{amount}", FieldInfo.merge_field_infos(inner, description=merged)

    rows = (_plain_row(f"`{name}`", info) for name, info in fields())
    return (
        "## Groups: `gateway.groups.<name>`\n\nWhat is different for the members of a group, whose name is the one "
        f"that authentication gives. The variable is `DASK_GATEWAY__GROUPS`, as JSON.\n\n"
        f"{_table(('key', 'type', 'default', 'what it does'), rows)}"
    )


def _chart() -> str:
    rows = ((f"`{key.name}`", _type(key.type), _chart_default(key), key.description) for key in chart_keys())
    return (
        "## Keys of the chart alone\n\nServices check them and do nothing else with them.\n\n"
        f"{_table(('key in a values file', 'type', 'default', 'what it does'), rows)}"
    )


def _setting(
    path: tuple[str, ...], info: FieldInfo, prefix: str = "", traits: tuple[str, ...] = (), key: str = ""
) -> tuple[str, ...]:
    keys = [f"`{prefix}{name}`" for name in ((key,) if key else values_of(info))]
    code = [f"`c.{name}`" for name in traits or traits_of(info)]
    return (
        ", ".join(keys) or _NONE,
        ", ".join(code) or _NONE,
        f"`{variable_of(path)}`",
        _type_of_field(info),
        _default(info),
        info.description or "",
    )


def _plain_row(name: str, info: FieldInfo) -> tuple[str, ...]:
    return name, _type_of_field(info), _default(info), info.description or ""


def _settings_table(rows: Iterable[tuple[str, ...]]) -> str:
    return _table(("key in a values file", "Python", "variable", "type", "default", "what it does"), rows)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(["| " + " | ".join(head) + " |", "|---" * len(head) + "|", *lines]) + "\n"


def _type_of_field(info: FieldInfo) -> str:
    whole = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    unit = unit_of(info)
    return _type(whole) + (f", {unit}" if unit and unit != "bytes" else "")


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        is_memory = any(isinstance(part, BeforeValidator) and part.func is parse_memory for part in arguments)
        return "memory" if is_memory else _type(arguments[0])
    if origin is Literal:
        return ", ".join(f"`{value}`" for value in arguments if value)
    if origin in {Union, types.UnionType}:
        return " or ".join(dict.fromkeys(_type(part) for part in arguments if part is not types.NoneType))
    if origin in {list, tuple}:
        of = _type(arguments[0]) if arguments else ""
        return {"text": "list of texts", "path": "list of paths", "option": "list of options"}.get(
            of, "list of objects"
        )
    return _PLAIN.get(origin or annotation, "object")


def _default(info: FieldInfo) -> str:
    if info.is_required():
        return "required"
    value = getattr(info.default, "model_dump", lambda: info.default)()
    return "" if value in (None, "") else f"`{_json(value)}`"


def _chart_default(key: ChartKey) -> str:
    return "" if key.default in (None, "") else f"`{_json(key.default)}`"


def _json(value: Any) -> str:
    return str(value) if isinstance(value, str | Path) else json.dumps(value, default=str)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, SettingsGroup)
