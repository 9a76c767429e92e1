"""Parts of the configuration that belong to one service each."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr

from gateway_common.configuration.groups import LogLevel, SettingsGroup
from gateway_common.setting import setting


class ApiGroup(SettingsGroup):
    """How the api serves and whom it asks."""

    host: str = setting("0.0.0.0", description="The address to listen on.")  # noqa: S104  # a pod's only one
    port: int = setting(8000, ge=0, le=65535, description="The port to listen on.")
    log_level: LogLevel | None = setting(
        None,
        values="gateway.loglevel",
        traits="DaskGateway.log_level",
        description="The least severe level that the api logs. Default: `log.level`.",
    )
    auth_url: str = setting("http://127.0.0.1:8001", description="Where the auth service is.")
    auth_timeout: float = setting(
        30.0, gt=0, unit="seconds", description="That the auth service may take for one request."
    )
    options_timeout: float = setting(
        30.0, gt=0, unit="seconds", description="That the operator's options code may take for one request."
    )
    validate_pods: bool = setting(
        False,
        values="gateway.backend.validatePods",
        description="Ask Kubernetes before a cluster is made whether it would take its pods (a server-side dry run), "
        "so that the user is told at once. Takes two more calls a cluster, and the right to create pods.",
    )
    max_body_size: int = setting(
        2**20, ge=1024, unit="bytes", description="The longest request body; longer ones are refused."
    )
    startup_timeout: float = setting(
        30.0, gt=0, unit="seconds", description="Until the clusters must have been read once, else the start fails."
    )
    shutdown_timeout: int = setting(
        15, ge=0, unit="seconds", description="That open requests get to finish after SIGTERM."
    )


class SimpleSettings(SettingsGroup):
    """One password for everybody."""

    password: SecretStr | None = setting(
        None,
        values="gateway.auth.simple.password",
        traits="SimpleAuthenticator.password",
        description="The password that every user must give. Not set or empty: any password will do.",
    )
    reusable_for: float = setting(
        60.0,
        ge=0,
        unit="seconds",
        description="That the api may answer the same credentials by itself, and so how long a changed password may "
        "go unnoticed.",
    )


class KerberosSettings(SettingsGroup):
    """Kerberos tickets by SPNEGO."""

    service_name: str = setting(
        "HTTP", traits="KerberosAuthenticator.service_name", description="The service's name in its principal."
    )
    keytab: Path = setting(
        Path("dask_gateway.keytab"),
        values="gateway.auth.kerberos.keytab",
        traits="KerberosAuthenticator.keytab",
        description="The file with the service's key.",
    )


class JupyterHubSettings(SettingsGroup):
    """Tokens of a JupyterHub."""

    api_token: SecretStr | None = setting(
        None,
        values="gateway.auth.jupyterhub.apiToken",
        traits="JupyterHubAuthenticator.jupyterhub_api_token",
        description="The gateway's own token, as a service of the hub. Default: `$JUPYTERHUB_API_TOKEN`.",
    )
    api_url: str | None = setting(
        None,
        values="gateway.auth.jupyterhub.apiUrl",
        traits="JupyterHubAuthenticator.jupyterhub_api_url",
        description="The hub's API. Default: `$JUPYTERHUB_API_URL`.",
    )
    service_name: str = setting(
        "",
        values="gateway.auth.jupyterhub.jupyterhubServiceName",
        traits="JupyterHubAuthenticator.jupyterhub_service_name",
        description="The gateway's name as a service of the hub. Default: `$JUPYTERHUB_SERVICE_NAME`.",
    )
    use_service_access_scopes: bool | None = setting(
        None,
        traits="JupyterHubAuthenticator.use_service_access_scopes",
        description="Take only tokens that may access the service. Default: where its name is known.",
    )
    tls_key: Path | None = setting(
        None, traits="JupyterHubAuthenticator.tls_key", description="The private key to show to the hub."
    )
    tls_cert: Path | None = setting(
        None, traits="JupyterHubAuthenticator.tls_cert", description="The certificate that belongs to `tls_key`."
    )
    tls_ca: Path | None = setting(
        None, traits="JupyterHubAuthenticator.tls_ca", description="The authority that signed the hub's certificate."
    )


class CustomSettings(SettingsGroup):
    """An authenticator class of the operator's."""

    class_name: str = setting(
        "", values="gateway.auth.custom.class", description="The class, with its module: `my_module.MyAuthenticator`."
    )
    config: dict[str, Any] = setting(
        {}, values="gateway.auth.custom.config", description="The class's traitlets and their values."
    )


