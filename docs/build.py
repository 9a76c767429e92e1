"""Writes the pages that are generated: `make docs`; `make check` fails when they are stale.

python docs/build.py           write them
python docs/build.py --check   exit with 1 if one is stale
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic.fields import FieldInfo

from gateway_common.config import ClusterConfig
from gateway_common.configuration.groups import SettingsGroup
from gateway_common.configuration.model import Configuration
from gateway_common.crd import crd

ROOT = Path(__file__).parents[1]

_INTRODUCTION = """\
# Settings

<!-- Generated from the models by `make docs`. -->

Services read their settings from the environment. Lists and objects are JSON. A service that finds a wrong setting ends
at once, and names the variable.
"""


def main() -> None:
    stale = [path for path, build in PAGES.items() if _text(path) != build()]
    if "--check" in sys.argv:
        sys.exit(f"stale: {', '.join(map(str, stale))}: run `make docs`" if stale else 0)
    for path in stale:
        (ROOT / path).write_text(PAGES[path]())


def build_crd() -> str:
    """What `kubectl apply` takes."""
    return "# Generated from gateway_common.model: `make docs` writes it anew.\n" + yaml.safe_dump(
        crd(), sort_keys=False, width=110
    )


def build_settings() -> str:
    """The reference page of all settings."""
    variables = (row for name, field in Configuration.model_fields.items() for row in _flatten(_variable(name), field))
    fields = ((f"`{name}`", field) for name, field in ClusterConfig.model_fields.items())
    introduction = "\n## The configuration of a cluster\n\nFields of `DASK_GATEWAY__BACKEND__...`, and what an options "
    return f"{_INTRODUCTION}\n{_table(variables)}{introduction}handler may answer.\n\n{_table(fields)}"


def _variable(name: str) -> str:
    return f"DASK_GATEWAY__{name.upper()}"


def _flatten(variable: str, field: FieldInfo) -> Iterator[tuple[str, FieldInfo]]:
    group = field.annotation
    if isinstance(group, type) and issubclass(group, SettingsGroup):
        for name, inner in group.model_fields.items():
            yield from _flatten(f"{variable}__{name.upper()}", inner)
    else:
        yield f"`{variable}`", field


def _table(rows: Iterable[tuple[str, FieldInfo]]) -> str:
    lines = [
        f"| {name} | {_type(field.annotation)} | {_default(field)} | {field.description} |" for name, field in rows
    ]
    return "\n".join(["| name | type | default | meaning |", "|---|---|---|---|", *lines]) + "\n"


def _type(annotation: Any) -> str:
    parts = [part for part in get_args(annotation) if part is not type(None)]
    if not parts:
        return getattr(annotation, "__name__", str(annotation))
    if all(isinstance(part, str) for part in parts):
        return ", ".join(f"`{part}`" for part in parts)
    name = getattr(annotation, "__name__", "")
    if name in {"Union", "Optional", "UnionType", "Annotated"}:
        return _type(parts[0])
    return {"tuple": "list", "dict": "object"}.get(name, name) or _type(parts[0])


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    if field.default in (None, ""):
        return ""
    spelled = field.default if isinstance(field.default, str) else json.dumps(field.default, default=str)
    return f"`{spelled}`"


PAGES: dict[Path, Callable[[], str]] = {
    Path("charts/dask-gateway/crds/daskclusters.yaml"): build_crd,
    Path("docs/settings.md"): build_settings,
}


def _text(path: Path) -> str:
    return (ROOT / path).read_text() if (ROOT / path).exists() else ""


if __name__ == "__main__":
    main()
