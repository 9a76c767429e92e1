"""Kerberos as the configuration describes it."""

from gateway_auth.authenticators.kerberos.acceptor import Acceptor
from gateway_auth.authenticators.kerberos.authenticator import KerberosAuthenticator
from gateway_auth.authenticators.kerberos.principal_names import parse_rules
from gateway_common.configuration.auth import AuthGroup
from gateway_common.errors import InvalidConfig


def load_kerberos(auth: AuthGroup) -> KerberosAuthenticator:
    """The authenticator; raises InvalidConfig."""
    settings = auth.kerberos
    try:
        rules = parse_rules(settings.rules)
    except ValueError as error:
        raise InvalidConfig(f"gateway.auth.kerberos.rules: {error}") from error
    acceptor = Acceptor(settings.service_name, settings.keytab)
    return KerberosAuthenticator(acceptor, realms=settings.realms, rules=rules, max_age=auth.cache_max_age)
