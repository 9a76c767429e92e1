"""The routes about the caller."""

from fastapi import APIRouter, Request, Response

from gateway_api.admins import Admins
from gateway_api.callers import CurrentUser
from gateway_api.clusters.limits import Limits
from gateway_api.cookies import SESSION_COOKIE, set_cookie
from gateway_api.direct_route import DirectRoute
from gateway_api.me.schemas import AllowedModel, MeModel, UsedModel
from gateway_api.openapi import errors
from gateway_api.responses import json_response

router = APIRouter(prefix="/api/v2", tags=["me"], route_class=DirectRoute)


@router.get("/me", summary="Who am I?", response_model=MeModel, responses=errors(401, 422))
async def me(request: Request, user: CurrentUser) -> Response:
    """The caller's name, groups and rights, and what their clusters use of what they may."""
    limits: Limits = request.app.state.limits
    admins: Admins = request.app.state.admins
    used, allowed = limits.of_user(user)
    document = MeModel(
        name=user.name,
        groups=list(user.groups),
        admin=user in admins,
        used=UsedModel(clusters=used.clusters, workers=used.workers, cores=used.millicores / 1000, memory=used.memory),
        allowed=AllowedModel.model_validate(allowed, from_attributes=True),
    )
    return json_response(document.model_dump())


@router.post("/logout", summary="Sign out", status_code=204, responses=errors())
async def logout(request: Request) -> Response:
    """Takes the session's cookie away. Whoever has a copy of it can use it until it expires."""
    path = f"{request.app.state.prefix}/api"
    secure = request.app.state.places.is_secure(request.headers, request.url.scheme)
    gone = set_cookie(SESSION_COOKIE, "", max_age=0, path=path, secure=secure)
    return Response(status_code=204, headers={"Set-Cookie": gone})
