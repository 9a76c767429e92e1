"""Helm, by its own library, against the embedded cluster. Its calls block, so each runs on a thread of its own.

`python -m tests.kit.helm KUBECONFIG CHART RELEASE NAMESPACE VALUES` is `helm upgrade` and then `helm rollback` as a
program; values are JSON.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from helm_python import Config

from gateway_local.cluster import Cluster

CHARTS = Path(__file__).parents[1] / "data/charts"
_SECONDS = 60


class Helm:
    """`helm` for one release of one chart. Each command returns when what it has changed is ready."""

    def __init__(self, config: Config, chart: Path, release: str) -> None:
        self._config = config
        self._chart = str(chart)
        self._release = release

    async def install(self, **values: Any) -> None:
        await self._call(
            self._config.install, self._chart, self._release, values, wait="watcher", create_namespace=True
        )

    async def upgrade(self, *, seconds: int = _SECONDS, **values: Any) -> None:
        await self._call(self._config.upgrade, self._chart, self._release, values, wait="watcher", timeout=seconds)

    async def rollback(self, revision: int, *, seconds: int = _SECONDS) -> None:
        await self._call(self._config.rollback, self._release, version=revision, wait="watcher", timeout=seconds)

    async def uninstall(self) -> None:
        await self._call(self._config.uninstall, self._release, wait="watcher")

    async def history(self) -> dict[int, str]:
        """The status of each revision."""
        revisions = await asyncio.to_thread(self._config.history, self._release)
        return {revision["revision"]: revision["status"] for revision in revisions}

    async def _call(self, action: Any, *arguments: Any, **options: Any) -> None:
        await asyncio.to_thread(action, *arguments, **{"timeout": _SECONDS, **options})


@asynccontextmanager
async def helm(cluster: Cluster, directory: Path, chart: Path, release: str, namespace: str) -> AsyncIterator[Helm]:
    kubeconfig = cluster.server.kubeconfig(directory / f"{release}.kubeconfig")
    with Config(kubeconfig_path=kubeconfig, namespace=namespace) as config:
        yield Helm(config, chart, release)


def main(kubeconfig: str, chart: str, release: str, namespace: str, values: str) -> None:
    """Upgrade a release, then undo it. Each returns when what it has changed is ready."""
    with Config(kubeconfig_path=kubeconfig, namespace=namespace) as config:
        config.upgrade(chart, release, json.loads(values), wait="watcher", timeout=_SECONDS)
        config.rollback(release, wait="watcher", timeout=_SECONDS)


if __name__ == "__main__":
    main(*sys.argv[1:])
