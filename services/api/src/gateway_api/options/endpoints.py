"""The route that says what a user may choose."""

import logging
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from gateway_api.callers import CurrentUser
from gateway_api.direct_route import DirectRoute
from gateway_api.openapi import errors
from gateway_api.options.operator_code import OperatorCodeError
from gateway_api.options.schemas import OptionsModel
from gateway_api.options.service import OptionsService
from gateway_api.responses import json_bytes, json_response
from gateway_common.request_id import HEADER, choose_request_id

logger = logging.getLogger(__name__)

router = APIRouter(prefix="/api/v1/options", tags=["options"], route_class=DirectRoute)


async def options_service(request: Request) -> OptionsService:
    """The service that create_app built."""
    service: OptionsService = request.app.state.options
    return service


Service = Annotated[OptionsService, Depends(options_service)]


@router.get("", summary="Describe the options", response_model=OptionsModel, responses=errors(401, 422))
async def get_options(request: Request, user: CurrentUser, service: Service) -> Response:
    """What the caller may choose for a new cluster: other users may be offered other options."""
    try:
        return json_bytes(await service.describe(user))
    except OperatorCodeError as error:
        # of all answers that mean "not your mistake", released clients show the text of this one alone
        request_id = choose_request_id(request.headers.get(HEADER))
        logger.error("Request %s could not be told the options: %s", request_id, error)
        body = {"error": f"The options can't be shown: {error}", "request_id": request_id}
        return json_response(body, 500, {HEADER: request_id})
