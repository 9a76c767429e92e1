"""Writes the pages that are generated: `make docs`; `make check` fails when they are stale.

python docs/build.py           write them
python docs/build.py --check   exit with 1 if one is stale
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from chart_files import build_schema, build_values
from configuration_page import build_configuration_page

from gateway_common.crd import crd
from gateway_common.traefik_crds import traefik_definitions

ROOT = Path(__file__).parents[1]
CHART = Path("charts/dask-gateway")


def main() -> None:
    stale = [path for path, build in PAGES.items() if _text(path) != build()]
    if "--check" in sys.argv:
        sys.exit(f"stale: {', '.join(map(str, stale))}: run `make docs`" if stale else 0)
    for path in stale:
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(PAGES[path]())


def build_crd() -> str:
    """What `kubectl apply` takes."""
    return _generated("the model", [crd()])


def build_traefik_crds() -> str:
    """The kinds without which Traefik loads nothing."""
    return _generated("traefik_crds.py", traefik_definitions())


def _generated(source: str, manifests: list[Any]) -> str:
    header = f"# Generated from {source} by `make docs`.\n"
    return header + yaml.safe_dump_all(manifests, sort_keys=False, width=110)


PAGES: dict[Path, Callable[[], str]] = {
    CHART / "crds/daskclusters.yaml": build_crd,
    CHART / "files/crds/daskclusters.yaml": build_crd,
    CHART / "files/crds/traefik.yaml": build_traefik_crds,
    CHART / "values.yaml": build_values,
    CHART / "values.schema.json": build_schema,
    Path("docs/configuration.md"): build_configuration_page,
}


def _text(path: Path) -> str:
    return (ROOT / path).read_text() if (ROOT / path).exists() else ""


if __name__ == "__main__":
    main()
