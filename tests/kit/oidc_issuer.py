"""An OpenID Connect issuer over real HTTP: discovery, keys that rotate, a sign-in page, tokens good and bad."""

import base64
import hashlib
import json
import secrets
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jose import jwk, jws

from tests.kit.scripted_server import Exchange, scripted_server

CLIENT = "dask-gateway"
SECRET = "client secret"
PASSWORD = "issuer password"


class SigningKey:
    """An RSA key pair with its id."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        pem = serialization.Encoding.PEM
        self.private = private.private_bytes(
            pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ).decode()
        #: What everybody may know, and so may try to use as a shared secret.
        self.public = private.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo).decode()

    def as_jwk(self) -> dict[str, Any]:
        members = {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in jwk.construct(self.public, "RS256").to_dict().items()
        }
        return {**members, "kid": self.key_id, "use": "sig", "alg": "RS256"}


class OidcIssuer:
    """What it says of itself can be changed at any time."""

    def __init__(self) -> None:
        self.url = ""
        self.keys = [SigningKey("one")]
        #: More entries of its JWKS, whatever they are.
        self.odd_keys: list[Any] = []
        #: Of discovery; None is left out.
        self.says: dict[str, Any] = {}
        self.is_away = False
        self.requests: list[str] = []
        self._codes: dict[str, dict[str, str]] = {}

    def rotate(self) -> None:
        """Sign with a new key; the old one is still published."""
        self.keys.insert(0, SigningKey(f"key {len(self.keys) + 1}"))

    def retire(self) -> None:
        """Publish the newest key alone."""
        del self.keys[1:]

    def token(self, *, key: SigningKey | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A signed token; claims that are None are left out."""
        key = key or self.keys[0]
        now = int(time.time())
        said = {"iss": self.url, "aud": CLIENT, "sub": "alice", "iat": now, "exp": now + 600, **claims}
        known = {name: value for name, value in said.items() if value is not None}
        signed: str = jws.sign(known, key.private, headers={"kid": key.key_id, **(header or {})}, algorithm="RS256")
        return signed

    async def handle(self, exchange: Exchange) -> None:
        self.requests.append(exchange.path)
        if self.is_away:
            raise ConnectionError
        match exchange.method, exchange.path:
            case "GET", "/.well-known/openid-configuration":
                await exchange.answer(200, self._discovery())
            case "GET", "/keys":
                await exchange.answer(200, {"keys": [*self.odd_keys, *(key.as_jwk() for key in self.keys)]})
            case "GET", "/authorize":
                form = (
                    '<!doctype html><form method="post"><input name="user"><input name="password" type="password">'
                    '<button type="submit">Sign in</button></form>'
                )
                await exchange.answer(200, form.encode(), content_type="text/html")
            case "POST", "/authorize":
                await self._sign_in(exchange)
            case "POST", "/token":
                await self._change(exchange)
            case _:
                await exchange.answer(404, {})

    def _discovery(self) -> dict[str, Any]:
        document = {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "jwks_uri": f"{self.url}/keys",
            **self.says,
        }
        return {name: value for name, value in document.items() if value is not None}

    async def _sign_in(self, exchange: Exchange) -> None:
        form, query = _form(exchange), exchange.query
        if form.get("password") != PASSWORD or query.get("code_challenge_method") != "S256":
            await exchange.answer(403, {})
            return
        code = secrets.token_urlsafe()
        self._codes[code] = {**query, "user": form["user"]}
        back = f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
        await exchange.answer(302, b"", location=back)

    async def _change(self, exchange: Exchange) -> None:
        form = _form(exchange)
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        known = self._codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        knows_secret = exchange.headers.get("authorization") == f"Basic {basic}" or form.get("client_secret") == SECRET
        if (
            not known
            or not knows_secret
            or challenge != known["code_challenge"]
            or form.get("redirect_uri") != known["redirect_uri"]
        ):
            await exchange.answer(400, {"error": "invalid_grant"})
            return
        token = self.token(sub=known["user"], nonce=known["nonce"], groups=["science"])
        await exchange.answer(200, {"id_token": token, "access_token": "opaque", "token_type": "Bearer"})


def _form(exchange: Exchange) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(exchange.body.decode()).items()}


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    """A token that nobody's library makes."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), signature)
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@asynccontextmanager
async def running_issuer() -> AsyncIterator[OidcIssuer]:
    issuer = OidcIssuer()
    async with scripted_server(issuer.handle) as server:
        issuer.url = server.url
        yield issuer
