"""Who may see and change everybody's clusters."""

from gateway_common.configuration.groups import AdminSettings
from gateway_common.principal import Principal


class Admins:
    """Users whom their authentication calls administrators, and those whom the configuration names."""

    def __init__(self, settings: AdminSettings) -> None:
        self._users = frozenset(settings.users)
        self._groups = frozenset(settings.groups)

    def __contains__(self, principal: Principal) -> bool:
        return principal.admin or principal.name in self._users or not self._groups.isdisjoint(principal.groups)
