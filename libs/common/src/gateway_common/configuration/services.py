"""Parts of the configuration that belong to one service each."""

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
    public_url: str = setting(
        "",
        values="gateway.publicUrl",
        pattern=r"^(https?://[^/?#]+(/[^?#]*)?)?$",
        description="The gateway's address in browsers, such as `https://hub.example.org/services/dask-gateway`, for "
        "cookies and for the way back from signing in. Set it where TLS ends before Traefik. Default: as requests "
        "come.",
    )
    proxies: int = setting(
        1,
        ge=0,
        values="gateway.proxies",
        description="Proxies in front of the api that add an address to `X-Forwarded-For`: Traefik, and those before "
        "it. With too few, all users seem to have one address; with too many, they can pretend any.",
    )
    startup_timeout: float = setting(
        30.0, gt=0, unit="seconds", description="Until the clusters must have been read once, else the start fails."
    )
    shutdown_timeout: int = setting(
        15, ge=0, unit="seconds", description="That open requests get to finish after SIGTERM."
    )


#: What speaks for a whole host, or asks for a password in its name. Pages of clusters come from users' programs, and
#: theirs is a path only. Not Set-Cookie: a page's script could do the same, and Jupyter beside a scheduler needs it.
#: A filter of the Gateway API removes no more than sixteen.
HEADERS_OF_THE_HOST = (
    "Accept-CH",
    "Access-Control-Allow-Credentials",
    "Access-Control-Allow-Headers",
    "Access-Control-Allow-Methods",
    "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers",
    "Alt-Svc",
    "Clear-Site-Data",
    "NEL",
    "Report-To",
    "Reporting-Endpoints",
    "Service-Worker-Allowed",
    "Set-Login",
    "Strict-Transport-Security",
    "Use-As-Dictionary",
    "WWW-Authenticate",
)


class DashboardsGroup(SettingsGroup):
    """Who sees the web pages of clusters."""

    private: bool = setting(
        True,
        values="gateway.dashboards.private",
        description="Let only a cluster's owner and administrators see its pages: Traefik asks the api. Off for those "
        "who see to it in front of the gateway.",
    )
    host: str = setting(
        "",
        values="gateway.dashboards.host",
        pattern=r"^(\{cluster\}\.[a-z0-9-]+(\.[a-z0-9-]+)*)?$",
        description="A host name for each cluster's pages, such as `{cluster}.dask.example.org`, so that browsers keep "
        "the pages of one cluster from those of others. The gateway itself must be at the part after `{cluster}.` or "
        "below it; DNS and certificates need a wildcard. Default: all are below the gateway's own address.",
    )

    frame_ancestors: list[str] = setting(
        ["'self'"],
        values="gateway.dashboards.frameAncestors",
        description="Origins whose pages may show a cluster's pages in a frame, as in the Content-Security-Policy. "
        "Empty: none.",
    )

    @property
    def parent(self) -> str:
        """The host below which each cluster has one of its own; empty where they have none."""
        return self.host.partition(".")[2]

    @property
    def headers(self) -> dict[str, str]:
        """What answers of clusters' pages carry, so that browsers do no more with them than show them. Empty: never."""
        ancestors = " ".join(self.frame_ancestors) or "'none'"
        return {
            **dict.fromkeys(HEADERS_OF_THE_HOST, ""),
            "Content-Security-Policy": f"frame-ancestors {ancestors}",
            # not that of the Swagger UI: browsers then let no such page into its window
            "Cross-Origin-Opener-Policy": "unsafe-none",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        }


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
    completed_clusters_per_user: int = setting(
        300,
        ge=0,
        unit="records",
        values="controller.completedClustersPerUser",
        description="Of stopped and failed clusters that are kept for each user at the most, the newest.",
    )
    completed_cluster_cleanup_period: float = setting(
        600,
        gt=0,
        unit="seconds",
        values="controller.completedClusterCleanupPeriod",
        traits="KubeController.completed_cluster_cleanup_period",
        description="Between two searches for records that are too old, or too many.",
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
    proxy_own_middlewares: list[Middleware] = setting(
        [],
        description="Those of the gateway itself, which come after them; the chart sets it.",
    )
    proxy_readiness_entrypoint: str = setting(
        "",
        description="The entry point of the gateway's own Traefik at which `/ready` is to say that Traefik has read "
        "its routes; the chart sets it. Default: none.",
    )
    proxy_host: str = setting(
        "",
        values="traefik.existing.host",
        description="The host that routes are for. Default: any. Set it where Traefik serves others, too.",
    )
    proxy_tls: bool = setting(
        False,
        values="traefik.existing.tls",
        description="Whether dashboards are routed as HTTPS, which an entry point like `websecure` takes.",
    )
    proxy_route_labels: dict[str, str] = setting(
        {},
        values="traefik.existing.labels",
        description="More labels of routes, by which Traefik selects those that it serves.",
    )
