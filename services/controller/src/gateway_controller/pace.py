"""When a status whose change can wait is written: together with what follows it closely."""

from gateway_common.object_store import ObjectKey


class Pace:
    """When each cluster was last changed by this controller. Forgetting that costs one more write."""

    def __init__(self) -> None:
        self._touched: dict[ObjectKey, float] = {}

    def touch(self, key: ObjectKey, now: float) -> None:
        """Something of the cluster was changed at `now`, in seconds."""
        self._touched[key] = now

    def pause(self, key: ObjectKey, patience: float, now: float) -> float:
        """Seconds that are left of `patience` since the last change; none after a clock that was set back."""
        if (touched := self._touched.get(key)) is None:
            return 0.0
        elapsed = now - touched
        if 0 <= elapsed < patience:
            return patience - elapsed
        del self._touched[key]
        return 0.0

    def forget(self, key: ObjectKey) -> None:
        """The cluster is gone."""
        self._touched.pop(key, None)
