"""What this process says about itself."""

from collections.abc import Callable

import orjson


class HealthService:
    """Health and version.

    Parameters
    ----------
    version
        Of the gateway.
    serving
        Whether the parts that run beside requests still do.
    """

    def __init__(self, version: str, serving: Callable[[], bool]) -> None:
        self._serving = serving
        #: the version as the answer's JSON
        self.version = orjson.dumps({"version": version})

    @property
    def healthy(self) -> bool:
        """False: only a restart helps."""
        return self._serving()
