"""The cluster routes: HTTP in, HTTP out, nothing decided here."""

import asyncio
from collections.abc import Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from gateway_api.audited import audited
from gateway_api.bodies import json_body
from gateway_api.callers import ClusterToken, CurrentUser, UserOrCluster
from gateway_api.clusters.schemas import (
    AdaptRequest,
    ClusterList,
    ClusterList2,
    ClusterModel,
    ClusterModel2,
    CreatedModel,
    CreateRequest,
    ScaledModel,
    ScaleRequest,
    ScaleRequest2,
)
from gateway_api.clusters.service import ClusterService, parse_statuses
from gateway_api.direct_route import DirectRoute
from gateway_api.openapi import body_of, errors
from gateway_api.responses import json_bytes, json_response

router = APIRouter(prefix="/api/v1/clusters", tags=["clusters"], route_class=DirectRoute)
#: Version 2 shows more of a cluster: released clients break on one key too many.
described_router = APIRouter(prefix="/api/v2/clusters", tags=["clusters"], route_class=DirectRoute)


async def cluster_service(request: Request) -> ClusterService:
    """The service that create_app built."""
    service: ClusterService = request.app.state.clusters
    return service


Service = Annotated[ClusterService, Depends(cluster_service)]
Statuses = Annotated[
    str | None,
    Query(description="Comma-separated states of any case. Default: `pending,running`.", examples=["running"]),
]
Owner = Annotated[
    str | None,
    Query(alias="user", description="Whose: a user's name, or `*` for all. For administrators. Default: the caller's."),
]
StopReasonOfScheduler = Annotated[
    str | None,
    Query(
        alias="reason",
        description="Why the cluster's own scheduler stops it: `IdleTimeout`, which is the default, or "
        "`NoClientTimeout`. From users it has no effect.",
    ),
]
Wait = Annotated[
    str | None,
    Query(description="Empty or `1`: answer when the cluster no longer is pending, at the latest after 20 s."),
]


@router.get("/", summary="List clusters", response_model=ClusterList, responses=errors(401, 403, 422))
async def list_clusters(user: CurrentUser, service: Service, status: Statuses = None, owner: Owner = None) -> Response:
    """Clusters by name, in no order."""
    return json_bytes(await service.list(user, parse_statuses(status), user=owner))


@described_router.get(
    "/", summary="List clusters with all there is to say", response_model=ClusterList2, responses=errors(401, 403, 422)
)
async def list_described_clusters(
    user: CurrentUser, service: Service, status: Statuses = None, owner: Owner = None
) -> Response:
    """Clusters by name, in no order."""
    return json_bytes(await service.list(user, parse_statuses(status), user=owner, described=True))


@router.post(
    "/",
    summary="Create a cluster",
    status_code=201,
    response_model=CreatedModel,
    responses=errors(401, 409, 413, 422),
    openapi_extra=body_of(CreateRequest),
)
async def create_cluster(request: Request, user: CurrentUser, service: Service) -> Response:
    """Answers at once, while the cluster is pending: read it with `?wait` to know when it runs."""
    body = await json_body(request, CreateRequest)
    with audited(request, "cluster.create", user) as entry:
        entry.cluster = name = str(await service.create(user, body))
    return json_response({"name": name}, 201)


@router.get(
    "/{cluster}",
    summary="Read or wait for a cluster",
    response_model=ClusterModel,
    responses=errors(401, 403, 404, 409, 422),
)
async def get_cluster(
    cluster: str, request: Request, user: CurrentUser, service: Service, wait: Wait = None
) -> Response:
    """The cluster as it is. While it runs, with the certificate and key that clients need.

    Who waits for a cluster that has failed to start is answered 409 with the reason.
    """
    if not _wants_wait(wait):
        return json_bytes(await service.read(user, cluster))
    return await _unless_gone(request, service.wait(user, cluster))


@described_router.get(
    "/{cluster}",
    summary="Read or wait for a cluster, with all there is to say",
    response_model=ClusterModel2,
    responses=errors(401, 403, 404, 409, 422),
)
async def get_described_cluster(
    cluster: str, request: Request, user: CurrentUser, service: Service, wait: Wait = None
) -> Response:
    """The cluster as it is, and why. Who waits for a cluster that has failed to start is answered 409."""
    if not _wants_wait(wait):
        return json_bytes(await service.read(user, cluster, described=True))
    return await _unless_gone(request, service.wait(user, cluster, described=True))


@router.delete("/{cluster}", summary="Stop a cluster", status_code=204, responses=errors(401, 403, 422))
async def stop_cluster(
    cluster: str, request: Request, caller: UserOrCluster, service: Service, reason: StopReasonOfScheduler = None
) -> Response:
    """Can be repeated. Also a cluster that is unknown counts as stopped. The cluster's own token is enough."""
    with audited(request, "cluster.stop", caller, cluster):
        if isinstance(caller, ClusterToken):
            await service.stop_unused(caller.record, reason)
        else:
            await service.stop(caller, cluster)
    return Response(status_code=204)


@router.post(
    "/{cluster}/scale",
    summary="Set the number of workers",
    response_model=ScaledModel,
    responses=errors(401, 403, 404, 409, 413, 422),
    openapi_extra=body_of(ScaleRequest),
)
async def scale_cluster(cluster: str, request: Request, user: CurrentUser, service: Service) -> Response:
    """Tells the scheduler. More than the cluster's limit is capped, which `msg` says."""
    asked = await json_body(request, ScaleRequest)
    with audited(request, "cluster.scale", user, cluster):
        notice = await service.scale(user, cluster, asked)
    return json_response({"ok": notice is None, "msg": notice})


@described_router.post(
    "/{cluster}/scale",
    summary="Set the number of workers, also of a group",
    response_model=ScaledModel,
    responses=errors(401, 403, 404, 409, 413, 422),
    openapi_extra=body_of(ScaleRequest2),
)
async def scale_group(cluster: str, request: Request, user: CurrentUser, service: Service) -> Response:
    """Tells the scheduler. More than the cluster's limit is capped, which `msg` says."""
    asked = await json_body(request, ScaleRequest2)
    with audited(request, "cluster.scale", user, cluster):
        notice = await service.scale(user, cluster, asked, asked.group or "")
    return json_response({"ok": notice is None, "msg": notice})


@router.post(
    "/{cluster}/adapt",
    summary="Let the scheduler choose the number of workers",
    response_model=ScaledModel,
    responses=errors(401, 403, 404, 409, 413, 422),
    openapi_extra=body_of(AdaptRequest),
)
async def adapt_cluster(cluster: str, request: Request, user: CurrentUser, service: Service) -> Response:
    """Tells the scheduler. More than the cluster's limit is capped, which `msg` says."""
    asked = await json_body(request, AdaptRequest)
    with audited(request, "cluster.adapt", user, cluster):
        notice = await service.adapt(user, cluster, asked)
    return json_response({"ok": notice is None, "msg": notice})


def _wants_wait(text: str | None) -> bool:
    """Absent: no; empty: yes; a number: unless it is zero; other text: no (R-051)."""
    if text is None:
        return False
    try:
        return text == "" or bool(int(text))
    except ValueError:
        return False


async def _unless_gone(request: Request, answer: Coroutine[Any, Any, bytes]) -> Response:
    """The answer, or none where the caller hangs up before."""
    waiting = asyncio.ensure_future(answer)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait((waiting, gone), return_when=asyncio.FIRST_COMPLETED)
        # nobody reads the answer to a caller that has hung up
        return json_bytes(waiting.result()) if waiting.done() else Response(status_code=204)
    finally:
        waiting.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    """Return when the caller has hung up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
