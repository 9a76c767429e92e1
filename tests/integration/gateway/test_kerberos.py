"""A gateway whose users have Kerberos tickets: all programs that can show one."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from dask_gateway import Gateway
from dask_gateway.auth import KerberosAuth
from gateway_local.gateway import LocalGateway, LocalSettings
from gateway_local.ports import free_port
from tests.kit.browser import running_profile
from tests.kit.kdc import Kdc, running_kdc
from tests.kit.routes import is_routed

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIENT = """
import sys
from dask_gateway import Gateway
with Gateway(sys.argv[1], auth="kerberos") as gateway:
    print([report.name for report in gateway.list_clusters()])
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kdc(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kdc]:
    async with running_kdc(tmp_path_factory.mktemp("kdc")) as kdc:
        for user in ("alice", "bob"):
            await kdc.user(user)
        await kdc.keytab("HTTP/localhost", "service.keytab")
        yield kdc


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory, kdc: Kdc) -> AsyncIterator[LocalGateway]:
    directory = tmp_path_factory.mktemp("gateway")
    values = directory / "values.yaml"
    keytab = kdc.directory / "service.keytab"
    values.write_text(f"gateway: {{auth: {{type: kerberos, kerberos: {{keytab: {keytab}}}}}}}\n")
    settings = LocalSettings(
        port=free_port(),
        directory=directory,
        config=(values,),
        environment={"KRB5_CONFIG": kdc.environment["KRB5_CONFIG"]},
    )
    async with LocalGateway(settings) as running:
        yield running


@pytest.fixture(scope="module")
def address(gateway: LocalGateway) -> str:
    """Tickets are for a host's name, not for its address."""
    return f"http://localhost:{gateway.port}"


async def output_of(*command: str | Path, environment: Mapping[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(*command, env={**environment}, stdout=subprocess.PIPE)
    output, _ = await asyncio.wait_for(process.communicate(), 120)
    return output.decode().strip()


@pytest.mark.parametrize("client", ["ours", "released"])
async def test_a_client_signs_in_with_a_ticket(address: str, kdc: Kdc, released_environment: Path, client: str) -> None:
    python = sys.executable if client == "ours" else released_environment / "bin/python"
    environment = await kdc.ticket("alice")
    assert await output_of(python, "-W", "ignore", "-c", CLIENT, address, environment=environment) == "[]"


async def test_curl_signs_in_with_a_ticket(address: str, kdc: Kdc) -> None:
    command = ["curl", "-s", "--negotiate", "-u", ":", f"{address}/api/v2/me"]
    document = json.loads(await output_of(*command, environment=await kdc.ticket("alice")))
    assert document["name"] == "alice"


async def test_a_browser_with_a_ticket_sees_its_users_dashboard_without_asking(
    address: str, kdc: Kdc, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tickets = {user: await kdc.ticket(user) for user in ("alice", "bob")}
    for name in ("KRB5_CONFIG", "KRB5CCNAME"):
        monkeypatch.setenv(name, tickets["alice"][name])
    async with (
        Gateway(address, auth=KerberosAuth(), asynchronous=True) as client,
        client.new_cluster(shutdown_on_close=True) as cluster,
    ):
        link = f"{address}/clusters/{cluster.name}/status"
        await is_routed(link)
        for allowed, user, status in (("localhost", "alice", 200), ("localhost", "bob", 403), ("", "alice", 401)):
            policy = f"--auth-server-allowlist={allowed}"
            async with running_profile(tmp_path / f"{user}{status}", policy, environment=tickets[user]) as browser:
                page = await browser.new_page()
                # a new profile loads the system's Kerberos library only after it was asked once
                await page.goto(link)
                answer = await page.reload()
                assert answer is not None
                assert (user, answer.status) == (user, status), await page.content()