class AuthGroup(SettingsGroup):
    """How users prove who they are, and how long that is good for."""

    host: str = setting("0.0.0.0", description="The address to listen on.")  # noqa: S104  # a pod's only one
    port: int = setting(8001, ge=0, le=65535, description="The port to listen on.")
    log_level: LogLevel | None = setting(
        None,
        values="gateway.loglevel",
        traits="DaskGateway.log_level",
        description="The least severe level that auth logs. Default: `log.level`.",
    )
    shutdown_timeout: int = setting(
        15, ge=0, unit="seconds", description="That open requests get to finish after SIGTERM."
    )
    session_lifetime: int = setting(
        3600,
        ge=1,
        unit="seconds",
        description="That a session token is good for. Then groups and rights are looked up again.",
    )
    signing_keys: tuple[Path, ...] = setting(
        (),
        description="PEM files with EC P-256 private keys. The first signs; the others are still accepted, which is "
        "how a key is rotated. Default: a key of this process, so that sessions end with it.",
    )
    authenticator: Literal["simple", "kerberos", "jupyterhub", "custom"] = setting(
        "simple", values="gateway.auth.type", description="How users authenticate."
    )
    authenticator_class: Any = setting(
        None,
        traits="DaskGateway.authenticator_class",
        description="The authenticator as a class of dask_gateway_server.auth or a subclass, or its import path. Wins "
        "over `authenticator`.",
    )
    cache_max_age: float | None = setting(
        None,
        ge=0,
        unit="seconds",
        traits="Authenticator.cache_max_age",
        description="That a user's groups and rights may go unrefreshed. Default: `session_lifetime`.",
    )
    simple: SimpleSettings = Field(default=SimpleSettings())
    kerberos: KerberosSettings = Field(default=KerberosSettings())
    jupyterhub: JupyterHubSettings = Field(default=JupyterHubSettings())
    custom: CustomSettings = Field(default=CustomSettings())


class Middleware(SettingsGroup):
    """A Traefik Middleware that dashboards' routes go through."""

    name: str = setting(min_length=1, description="Its name.")
    namespace: str = setting("", description="Its namespace. Default: that of the cluster.")


class ControllerGroup(SettingsGroup):
    """What the controller makes, and how hard it tries."""

    host: str = setting("0.0.0.0", description="Address that health and metrics are served on.")  # noqa: S104  # a pod's
    port: int = setting(8002, ge=0, le=65535, description="Port that health and metrics are served on.")
    log_level: LogLevel | None = setting(
        None,
        values="controller.loglevel",
        traits="KubeController.log_level",
        description="The least severe level that the controller logs. Default: `log.level`.",
    )
    parallelism: int = setting(
        20,
        ge=1,
        values="controller.parallelism",
        traits="KubeController.parallelism",
        description="Clusters that are worked on side by side.",
    )
    leader_election: bool = setting(
        True,
        values="controller.leaderElection",
        description="Let replicas agree by a Lease which of them acts. Without it there must never be two.",
    )
    lease_namespace: str = setting(
        "",
        values="controller.leaseNamespace",
        description="Where the Lease is. Default: the namespace that the controller runs in; for an API server that "
        "`kube` names, the first backend namespace.",
    )
    identity: str = setting(
        "",
        description="This replica's name in the Lease, never that of two processes at once. Default: `$POD_NAME`, else "
        "the host's name and a random number.",
    )
    shutdown_timeout: float = setting(
        1.0,
        ge=0,
        unit="seconds",
        values="controller.shutdownTimeout",
        description="That work on clusters that has begun gets to finish after SIGTERM. What is cut off is finished by "
        "the next leader.",
    )
    completed_cluster_max_age: float = setting(
        86400,
        ge=0,
        unit="seconds",
        values="controller.completedClusterMaxAge",
        traits="KubeController.completed_cluster_max_age",
        description="For which the record of a stopped or failed cluster is kept: users may want to know why.",
    )
    completed_cluster_cleanup_period: float = setting(
        600,
        gt=0,
        unit="seconds",
        values="controller.completedClusterCleanupPeriod",
        traits="KubeController.completed_cluster_cleanup_period",
        description="Between two searches for records that are too old.",
    )
    backoff_base_delay: float = setting(
        0.1,
        gt=0,
        unit="seconds",
        values="controller.backoffBaseDelay",
        traits="KubeController.backoff_base_delay",
        description="Until a failed cluster's second try; each further one waits twice as long.",
    )
    backoff_max_delay: float = setting(
        300,
        gt=0,
        unit="seconds",
        values="controller.backoffMaxDelay",
        traits="KubeController.backoff_max_delay",
        description="Between two tries, at the most.",
    )
    k8s_api_rate_limit: float | None = setting(
        None,
        gt=0,
        unit="calls per second",
        values="controller.k8sApiRateLimit",
        traits="KubeController.k8s_api_rate_limit",
        description="To the Kubernetes API on average. Default: as many as it takes; a cluster's start takes eight.",
    )
    k8s_api_rate_limit_burst: int = setting(
        100,
        ge=1,
        unit="calls",
        values="controller.k8sApiRateLimitBurst",
        traits="KubeController.k8s_api_rate_limit_burst",
        description="To the Kubernetes API at once, where `k8s_api_rate_limit` is set.",
    )
    proxy_web_entrypoint: str = setting(
        "web",
        values="controller.proxyWebEntrypoint",
        traits="KubeController.proxy_web_entrypoint",
        description="Traefik's entry point for HTTP.",
    )
    proxy_tcp_entrypoint: str = setting(
        "tcp",
        values="controller.proxyTcpEntrypoint",
        traits="KubeController.proxy_tcp_entrypoint",
        description="Traefik's entry point for schedulers.",
    )
    proxy_web_middlewares: list[Middleware] = setting(
        [],
        values="controller.proxyWebMiddlewares",
        traits="KubeController.proxy_web_middlewares",
        description="Traefik middlewares of dashboards' routes.",
    )
