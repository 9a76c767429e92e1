"""An issuer over HTTP: where its endpoints are, and its keys (OpenID Connect Discovery 1.0; RFC 7517)."""

import asyncio
import logging
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx
import orjson
from jose import jwk
from jose.backends.base import Key
from jose.exceptions import JOSEError

from gateway_auth.outcomes import SourceUnavailable
from gateway_common.clock import Clock

logger = logging.getLogger(__name__)

#: Seconds between two looks for new keys: tokens with made-up key ids must not become requests to the issuer.
KEYS_INTERVAL = 10.0
#: Bytes; an answer that is longer is not read.
LONGEST_ANSWER = 2**20

_TYPE_OF = {"RS": "RSA", "ES": "EC"}
_PUBLIC = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y")}


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where browsers sign in, and where codes are changed for tokens."""

    authorization: str
    token: str
    #: Whether the secret may be sent as Basic credentials, which is the default (OpenID Connect Core 1.0, 9).
    takes_basic: bool


class Issuer:
    """Asks an issuer, and remembers.

    Parameters
    ----------
    url
        As it stands in tokens.
    algorithms
        Those whose keys are of use.
    keys_lifetime, timeout
        Seconds.
    """

    def __init__(
        self,
        url: str,
        *,
        algorithms: Sequence[str],
        keys_lifetime: float,
        timeout: float,
        clock: Clock,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.url = url
        self._algorithms = tuple(algorithms)
        self._keys_lifetime = keys_lifetime
        self._clock = clock
        # no redirects: whoever answers for the issuer is the issuer
        self._http = httpx.AsyncClient(timeout=timeout, trust_env=False, verify=tls or True)
        self._keys: dict[tuple[str, str], Key] = {}
        self._asked_at = self._keys_from = float("-inf")
        self._asking = asyncio.Lock()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    async def key(self, key_id: str | None, algorithm: str) -> Key | None:
        """The key that a token names; without a name the only one there is. Raises SourceUnavailable without any."""
        if self._clock() >= self._keys_from + self._keys_lifetime or self._find(key_id, algorithm) is None:
            await self._refresh()
        return self._find(key_id, algorithm)

    async def endpoints(self) -> Endpoints:
        """As the issuer says now; raises SourceUnavailable."""
        document = await self._discover()
        try:
            methods = document.get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
            return Endpoints(
                str(document["authorization_endpoint"]),
                str(document["token_endpoint"]),
                "client_secret_basic" in methods,
            )
        except (KeyError, TypeError) as error:
            raise self._odd("its discovery document lacks an endpoint") from error

    async def redeem(
        self, url: str, form: Mapping[str, str], basic: httpx.BasicAuth | None
    ) -> Mapping[str, Any] | None:
        """The tokens for a code, None where the issuer refuses it; raises SourceUnavailable."""
        answer = await self._ask("POST", url, data=dict(form), auth=basic)
        if answer.status_code in (400, 401, 403):
            return None
        return self._document(answer)

    def _find(self, key_id: str | None, algorithm: str) -> Key | None:
        if key_id is not None:
            return self._keys.get((key_id, algorithm))
        fitting = [key for (_, of), key in self._keys.items() if of == algorithm]
        return fitting[0] if len(fitting) == 1 else None

    async def _refresh(self) -> None:
        """Read the keys, but not more often than that; known ones go on being used where the issuer is away."""
        async with self._asking:
            if self._clock() < self._asked_at + KEYS_INTERVAL:
                return
            try:
                document = await self._discover()
                keys = _usable(
                    self._document(await self._ask("GET", str(document.get("jwks_uri", "")))), self._algorithms
                )
            except SourceUnavailable:
                # with none at all the next request may ask at once
                if not self._keys:
                    raise
                self._asked_at = self._clock()
                return
            self._asked_at = self._keys_from = self._clock()
            self._keys = keys

    async def _discover(self) -> Mapping[str, Any]:
        document = self._document(await self._ask("GET", f"{self.url.rstrip('/')}/.well-known/openid-configuration"))
        # Discovery 1.0, 4.3: or one issuer could answer for another
        if document.get("issuer") != self.url:
            raise self._odd("it calls itself otherwise")
        return document

    async def _ask(self, method: str, url: str, **request: Any) -> httpx.Response:
        try:
            answer = await self._http.request(method, url, **request)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            logger.warning("The issuer does not answer: %s", error or type(error).__name__)
            raise SourceUnavailable("The issuer does not answer") from error
        if answer.status_code == 429 or answer.status_code >= 500:
            raise self._odd(f"it answered {answer.status_code}")
        return answer

    def _document(self, answer: httpx.Response) -> Mapping[str, Any]:
        try:
            document = orjson.loads(answer.content) if len(answer.content) <= LONGEST_ANSWER else None
        except orjson.JSONDecodeError:
            document = None
        if answer.status_code != 200 or not isinstance(document, dict):
            raise self._odd(f"{answer.url.path} is no JSON object (status {answer.status_code})")
        return document

    def _odd(self, why: str) -> SourceUnavailable:
        logger.warning("The issuer %s does not answer properly: %s", self.url, why)
        return SourceUnavailable("The issuer does not answer properly")


def _usable(jwks: Mapping[str, Any], algorithms: Sequence[str]) -> dict[tuple[str, str], Key]:
    """Keys by id and algorithm. Those of other kinds, for other uses, and symmetric ones are ignored (RFC 7517, 5)."""
    keys: dict[tuple[str, str], Key] = {}
    entries = jwks.get("keys")
    for position, entry in enumerate(entries if isinstance(entries, list) else ()):
        if not isinstance(entry, Mapping) or entry.get("use", "sig") != "sig":
            continue
        for algorithm in algorithms:
            if entry.get("kty") != _TYPE_OF[algorithm[:2]] or entry.get("alg", algorithm) != algorithm:
                continue
            public = {member: entry.get(member) for member in _PUBLIC[entry["kty"]]}
            try:
                key = jwk.construct(public, algorithm)
            except (JOSEError, ValueError, TypeError, AttributeError):
                continue  # out of range or not base64: a key that nobody can use
            key_id = entry.get("kid")
            keys.setdefault((key_id if isinstance(key_id, str) else f"#{position}", algorithm), key)
    return keys
