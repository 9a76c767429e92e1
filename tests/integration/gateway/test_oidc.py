"""A gateway whose users are those of an OpenID Connect issuer: a program with a token, and a browser that signs in."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from dask_gateway import Gateway
from dask_gateway.auth import TokenAuth
from gateway_local.gateway import LocalGateway, LocalSettings
from tests.kit.browser import running_browser, status_after_sign_in
from tests.kit.oidc_issuer import CLIENT, PASSWORD, SECRET, OidcIssuer, running_issuer
from tests.kit.routes import is_routed

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def issuer() -> AsyncIterator[OidcIssuer]:
    async with running_issuer() as issuer:
        yield issuer


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(tmp_path_factory: pytest.TempPathFactory, issuer: OidcIssuer) -> AsyncIterator[LocalGateway]:
    directory = tmp_path_factory.mktemp("gateway")
    values = directory / "values.yaml"
    values.write_text(f"""
gateway:
  auth:
    type: oidc
    oidc: {{issuer: {issuer.url}, clientId: {CLIENT}, clientSecret: {SECRET}}}
""")
    async with LocalGateway(LocalSettings(port=0, directory=directory, config=(values,))) as running:
        yield running


async def test_a_program_shows_a_token_and_a_browser_signs_in_at_the_issuer(
    gateway: LocalGateway, issuer: OidcIssuer
) -> None:
    async with (
        Gateway(gateway.address, auth=TokenAuth(issuer.token()), asynchronous=True) as client,
        client.new_cluster(shutdown_on_close=True) as cluster,
        running_browser() as browser,
    ):
        link = f"{gateway.address}/clusters/{cluster.name}/status"
        await is_routed(link)
        for user, status in (("alice", 200), ("bob", 403)):
            sign_in = {"user_field": "user", "user": user, "password": PASSWORD}
            assert await status_after_sign_in(browser, link, at=f"{issuer.url}/authorize?", **sign_in) == status


async def test_sessions_outlive_the_keys_of_the_issuer(gateway: LocalGateway, issuer: OidcIssuer) -> None:
    async with Gateway(gateway.address, auth=TokenAuth(issuer.token()), asynchronous=True) as client:
        assert await client.list_clusters() == []
        issuer.rotate()
        issuer.retire()
        assert await client.list_clusters() == []
