"""Who a request's user is: by the session cookie, else by credentials that the auth service checks.

Knows the rules for sessions; what credentials mean is the auth service's business alone.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from gateway_api.auth_client import AuthClient, Authenticated, Methods, UserRequest
from gateway_api.errors import AuthenticationRequired, TemporarilyUnavailable
from gateway_api.sessions.tokens import SessionTokens
from gateway_api.single_flight import SingleFlight
from gateway_common.clock import Clock
from gateway_common.principal import Principal

#: Characters of an Authorization header: twice those of the longest tickets that Windows makes.
MAX_AUTHORIZATION = 2**17
#: Answers about credentials that are remembered, about 2 kB each.
CACHED_CREDENTIALS = 10_000
#: Seconds that a request without credentials is answered from memory. They change when auth is configured anew.
METHODS_LIFETIME = 300.0


@dataclass(frozen=True, slots=True)
class Login:
    """A user who has just shown credentials, and the session that spares them doing so again."""

    principal: Principal
    token: str
    #: seconds since the epoch
    expires_at: float
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Reusable:
    login: Login
    until: float


class SessionService:
    """Identifies users."""

    def __init__(self, auth: AuthClient, tokens: SessionTokens, clock: Clock) -> None:
        self._auth = auth
        self._tokens = tokens
        self._clock = clock
        self._reusable: dict[bytes, _Reusable] = {}
        self._logins: SingleFlight[bytes, Login] = SingleFlight()
        self._methods: Methods | None = None
        self._methods_until = float("-inf")

    def known(self, token: str, dashboard: str = "") -> Principal | None:
        """The user of a session that was seen before, without waiting for anything."""
        return self._tokens.known(token, dashboard)

    async def identify(self, request: UserRequest, token: str | None, *, dashboard: str = "") -> Principal | Login:
        """The user, by the session token if there is one, else by the Authorization header.

        `dashboard`: the cluster whose web pages the session is, or shall be, good for, and for nothing else.

        Raises AuthenticationRequired; TemporarilyUnavailable where only auth could say and does not answer.
        """
        authorization = request.headers.get("authorization")
        if token is not None and token.isascii():
            try:
                principal = await self._tokens.verify(token, dashboard)
            except TemporarilyUnavailable:
                # credentials may be known here, so that there is no need to ask
                if not authorization:
                    raise
                principal = None
            if principal is not None:
                return principal
        # what no authentication scheme produces (RFC 9110, 11.4) need not be sent to auth
        if authorization and authorization.isascii() and len(authorization) <= MAX_AUTHORIZATION:
            return await self._login(request, authorization, dashboard)
        methods = await self.methods()
        if methods.reads_whole_request:
            return await self._ask(request, dashboard)
        raise AuthenticationRequired(methods.challenges)

    async def _login(self, request: UserRequest, authorization: str, dashboard: str) -> Login:
        key = hashlib.sha256(f"{dashboard} {authorization}".encode()).digest()
        reusable = self._reusable.get(key)
        if reusable is not None and self._clock() < reusable.until:
            return reusable.login
        own: list[Login] = []

        async def ask() -> Login:
            own.append(await self._ask(request, dashboard, key))
            return own[0]

        login = await self._logins.run(key, ask)
        if not own and key not in self._reusable:
            # somebody else showed the same credentials a moment ago, and they were good for one request only
            return await self._ask(request, dashboard, key)
        return login

    async def _ask(self, request: UserRequest, dashboard: str, key: bytes | None = None) -> Login:
        """Ask auth; `key`: the credentials by which the answer may be found again."""
        if key is not None:
            self._reusable.pop(key, None)
        answer = await self._auth.authenticate(request, dashboard)
        now = self._clock()
        login = Login(answer.principal, answer.token, now + answer.expires_in, answer.headers)
        if key is not None:
            self._remember(key, login, answer, now)
        return login

    def _remember(self, key: bytes, login: Login, answer: Authenticated, now: float) -> None:
        if answer.reusable_for <= 0:
            return
        if len(self._reusable) >= CACHED_CREDENTIALS:
            del self._reusable[next(iter(self._reusable))]
        self._reusable[key] = _Reusable(login, min(now + answer.reusable_for, login.expires_at))

    async def methods(self) -> Methods:
        """How users can prove who they are; raises TemporarilyUnavailable where nobody has ever said."""
        now = self._clock()
        if self._methods is None or now >= self._methods_until:
            try:
                self._methods = await self._auth.methods()
            except TemporarilyUnavailable:
                # whoever has no credentials can be told so from memory
                if self._methods is None:
                    raise
            else:
                self._methods_until = now + METHODS_LIFETIME
        return self._methods
