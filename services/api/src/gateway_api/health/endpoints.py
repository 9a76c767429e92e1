"""Routes that are open to everybody: whether this process serves, and which version it is."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from gateway_api.direct_route import DirectRoute
from gateway_api.health.service import HealthService
from gateway_api.openapi import UnexpectedErrorModel
from gateway_api.responses import json_bytes

router = APIRouter(
    prefix="/api",
    tags=["gateway"],
    route_class=DirectRoute,
    responses={500: {"model": UnexpectedErrorModel, "description": "An unexpected failure."}},
)


class HealthModel(BaseModel):
    """Whether this process serves."""

    status: Literal["pass", "fail"]


class VersionModel(BaseModel):
    """The version of the gateway."""

    version: str = Field(examples=["2026.11.0"])


async def health_service(request: Request) -> HealthService:
    """The service that create_app built."""
    service: HealthService = request.app.state.health
    return service


Service = Annotated[HealthService, Depends(health_service)]


@router.get(
    "/health",
    summary="Health",
    response_model=HealthModel,
    responses={503: {"model": HealthModel, "description": "This process can't go on and must be restarted."}},
)
async def health(service: Service) -> Response:
    """For probes. Does not ask other parts of the gateway: restarting this one would not help them."""
    return json_bytes(b'{"status":"pass"}') if service.healthy else json_bytes(b'{"status":"fail"}', 503)


@router.get("/version", summary="Version", response_model=VersionModel)
async def version(service: Service) -> Response:
    """The version of the gateway."""
    return json_bytes(service.version)
