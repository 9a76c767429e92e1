"""The auth service and an OpenID Connect issuer over real HTTP."""

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.kit.auth import auth_client
from tests.kit.oidc_issuer import CLIENT, PASSWORD, SECRET, OidcIssuer, SigningKey, running_issuer, unsigned

CALLBACK = "http://gateway/oauth_callback"


@pytest.fixture
async def issuer() -> AsyncIterator[OidcIssuer]:
    async with running_issuer() as issuer:
        yield issuer


class Clock:
    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@asynccontextmanager
async def auth_of(issuer: OidcIssuer, clock: Clock | None = None, **oidc: Any) -> AsyncIterator[httpx.AsyncClient]:
    settings = {"issuer": issuer.url, "client_id": CLIENT, "client_secret": SECRET, **oidc}
    async with auth_client(clock or Clock(), authenticator="oidc", oidc=settings) as client:
        yield client


async def ask(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/authenticate", json={"headers": {"authorization": f"Bearer {token}"}})


async def is_refused(client: httpx.AsyncClient, token: str) -> bool:
    answer = await ask(client, token)
    assert answer.status_code in (200, 401), answer.text
    if answer.status_code == 401:
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
        assert answer.json() == {"error": "Authentication required"}
    return answer.status_code == 401


async def test_a_token_says_who_it_is(issuer: OidcIssuer) -> None:
    async with auth_of(issuer) as client:
        answer = await ask(client, issuer.token(groups=["science", "art"]))
        assert answer.status_code == 200, answer.text
        assert answer.json()["principal"] == {
            "name": "alice",
            "groups": ["science", "art"],
            "admin": False,
            "attributes": {},
        }
        assert 590 <= answer.json()["expires_in"] <= 600, "a session does not outlast the token"
        nothing = await client.post("/authenticate", json={"headers": {}})
        assert (nothing.status_code, nothing.headers["www-authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize(
    ("settings", "claims", "principal"),
    [
        ({"username_claim": "email"}, {"email": "a@x.org", "email_verified": True}, ("a@x.org", [], False)),
        ({"username_claim": "https://x/name"}, {"https://x/name": "al"}, ("al", [], False)),
        ({"username_claim": "who.name"}, {"who": {"name": "al"}}, ("al", [], False)),
        ({"groups_claim": "realm.roles"}, {"realm": {"roles": ["a"]}}, ("alice", ["a"], False)),
        ({"groups_claim": ""}, {"groups": ["a"]}, ("alice", [], False)),
        ({}, {"groups": "one"}, ("alice", ["one"], False)),
        ({"admin_claim": "boss"}, {"boss": True}, ("alice", [], True)),
        ({"admin_claim": "boss"}, {"boss": "true"}, ("alice", [], False)),
        ({"admin_groups": ["ops"]}, {"groups": ["ops"]}, ("alice", ["ops"], True)),
        ({"audience": ["other", "api"]}, {"aud": ["x", "api"]}, ("alice", [], False)),
    ],
)
async def test_claims_are_read_as_configured(
    issuer: OidcIssuer, settings: dict[str, Any], claims: dict[str, Any], principal: tuple[str, list[str], bool]
) -> None:
    async with auth_of(issuer, **settings) as client:
        said = (await ask(client, issuer.token(**claims))).json()["principal"]
    assert (said["name"], said["groups"], said["admin"]) == principal


async def test_claims_that_do_not_fit_are_refused(issuer: OidcIssuer) -> None:
    async with auth_of(issuer, username_claim="email") as client:
        for email in (None, 7, ""):
            assert await is_refused(client, issuer.token(email=email, email_verified=True))
        for groups in ({"a": 1}, [1], 7):
            assert await is_refused(client, issuer.token(email="a@x", email_verified=True, groups=groups))


async def test_an_address_is_a_name_only_where_the_issuer_has_verified_it(issuer: OidcIssuer) -> None:
    async with auth_of(issuer, username_claim="email") as client:
        for unverified in (None, False, "false", 0, 1, "yes"):
            assert await is_refused(client, issuer.token(email="a@x", email_verified=unverified))
        for verified in (True, "true"):
            answer = await ask(client, issuer.token(email="a@x", email_verified=verified))
            assert answer.json()["principal"]["name"] == "a@x"
    async with auth_of(issuer, username_claim="email", accept_unverified_email=True) as client:
        assert (await ask(client, issuer.token(email="a@x"))).json()["principal"]["name"] == "a@x"


async def test_tokens_that_are_not_for_us_or_not_for_now_are_refused(issuer: OidcIssuer) -> None:
    now = int(time.time())
    bad: list[dict[str, Any]] = [
        {"iss": "https://elsewhere"},
        {"iss": issuer.url + "/"},
        {"aud": "somebody"},
        {"aud": None},
        {"aud": [7]},
        {"exp": now - 60},
        {"exp": None},
        {"exp": "later"},
        {"exp": True},
        {"nbf": now + 60},
        {"iat": now + 60},
    ]
    async with auth_of(issuer) as client:
        for claims in bad:
            assert await is_refused(client, issuer.token(**claims)), claims
        # clocks may differ a little
        assert not await is_refused(client, issuer.token(exp=now - 10, nbf=now + 10))


async def test_tokens_that_are_not_the_issuers_are_refused(issuer: OidcIssuer) -> None:
    good = issuer.token()
    header, claims, signature = good.split(".")
    plain = {"iss": issuer.url, "aud": CLIENT, "sub": "root", "exp": int(time.time()) + 600}
    secret = issuer.keys[0].public.encode()
    symmetric = unsigned({"alg": "HS256", "kid": "one"}, plain).rpartition(".")[0]
    mac = base64.urlsafe_b64encode(hmac.digest(secret, symmetric.encode(), hashlib.sha256)).rstrip(b"=").decode()
    bad = [
        unsigned({"alg": "none"}, plain),
        unsigned({"alg": "none", "kid": "one"}, plain),
        f"{symmetric}.{mac}",
        issuer.token(key=SigningKey("one")),
        issuer.token(key=SigningKey("unheard of")),
        issuer.token(header={"crit": ["exp"]}),
        issuer.token(header={"kid": None}) + "x",
        unsigned({"alg": ["RS256"], "kid": "one"}, plain, b"x"),
        unsigned({"alg": "RS256", "kid": {"a": 1}}, plain, b"x"),
        f"{header}.{claims}.",
        f"{header}.{claims}",
        f"{header}.{claims[:-4]}AAAA.{signature}",
        f"{good}=",
        f"{good}\n",
        "a.b.c",
        "é.é.é",
        "x" * 20_000,
        ".".join(["eyJ" * 6000] * 3),
        "",
    ]
    async with auth_of(issuer) as client:
        assert not await is_refused(client, good)
        for token in bad:
            assert await is_refused(client, token), token[:80]


async def test_keys_rotate_and_nobody_notices(issuer: OidcIssuer) -> None:
    clock = Clock()
    async with auth_of(issuer, clock) as client:
        old = issuer.token()
        assert not await is_refused(client, old)
        issuer.rotate()
        clock.ahead += 11
        assert not await is_refused(client, issuer.token())
        assert not await is_refused(client, old)
        issuer.retire()
        clock.ahead += 3601
        now = int(clock())
        assert not await is_refused(client, issuer.token(exp=now + 60, iat=now))
        assert await is_refused(client, issuer.token(key=SigningKey("one"), exp=now + 60))


async def test_made_up_keys_do_not_become_requests(issuer: OidcIssuer) -> None:
    async with auth_of(issuer) as client:
        assert not await is_refused(client, issuer.token())
        issuer.requests.clear()
        stranger = SigningKey("made up")
        for _ in range(5):
            assert await is_refused(client, issuer.token(key=stranger))
        assert issuer.requests == []


async def test_keys_that_are_no_use_are_ignored(issuer: OidcIssuer) -> None:
    good = issuer.keys[0].as_jwk()
    issuer.odd_keys = [
        None,
        7,
        {},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "one", "alg": "HS256"},
        {**good, "use": "enc"},
        {**good, "n": "???"},
        {**good, "n": 7},
        {**good, "alg": "RS512"},
        {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "kid": "one"},
    ]
    async with auth_of(issuer) as client:
        assert not await is_refused(client, issuer.token())


async def test_while_the_issuer_is_away_its_known_keys_are_good(issuer: OidcIssuer) -> None:
    clock = Clock()
    async with auth_of(issuer, clock) as client:
        issuer.is_away = True
        answer = await ask(client, issuer.token())
        assert (answer.status_code, "retry-after" in answer.headers) == (503, True)
        issuer.is_away = False
        assert not await is_refused(client, issuer.token())
        issuer.is_away = True
        clock.ahead += 3601
        assert not await is_refused(client, issuer.token(exp=int(clock()) + 60))


@pytest.mark.parametrize("says", [{"issuer": "https://other"}, {"jwks_uri": None}, {"jwks_uri": "http://[bad"}])
async def test_an_issuer_that_says_odd_things_is_not_the_users_fault(issuer: OidcIssuer, says: dict[str, Any]) -> None:
    issuer.says = says
    async with auth_of(issuer) as client:
        assert (await ask(client, issuer.token())).status_code == 503


async def sign_in(location: str, password: str = PASSWORD) -> dict[str, str]:
    """What a browser does at the issuer; the query with which it comes back."""
    async with httpx.AsyncClient(trust_env=False) as browser:
        assert "<form" in (await browser.get(location)).text
        answer = await browser.post(location, data={"user": "bob", "password": password})
    assert answer.status_code == 302
    query = urlsplit(answer.headers["location"]).query
    return {name: values[0] for name, values in parse_qs(query).items()}


@pytest.mark.parametrize("methods", [None, ["client_secret_post"]])
async def test_a_browser_signs_in_at_the_issuer(issuer: OidcIssuer, methods: list[str] | None) -> None:
    issuer.says = {"token_endpoint_auth_methods_supported": methods}
    async with auth_of(issuer) as client:
        assert (await client.get("/methods")).json() == {
            "challenges": ["Bearer"],
            "reads_whole_request": False,
            "login": True,
        }
        body = {"redirect_uri": CALLBACK, "return_to": "/clusters/a.b/status", "dashboard": "a.b"}
        started = (await client.post("/login/start", json=body)).json()
        back = await sign_in(started["location"])
        finish = {"flow": started["flow"], "state": back["state"], "code": back["code"]}
        finished = (await client.post("/login/finish", json=finish)).json()
        assert finished["session"]["principal"] == {
            "name": "bob",
            "groups": ["science"],
            "admin": False,
            "attributes": {},
        }
        assert (await client.post("/login/finish", json=finish)).status_code == 401, "a code is good for once"


async def test_a_stolen_code_and_a_token_of_another_sign_in_are_refused(issuer: OidcIssuer) -> None:
    async with auth_of(issuer) as client:
        body = {"redirect_uri": CALLBACK, "return_to": "/"}
        started = (await client.post("/login/start", json=body)).json()
        thief = (await client.post("/login/start", json=body)).json()
        back = await sign_in(started["location"])
        stolen = {"flow": thief["flow"], "state": thief["state"], "code": back["code"]}
        assert (await client.post("/login/finish", json=stolen)).status_code == 401

        back = await sign_in(started["location"].replace("&nonce=", "&nonce=other"))
        finish = {"flow": started["flow"], "state": back["state"], "code": back["code"]}
        assert (await client.post("/login/finish", json=finish)).status_code == 401
        for flow in ("", "x", started["flow"][:-4] + "AAAA", thief["flow"]):
            assert (await client.post("/login/finish", json={**finish, "flow": flow})).status_code == 401
