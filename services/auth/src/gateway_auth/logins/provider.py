"""Who can be asked to sign a user in."""

from dataclasses import dataclass
from typing import Protocol

from gateway_auth.outcomes import Accepted, Refused


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """What a provider's page is opened with: `code_challenge` is of the method S256 (RFC 7636, 4.2)."""

    redirect_uri: str
    state: str
    nonce: str
    code_challenge: str


@dataclass(frozen=True, slots=True)
class AuthorizationCode:
    """What the browser came back with, and what only whoever began the sign-in knows."""

    code: str
    redirect_uri: str
    nonce: str
    code_verifier: str


class LoginProvider(Protocol):
    """One place to sign in. It opens and closes together with the authenticator of the same name."""

    @property
    def name(self) -> str:
        """What `gateway.auth.login` calls it."""

    async def authorization_url(self, request: AuthorizationRequest) -> str:
        """Where to send the browser: an absolute address, or a path on the gateway's own host.

        Raises SourceUnavailable.
        """

    async def redeem(self, code: AuthorizationCode) -> Accepted | Refused:
        """Who has signed in; raises SourceUnavailable."""
