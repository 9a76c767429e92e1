"""A real JupyterHub: its dummy authenticator, its proxy, no notebooks. The gateway is one of its services."""

import asyncio
import json
import os
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from gateway_local.ports import free_port

ROOT = Path(__file__).parents[2]
PROGRAM = ROOT / ".venv-jupyterhub/bin/jupyterhub"
PROXY = ROOT / ".tools/hub-proxy/node_modules/.bin/configurable-http-proxy"

SERVICE = "dask-gateway"
SERVICE_TOKEN = "gateway-token-" + "0" * 26
PASSWORD = "hub password"
USERS = ("alice", "bob", "root")
_TESTS_TOKEN = "tests-token-" + "0" * 28

_CONFIGURATION = f"""
import json, os
settings = json.loads(os.environ["HUB_SETTINGS"])
c = get_config()
c.JupyterHub.bind_url = settings["public"]
c.JupyterHub.base_url = settings["base_url"]
c.JupyterHub.hub_bind_url = settings["hub"]
c.ConfigurableHTTPProxy.api_url = settings["proxy_api"]
c.ConfigurableHTTPProxy.command = [settings["proxy"]]
c.JupyterHub.db_url = settings["database"]
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = {PASSWORD!r}
c.Authenticator.allowed_users = {set(USERS)!r}
c.Authenticator.admin_users = {{"root"}}
c.JupyterHub.load_groups = {{"science": ["alice"], "art": ["alice", "bob"]}}
c.JupyterHub.services = [
    dict({{"name": {SERVICE!r}, "api_token": {SERVICE_TOKEN!r}, "oauth_no_confirm": True}}, **settings["service"]),
    {{"name": "airflow", "api_token": "airflow-token-" + "0" * 26}},
    {{"name": "tests", "api_token": {_TESTS_TOKEN!r}}},
]
c.JupyterHub.load_roles = [
    {{"name": "user", "scopes": ["self", "access:services!service={SERVICE}"]}},
    {{"name": "jobs", "scopes": ["access:services!service={SERVICE}"], "services": ["airflow"]}},
    {{"name": "tests", "scopes": ["admin:users", "tokens", "list:users"], "services": ["tests"]}},
]
"""


class Hub:
    """A hub that can go away and come back, with its users and their tokens."""

    def __init__(self, directory: Path, service: Mapping[str, Any], base_url: str) -> None:
        self._directory = directory
        self._process: Process | None = None
        port, hub_port, proxy_port = free_port(), free_port(), free_port()
        #: Where browsers find it.
        self.url = f"http://127.0.0.1:{port}{base_url}"
        self.api_url = f"http://127.0.0.1:{hub_port}{base_url}hub/api"
        self._settings = {
            "public": f"http://127.0.0.1:{port}",
            "base_url": base_url,
            "hub": f"http://127.0.0.1:{hub_port}",
            "proxy_api": f"http://127.0.0.1:{proxy_port}",
            "proxy": str(PROXY),
            "database": f"sqlite:///{directory}/hub.sqlite",
            "service": dict(service),
        }
        self._client = httpx.AsyncClient(
            base_url=self.api_url, headers={"Authorization": f"token {_TESTS_TOKEN}"}, trust_env=False, timeout=60
        )

    async def start(self) -> None:
        """Start it and wait until it answers, through its proxy too."""
        environment = {**os.environ, "HUB_SETTINGS": json.dumps(self._settings), "CONFIGPROXY_AUTH_TOKEN": "proxy"}
        configuration = self._directory / "jupyterhub_config.py"
        configuration.write_text(_CONFIGURATION)
        with (self._directory / "hub.log").open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *(PROGRAM, "-f", configuration), cwd=self._directory, env=environment, stdout=log, stderr=log
            )
        async with asyncio.timeout(120):
            while not (await self._answers(self.api_url + "/") and await self._answers(self.url + "hub/api/")):
                assert self._process.returncode is None, (self._directory / "hub.log").read_text()
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """Stop it, with its proxy."""
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()

    async def close(self) -> None:
        await self._client.aclose()
        await self.stop()

    async def token_of(self, user: str, scopes: list[str] | None = None) -> str:
        """A new token of a user's, with all rights of the user or these."""
        answer = await self._client.post(f"/users/{user}/tokens", json={"scopes": scopes} if scopes else {})
        answer.raise_for_status()
        return str(answer.json()["token"])

    async def revoke_tokens(self, user: str) -> None:
        """Take all tokens of a user's away."""
        answer = await self._client.get(f"/users/{user}/tokens")
        for token in answer.raise_for_status().json()["api_tokens"]:
            (await self._client.delete(f"/users/{user}/tokens/{token['id']}")).raise_for_status()

    async def _answers(self, url: str) -> bool:
        try:
            return (await self._client.get(url)).status_code == 200
        except httpx.TransportError:
            return False


@asynccontextmanager
async def running_hub(
    directory: Path, *, callback: str = "http://127.0.0.1:1/oauth_callback", base_url: str = "/", **service: Any
) -> AsyncIterator[Hub]:
    """A hub from its start to its end; `callback` is the gateway's `oauth_callback`, `service` more of its entry."""
    hub = Hub(directory, {"oauth_redirect_uri": callback, **service}, base_url)
    try:
        await hub.start()
        yield hub
    finally:
        await hub.close()
