"""Kubernetes objects by key and by one index, in the newest version that anyone has brought. No I/O, no rules.

resourceVersions are compared as integers, which the API guarantees since 1.35 and which every server did before.
"""

from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

T = TypeVar("T")


class ObjectKey(NamedTuple):
    """`namespace` is empty for objects of the whole cluster."""

    namespace: str
    name: str


def identify(manifest: Mapping[str, Any]) -> tuple[ObjectKey, int]:
    """An object's key and its resourceVersion."""
    metadata = manifest["metadata"]
    return ObjectKey(metadata.get("namespace", ""), metadata["name"]), int(metadata["resourceVersion"])


class ObjectStore(Generic[T]):
    """What an informer knows. `index` names the group that a value is in, or None for none."""

    def __init__(self, index: Callable[[T], Hashable | None] | None = None) -> None:
        self._index = index
        self._values: dict[ObjectKey, T] = {}
        self._versions: dict[ObjectKey, int] = {}
        self._groups: dict[Hashable, dict[ObjectKey, T]] = {}

    def get(self, key: ObjectKey) -> T | None:
        return self._values.get(key)

    def values(self) -> list[T]:
        return list(self._values.values())

    def by_index(self, value: Hashable) -> list[T]:
        return list(self._groups.get(value, {}).values())

    def has(self, key: ObjectKey, version: int) -> bool:
        """Whether this version, or a newer one, is here."""
        return self._versions.get(key, -1) >= version

    def put(self, key: ObjectKey, version: int, value: T) -> None:
        """Store a version that is newer than what is here; changes nothing if the index can't be told."""
        group = self._index(value) if self._index else None
        self._ungroup(key)
        self._values[key] = value
        self._versions[key] = version
        if group is not None:
            self._groups.setdefault(group, {})[key] = value

    def remove(self, key: ObjectKey, version: int) -> bool:
        """Take out what was deleted at `version`; False if it isn't here, or has been made again since."""
        if self._versions.get(key, version + 1) > version:
            return False
        self._ungroup(key)
        del self._values[key], self._versions[key]
        return True

    def missing(self, namespace: str | None, present: Collection[ObjectKey], version: int) -> list[ObjectKey]:
        """The objects of a namespace (None: of all) that a list at `version` should have shown and did not."""
        return [
            key
            for key, stored in self._versions.items()
            if stored <= version and key not in present and namespace in (None, key.namespace)
        ]

    def age(self, namespace: str | None) -> None:
        """Count all versions of a namespace as older than any: the server's history has begun anew."""
        for key in self._versions:
            if namespace in (None, key.namespace):
                self._versions[key] = -1

    def _ungroup(self, key: ObjectKey) -> None:
        if not self._index or key not in self._values:
            return
        group = self._index(self._values[key])
        members = self._groups.get(group)
        if members and members.pop(key, None) is not None and not members:
            del self._groups[group]
