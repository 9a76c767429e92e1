"""The auth service and a real KDC."""

import asyncio
import base64
import logging
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from gateway_auth.authenticators.kerberos.loading import load_kerberos
from gateway_common.audit import configure_audit
from gateway_common.configuration.auth import AuthGroup
from gateway_common.errors import InvalidConfig
from tests.kit.auth import auth_client
from tests.kit.kdc import REALM, Kdc, running_kdc

pytestmark = pytest.mark.asyncio(loop_scope="module")

SERVICE = "HTTP/localhost"
#: A user's program: its token, then what it thinks of the service's reply.
CLIENT = """
import json, sys
from dask_gateway.spnego import start_negotiation
token, accept_reply = start_negotiation("localhost")
print(token, flush=True)
reply = sys.stdin.readline().strip()
if reply:
    accept_reply(reply)
    print("the service is genuine", flush=True)
"""
#: The service's program, alone: what it makes of a token.
SERVICE_PROGRAM = """
import asyncio, sys
from gateway_auth.authenticators.base import UserRequest
from gateway_auth.authenticators.kerberos.loading import load_kerberos
from gateway_common.configuration.auth import AuthGroup

async def main(keytab, token):
    authenticator = load_kerberos(AuthGroup.model_validate({"kerberos": {"keytab": keytab}}))
    await authenticator.start()
    print(await authenticator.authenticate(UserRequest(headers={"authorization": f"Negotiate {token}"})))

asyncio.run(main(*sys.argv[1:]))
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def kdc(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kdc]:
    async with running_kdc(tmp_path_factory.mktemp("kdc")) as kdc:
        for user in ("alice", "bob/admin"):
            await kdc.user(user)
        await kdc.keytab(SERVICE, "service.keytab")
        await kdc.keytab("HTTP/elsewhere", "elsewhere.keytab")
        yield kdc


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trusted(tmp_path_factory: pytest.TempPathFactory, kdc: Kdc) -> AsyncIterator[Kdc]:
    """Another realm, whose users get tickets for the services of this one."""
    async with running_kdc(tmp_path_factory.mktemp("trusted"), "OTHER.TEST") as other:
        await kdc.let_in(other)
        await other.user("carol")
        yield other


@asynccontextmanager
async def auth_of(kdc: Kdc, keytab: str = "service.keytab", **kerberos: Any) -> AsyncIterator[httpx.AsyncClient]:
    known = {"keytab": str(kdc.directory / keytab), **kerberos}
    async with auth_client(authenticator="kerberos", kerberos=known) as client:
        yield client


async def token_of(kdc: Kdc, user: str) -> str:
    environment = await kdc.ticket(user)
    return (await kdc.run(sys.executable, "-c", CLIENT, environment=environment)).split()[0]


async def ask(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/authenticate", json={"headers": {"authorization": f"Negotiate {token}"}})


async def is_refused(client: httpx.AsyncClient, token: str) -> bool:
    answer = await ask(client, token)
    assert answer.status_code in (200, 401), answer.text
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"] == "Negotiate"
        assert answer.json() == {"error": "Authentication required"}
    return answer.status_code == 401


async def test_user_and_service_prove_themselves_to_each_other_and_no_environment_changes(kdc: Kdc) -> None:
    before = dict(os.environ)
    environment = await kdc.ticket("alice")
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", CLIENT, env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
    )
    assert program.stdin is not None
    assert program.stdout is not None
    token = (await program.stdout.readline()).decode().strip()
    async with auth_of(kdc) as client:
        answer = await ask(client, token)
        assert answer.status_code == 200, answer.text
        document = answer.json()
        assert document["principal"] == {"name": "alice", "groups": [], "admin": False, "attributes": {}}
        assert document["reusable_for"] == 0
        # the clocks may differ by five minutes
        assert 1 <= document["expires_in"] <= 600 + 300, "a session does not outlast the ticket"
        reply = document["headers"]["WWW-Authenticate"].removeprefix("Negotiate ")
        said, _ = await program.communicate(f"{reply}\n".encode())
        assert said.decode().strip() == "the service is genuine"
        assert await is_refused(client, token), "a ticket that was used is worthless"
    assert dict(os.environ) == before


async def test_tickets_for_another_service_and_for_an_old_key_are_refused(kdc: Kdc, tmp_path: Path) -> None:
    async with auth_of(kdc, "elsewhere.keytab") as client:
        assert await is_refused(client, await token_of(kdc, "alice"))
    old = await kdc.keytab("HTTP/other", "other.keytab")
    async with auth_of(kdc, old.name, service_name="other") as client:
        assert await is_refused(client, await token_of(kdc, "alice"))


async def test_a_keytab_that_is_replaced_counts_at_once_and_one_that_is_gone_is_our_fault(kdc: Kdc) -> None:
    file = kdc.directory / "replaced.keytab"
    file.write_bytes((kdc.directory / "elsewhere.keytab").read_bytes())
    async with auth_of(kdc, file.name) as client:
        assert await is_refused(client, await token_of(kdc, "alice"))
        file.write_bytes((kdc.directory / "service.keytab").read_bytes())
        assert not await is_refused(client, await token_of(kdc, "alice"))
        file.unlink()
        answer = await ask(client, await token_of(kdc, "alice"))
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)


@pytest.mark.parametrize(
    ("settings", "user", "name"),
    [
        ({}, "bob/admin", "bob/admin"),
        ({"realms": ["OTHER.TEST"]}, "alice", None),
        ({"realms": ["OTHER.TEST", REALM]}, "alice", "alice"),
        ({"rules": ["DEFAULT"]}, "bob/admin", None),
        ({"rules": [f"RULE:[2:$1;$2@$0](.*;admin@{REALM})s/;.*//", "DEFAULT"]}, "bob/admin", "bob"),
    ],
)
async def test_principals_become_users_by_realm_and_rule(
    kdc: Kdc, settings: dict[str, Any], user: str, name: str | None
) -> None:
    async with auth_of(kdc, **settings) as client:
        answer = await ask(client, await token_of(kdc, user))
    assert answer.json().get("principal", {}).get("name") == name
    assert answer.status_code == (200 if name else 401)


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, None),
        ({"realms": [REALM, "OTHER.TEST"]}, "carol"),
        (
            {"rules": ["RULE:[1:$1@$0](.*@OTHER[.]TEST)s/@.*/-other/", "DEFAULT"], "realms": ["OTHER.TEST"]},
            "carol-other",
        ),
    ],
)
async def test_users_of_a_realm_that_is_trusted_get_in_only_where_the_gateway_trusts_it_too(
    kdc: Kdc, trusted: Kdc, settings: dict[str, Any], name: str | None
) -> None:
    async with auth_of(kdc, **settings) as client:
        answer = await ask(client, await token_of(trusted, "carol"))
    assert answer.json().get("principal", {}).get("name") == name
    assert answer.status_code == (200 if name else 401)


async def test_a_ticket_that_has_expired_is_refused_and_the_user_is_told_by_their_own_program(kdc: Kdc) -> None:
    fresh = await token_of(kdc, "alice")
    async with auth_of(kdc) as client:
        assert not await is_refused(client, fresh)
    late = ["faketime", "-f", "+20m", sys.executable, "-c"]
    environment = await kdc.ticket("alice", lifetime="10m")
    with pytest.raises(AssertionError, match="expired"):
        await kdc.run(*late, CLIENT, environment=environment)
    token = await token_of(kdc, "alice")
    keytab = str(kdc.directory / "service.keytab")
    assert "expired" in await kdc.run(*late, SERVICE_PROGRAM, keytab, token)


async def test_what_is_no_ticket_is_refused(kdc: Kdc) -> None:
    bad = ["", "x", "YII", "é", "A" * 100_000, base64.b64encode(os.urandom(500)).decode(), "=" * 8, "AAAA AAAA"]
    async with auth_of(kdc) as client:
        for token in bad:
            assert await is_refused(client, token), token[:40]
        nothing = await client.post("/authenticate", json={"headers": {}})
        assert (nothing.status_code, nothing.headers["www-authenticate"]) == (401, "Negotiate")


async def test_no_ticket_is_in_the_log(
    kdc: Kdc, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    configure_audit(enabled=True)
    token = await token_of(kdc, "alice")
    async with auth_of(kdc) as client:
        reply = (await ask(client, token)).json()["headers"]["WWW-Authenticate"]
        assert await is_refused(client, token)
    said = caplog.text + "".join(capsys.readouterr())
    assert '"outcome":"denied"' in said
    assert not [secret for secret in (token, reply) if secret[-40:] in said]


async def test_a_user_without_a_ticket_is_told_by_their_own_program(kdc: Kdc) -> None:
    environment = {**kdc.environment, "KRB5CCNAME": f"FILE:{kdc.directory}/nobody.cache"}
    with pytest.raises(AssertionError, match="kinit"):
        await kdc.run(sys.executable, "-c", CLIENT, environment=environment)


async def test_a_keytab_that_is_missing_at_the_start_is_an_error(kdc: Kdc) -> None:
    with pytest.raises(InvalidConfig, match=r"gateway\.auth\.kerberos\.keytab: there is no keytab"):
        async with auth_of(kdc, "missing.keytab"):
            pass


async def test_a_rule_that_is_none_is_an_error() -> None:
    settings = AuthGroup.model_validate({"kerberos": {"rules": ["RULE:[1:$1](("]}})
    with pytest.raises(InvalidConfig, match=r"gateway\.auth\.kerberos\.rules: .* is no rule"):
        load_kerberos(settings)
