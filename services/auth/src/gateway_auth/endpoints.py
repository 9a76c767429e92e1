"""The routes of the auth service: HTTP in, HTTP out, nothing decided here."""

from typing import Annotated, cast

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse

from gateway_auth.authenticators.base import Refused, UserRequest
from gateway_auth.schemas import (
    AuthenticateRequest,
    Challenges,
    ErrorModel,
    Health,
    KeySet,
    PrincipalModel,
    PublicKey,
    Responses,
    SessionModel,
    UnexpectedErrorModel,
)
from gateway_auth.service import AuthService

#: Seconds. A new key is fetched at once all the same: verifiers ask again when they meet an unknown one.
JWKS_MAX_AGE = 300

_unexpected: Responses = {500: {"model": UnexpectedErrorModel, "description": "An unexpected failure."}}

router = APIRouter(responses=_unexpected)


def auth_service(request: Request) -> AuthService:
    """The service that create_app built."""
    return cast("AuthService", request.app.state.service)


Service = Annotated[AuthService, Depends(auth_service)]


@router.post(
    "/authenticate",
    summary="Authenticate a user's request",
    response_model=SessionModel,
    responses={
        401: {
            "model": ErrorModel,
            "description": "No credentials, or not good ones. `WWW-Authenticate` says what to send.",
        },
        422: {
            "model": ErrorModel,
            "description": "The user proved who they are and can't be served all the same (an impossible "
            "user name), or the body is not as described. The text is meant for the user.",
        },
    },
)
async def authenticate(body: AuthenticateRequest, service: Service) -> SessionModel | Response:
    """Take the headers of a user's request and answer who it is, with a session token, or the challenge."""
    outcome = await service.authenticate(UserRequest(body.method, body.path, body.headers, body.client))
    if isinstance(outcome, Refused):
        return _unauthorized(outcome)
    principal = outcome.principal
    return SessionModel(
        principal=PrincipalModel(name=principal.name, groups=list(principal.groups), admin=principal.admin),
        token=outcome.token,
        expires_in=outcome.expires_in,
        reusable_for=outcome.reusable_for,
        headers=dict(outcome.headers),
    )


@router.get("/.well-known/jwks.json", summary="The public keys")
async def jwks(service: Service, response: Response) -> KeySet:
    """The keys that verify session tokens: the one that signs now and those that signed before it."""
    response.headers["Cache-Control"] = f"public, max-age={JWKS_MAX_AGE}"
    return KeySet(keys=[PublicKey.model_validate(key) for key in service.jwks()["keys"]])


@router.get("/challenges", summary="What to answer a request without credentials")
async def challenges(service: Service) -> Challenges:
    """The WWW-Authenticate values of a 401, so that a caller can answer it without asking."""
    return Challenges(challenges=list(service.challenges))


@router.get("/health", summary="The service's own health")
async def health() -> Health:
    """Answers while the service runs."""
    return Health(status="pass")


def _unauthorized(refused: Refused) -> JSONResponse:
    response = JSONResponse({"error": "Authentication required"}, status_code=401)
    for challenge in refused.challenges:
        response.headers.append("WWW-Authenticate", challenge)
    return response
