"""Who a user is: authenticate, check, and sign. No HTTP."""

import hashlib
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from gateway_auth.authenticators.base import UserRequest
from gateway_auth.authenticators.basic import claimed_user
from gateway_auth.authenticators.chain import Chain
from gateway_auth.logins.flow import LoginFlow
from gateway_auth.logins.provider import LoginProvider
from gateway_auth.outcomes import Accepted, Refused
from gateway_auth.signer import Signer
from gateway_auth.throttle import Throttle
from gateway_auth.user_name import check_user_name
from gateway_common.audit import audit
from gateway_common.clock import Clock
from gateway_common.errors import InvalidToken
from gateway_common.principal import Principal
from gateway_common.tokens import dashboard_audience, login_audience

logger = logging.getLogger(__name__)

#: Seconds that a user may take to sign in.
LOGIN_LIFETIME = 600


@dataclass(frozen=True, slots=True)
class NewSession:
    """An authenticated user with the token that proves it. Times in seconds."""

    principal: Principal
    token: str
    expires_in: int
    reusable_for: float
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Methods:
    """How users can sign in."""

    challenges: tuple[str, ...]
    reads_whole_request: bool
    login: bool


@dataclass(frozen=True, slots=True)
class StartedLogin:
    """A sign-in that has begun. `flow` is what the browser has to come back with."""

    location: str
    state: str
    flow: str
    expires_in: int


@dataclass(frozen=True, slots=True)
class FinishedLogin:
    """A user who has signed in, and where they wanted to go."""

    session: NewSession
    return_to: str
    dashboard: str


class NoLogin(Exception):
    """Browsers can't sign in by redirect here."""


class TooManyAttempts(Exception):
    """Too many sign-ins of this user or from this address have failed; `retry_after` is in seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__("Too many failed attempts to sign in")
        self.retry_after = retry_after


class AuthService:
    """Turns credentials into sessions."""

    def __init__(
        self, authenticators: Chain, login: LoginProvider | None, signer: Signer, throttle: Throttle, clock: Clock
    ) -> None:
        self._authenticators = authenticators
        self._throttle = throttle
        self._login = login
        self._signer = signer
        self._clock = clock

    async def start(self) -> None:
        """Before the first request; raises InvalidConfig."""
        await self._authenticators.start()

    async def close(self) -> None:
        """After the last."""
        await self._authenticators.close()

    @property
    def methods(self) -> Methods:
        """What a user can prove themselves with."""
        return Methods(
            self._authenticators.challenges, self._authenticators.reads_whole_request, login=self._login is not None
        )

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys that verify the tokens of this service."""
        return self._signer.jwks()

    async def authenticate(self, request: UserRequest, dashboard: str = "") -> NewSession | Refused:
        """A session for the request's user, or the challenge.

        `dashboard`: the cluster whose web pages the session shall be good for, and for nothing else.

        Raises InvalidUserName or TokenTooLarge for a user who did prove who they are, but whom the
        gateway can't serve; SourceUnavailable where nobody can say; TooManyAttempts.
        """
        authorization = request.headers.get("authorization", "")
        claimed = claimed_user(authorization)
        # a token says nothing of whose it is, and nobody guesses one: each stands for itself
        who = f"user {claimed}" if claimed else hashlib.sha256(authorization.encode("utf-8", "replace")).hexdigest()
        # strangers who show nothing try nothing, and are not told apart: they are not to wait for each other
        with self._attempt(who, claimed, request.client) if authorization else nullcontext():
            outcome = await self._authenticators.authenticate(request)
        if isinstance(outcome, Refused):
            logger.info("Refused %s: %s", request.client or "a client", outcome.reason)
            if outcome.attempted:
                self._throttle.failed(who, request.client, self._clock())
                audit("session.start", "denied", user=claimed, client=request.client, reason=outcome.reason)
            return outcome
        self._throttle.succeeded(who, request.client)
        session = self._session(outcome, dashboard)
        audit("session.start", "allowed", user=outcome.principal.name, cluster=dashboard, client=request.client)
        return session

    async def start_login(self, redirect_uri: str, return_to: str, dashboard: str) -> StartedLogin:
        """Begin a sign-in; raises NoLogin and SourceUnavailable."""
        if self._login is None:
            raise NoLogin
        flow = LoginFlow.begin(redirect_uri, return_to, dashboard)
        sealed = self._signer.seal(
            flow.as_claims(), self._clock(), lifetime=LOGIN_LIFETIME, audience=login_audience(self._signer.instance)
        )
        location = await self._login.authorization_url(flow.request())
        return StartedLogin(location, flow.state, sealed, LOGIN_LIFETIME)

    async def finish_login(self, flow: str, state: str, code: str) -> FinishedLogin | Refused:
        """The session of a user who came back from signing in; raises as `authenticate` and `start_login` do."""
        if self._login is None:
            raise NoLogin
        try:
            begun = LoginFlow.from_claims(
                self._signer.open(flow, self._clock(), audience=login_audience(self._signer.instance))
            )
        except (InvalidToken, KeyError) as error:
            return Refused((), f"not a sign-in of ours: {error}")
        if not begun.is_answered_by(state):
            return Refused((), "the answer to another sign-in")
        outcome = await self._login.redeem(begun.code(code))
        if isinstance(outcome, Refused):
            logger.info("A sign-in at %s was refused: %s", self._login.name, outcome.reason)
            return outcome
        return FinishedLogin(self._session(outcome, begun.dashboard), begun.return_to, begun.dashboard)

    @contextmanager
    def _attempt(self, who: str, claimed: str, client: str) -> Iterator[None]:
        """While it is decided whether credentials are good; raises TooManyAttempts."""
        if wait := self._throttle.begin(who, client, self._clock()):
            audit("session.start", "denied", user=claimed, client=client, reason="too many attempts")
            raise TooManyAttempts(wait)
        try:
            yield
        finally:
            self._throttle.end(who, client)

    def _session(self, accepted: Accepted, dashboard: str) -> NewSession:
        check_user_name(accepted.principal.name)
        lifetime = self._signer.lifetime
        if accepted.valid_for is not None:
            lifetime = max(1, min(lifetime, int(accepted.valid_for)))
        audience = dashboard_audience(self._signer.instance, dashboard) if dashboard else ""
        return NewSession(
            principal=accepted.principal,
            token=self._signer.sign(accepted.principal, self._clock(), lifetime=lifetime, audience=audience),
            expires_in=lifetime,
            reusable_for=accepted.reusable_for,
            headers=accepted.headers,
        )
