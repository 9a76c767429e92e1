"""The routes of the auth service: HTTP in, HTTP out, nothing decided here."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from gateway_auth.authenticators.base import UserRequest
from gateway_auth.outcomes import Refused
from gateway_auth.schemas import (
    AuthenticateRequest,
    ClassErrorModel,
    ErrorModel,
    FinishedLoginModel,
    FinishLoginRequest,
    Health,
    KeySet,
    MethodsModel,
    PrincipalModel,
    PublicKey,
    Responses,
    SessionModel,
    StartedLoginModel,
    StartLoginRequest,
    UnexpectedErrorModel,
)
from gateway_auth.service import AuthService, NewSession

#: Seconds. A new key is fetched at once all the same: verifiers ask again when they meet an unknown one.
JWKS_MAX_AGE = 300

_unexpected: Responses = {500: {"model": UnexpectedErrorModel, "description": "An unexpected failure."}}

router = APIRouter(responses=_unexpected)


def auth_service(request: Request) -> AuthService:
    """The service that create_app built."""
    return cast("AuthService", request.app.state.service)


Service = Annotated[AuthService, Depends(auth_service)]


_too_long: Responses = {413: {"model": ErrorModel, "description": "The body is too long."}}
_refused: Responses = {
    **_too_long,
    401: {
        "model": ErrorModel,
        "description": "No credentials, or not good ones. `WWW-Authenticate` says what to send.",
    },
    422: {
        "model": ErrorModel,
        "description": "The user proved who they are and can't be served all the same (an impossible "
        "user name), or the body is not as described. The text is meant for the user.",
    },
    429: {
        "model": ErrorModel,
        "description": "Too many sign-ins of this user or from this address have failed. `Retry-After` says when to "
        "try again.",
    },
    503: {
        "model": ErrorModel,
        "description": "Whoever could say who the user is does not answer. `Retry-After` says when to try again.",
    },
}
_failed: Responses = {
    "5XX": {"model": ClassErrorModel, "description": "The operator's class gives up, in words that are for the user."}
}
_no_login: Responses = {404: {"model": ErrorModel, "description": "Browsers can't sign in by redirect here."}}


@router.post(
    "/authenticate",
    summary="Authenticate a user's request",
    response_model=SessionModel,
    responses=_refused | _failed,
)
async def authenticate(body: AuthenticateRequest, service: Service) -> SessionModel | Response:
    """Take the headers of a user's request and answer who it is, with a session token, or the challenge."""
    request = UserRequest(body.method, body.path, body.query, body.headers, body.client)
    outcome = await service.authenticate(request, body.dashboard)
    return _unauthorized(outcome) if isinstance(outcome, Refused) else _session(outcome)


@router.post(
    "/login/start",
    summary="Begin to sign a browser in",
    response_model=StartedLoginModel,
    responses=_no_login | _too_long | {503: _refused[503]},
)
async def start_login(body: StartLoginRequest, service: Service) -> StartedLoginModel:
    """Say where the browser has to go, and what it has to keep until it comes back."""
    started = await service.start_login(body.redirect_uri, body.return_to, body.dashboard)
    return StartedLoginModel(
        location=started.location, state=started.state, flow=started.flow, expires_in=started.expires_in
    )


@router.post(
    "/login/finish",
    summary="Finish to sign a browser in",
    response_model=FinishedLoginModel,
    responses=_refused | _no_login,
)
async def finish_login(body: FinishLoginRequest, service: Service) -> FinishedLoginModel | Response:
    """Take what the browser came back with and answer who it is, with a session token."""
    outcome = await service.finish_login(body.flow, body.state, body.code)
    if isinstance(outcome, Refused):
        return _unauthorized(outcome)
    return FinishedLoginModel(
        session=_session(outcome.session), return_to=outcome.return_to, dashboard=outcome.dashboard
    )


@router.get("/.well-known/jwks.json", summary="The public keys")
async def jwks(service: Service, response: Response) -> KeySet:
    """The keys that verify session tokens: the one that signs now and those that signed before it."""
    response.headers["Cache-Control"] = f"public, max-age={JWKS_MAX_AGE}"
    return KeySet(keys=[PublicKey.model_validate(key) for key in service.jwks()["keys"]])


@router.get("/methods", summary="How users can prove who they are")
async def methods(service: Service) -> MethodsModel:
    """What a caller needs to know to answer a request without credentials by itself."""
    known = service.methods
    return MethodsModel(
        challenges=list(known.challenges), reads_whole_request=known.reads_whole_request, login=known.login
    )


@router.get("/health", summary="The service's own health")
async def health() -> Health:
    """Answers while the service runs."""
    return Health(status="pass")


def _session(session: NewSession) -> SessionModel:
    principal = session.principal
    return SessionModel(
        principal=PrincipalModel(
            name=principal.name,
            groups=list(principal.groups),
            admin=principal.admin,
            attributes=dict(principal.attributes),
        ),
        token=session.token,
        expires_in=session.expires_in,
        reusable_for=session.reusable_for,
        headers=dict(session.headers),
    )


def _unauthorized(refused: Refused) -> JSONResponse:
    response = JSONResponse({"error": "Authentication required"}, status_code=401)
    for challenge in refused.challenges:
        response.headers.append("WWW-Authenticate", challenge)
    return response
