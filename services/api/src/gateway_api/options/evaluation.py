"""One user's choice put to the operator's options: what runs here may be the operator's code.

Unlike dask_gateway_server.options.resolve_options it tells apart who made a mistake, the user or the code.
"""

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from dask_gateway_server import fields
from dask_gateway_server.backends.resolve import resolve_config
from dask_gateway_server.models import User
from dask_gateway_server.options import InvalidOptions, Options, OptionsSource, ResolvedOptions
from gateway_api.options.operator_code import OperatorCodeFailed
from gateway_common.configuration.code_sections import apart
from gateway_common.errors import InvalidConfig


class Evaluation:
    """Runs the operator's code for one user. `function` says what of it is running.

    Each method raises OperatorCodeFailed for what the code raises.
    """

    def __init__(self, user: User) -> None:
        self._user = user
        self.function = "the options"
        #: Fields of a cluster's configuration that the code has set in `c`, for this cluster.
        self.set_in_c: dict[str, Any] = {}

    async def describe(self, source: OptionsSource) -> bytes:
        """What the user is offered, as JSON."""
        with apart():
            offered = await self._offered(source)
            description: bytes = await self._call(lambda: specification(offered), "the options' description")
        return description

    async def choose(self, source: OptionsSource, request: Mapping[str, Any]) -> ResolvedOptions:
        """What the user asks for, and what follows from it; raises InvalidOptions as well."""
        with apart() as own:
            chosen = await self._choose(source, request)
        self.set_in_c = own.fields()
        return chosen

    async def _choose(self, source: OptionsSource, request: Mapping[str, Any]) -> ResolvedOptions:
        offered = await self._offered(source)
        options = await self._call(lambda: parsed(offered, request), "an option's check")
        await self._call(lambda: orjson.dumps(options), "an option's value")
        handler = "the options' values" if offered.handler is None else name_of(offered.handler)
        # a copy, so that a handler that edits a mapping doesn't change what the user is told they chose
        overrides = await self._call(lambda: offered.get_configuration(copy.deepcopy(options), self._user), handler)
        if not isinstance(overrides, Mapping):
            raise self._wrong("The options handler must return a dict", overrides)
        return ResolvedOptions(options, dict(overrides))

    async def configure(self, cluster_config_class: type[Any], fields: Mapping[str, Any]) -> dict[str, Any]:
        """What the operator's class makes of a cluster's configuration; raises InvalidConfig as well."""
        configured = await self._call(
            lambda: resolve_config(cluster_config_class, fields), name_of(cluster_config_class)
        )
        return dict(configured)

    async def _offered(self, source: OptionsSource) -> Options:
        if isinstance(source, Options):
            return source
        options = await self._call(lambda: source(self._user), name_of(source))
        if not isinstance(options, Options):
            raise self._wrong("cluster_options must give Options", options)
        return options

    async def _call(self, function: Callable[[], Any], name: str) -> Any:
        """What `function` gives, also if it is to be awaited."""
        self.function = name
        try:
            result = function()
            while inspect.isawaitable(result):
                result = await result
        except (InvalidOptions, InvalidConfig):
            raise
        except Exception as error:
            raise OperatorCodeFailed(_text(error), name) from error
        return result

    def _wrong(self, expected: str, result: object) -> OperatorCodeFailed:
        return OperatorCodeFailed(f"{expected}, got {type(result).__name__!r}", self.function)


def specification(options: Options) -> bytes:
    """What users are offered, as JSON (R-012)."""
    return orjson.dumps({"cluster_options": options.get_specification()})


def needs_no_code(source: OptionsSource) -> bool:
    """Whether options are all of our own making: these neither block nor fail."""
    return (
        isinstance(source, Options)
        and source.handler is None
        and all(type(field).__module__ == fields.__name__ for field in source.fields)
    )


def name_of(function: object) -> str:
    """The place of a function of the operator's. Configuration code has none: its functions pass for built-in ones."""
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    module = getattr(function, "__module__", None) or type(function).__module__
    return str(name) if module == "builtins" else f"{module}.{name}"


def parsed(offered: Options, request: Mapping[str, Any]) -> dict[str, Any]:
    """Every option's value; raises InvalidOptions where the user's can't be."""
    try:
        return offered.parse_options(dict(request))
    except (TypeError, ValueError) as error:
        # how fields refuse a user's value
        raise InvalidOptions(_text(error)) from error


def _text(error: Exception) -> str:
    """What is wrong, in the code's own words; with its type's name if it has none, or no more than a key."""
    try:
        if isinstance(error, KeyError):
            return f"KeyError: {error}"
        return str(error) or type(error).__name__
    except Exception:
        return type(error).__name__
