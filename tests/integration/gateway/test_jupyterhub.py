"""A gateway whose users are those of a real JupyterHub: programs with tokens, and a browser that is sent to sign in."""

import asyncio
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from dask_gateway import Gateway, JupyterHubAuth
from gateway_local.gateway import LocalGateway, LocalSettings
from gateway_local.ports import free_port
from tests.kit.browser import running_browser, status_after_sign_in
from tests.kit.jupyterhub import PASSWORD, SERVICE, SERVICE_TOKEN, Hub, running_hub
from tests.kit.routes import is_routed

pytestmark = pytest.mark.asyncio(loop_scope="module")

RELEASED = """
import sys
from dask_gateway import Gateway
with Gateway(sys.argv[1], auth="jupyterhub") as gateway:
    print([report.name for report in gateway.list_clusters()])
"""


@pytest.fixture(scope="module")
def port() -> int:
    return free_port()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hub(tmp_path_factory: pytest.TempPathFactory, port: int) -> AsyncIterator[Hub]:
    callback = f"http://127.0.0.1:{port}/oauth_callback"
    async with running_hub(tmp_path_factory.mktemp("hub"), callback=callback) as hub:
        yield hub


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory, hub: Hub, port: int) -> AsyncIterator[LocalGateway]:
    directory = tmp_path_factory.mktemp("gateway")
    values = directory / "values.yaml"
    values.write_text(f"""
gateway:
  auth:
    type: jupyterhub
    jupyterhub:
      apiUrl: {hub.api_url}
      apiToken: {SERVICE_TOKEN}
      jupyterhubServiceName: {SERVICE}
      publicUrl: {hub.url}hub/
""")
    async with LocalGateway(LocalSettings(port=port, directory=directory, config=(values,))) as running:
        yield running


async def test_a_program_shows_its_token_and_a_browser_signs_in_at_the_hub(
    gateway: LocalGateway, hub: Hub, released_environment: Path
) -> None:
    token = await hub.token_of("alice")
    async with (
        Gateway(gateway.address, auth=JupyterHubAuth(token), asynchronous=True) as client,
        client.new_cluster(shutdown_on_close=True) as cluster,
        running_browser() as browser,
    ):
        released = await asyncio.create_subprocess_exec(
            *(released_environment / "bin/python", "-W", "ignore", "-c", RELEASED, gateway.address),
            env={"JUPYTERHUB_API_TOKEN": token},
            stdout=subprocess.PIPE,
        )
        output, _ = await asyncio.wait_for(released.communicate(), 120)
        assert output.decode().strip() == f"[{cluster.name!r}]"

        link = f"{gateway.address}/clusters/{cluster.name}/status"
        await is_routed(link)
        for user, status in (("alice", 200), ("bob", 403)):
            sign_in = {"user_field": "username", "user": user, "password": PASSWORD}
            assert await status_after_sign_in(browser, link, at=f"{hub.url}hub/login", **sign_in) == status


async def test_who_comes_back_without_having_begun_is_not_signed_in(gateway: LocalGateway) -> None:
    async with running_browser() as browser:
        page = await (await browser.new_context()).new_page()
        answer = await page.goto(f"{gateway.address}/oauth_callback?code=stolen&state=abc")
        assert answer is not None
        assert answer.status == 401
        answer = await page.goto(f"{gateway.address}/oauth_callback?error=access_denied&state=abc")
        assert answer is not None
        assert answer.status == 403
