"""An issuer as the configuration describes it."""

import logging
import ssl
from urllib.parse import urlsplit

from gateway_auth.authenticators.oidc.authenticator import OidcAuthenticator
from gateway_auth.authenticators.oidc.issuer import Issuer
from gateway_auth.authenticators.oidc.login import OidcLogin
from gateway_common.clock import Clock, system_clock
from gateway_common.configuration.auth import AuthGroup, OidcSettings
from gateway_common.errors import InvalidConfig

logger = logging.getLogger(__name__)


def load_oidc(auth: AuthGroup, clock: Clock = system_clock) -> OidcAuthenticator:
    """The authenticator; raises InvalidConfig."""
    settings = auth.oidc
    if not settings.issuer:
        raise InvalidConfig("gateway.auth.oidc.issuer: set it to the issuer's address")
    audience = frozenset(settings.audience or filter(None, [settings.client_id]))
    if not audience:
        raise InvalidConfig(
            "gateway.auth.oidc.audience: set it, or clientId, to what tokens for the gateway are meant for"
        )
    if urlsplit(settings.issuer).scheme != "https":
        logger.warning("The issuer is asked without TLS: whoever is on the way can sign in as anybody.")
    issuer = Issuer(
        settings.issuer,
        algorithms=settings.algorithms,
        keys_lifetime=settings.keys_lifetime,
        timeout=settings.request_timeout,
        clock=clock,
        tls=_tls(settings),
    )
    login = OidcLogin(issuer, settings, clock, auth.cache_max_age) if settings.client_id else None
    return OidcAuthenticator(issuer, settings, audience=audience, clock=clock, max_age=auth.cache_max_age, login=login)


def _tls(settings: OidcSettings) -> ssl.SSLContext | None:
    if settings.tls_ca is None:
        return None
    try:
        return ssl.create_default_context(cafile=str(settings.tls_ca))
    except (OSError, ssl.SSLError) as error:
        raise InvalidConfig(f"gateway.auth.oidc.tlsCa: {settings.tls_ca} can't be used: {error}") from error
