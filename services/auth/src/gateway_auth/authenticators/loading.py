"""Makes the authenticators that the configuration asks for."""

import logging
from collections.abc import Callable, Mapping, Sequence

from gateway_auth.authenticators.base import Authenticator
from gateway_auth.authenticators.custom.loading import load_custom
from gateway_auth.authenticators.jupyterhub.loading import load_jupyterhub
from gateway_auth.authenticators.kerberos.loading import load_kerberos
from gateway_auth.authenticators.oidc.loading import load_oidc
from gateway_auth.authenticators.passwords import PasswordHashes
from gateway_auth.authenticators.simple import SimpleAuthenticator
from gateway_auth.logins.provider import LoginProvider
from gateway_common.clock import Clock
from gateway_common.configuration.auth import AuthenticatorKind, AuthGroup
from gateway_common.errors import InvalidConfig

logger = logging.getLogger(__name__)


def load_authenticators(settings: AuthGroup, clock: Clock) -> list[Authenticator]:
    """In the order in which they are tried; raises InvalidConfig."""
    return [_load(kind, settings, clock) for kind in settings.kinds]


def choose_login(settings: AuthGroup, authenticators: Sequence[Authenticator]) -> LoginProvider | None:
    """Where browsers sign in: as the configuration names it, else the first that there is; raises InvalidConfig."""
    if settings.login == "none":
        return None
    logins = {one.name: one.login for one in authenticators if one.login is not None}
    if settings.login == "auto":
        return next(iter(logins.values()), None)
    if settings.login not in logins:
        raise InvalidConfig(f"auth.login: {settings.login} is not set up for sign-in by browsers")
    return logins[settings.login]


def _load(kind: AuthenticatorKind, settings: AuthGroup, clock: Clock) -> Authenticator:
    return _MAKERS[kind](settings, clock)


def _simple(settings: AuthGroup, _: Clock) -> Authenticator:
    simple = settings.simple
    password = simple.password.get_secret_value() if simple.password else ""
    hashes = PasswordHashes(simple.users, simple.users_file)
    if not password and not hashes:
        logger.warning("No password is set: whoever reaches the gateway can be any user.")
    return SimpleAuthenticator(password, hashes=hashes, reusable_for=simple.reusable_for)


_MAKERS: Mapping[AuthenticatorKind, Callable[[AuthGroup, Clock], Authenticator]] = {
    "custom": lambda settings, _: load_custom(settings),
    "kerberos": lambda settings, _: load_kerberos(settings),
    "jupyterhub": lambda settings, _: load_jupyterhub(settings),
    "oidc": load_oidc,
    "simple": _simple,
}
