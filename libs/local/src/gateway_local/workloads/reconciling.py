"""When to look at an object: after a change, after a while, never twice for one burst."""

import asyncio
import logging
from collections.abc import Callable

from gateway_local.apiserver.errors import StatusError

Key = tuple[str, str]
"""(namespace, name)."""

#: Looks at one object; answers after how many seconds to look again, None for: at the next change.
Reconcile = Callable[[Key], float | None]

_RETRY_SECONDS = 1.0

log = logging.getLogger(__name__)


class Reconciler:
    """Calls `reconcile` with the keys that were marked, on the event loop."""

    def __init__(self, reconcile: Reconcile) -> None:
        self._reconcile = reconcile
        self._due: dict[Key, asyncio.TimerHandle] = {}

    def mark(self, key: Key, after: float = 0.0) -> None:
        """Have an object looked at in so many seconds, or sooner if that is agreed already."""
        loop = asyncio.get_running_loop()
        when, due = loop.time() + after, self._due.get(key)
        if due is not None:
            if due.when() <= when:
                return
            due.cancel()
        self._due[key] = loop.call_at(when, self._look, key)

    def stop(self) -> None:
        """Look at nothing any more."""
        for due in self._due.values():
            due.cancel()
        self._due.clear()

    def _look(self, key: Key) -> None:
        del self._due[key]
        try:
            again = self._reconcile(key)
        except StatusError as error:
            # somebody else was quicker, or the namespace is going, in which case the object soon is, too
            log.info("%s/%s: %s", *key, error.message)
            again = _RETRY_SECONDS
        except Exception:  # one object that can't be handled must not keep the others from it
            log.exception("%s/%s could not be handled", *key)
            return
        if again is not None:
            self.mark(key, again)
