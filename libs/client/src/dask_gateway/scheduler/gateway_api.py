"""What a scheduler asks of the gateway's API: take a heartbeat, and stop this cluster."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient


class MissingEnvironmentError(Exception):
    """A variable that the controller sets in every scheduler is not there."""


class GatewayClient:
    """The gateway's API as one cluster may use it, with that cluster's own token."""

    def __init__(self, cluster_name: str, api_token: str, api_url: str) -> None:
        self.cluster_name = cluster_name
        self.token = api_token
        self._cluster_url = f"{api_url.rstrip('/')}/v1/clusters/{cluster_name}"

    async def heartbeat(self, message: Mapping[str, Any]) -> None:
        """Report the scheduler's state; raises when the gateway did not take it."""
        await self._fetch("POST", f"{self._cluster_url}/heartbeat", json.dumps(message))

    async def shutdown(self, reason: str) -> None:
        """Ask for the end of this cluster, which has no use for one of the gateway's reasons (CamelCase words).

        Raises when the gateway did not take it.
        """
        await self._fetch("DELETE", f"{self._cluster_url}?reason={reason}")

    async def _fetch(self, method: str, url: str, body: str | None = None) -> None:
        headers = {"Authorization": f"token {self.token}", "Content-Type": "application/json"}
        await AsyncHTTPClient().fetch(url, method=method, headers=headers, body=body)


def make_gateway_client(
    cluster_name: str | None = None, api_url: str | None = None, api_token: str | None = None
) -> GatewayClient:
    """A client by arguments or else by the environment that the controller sets.

    A token with a slash in it is the path of the file that holds it: tokens are hexadecimal.
    """
    token = api_token or _environment("DASK_GATEWAY_API_TOKEN")
    if "/" in token:
        token = Path(token).read_text().strip()
    return GatewayClient(
        cluster_name or _environment("DASK_GATEWAY_CLUSTER_NAME"),
        token,
        api_url or _environment("DASK_GATEWAY_API_URL"),
    )


def _environment(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise MissingEnvironmentError(f"Environment variable {name!r} not found, shutting down")
    return value
