"""Who may call an endpoint, as the type of its parameter.

    user: CurrentUser           an authenticated user
    token: TokenOfCluster       the scheduler of the cluster that the path names
    caller: UserOrCluster       either

An endpoint that takes none of them is open to everybody.
"""

from dataclasses import dataclass, replace
from typing import Annotated

from fastapi import Depends, Request

from gateway_api.auth_client import UserRequest
from gateway_api.browsers import inert, is_browser, is_from_another_site
from gateway_api.client_address import client_address
from gateway_api.clusters.record import Record
from gateway_api.clusters.tokens import ClusterTokens
from gateway_api.cookies import SESSION_COOKIE, cookie_value, set_cookie
from gateway_api.envelope import add_response_header
from gateway_api.errors import AuthenticationRequired
from gateway_api.sessions.service import Login, SessionService
from gateway_common.principal import Principal
from gateway_common.request_id import HEADER

TOKEN_SCHEME = "token"  # noqa: S105  # the name of the authentication scheme


@dataclass(frozen=True, slots=True)
class ClusterToken:
    """Proof that the caller is the scheduler of this cluster."""

    record: Record


async def current_user(request: Request) -> Principal:
    """The user of a request; raises AuthenticationRequired and TemporarilyUnavailable."""
    sessions: SessionService = request.app.state.sessions
    headers = request.headers
    if is_browser(headers):
        return await _user_of_page(sessions, request)
    token = cookie_value(headers.get("cookie"), SESSION_COOKIE)
    if token is not None and (known := sessions.known(token)) is not None:
        return known
    identity = await sessions.identify(user_request(request), token)
    if isinstance(identity, Principal):
        return identity
    _start_session(request, identity)
    return identity.principal


async def _user_of_page(sessions: SessionService, request: Request) -> Principal:
    """The user whose credentials a page's script has sent: what the browser would send by itself does not count."""
    asked = user_request(request)
    try:
        identity = await sessions.identify(replace(asked, headers=_set_by_page(request)), None)
    except AuthenticationRequired as error:
        raise AuthenticationRequired(inert(error.challenges)) from error
    return identity if isinstance(identity, Principal) else identity.principal


def _set_by_page(request: Request) -> dict[str, str]:
    """The headers that a page's script may have set, or a proxy on the way: never a cookie.

    Of another site's pages, forms among them, only the credentials that they know themselves: what a proxy adds, it
    adds to everything that comes from the user's browser.
    """
    headers = {name: value for name, value in request.headers.items() if name != "cookie"}
    if not is_from_another_site(headers.get("host", ""), request.method, headers):
        return headers
    return {name: headers[name] for name in ("authorization", HEADER.lower()) if name in headers}


async def token_of_cluster(cluster: str, request: Request) -> ClusterToken:
    """The scheduler of the cluster in the path; raises AuthenticationRequired."""
    proof = await _cluster_token(cluster, request)
    if proof is None:
        raise AuthenticationRequired((TOKEN_SCHEME,))
    return proof


async def user_or_cluster(cluster: str, request: Request) -> Principal | ClusterToken:
    """The scheduler of the cluster in the path, else a user: whoever shows a wrong token is asked who they are."""
    return await _cluster_token(cluster, request) or await current_user(request)


CurrentUser = Annotated[Principal, Depends(current_user)]
TokenOfCluster = Annotated[ClusterToken, Depends(token_of_cluster)]
UserOrCluster = Annotated[Principal | ClusterToken, Depends(user_or_cluster)]


async def _cluster_token(cluster: str, request: Request) -> ClusterToken | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != TOKEN_SCHEME or not token:
        return None
    tokens: ClusterTokens = request.app.state.cluster_tokens
    record = await tokens.owner(cluster, token.strip())
    return None if record is None else ClusterToken(record)


def user_request(request: Request) -> UserRequest:
    """What there is to know about a request's sender."""
    headers = dict(request.headers)
    client = client_address(headers, request.client.host if request.client else "", request.app.state.proxies)
    return UserRequest(request.method, request.url.path, request.url.query, headers, client)


def _start_session(request: Request, login: Login) -> None:
    for name, value in login.headers.items():
        add_response_header(request.scope, name, value)
    cookie = set_cookie(
        SESSION_COOKIE,
        login.token,
        max_age=login.expires_at - request.app.state.clock(),
        # not for dashboards, which are users' own programs
        path=f"{request.app.state.prefix}/api",
        secure=request.app.state.places.is_secure(request.headers, request.url.scheme),
    )
    add_response_header(request.scope, "set-cookie", cookie)
