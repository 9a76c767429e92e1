"""What Traefik asks before it shows a cluster's page, and where browsers come back to from signing in."""

from fastapi import APIRouter, Request, Response

from gateway_api.browsers import are_for_browsers, is_browser
from gateway_api.client_address import client_address
from gateway_api.dashboards.access import Allowed, DashboardAccess, Redirect
from gateway_api.dashboards.pages import page
from gateway_api.dashboards.visit import NoDashboard, Visit
from gateway_api.direct_route import DirectRoute
from gateway_api.errors import (
    AuthenticationRequired,
    AuthenticatorFailed,
    ClusterNotFound,
    InvalidRequest,
    PermissionDenied,
)
from gateway_api.responses import json_response

#: For Traefik and for browsers: no part of the REST API, and so not in its document.
router = APIRouter(route_class=DirectRoute, include_in_schema=False)

_NO_WAY_IN = "Browsers can't sign in to this gateway as it is set up: please tell its operator."


@router.get("/dashboards/access")
async def access(request: Request) -> Response:
    """2xx lets the request that Traefik has through; anything else is the answer that the browser gets.

    Of the headers of a 2xx, Traefik puts `Cookie` and `Authorization` in the place of the request's, and takes away
    those that are missing: a user's program sees no credentials. `Set-Cookie` goes to the browser.
    """
    dashboards: DashboardAccess = request.app.state.dashboards
    try:
        visit = dashboards.places.visit(dict(request.headers), _client(request))
    except NoDashboard:
        return page(404, "Not found", "There is no such page.")
    try:
        return await _answer(dashboards, visit)
    except AuthenticationRequired as error:
        return _unauthorized(visit, error)
    except PermissionDenied as error:
        return _refusal(visit, 403, "Not your cluster", str(error))
    except ClusterNotFound as error:
        return _refusal(visit, 404, "No such cluster", str(error))
    except AuthenticatorFailed as error:
        return _refusal(visit, error.status, "Not signed in", str(error))


@router.get("/oauth_callback")
async def oauth_callback(request: Request, state: str | None, code: str | None, error: str | None) -> Response:
    """Where a JupyterHub or an issuer sends the browser to when the user has signed in, or has not."""
    dashboards: DashboardAccess = request.app.state.dashboards
    if error or not code or not state:
        return page(403, "Not signed in", "You were not signed in. Open the dashboard's link again to try once more.")
    cookies = request.headers.get("cookie", "")
    secure = dashboards.places.is_secure(request.headers, request.url.scheme)
    try:
        return _redirect(await dashboards.finish_login(cookies, state, code, _client(request), secure=secure))
    except AuthenticationRequired:
        return page(401, "Not signed in", "This sign-in is too old, or not yours. Open the dashboard's link again.")
    except InvalidRequest as refused:
        return page(403, "Not signed in", str(refused))


@router.get("/signed-out")
async def signed_out(request: Request) -> Response:
    """What `/clusters/<name>/logout` leads to."""
    return page(200, "Signed out", "You have signed out of the cluster's dashboard.")


async def _answer(dashboards: DashboardAccess, visit: Visit) -> Response:
    # with its host: Traefik takes a path in the answer to its question for one at the api's own address
    origin = f"{visit.scheme}://{visit.host}"
    if visit.path == f"{dashboards.places.path_of(visit.cluster)}/logout":
        signed_out = Redirect(f"{dashboards.places.prefix}/signed-out", (dashboards.sign_out(visit),))
        return _redirect(signed_out, origin)
    verdict = await dashboards.decide(visit)
    return _redirect(verdict, origin) if isinstance(verdict, Redirect) else _let_through(verdict)


def _client(request: Request) -> str:
    peer = request.client.host if request.client else ""
    return client_address(request.headers, peer, request.app.state.proxies)


def _redirect(redirect: Redirect, origin: str = "") -> Response:
    location = f"{origin}{redirect.location}" if redirect.location.startswith("/") else redirect.location
    response = Response(status_code=302, headers={"Location": location, "Cache-Control": "no-store"})
    for cookie in redirect.set_cookies:
        response.headers.append("Set-Cookie", cookie)
    return response


def _let_through(allowed: Allowed) -> Response:
    response = Response(status_code=200)
    if allowed.cookies:
        response.headers["Cookie"] = allowed.cookies
    if allowed.set_cookie:
        response.headers["Set-Cookie"] = allowed.set_cookie
    return response


def _unauthorized(visit: Visit, error: AuthenticationRequired) -> Response:
    how = "Reload the page to sign in." if are_for_browsers(error.challenges) else _NO_WAY_IN
    response = _refusal(visit, 401, "Sign in", f"This cluster's pages are for its owner. {how}")
    for challenge in error.challenges:
        response.headers.append("WWW-Authenticate", challenge)
    return response


def _refusal(visit: Visit, status: int, title: str, text: str) -> Response:
    return page(status, title, text) if is_browser(visit.headers) else json_response({"error": text}, status)
