"""What users may choose for their clusters, declared by the operator.

    Options(Integer("worker_cores", default=1, min=1, max=4), handler=lambda options: {...})

`fields.py` has the kinds of options; this module puts them together, checks a user's request against them and
asks the operator's handler what follows for the cluster's configuration.
"""

import copy
import inspect
from collections.abc import Awaitable, Callable, Iterator, Sequence
from collections.abc import Mapping as MappingABC
from dataclasses import dataclass
from keyword import iskeyword
from typing import Any

from dask_gateway_server.fields import Bool, Field, Float, Integer, Mapping, Select, String
from dask_gateway_server.models import User

__all__ = (
    "Bool",
    "Field",
    "Float",
    "FrozenAttrDict",
    "Integer",
    "InvalidOptions",
    "Mapping",
    "Options",
    "OptionsSource",
    "ResolvedOptions",
    "Select",
    "String",
    "options_for",
    "resolve_options",
)

Handler = Callable[..., Any]


class InvalidOptions(ValueError):
    """A user's options can't be. The text is for the user, and may come from the operator's handler."""


class FrozenAttrDict(MappingABC[str, Any]):
    """A mapping that can't be changed and whose keys can be read as attributes: what a handler gets."""

    __slots__ = ("_mapping",)

    def __init__(self, mapping: MappingABC[str, Any]) -> None:
        self._mapping = mapping

    def __getattr__(self, name: str) -> Any:
        """The value of the key `name`."""
        # copy and pickle ask for attributes before _mapping is there
        if name != "_mapping" and name in self._mapping:
            return self._mapping[name]
        raise AttributeError(name)

    def __setattr__(self, name: str, value: object) -> None:
        """Refuse, except in the constructor."""
        if name != "_mapping" or hasattr(self, "_mapping"):
            raise AttributeError(f"options can't be changed: {name}")
        super().__setattr__(name, value)

    def __getitem__(self, key: str) -> Any:
        """The value of `key`."""
        return self._mapping[key]

    def __iter__(self) -> Iterator[str]:
        """The keys in the options' order."""
        return iter(self._mapping)

    def __len__(self) -> int:
        """The number of options."""
        return len(self._mapping)

    def __dir__(self) -> list[str]:
        """Completes the keys that can be attributes."""
        keys = (key for key in self if key.isidentifier() and not iskeyword(key))
        return sorted({*super().__dir__(), *keys})


class Options:
    """The options that users are offered.

    Parameters
    ----------
    fields
        The options, in the order in which clients show them.
    handler
        `handler(options)` or `handler(options, user)`, or a coroutine function of the same: gets the transformed
        options and the User, answers a dict of overrides of the cluster's configuration. What it raises is told
        to the user. Without one, the options themselves are the overrides.
    """

    def __init__(self, *fields: Field, handler: Handler | None = None) -> None:
        for field in fields:
            if not isinstance(field, Field):
                raise TypeError(f"All fields must be instances of ``Field``, got {type(field).__name__!r}")
        self.fields: Sequence[Field] = fields
        self.handler = handler

    @property
    def handler(self) -> Handler | None:
        """The handler, always with the two parameters `options` and `user`."""
        return self._handler

    @handler.setter
    def handler(self, handler: Handler | None) -> None:
        self._handler = None if handler is None else _with_user(handler)

    def get_specification(self) -> list[dict[str, Any]]:
        """What `GET /api/v1/options` answers."""
        return [field.json_spec() for field in self.fields]

    def parse_options(self, request: Any) -> dict[str, Any]:
        """Every option's value, checked and normalized: the requested one, else the default.

        Raises TypeError or ValueError.
        """
        if not isinstance(request, dict):
            raise TypeError(f"options must be a dict, got {type(request).__name__!r}")
        unknown = set(request).difference(field.field for field in self.fields)
        if unknown:
            raise ValueError(f"Unknown fields {sorted(unknown)!r}")
        return {field.field: field.validate(request.get(field.field, field.get_default())) for field in self.fields}

    def transform_options(self, options: MappingABC[str, Any]) -> dict[str, Any]:
        """The values for the handler, by the fields' targets."""
        return {field.target: field.transform(options.get(field.field, field.get_default())) for field in self.fields}

    def get_configuration(self, options: MappingABC[str, Any], user: User) -> Any:
        """The configuration overrides for parsed options; awaitable where the handler is asynchronous."""
        transformed = self.transform_options(options)
        if self._handler is None:
            return transformed
        return self._handler(FrozenAttrDict(transformed), user)


#: What an operator configures: the options, or a function (of either colour) that chooses them for a user.
OptionsSource = Options | Callable[[User], Options | Awaitable[Options]]


@dataclass(frozen=True, slots=True)
class ResolvedOptions:
    """A valid choice: `options` as the user sees them, `overrides` of the cluster's configuration."""

    options: dict[str, Any]
    overrides: dict[str, Any]


async def options_for(source: OptionsSource, user: User) -> Options:
    """The options that `user` is offered; raises what the operator's function raises."""
    if isinstance(source, Options):
        return source
    options = await _settle(source(user))
    if not isinstance(options, Options):
        raise TypeError(f"cluster_options must give Options, got {type(options).__name__!r}")
    return options


async def resolve_options(source: OptionsSource, request: Any, user: User) -> ResolvedOptions:
    """Check what `user` asks for and find what follows from it.

    Raises InvalidOptions with the text of whatever went wrong, the operator's own functions included: that is
    how they tell users about limits.
    """
    try:
        offered = await options_for(source, user)
        options = offered.parse_options(request)
        # a copy, so that a handler that edits a mapping doesn't change what the user is told they chose
        overrides = await _settle(offered.get_configuration(copy.deepcopy(options), user))
        if not isinstance(overrides, MappingABC):
            raise TypeError(f"The options handler must return a dict, got {type(overrides).__name__!r}")
    except Exception as error:
        raise InvalidOptions(str(error) or type(error).__name__) from error
    return ResolvedOptions(options, dict(overrides))


def _with_user(handler: Handler) -> Handler:
    parameters = inspect.signature(handler).parameters.values()
    if len(parameters) != 1 or any(p.kind == inspect.Parameter.VAR_POSITIONAL for p in parameters):
        return handler

    def without_user(options: Any, _user: User) -> Any:
        return handler(options)

    # its name only: __wrapped__ would make it look as if it had one parameter
    without_user.__module__ = getattr(handler, "__module__", __name__)
    without_user.__qualname__ = getattr(handler, "__qualname__", repr(handler))
    return without_user


async def _settle(value: Any) -> Any:
    return await value if inspect.isawaitable(value) else value
