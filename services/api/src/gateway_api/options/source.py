"""Finding the operator's options: Python code that is named in the settings."""

import importlib
import sys
from pathlib import Path

from dask_gateway_server.options import Options, OptionsSource
from gateway_common.errors import GatewayError


class InvalidOptionsSource(GatewayError, ValueError):
    """The setting names something that gives no options."""


def load_options(location: str, folder: Path | None = None) -> OptionsSource:
    """Import `module:attribute`, also from `folder`; an empty location offers nothing.

    Raises InvalidOptionsSource, and whatever the operator's module itself raises.
    """
    if not location:
        return Options()
    if folder is not None and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    module_name, colon, attribute = location.partition(":")
    if not (colon and module_name and attribute):
        raise InvalidOptionsSource(f"api.options must be 'module:attribute', got {location!r}")
    try:
        source = getattr(importlib.import_module(module_name), attribute)
    except (ModuleNotFoundError, AttributeError) as error:
        raise InvalidOptionsSource(f"api.options names {location!r}: {error}") from error
    if not (isinstance(source, Options) or callable(source)):
        raise InvalidOptionsSource(f"{location} must be Options or a function of the user, got {type(source).__name__}")
    return source  # type: ignore[no-any-return]  # the attribute of a module that only the operator knows
