"""The rules for options: what a user is offered, and which cluster follows from their choice. Knows no HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from dask_gateway_server.models import User
from dask_gateway_server.options import (
    InvalidOptions,
    Options,
    OptionsSource,
    ResolvedOptions,
    options_for,
    resolve_options,
)
from gateway_api.errors import InvalidRequest
from gateway_api.options.operator_code import OperatorCode, OperatorCodeTimeout
from gateway_common.config import parse_cluster_config
from gateway_common.principal import Principal


@dataclass(frozen=True, slots=True)
class ChosenCluster:
    """What a user's choice comes to: the options as chosen, the resolved configuration, and where it runs."""

    options: Mapping[str, Any]
    config: Mapping[str, Any]
    namespace: str


class OptionsService:
    """Evaluates the operator's options.

    Parameters
    ----------
    source
        The options, or a function of the user.
    defaults
        The operator's defaults of a cluster's configuration.
    namespaces
        The backend namespaces; the first is the default.
    code
        Runs the operator's functions.
    """

    def __init__(
        self, source: OptionsSource, *, defaults: Mapping[str, Any], namespaces: Sequence[str], code: OperatorCode
    ) -> None:
        self._source = source
        self._defaults = dict(defaults)
        self._namespaces = tuple(namespaces)
        self._code = code
        # the same for everybody: the answer's bytes are made once
        self._fixed_answer = _answer(source) if isinstance(source, Options) else None

    async def describe(self, principal: Principal) -> bytes:
        """What the user is offered, as JSON (R-012); raises what the operator's function raises."""
        if self._fixed_answer is not None:
            return self._fixed_answer
        user = _user(principal)

        async def offered() -> bytes:
            return _answer(await options_for(self._source, user))

        return await self._code.run(offered)

    async def resolve(self, principal: Principal, request: Mapping[str, Any]) -> ChosenCluster:
        """The cluster that the user asks for.

        Raises InvalidRequest with the text of what is wrong, also that of the operator's handler, and InvalidConfig.
        """
        chosen = await self._evaluate(_user(principal), dict(request))
        config = parse_cluster_config({**self._defaults, **chosen.overrides})
        namespace = config.namespace or self._namespaces[0]
        if namespace not in self._namespaces:
            raise InvalidRequest(f"namespace: clusters run in {', '.join(self._namespaces)}, not in {namespace!r}")
        resolved = config.model_copy(update={"namespace": namespace, "cluster_max_workers": config.max_workers})
        return ChosenCluster(chosen.options, resolved.model_dump(mode="json", exclude_none=True), namespace)

    async def _evaluate(self, user: User, request: dict[str, Any]) -> ResolvedOptions:
        try:
            if isinstance(self._source, Options) and self._source.handler is None:
                # none of the operator's code is involved
                return await resolve_options(self._source, request, user)
            return await self._code.run(lambda: resolve_options(self._source, request, user))
        except (InvalidOptions, OperatorCodeTimeout) as error:
            raise InvalidRequest(str(error)) from error


def _user(principal: Principal) -> User:
    return User(principal.name, principal.groups, principal.admin)


def _answer(options: Options) -> bytes:
    return orjson.dumps({"cluster_options": options.get_specification()})
