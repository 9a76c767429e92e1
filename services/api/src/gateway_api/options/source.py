"""Finding the operator's options: Python code, or its place."""

import importlib
from typing import Any

from dask_gateway_server.options import Options, OptionsSource
from gateway_common.errors import GatewayError


class InvalidOptionsSource(GatewayError, ValueError):
    """The setting names something that gives no options."""


def load_options(source: Any) -> OptionsSource | None:
    """Options, a function of the user, or either's place as `module:attribute`; None where there is no code.

    Raises InvalidOptionsSource, and whatever the operator's module itself raises.
    """
    if source is None or source == "":
        return None
    found = _imported(source) if isinstance(source, str) else source
    if not (isinstance(found, Options) or callable(found)):
        raise InvalidOptionsSource(f"cluster_options must be Options or a function of the user, got {found!r}")
    return found  # type: ignore[no-any-return]  # the attribute of a module that only the operator knows


def _imported(location: str) -> Any:
    module_name, colon, attribute = location.partition(":")
    if not (colon and module_name and attribute):
        raise InvalidOptionsSource(f"cluster_options must be 'module:attribute', got {location!r}")
    try:
        return getattr(importlib.import_module(module_name), attribute)
    except (ModuleNotFoundError, AttributeError) as error:
        raise InvalidOptionsSource(f"cluster_options names {location!r}: {error}") from error
