"""A JupyterHub as the configuration and, in its stead, the hub's own environment variables describe it."""

import logging
import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from gateway_auth.authenticators.jupyterhub.authenticator import JupyterHubAuthenticator
from gateway_auth.authenticators.jupyterhub.hub import JupyterHub, load_tls
from gateway_auth.authenticators.jupyterhub.login import JupyterHubLogin
from gateway_common.configuration.auth import AuthGroup, JupyterHubSettings
from gateway_common.errors import InvalidConfig

logger = logging.getLogger(__name__)

#: Seconds for which a hub's word counts unless the operator says otherwise, as in the reference system (U-002).
DEFAULT_MAX_AGE = 300.0


def load_jupyterhub(auth: AuthGroup, environment: Mapping[str, str] = os.environ) -> JupyterHubAuthenticator:
    """The authenticator; raises InvalidConfig."""
    settings = auth.jupyterhub
    api_url = settings.api_url or environment.get("JUPYTERHUB_API_URL", "")
    if not api_url:
        raise InvalidConfig("gateway.auth.jupyterhub.apiUrl: set it to the hub's API, or set $JUPYTERHUB_API_URL")
    if "$(" in api_url:
        # the chart refers to variables of the hub's Service, which Kubernetes leaves as they are where it knows of none
        raise InvalidConfig(
            "gateway.auth.jupyterhub.apiUrl: set it to the hub's API, since there is no Service `hub` in this namespace"
        )
    service_name = settings.service_name or environment.get("JUPYTERHUB_SERVICE_NAME", "")
    hub = JupyterHub(
        api_url,
        service_name=service_name if _checks_scopes(settings, service_name) else "",
        admins=settings.admin_is_admin,
        timeout=settings.request_timeout,
        tls=load_tls(settings.tls_key, settings.tls_cert, settings.tls_ca),
    )
    max_age = DEFAULT_MAX_AGE if auth.cache_max_age is None else auth.cache_max_age
    public_url = settings.public_url or _public_url(api_url, environment)
    login = _load_login(settings, hub, service_name, max_age, public_url, environment)
    return JupyterHubAuthenticator(hub, max_age=max_age, login=login)


def _checks_scopes(settings: JupyterHubSettings, service_name: str) -> bool:
    wanted = settings.use_service_access_scopes
    if wanted and not service_name:
        raise InvalidConfig(
            "gateway.auth.jupyterhub.jupyterhubServiceName: set it, so that useServiceAccessScopes knows which tokens "
            "may access the gateway"
        )
    checks = bool(service_name) if wanted is None else wanted
    if not checks:
        logger.warning("Every token of JupyterHub is good for the gateway: set jupyterhubServiceName to change that.")
    return checks


def _public_url(api_url: str, environment: Mapping[str, str]) -> str:
    """Where browsers find the hub if nobody says: at the path at which its API is, too."""
    base = environment.get("JUPYTERHUB_BASE_URL")
    path = f"{base}hub/" if base else urlsplit(api_url).path.rstrip("/").removesuffix("api")
    return environment.get("JUPYTERHUB_HOST", "") + (path if path.endswith("hub/") else "/hub/")


def _load_login(
    settings: JupyterHubSettings,
    hub: JupyterHub,
    service_name: str,
    max_age: float,
    public_url: str,
    environment: Mapping[str, str],
) -> JupyterHubLogin | None:
    """None where the gateway has no token of its own at the hub."""
    token = settings.api_token.get_secret_value() if settings.api_token else environment.get("JUPYTERHUB_API_TOKEN", "")
    client_id = settings.client_id or environment.get("JUPYTERHUB_CLIENT_ID", "")
    client_id = client_id or (f"service-{service_name}" if service_name else "")
    if not token:
        return None
    public_url = public_url.rstrip("/") + "/"
    return JupyterHubLogin(hub, public_url=public_url, client_id=client_id, client_secret=token, max_age=max_age)
