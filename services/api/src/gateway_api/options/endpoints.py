"""The route that says what a user may choose."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from gateway_api.callers import CurrentUser
from gateway_api.direct_route import DirectRoute
from gateway_api.openapi import errors
from gateway_api.options.schemas import OptionsModel
from gateway_api.options.service import OptionsService
from gateway_api.responses import json_bytes

router = APIRouter(prefix="/api/v1/options", tags=["options"], route_class=DirectRoute)


async def options_service(request: Request) -> OptionsService:
    """The service that create_app built."""
    service: OptionsService = request.app.state.options
    return service


Service = Annotated[OptionsService, Depends(options_service)]


@router.get("", summary="Describe the options", response_model=OptionsModel, responses=errors(401, 422))
async def get_options(user: CurrentUser, service: Service) -> Response:
    """What the caller may choose for a new cluster: other users may be offered other options."""
    return json_bytes(await service.describe(user))
