"""Routes that resolve their parameters when they are defined, not anew for every request.

FastAPI's own resolution costs about 0.1 ms of CPU a request, several times what reading a cluster needs. This route
class (FastAPI's documented way to change how requests are handled) takes endpoints and dependencies whose parameters
are of four kinds, and refuses others at import:

    request: Request
    name: str                               in the path
    name: str | None = None                 in the query
    name: Annotated[T, Depends(function)]   an async function with parameters of these kinds

The OpenAPI document is FastAPI's, made from the same signatures.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.routing import request_response

Resolve = Callable[[Request], Awaitable[Any]]


class DirectRoute(APIRoute):
    """An endpoint that returns a Response."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # FastAPI's own wrapper opens two exit stacks for dependencies that need closing; here there are none
        self.app = request_response(_bind(self.dependant))

    def get_route_handler(self) -> Callable[[Request], Any]:
        """What FastAPI calls to make the handler."""
        return _bind(self.dependant)


def _bind(dependant: Dependant) -> Callable[[Request], Awaitable[Response]]:
    """A function of the request that calls the endpoint, or the dependency, with its parameters."""
    _check(dependant)
    function: Callable[..., Awaitable[Any]] = dependant.call  # type: ignore[assignment]  # never None here
    request_name = dependant.request_param_name
    path_names = [(field.name, field.alias) for field in dependant.path_params]
    query_names = [(field.name, field.alias) for field in dependant.query_params]
    dependencies: Sequence[tuple[str, Resolve]] = [
        (str(dependency.name), _bind(dependency)) for dependency in dependant.dependencies
    ]

    async def call(request: Request) -> Any:
        values: dict[str, Any] = {name: request.path_params[alias] for name, alias in path_names}
        if request_name is not None:
            values[request_name] = request
        for name, alias in query_names:
            values[name] = request.query_params.get(alias)
        for name, resolve in dependencies:
            values[name] = await resolve(request)
        return await function(**values)

    return call


def _check(dependant: Dependant) -> None:
    """Raise TypeError for a signature that would be resolved wrongly."""
    unsupported = (
        dependant.header_params,
        dependant.cookie_params,
        dependant.body_params,
        dependant.response_param_name,
        dependant.background_tasks_param_name,
        dependant.security_scopes_param_name,
        [field for field in dependant.path_params if field.field_info.annotation is not str],
        [field for field in dependant.query_params if field.field_info.annotation != str | None],
    )
    if any(unsupported):
        raise TypeError(f"{dependant.call} has a parameter of a kind that DirectRoute does not know")
