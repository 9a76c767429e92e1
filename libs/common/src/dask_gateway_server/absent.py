"""What was in the server of dask-gateway 2026.3.0, and is not here: whoever imports it hears why."""

from collections.abc import Callable
from typing import Any


def absent(module: str, instead: str, *names: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module of which these names are not left, or none; `instead` says what takes its place."""

    def __getattr__(name: str) -> Any:  # noqa: N807  # it becomes the module's
        if name.startswith("__") or (names and name not in names):
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        raise ImportError(f"{module}.{name} of dask-gateway 2026.3.0 is not in this gateway: {instead}")

    return __getattr__
