"""Lets an operator's class decide."""

import json
import logging
from collections.abc import Coroutine
from http.client import responses
from typing import Any, TypeVar

from aiohttp import web

from dask_gateway_server.auth import Authenticator as AuthenticatorClass
from dask_gateway_server.models import User
from gateway_auth.authenticators.base import UserRequest
from gateway_auth.authenticators.custom.loop_thread import LoopThread
from gateway_auth.authenticators.custom.request import CustomRequest
from gateway_auth.outcomes import Accepted, ClassFailure, Refused, SourceUnavailable
from gateway_common.errors import InvalidConfig
from gateway_common.principal import Principal

logger = logging.getLogger(__name__)

T = TypeVar("T")


class CustomAuthenticator:
    """Calls the class' methods as dask-gateway does: `setup`, `authenticate`, `pre_response`, `cleanup`.

    Parameters
    ----------
    authenticator
        An instance of the operator's class.
    max_age
        Seconds for which its word counts.
    timeout
        Seconds that one call may take.
    """

    name = "custom"
    challenges: tuple[str, ...] = ()
    #: Only the class knows where it looks.
    reads_whole_request = True
    login = None

    def __init__(self, authenticator: AuthenticatorClass, *, max_age: float, timeout: float) -> None:
        self._class = authenticator
        self._max_age = max_age
        self._timeout = timeout
        self._thread = LoopThread("custom authenticator")
        self._app: web.Application | None = None

    async def start(self) -> None:
        """Run `setup`; raises InvalidConfig where it fails."""
        self._thread.start()
        try:
            await self._run(self._setup())
        except Exception as error:
            self._thread.stop()
            logger.exception("%s can't be set up", type(self._class).__name__)
            raise InvalidConfig(f"{type(self._class).__name__}.setup failed: {error!r}") from error

    async def close(self) -> None:
        """Run `cleanup`."""
        try:
            await self._run(self._cleanup())
        except Exception:
            logger.exception("%s can't be cleaned up", type(self._class).__name__)
        self._thread.stop()

    async def authenticate(self, request: UserRequest) -> Accepted | Refused:
        """Ask the class."""
        attempted = "authorization" in request.headers
        try:
            return await self._run(self._ask(request))
        except web.HTTPException as error:
            if error.status < 500:
                challenges = tuple(error.headers.getall("WWW-Authenticate", ()))
                return Refused(challenges, f"{type(self._class).__name__} answered {error.status}", attempted)
            logger.warning("%s answered %d: %s", type(self._class).__name__, error.status, error.reason)
            if error.reason != responses.get(error.status, ""):
                raise ClassFailure(error.status, error.reason) from error
        except SourceUnavailable:
            raise
        except TimeoutError:
            logger.error("%s took more than %g seconds", type(self._class).__name__, self._timeout)
        except Exception:
            logger.exception("%s failed", type(self._class).__name__)
        raise SourceUnavailable("Authentication failed for a reason that the operator has to look for in the log")

    async def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return await self._thread.run(coroutine, self._timeout)

    async def _setup(self) -> None:
        # a class may keep things in it and add handlers; made here, so that it belongs to the class' own loop
        self._app = web.Application()
        await self._class.setup(self._app)
        if routes := [str(route.resource) for route in self._app.router.routes()]:
            logger.error("%s adds routes that nobody can reach: %s", type(self._class).__name__, ", ".join(routes))
        self._app.freeze()
        await self._app.startup()

    async def _cleanup(self) -> None:
        await self._class.cleanup()
        if self._app is not None:
            await self._app.shutdown()
            await self._app.cleanup()

    async def _ask(self, request: UserRequest) -> Accepted:
        seen = CustomRequest(request, self._app)
        answer = await self._class.authenticate(seen)
        user, context = answer if isinstance(answer, tuple) else (answer, None)
        if not isinstance(user, User):
            raise TypeError(f"authenticate returned a {type(user).__name__}, not a User")
        headers: dict[str, str] = {}
        if context is not None:
            response = web.Response()
            await self._class.pre_response(seen, response, context)
            headers = {name: value for name, value in response.headers.items() if name.lower() not in _OWN}
            for morsel in response.cookies.values():
                headers["Set-Cookie"] = morsel.OutputString()
        groups = tuple(sorted(map(str, user.groups)))
        principal = Principal(user.name, groups, bool(user.admin), self._attributes_of(user))
        return Accepted(principal, headers=headers, valid_for=self._max_age)

    def _attributes_of(self, user: User) -> dict[str, Any]:
        """What the class says besides, for code with options, which runs in another service: so it must be JSON."""
        attributes = {}
        for name, value in vars(user).items():
            if name not in _FIELDS and not name.startswith("_"):
                try:
                    attributes[name] = json.loads(json.dumps(value, default=_as_list, allow_nan=False))
                except (TypeError, ValueError, RecursionError) as error:
                    logger.warning("%s: user.%s gets no further: %s", type(self._class).__name__, name, error)
        return attributes


#: Attributes that every user has.
_FIELDS = frozenset(vars(User("")))


def _as_list(value: object) -> list[Any]:
    if isinstance(value, set | frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


#: What aiohttp says of the empty response itself.
_OWN = frozenset({"content-type", "content-length"})
