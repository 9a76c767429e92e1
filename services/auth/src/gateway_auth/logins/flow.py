"""A sign-in that has begun: what the browser keeps until it comes back."""

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from gateway_auth.logins.provider import AuthorizationCode, AuthorizationRequest


@dataclass(frozen=True, slots=True)
class LoginFlow:
    """The secrets of one sign-in.

    `return_to` is where the user wanted to go; `dashboard` is the cluster whose pages that is.
    """

    redirect_uri: str
    return_to: str
    dashboard: str
    state: str
    nonce: str
    code_verifier: str

    @classmethod
    def begin(cls, redirect_uri: str, return_to: str, dashboard: str) -> "LoginFlow":
        """New secrets of 256 bits each: as many as RFC 7636, 7.1 asks of the verifier."""
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(redirect_uri, return_to, dashboard, state, nonce, verifier)

    @classmethod
    def from_claims(cls, claims: Mapping[str, Any]) -> "LoginFlow":
        """What `as_claims` made; raises KeyError."""
        return cls(**{name: str(claims[name]) for name in cls.__slots__})

    def as_claims(self) -> dict[str, object]:
        """For a signed token."""
        return asdict(self)

    def request(self) -> AuthorizationRequest:
        """What the provider is shown."""
        digest = hashlib.sha256(self.code_verifier.encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        return AuthorizationRequest(self.redirect_uri, self.state, self.nonce, challenge)

    def code(self, code: str) -> AuthorizationCode:
        """What the provider is asked with."""
        return AuthorizationCode(code, self.redirect_uri, self.nonce, self.code_verifier)

    def is_answered_by(self, state: str) -> bool:
        """Whether an answer belongs to this sign-in, and not to one that somebody else began (RFC 6749, 10.12)."""
        return hmac.compare_digest(self.state.encode(), state.encode())
