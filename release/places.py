"""Where things are in the repository."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
CHART = ROOT / "charts/dask-gateway"
#: Whatever a release consists of goes here.
DIST = ROOT / "dist"

#: The projects that become packages.
MEMBERS = sorted(file.parent for folder in ("libs", "services") for file in (ROOT / folder).glob("*/pyproject.toml"))
#: Each image, by its target in images/Dockerfile, with the project whose name and version stand for it.
IMAGES = {
    "api": ROOT / "services/api",
    "auth": ROOT / "services/auth",
    "controller": ROOT / "services/controller",
    "server": ROOT,
    "dask": ROOT / "libs/client",
}
