"""The installation that is tested, known by environment variables only: whoever installed it, and however.

| variable | meaning |
|---|---|
| `KUBECONFIG` | of the cluster; needed |
| `GATEWAY_ADDRESS` | where users reach the gateway; needed |
| `GATEWAY_PASSWORD` | the one that all users share (`gateway.auth.simple.password`); default: any will do |
| `GATEWAY_NAMESPACE` | where the gateway's own pods are; default `dask-gateway` |
| `GATEWAY_RELEASED_PYTHON` | a Python with the released dask-gateway, which is then tested as a client, too |
| `GATEWAY_UNSTARTABLE` | options, as JSON, of a cluster that can't start: `{"image": "example.org/none:1"}` |
| `GATEWAY_CLUSTERS_PER_USER` | the limit of clusters a user, where there is one |

Whatever else the clients are to know is their own configuration: `DASK_GATEWAY__PROXY_ADDRESS` where schedulers have
another port, `DASK_GATEWAY__CLUSTER__OPTIONS` for options without which no cluster can be had.
"""

import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dask_gateway import BasicAuth, Gateway

#: For what takes pods to start, on nodes that may have to fetch images first.
PATIENCE_SECONDS = 300


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What the variables say."""

    kubeconfig: Path
    address: str
    password: str = field(repr=False)
    namespace: str
    released_python: Path | None
    unstartable: Mapping[str, Any] | None
    clusters_per_user: int | None

    def connect(self, user: str) -> Gateway:
        """An asynchronous client."""
        return Gateway(self.address, auth=BasicAuth(user, self.password), asynchronous=True)

    def wanted(self, what: str) -> Any:
        """One of those that need not be there; skips the test without it."""
        value = getattr(self, what)
        if value is None:
            pytest.skip(f"GATEWAY_{what.upper()} is not set")
        return value


def read_installation() -> Installation:
    """Skips where there is none."""
    missing = [name for name in ("KUBECONFIG", "GATEWAY_ADDRESS") if not os.environ.get(name)]
    if missing:
        pytest.skip(f"no installation to test: {' and '.join(missing)} not set")

    def given(name: str) -> str | None:
        return os.environ.get(f"GATEWAY_{name}") or None

    python, unstartable, clusters = (given(name) for name in ("RELEASED_PYTHON", "UNSTARTABLE", "CLUSTERS_PER_USER"))
    return Installation(
        kubeconfig=Path(os.environ["KUBECONFIG"]),
        address=os.environ["GATEWAY_ADDRESS"],
        password=given("PASSWORD") or "",
        namespace=given("NAMESPACE") or "dask-gateway",
        released_python=Path(python) if python else None,
        unstartable=json.loads(unstartable) if unstartable else None,
        clusters_per_user=int(clusters) if clusters else None,
    )


def new_user() -> str:
    """Nobody who has clusters already."""
    return f"somebody-{uuid.uuid4().hex[:8]}"
