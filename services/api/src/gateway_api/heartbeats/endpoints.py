"""The route that schedulers report to."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from gateway_api.bodies import json_body
from gateway_api.callers import TokenOfCluster
from gateway_api.direct_route import DirectRoute
from gateway_api.heartbeats.schemas import Heartbeat
from gateway_api.heartbeats.service import HeartbeatService
from gateway_api.openapi import body_of, errors

router = APIRouter(prefix="/api/v1/clusters", tags=["schedulers"], route_class=DirectRoute)


async def heartbeat_service(request: Request) -> HeartbeatService:
    """The service that create_app built."""
    service: HeartbeatService = request.app.state.heartbeats
    return service


Service = Annotated[HeartbeatService, Depends(heartbeat_service)]


@router.post(
    "/{cluster}/heartbeat",
    summary="Report how many workers are wanted",
    response_class=Response,
    responses=errors(401, 413, 422),
    openapi_extra=body_of(Heartbeat),
)
async def post_heartbeat(request: Request, token: TokenOfCluster, service: Service) -> Response:
    """For the cluster's scheduler, which identifies itself by the cluster's own token."""
    await service.receive(token.record, await json_body(request, Heartbeat))
    return Response()
