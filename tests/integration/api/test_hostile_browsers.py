"""Whatever comes in place of an address, of cookies and of a sign-in's answer: a clear answer, and nothing echoed."""

import itertools
import random
from collections.abc import Iterator
from urllib.parse import quote

import httpx
import pytest

from tests.kit.api import Api

MARK = "<script>alert(1)</script>"
HOSTILE = [
    MARK.encode(),
    f'"{MARK}'.encode(),
    f"'><img src=x onerror={MARK}>".encode(),
    b"%3Cscript%3E%00%0d%0aSet-Cookie:%20a=b",
    f"/clusters/default.x/{MARK}".encode(),
    f"/clusters/{MARK}/status".encode(),
    b"/clusters/default.x/..%2f..%2fapi",
    b"//elsewhere.example/clusters/default.x/status",
    b"\xff\xfe\x00".replace(b"\x00", b""),
    "é".encode() * 50,
    b"x" * 9000,
    b"eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.",
    b"",
]
COOKIES = [b"dask-gateway-session", b"dask-gateway-dashboard", b"dask-gateway-login-abcdefgh", b"other"]
TOLD = [b"x-forwarded-uri", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-method", b"x-forwarded-for"]
BROWSER = [(b"accept", b"text/html"), (b"sec-fetch-mode", b"navigate"), (b"sec-fetch-site", b"none")]


def garbage(seed: int) -> bytes:
    """What may stand in a header, at random."""
    chance = random.Random(seed)
    allowed = [byte for byte in range(1, 256) if byte not in b"\r\n"]
    return bytes(chance.choices(allowed, k=chance.randrange(200))).strip()


def headers_of(value: bytes) -> Iterator[list[tuple[bytes, bytes]]]:
    """The value in each place, for a browser and for a program."""
    page = (b"x-forwarded-uri", b"/clusters/default.x/status")
    for sender in (BROWSER, []):
        for cookie in COOKIES:
            yield [*sender, page, (b"cookie", cookie + b"=" + value)]
        for name in TOLD:
            yield [*sender, *([page] if name != page[0] else []), (name, value)]
        for name in (b"cookie", b"authorization", b"origin", b"host", b"user-agent", b"sec-fetch-site"):
            yield [*sender, page, (name, value)]


def is_harmless(answer: httpx.Response) -> bool:
    """A script in it would have to be escaped, and nobody is sent to another site."""
    away = answer.headers.get("location", "/").startswith(("//", "http://elsewhere", "https://elsewhere"))
    return answer.status_code < 500 and "<script>alert" not in answer.text and not away


@pytest.mark.parametrize("path", ["/dashboards/access", "/api/v2/me", "/api/v1/clusters/", "/signed-out"])
async def test_headers_may_hold_anything(api: Api, path: str) -> None:
    client = api.client()
    for value in [*HOSTILE, *map(garbage, range(40))]:
        for headers in headers_of(value):
            answer = await client.get(path, headers=headers, follow_redirects=False)
            assert is_harmless(answer), (headers, answer.status_code, answer.text)
            assert path == "/signed-out" or answer.status_code in (302, 401, 403, 404), (headers, answer.status_code)


async def test_the_answer_of_a_sign_in_may_hold_anything(api: Api) -> None:
    client = api.client()
    values = [value.decode("latin-1") for value in HOSTILE]
    for state, code in itertools.product(values, values):
        cookie = {"cookie": f"dask-gateway-login-{state[:8]}={code}".encode("latin-1")}
        for query in ({"state": state, "code": code}, {"error": code, "error_description": state}):
            answer = await client.get("/oauth_callback", params=query, headers=cookie)
            assert is_harmless(answer), (query, answer.text)
            assert answer.status_code in (401, 403), (query, answer.status_code)


async def test_names_in_addresses_may_be_anything(api: Api) -> None:
    user = api.user("alice")
    for value in HOSTILE:
        for path in ("/api/v1/clusters/", "/api/v2/clusters/", "/clusters/", "/"):
            answer = await user.get(path + quote(value))
            assert is_harmless(answer), (path, value, answer.text)
