"""Which kinds the server has at this moment: its own, and those that CustomResourceDefinitions add."""

from collections.abc import Iterable, Iterator

from gateway_local.apiserver.errors import no_such_path
from gateway_local.apiserver.kinds import Kind
from gateway_local.apiserver.storage import TableKey


class Catalog:
    """Kinds by (group, version, plural)."""

    def __init__(self, kinds: Iterable[Kind] = ()) -> None:
        self._kinds: dict[tuple[str, str, str], Kind] = {}
        self.generation = 0
        """Counts changes, so that documents about the catalog can be kept until it changes."""
        for kind in kinds:
            self.add(kind)

    def __iter__(self) -> Iterator[Kind]:
        return iter(self._kinds.values())

    def find(self, group: str, version: str, plural: str) -> Kind:
        """The kind under a path. `StatusError` 404 when nothing is served there."""
        kind = self._kinds.get((group, version, plural))
        if kind is None:
            raise no_such_path()
        return kind

    def of_table(self, key: TableKey) -> Kind | None:
        """The kind whose objects are in a table, if it is still served."""
        return next((kind for kind in self if kind.key == key), None)

    def of_group(self, group: str, version: str) -> list[Kind]:
        return [kind for kind in self if (kind.group, kind.version) == (group, version)]

    def group_versions(self) -> dict[str, list[str]]:
        """Versions by group, the core group ("") among them, in the order of their first kind."""
        groups: dict[str, list[str]] = {}
        for kind in self:
            versions = groups.setdefault(kind.group, [])
            if kind.version not in versions:
                versions.append(kind.version)
        return groups

    def add(self, kind: Kind) -> None:
        """Serve a kind, in the place of one of the same name."""
        self._kinds[kind.group, kind.version, kind.plural] = kind
        self.generation += 1

    def remove(self, group: str, plural: str) -> None:
        """Serve a resource no longer, in any version."""
        for key in [key for key in self._kinds if (key[0], key[2]) == (group, plural)]:
            del self._kinds[key]
        self.generation += 1
