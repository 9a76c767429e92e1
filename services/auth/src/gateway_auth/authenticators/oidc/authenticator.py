"""Bearer tokens (RFC 6750) of an issuer."""

import logging

from gateway_auth.authenticators.base import UserRequest
from gateway_auth.authenticators.oidc.claims import UnfitClaims, read_principal
from gateway_auth.authenticators.oidc.issuer import Issuer
from gateway_auth.authenticators.oidc.login import OidcLogin
from gateway_auth.authenticators.oidc.tokens import TokenVerifier
from gateway_auth.outcomes import Accepted, Refused
from gateway_common.clock import Clock
from gateway_common.configuration.auth import OidcSettings

logger = logging.getLogger(__name__)

#: Seconds that the api may answer for us, at the most.
REUSABLE_FOR = 60.0
_INVALID = 'Bearer error="invalid_token"'


class OidcAuthenticator:
    """Takes tokens of the issuer.

    Parameters
    ----------
    max_age
        Seconds that a session may last, at the most; it never outlasts the token.
    """

    name = "oidc"
    challenges = ("Bearer",)
    reads_whole_request = False

    def __init__(
        self,
        issuer: Issuer,
        settings: OidcSettings,
        *,
        audience: frozenset[str],
        clock: Clock,
        max_age: float | None = None,
        login: OidcLogin | None = None,
    ) -> None:
        self._issuer = issuer
        self._settings = settings
        self._tokens = TokenVerifier(issuer, settings, clock)
        self._audience = audience
        self._clock = clock
        self._max_age = max_age
        self.login = login

    async def start(self) -> None:
        """Nothing: the issuer may be started after us."""

    async def close(self) -> None:
        """Close the connections to the issuer."""
        await self._issuer.close()

    async def authenticate(self, request: UserRequest) -> Accepted | Refused:
        """Verify the token and read its claims."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return Refused(self.challenges, "no bearer token")
        try:
            claims, expires_at = await self._tokens.verify(token.strip(" "), self._audience)
            principal = read_principal(claims, self._settings)
        except UnfitClaims as error:
            return Refused((_INVALID,), f"the token is refused: {error}", attempted=True)
        left = max(expires_at - self._clock(), 1.0)
        valid_for = left if self._max_age is None else min(left, self._max_age)
        return Accepted(principal, reusable_for=min(REUSABLE_FOR, valid_for), valid_for=valid_for)
