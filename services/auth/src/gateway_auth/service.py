"""Who a user is: authenticate, check, and sign. No HTTP."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from gateway_auth.authenticators.base import Authenticator, Refused, UserRequest
from gateway_auth.signer import Signer
from gateway_auth.user_name import check_user_name
from gateway_common.clock import Clock
from gateway_common.principal import Principal

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class NewSession:
    """An authenticated user with the token that proves it. Times in seconds."""

    principal: Principal
    token: str
    expires_in: int
    reusable_for: float
    headers: Mapping[str, str]


class AuthService:
    """Turns credentials into sessions."""

    def __init__(self, authenticator: Authenticator, signer: Signer, clock: Clock) -> None:
        self._authenticator = authenticator
        self._signer = signer
        self._clock = clock

    @property
    def challenges(self) -> tuple[str, ...]:
        """What a request without credentials is to be answered with."""
        return self._authenticator.challenges

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys that verify the tokens of this service."""
        return self._signer.jwks()

    async def authenticate(self, request: UserRequest) -> NewSession | Refused:
        """A session for the request's user, or the challenge.

        Raises InvalidUserName or TokenTooLarge for a user who did prove who they are, but whom the
        gateway can't serve.
        """
        outcome = await self._authenticator.authenticate(request)
        if isinstance(outcome, Refused):
            logger.info("Refused %s: %s", request.client or "a client", outcome.reason)
            return outcome
        check_user_name(outcome.principal.name)
        return NewSession(
            principal=outcome.principal,
            token=self._signer.sign(outcome.principal, self._clock()),
            expires_in=self._signer.lifetime,
            reusable_for=outcome.reusable_for,
            headers=outcome.headers,
        )
