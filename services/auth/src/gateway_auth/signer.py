"""Signs session tokens. The only holder of private keys, which never leave it.

It must not decide who gets a token: that is the service's business.
"""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jose import jwk, jwt

from gateway_common.errors import GatewayError
from gateway_common.principal import Principal
from gateway_common.tokens import ALGORITHM, ISSUER, MAX_TOKEN_LENGTH, SessionVerifier


class InvalidSigningKey(GatewayError, ValueError):
    """A file that holds no EC P-256 private key. The text names the file and holds no part of it."""


class TokenTooLarge(GatewayError):
    """A token that no verifier would accept: the user is in too many groups, or has too many attributes."""


class SigningKey:
    """An EC P-256 private key and its identifier, the RFC 7638 thumbprint."""

    def __init__(self, private_key: ec.EllipticCurvePrivateKey) -> None:
        numbers = private_key.public_key().public_numbers()
        self._key = jwk.construct(private_key, ALGORITHM)
        self._public = {
            "crv": "P-256",
            "kty": "EC",
            "x": _base64url(numbers.x.to_bytes(32)),
            "y": _base64url(numbers.y.to_bytes(32)),
        }
        # RFC 7638, 3.2 and 3.3: the required members only, sorted, without white space
        canonical = json.dumps(self._public, sort_keys=True, separators=(",", ":"))
        self.key_id = _base64url(hashlib.sha256(canonical.encode()).digest())

    @classmethod
    def generate(cls) -> "SigningKey":
        """A new key from the system's randomness."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def from_file(cls, path: Path) -> "SigningKey":
        """The key in a PEM file without a passphrase; raises InvalidSigningKey."""
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except OSError as error:
            raise InvalidSigningKey(f"{path}: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise InvalidSigningKey(f"{path} is not a PEM private key without a passphrase") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise InvalidSigningKey(f"{path} is not an EC P-256 key")
        return cls(key)

    def public_jwk(self) -> dict[str, str]:
        """The public half as a JWK (RFC 7517)."""
        return {**self._public, "kid": self.key_id, "use": "sig", "alg": ALGORITHM}

    def sign(self, claims: dict[str, object]) -> str:
        """A signed token, in compact form."""
        token: str = jwt.encode(claims, self._key, ALGORITHM, headers={"kid": self.key_id})
        return token


class Signer:
    """Makes tokens, and reads back those that only this service reads.

    Parameters
    ----------
    keys
        At least one. The first signs; all are published, so that tokens signed before a rotation stay good.
    audience
        The gateway's instance: a token of one installation is worthless at another.
    lifetime
        Seconds that a session is good for, at the most.
    """

    def __init__(self, keys: Sequence[SigningKey], *, audience: str, lifetime: int) -> None:
        if not keys:
            raise ValueError("A signer needs a key.")
        self._keys = tuple(keys)
        self.instance = audience
        self.lifetime = lifetime
        self._own = SessionVerifier(self.jwks(), audience=audience)

    def sign(self, principal: Principal, now: float, *, lifetime: int | None = None, audience: str = "") -> str:
        """A token that says, from `now` (seconds since the epoch) for `lifetime`, who the user is."""
        claims: dict[str, object] = {"sub": principal.name, "groups": list(principal.groups), "admin": principal.admin}
        if principal.attributes and not audience:
            # for the gateway alone: web pages need to know no more than who it is
            claims["attributes"] = principal.attributes
        token = self.seal(claims, now, lifetime=lifetime or self.lifetime, audience=audience or self.instance)
        if len(token) > MAX_TOKEN_LENGTH:
            raise TokenTooLarge(
                f"A session can't hold the user's {len(principal.groups)} groups and what else is said."
            )
        return token

    def seal(self, claims: Mapping[str, object], now: float, *, lifetime: int, audience: str) -> str:
        """A token that says `claims`, which whoever has it can read and nobody can change."""
        issued_at = int(now)
        times = {"iat": issued_at, "nbf": issued_at, "exp": issued_at + lifetime}
        return self._keys[0].sign({"iss": ISSUER, "aud": audience, **claims, **times, "jti": uuid4().hex})

    def open(self, token: str, now: float, *, audience: str) -> Mapping[str, Any]:
        """What `seal` was told; raises InvalidToken."""
        return self._own.verify_claims(token, now, audience=audience)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys that verify this signer's tokens."""
        return {"keys": [key.public_jwk() for key in self._keys]}


def load_signing_keys(paths: Iterable[Path]) -> list[SigningKey]:
    """One key a file, in the given order, and in that of their names within a directory; raises InvalidSigningKey."""
    keys = [SigningKey.from_file(file) for path in paths for file in _key_files(path)]
    if not keys:
        raise InvalidSigningKey("there is no signing key in the given directories")
    return keys


def _key_files(path: Path) -> list[Path]:
    """Of a directory all but what is hidden: a mounted Secret has its files behind links with such names."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.iterdir() if file.is_file() and not file.name.startswith("."))


def _base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()
