"""An issuer's signed tokens (RFC 7519), verified by its public keys."""

import re
from collections.abc import Mapping
from typing import Any

import orjson
from jose import jws
from jose.exceptions import JOSEError

from gateway_auth.authenticators.oidc.claims import UnfitClaims, check_claims
from gateway_auth.authenticators.oidc.issuer import Issuer
from gateway_common.clock import Clock
from gateway_common.configuration.auth import OidcSettings
from gateway_common.tokens import MAX_TOKEN_LENGTH

_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class TokenVerifier:
    """Says what a token claims if it is genuine, for this gateway, and good now."""

    def __init__(self, issuer: Issuer, settings: OidcSettings, clock: Clock) -> None:
        self._issuer = issuer
        self._settings = settings
        self._clock = clock

    async def verify(self, token: str, audience: frozenset[str]) -> tuple[Mapping[str, Any], float]:
        """The claims and when they expire; raises UnfitClaims and SourceUnavailable."""
        header = _header(token)
        algorithm, key_id = header.get("alg"), header.get("kid")
        # the token's own word chooses among those that are configured, and among nothing else (RFC 8725, 3.1)
        if not isinstance(algorithm, str) or algorithm not in self._settings.algorithms:
            raise UnfitClaims("it is signed in a way that is not accepted")
        if "crit" in header or not (key_id is None or isinstance(key_id, str)):
            raise UnfitClaims("its header asks for what is not supported")
        key = await self._issuer.key(key_id, algorithm)
        if key is None:
            raise UnfitClaims("it is signed with an unknown key")
        try:
            claims = orjson.loads(jws.verify(token, key, [algorithm]))
        except (JOSEError, orjson.JSONDecodeError) as error:
            raise UnfitClaims("its signature is not valid") from error
        if not isinstance(claims, dict):
            raise UnfitClaims("its claims are no JSON object")
        return claims, check_claims(claims, self._settings, audience, self._clock())


def _header(token: str) -> Mapping[str, Any]:
    if len(token) > MAX_TOKEN_LENGTH or not _COMPACT.fullmatch(token):
        raise UnfitClaims("it is no signed token")
    try:
        header = jws.get_unverified_header(token)
    except (JOSEError, RecursionError) as error:
        raise UnfitClaims("its header can't be read") from error
    if not isinstance(header, dict):
        raise UnfitClaims("its header can't be read")
    return header
