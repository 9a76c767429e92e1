"""Authenticators as operators have written them for dask-gateway."""

import asyncio
import sys
from typing import Any

from aiohttp import web
from traitlets import Unicode

from dask_gateway_server.auth import Authenticator, JupyterHubAuthenticator, SimpleAuthenticator, unauthorized
from dask_gateway_server.models import User


class HeaderOfProxy(Authenticator):
    """Behind a proxy that authenticates."""

    header = Unicode("X-Remote-User", config=True)

    async def authenticate(self, request: Any) -> User:
        user = request.headers.get(self.header)
        if not user:
            raise unauthorized("Proxy")
        return User(user, groups=request.query.getall("group", []), admin=request.cookies.get("role") == "admin")


class CookieOfPortal(Authenticator):
    """Behind a portal whose cookie says who it is."""

    async def authenticate(self, request: Any) -> User:
        if "portal" not in request.cookies:
            raise unauthorized("Portal")
        return User(request.cookies["portal"])


class SaysMore(HeaderOfProxy):
    """Puts on the user what the operator's options look at, and things of its own."""

    async def authenticate(self, request: Any) -> User:
        user = await super().authenticate(request)
        user.profiles = ["small", "large"]  # type: ignore[attr-defined]  # as in any Python class
        user.teams = {"red", "blue"}  # type: ignore[attr-defined]
        user.connection = object()  # type: ignore[attr-defined]
        user._seen = True  # type: ignore[attr-defined]
        return user


class WithState(Authenticator):
    """Prepares, keeps things, and has something to say to the answer."""

    async def setup(self, app: web.Application) -> None:
        app["users"] = {"key": "alice"}
        self.app = app

    async def authenticate(self, request: Any) -> tuple[User, Any]:
        request["seen"] = True
        user = self.app["users"].get(request.query.get("key"))
        if user is None:
            raise web.HTTPForbidden
        return User(user), {"X-Proof": "it is me"}

    async def pre_response(self, request: Any, response: web.Response, context: Any) -> None:
        assert request["seen"]
        response.headers.update(context)
        response.set_cookie("visited", "yes")


class Stricter(SimpleAuthenticator):
    """Adds a rule to a known class."""

    async def authenticate(self, request: Any) -> Any:
        user = await super().authenticate(request)
        if user.name == "mallory":
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": "Basic"})
        user.groups.add("everybody")
        return user


class HubWithTeams(JupyterHubAuthenticator):
    """Asks the hub for more with the session that its base opens."""

    async def authenticate(self, request: Any) -> Any:
        user = await super().authenticate(request)
        async with self.session.get(f"{self.jupyterhub_api_url}/teams/{user.name}", ssl=self.ssl_context) as answer:
            user.groups |= set(await answer.json())
        return user


#: The tasks of requests that Broken lets hang.
hanging: list["asyncio.Task[Any] | None"] = []


async def exits() -> None:
    sys.exit("no configuration")


class UnknownStatus(web.HTTPException):
    """One that no standard has a name for."""

    status_code = 599


class Broken(Authenticator):
    """What can go wrong."""

    how = Unicode(config=True)

    async def authenticate(self, request: Any) -> Any:
        if self.how == "blocks":
            import time

            time.sleep(0.5)  # noqa: ASYNC251  # as operators' code does
        if self.how == "hangs":
            hanging.append(asyncio.current_task())
            await asyncio.Event().wait()
        if self.how == "exits":
            sys.exit("no configuration")
        if self.how == "cancels":
            raise asyncio.CancelledError
        if self.how == "exits in a task":
            await asyncio.create_task(exits())
        if self.how == "answers 502":
            raise web.HTTPBadGateway
        if self.how == "answers 599":
            raise UnknownStatus
        if self.how == "says why":
            raise web.HTTPInternalServerError(reason="Ask for the role dask_gateway_developer")
        if self.how == "returns text":
            return "alice"
        raise RuntimeError("secret of the operator")


class BrokenSetup(Authenticator):
    async def setup(self, app: Any) -> None:
        raise OSError("no such file")
