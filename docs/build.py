"""Writes the pages that are generated: `make docs`; `make check` fails when they are stale.

python docs/build.py           write them
python docs/build.py --check   exit with 1 if one is stale
"""

import sys
from collections.abc import Callable
from pathlib import Path

import yaml
from configuration_page import build_configuration_page

from gateway_common.crd import crd

ROOT = Path(__file__).parents[1]


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


PAGES: dict[Path, Callable[[], str]] = {
    Path("charts/dask-gateway/crds/daskclusters.yaml"): build_crd,
    Path("docs/configuration.md"): build_configuration_page,
}


def _text(path: Path) -> str:
    return (ROOT / path).read_text() if (ROOT / path).exists() else ""


if __name__ == "__main__":
    main()
