"""Session tokens: what one says and whether it is genuine.

The auth service signs them (gateway_auth.signer); everybody else only verifies, with the public keys that
auth publishes as a JWKS (RFC 7517). Verifying is pure: keys and time are arguments. This module must not
fetch anything and must never hold a private key.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from jose import jwk, jws
from jose.backends.base import Key
from jose.exceptions import JOSEError

from gateway_common.errors import InvalidToken
from gateway_common.principal import Principal

#: The only algorithm that is ever accepted: a token's own header doesn't choose (RFC 8725, 3.1).
ALGORITHM = "ES256"
ISSUER = "dask-gateway"
#: Longer tokens are refused before anything is parsed.
#: Room for some 300 groups with names of 30 characters.
MAX_TOKEN_LENGTH = 16_384

# JWS compact serialization (RFC 7515, 7.1). python-jose skips characters outside of the base64 alphabet, so
# that one token could be written in many ways; here it is written in one.
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


def dashboard_audience(instance: str, cluster: str) -> str:
    """Of tokens that open one cluster's web pages and nothing else."""
    return f"{instance}/dashboards/{cluster}"


def login_audience(instance: str) -> str:
    """Of tokens in which a browser keeps a sign-in that has begun."""
    return f"{instance}/login"


class UnknownKey(InvalidToken):
    """Signed with a key that is not in the JWKS at hand: a newer JWKS may have it."""


@dataclass(frozen=True, slots=True)
class Session:
    """A genuine session: who it is, and until when (seconds since the epoch)."""

    principal: Principal
    expires_at: float


class SessionVerifier:
    """Verifies session tokens against one JWKS document.

    Parameters
    ----------
    jwks
        The document, parsed. Keys that can't verify ES256 are ignored (RFC 7517, 5), symmetric ones included.
    issuer, audience
        What `iss` must be and what `aud` must hold; the audience is the gateway's instance.
    leeway
        Seconds that the clocks of auth and of this process may differ.

    Raises
    ------
    ValueError
        The document is not a JWKS.
    """

    def __init__(self, jwks: Mapping[str, Any], *, audience: str, issuer: str = ISSUER, leeway: float = 30.0) -> None:
        self._keys = _usable_keys(jwks)
        self._issuer = issuer
        self._audience = audience
        self._leeway = leeway

    @property
    def key_ids(self) -> frozenset[str]:
        """The `kid` of every key that a token may be signed with."""
        return frozenset(self._keys)

    def verify(self, token: str, now: float, *, audience: str = "") -> Session:
        """The session that `token` proves at `now` (seconds since the epoch), for the verifier's audience or another.

        Raises UnknownKey where a newer JWKS may help, else InvalidToken. Neither text quotes the token.
        """
        claims = self.verify_claims(token, now, audience=audience)
        return Session(_principal_of(claims), _timestamp(claims, "exp"))

    def verify_claims(self, token: str, now: float, *, audience: str = "") -> Mapping[str, Any]:
        """What a token says that is no session; raises as `verify` does."""
        key = self._key_of(token)
        try:
            payload = jws.verify(token, key, [ALGORITHM])
        except JOSEError as error:
            raise InvalidToken("The token's signature is not valid.") from error
        claims = _parse_claims(payload)
        self._check_origin(claims, audience or self._audience)
        self._check_times(claims, now)
        return claims

    def _key_of(self, token: str) -> Key:
        if len(token) > MAX_TOKEN_LENGTH:
            raise InvalidToken(f"The token is longer than {MAX_TOKEN_LENGTH} characters.")
        if not _COMPACT.fullmatch(token):
            raise InvalidToken("The token is not three base64url segments.")
        try:
            header = jws.get_unverified_header(token)
        except (JOSEError, RecursionError) as error:
            raise InvalidToken("The token's header can't be read.") from error
        if header.get("alg") != ALGORITHM:
            raise InvalidToken(f"The token is not signed with {ALGORITHM}.")
        if "crit" in header:
            # RFC 7515, 4.1.11: extensions that we don't know must be refused, and we know none
            raise InvalidToken("The token needs an extension that is not supported here.")
        key_id = header.get("kid")
        if not isinstance(key_id, str):
            raise InvalidToken("The token does not name its key.")
        key = self._keys.get(key_id)
        if key is None:
            raise UnknownKey("The token is signed with an unknown key.")
        return key

    def _check_origin(self, claims: Mapping[str, Any], audience: str) -> None:
        if claims.get("iss") != self._issuer:
            raise InvalidToken("The token is from another issuer.")
        meant = claims.get("aud")
        if meant != audience and not (isinstance(meant, list) and audience in meant):
            raise InvalidToken("The token is for another audience.")

    def _check_times(self, claims: Mapping[str, Any], now: float) -> None:
        if now >= _timestamp(claims, "exp") + self._leeway:
            raise InvalidToken("The token has expired.")
        if now < _timestamp(claims, "nbf") - self._leeway:
            raise InvalidToken("The token is not valid yet.")
        if now < _timestamp(claims, "iat") - self._leeway:
            raise InvalidToken("The token is from the future.")


def _usable_keys(jwks: Mapping[str, Any]) -> dict[str, Key]:
    keys = jwks.get("keys") if isinstance(jwks, Mapping) else None
    if not isinstance(keys, list):
        raise ValueError("Not a JWKS: it has no list of keys.")
    usable: dict[str, Key] = {}
    for entry in keys:
        if isinstance(entry, Mapping) and isinstance(entry.get("kid"), str) and _verifies_es256(entry):
            # only the public members: a private key that is published by mistake is not used as one
            public = {member: entry.get(member) for member in ("kty", "crv", "x", "y")}
            try:
                usable.setdefault(entry["kid"], jwk.construct(public, ALGORITHM))
            except (JOSEError, ValueError, TypeError, AttributeError):
                continue  # out of range or not base64: a key that nobody can use
    return usable


def _verifies_es256(entry: Mapping[str, Any]) -> bool:
    return (
        entry.get("kty") == "EC"
        and entry.get("crv") == "P-256"
        and entry.get("alg", ALGORITHM) == ALGORITHM
        and entry.get("use", "sig") == "sig"
    )


def _parse_claims(payload: bytes) -> Mapping[str, Any]:
    try:
        claims = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise InvalidToken("The token's claims are not JSON.") from error
    if not isinstance(claims, dict):
        raise InvalidToken("The token's claims are not a JSON object.")
    return claims


def _timestamp(claims: Mapping[str, Any], claim: str) -> float:
    value = claims.get(claim)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidToken(f"The token's claim {claim} is not a time.")
    return float(value)


def _principal_of(claims: Mapping[str, Any]) -> Principal:
    name = claims.get("sub")
    groups = claims.get("groups", [])
    admin = claims.get("admin", False)
    attributes = claims.get("attributes", {})
    if not isinstance(name, str) or not name:
        raise InvalidToken("The token names no user.")
    if not isinstance(groups, list) or not all(isinstance(group, str) for group in groups):
        raise InvalidToken("The token's groups are not a list of names.")
    if not isinstance(admin, bool):
        raise InvalidToken("The token's claim admin is neither true nor false.")
    if not isinstance(attributes, dict):
        raise InvalidToken("The token's claim attributes is not a JSON object.")
    return Principal(name, tuple(groups), admin, attributes)
