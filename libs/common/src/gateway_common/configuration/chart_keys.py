"""Keys of a values file that the chart alone acts on: services read past them, and check them all the same.

An operator keeps one file for everything. A typo in it is an error wherever it stands.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field

from gateway_common import __version__
from gateway_common.configuration.groups import LogLevel

Count = Annotated[int, Field(ge=0)]
Port = Annotated[int, Field(ge=1, le=65535)]
NodePort = Port | None
#: Of objects in Kubernetes, or a part of it.
Name = Annotated[str, Field(pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")]
AddressBlock = Annotated[str, Field(pattern=r"^([0-9.]+|[0-9a-fA-F:.]+:[0-9a-fA-F:.]*)/[0-9]{1,3}$")]
Object = dict[str, Any]
Texts = dict[str, str]
PullPolicy = Literal["Always", "IfNotPresent", "Never", ""]

SERVER_IMAGE = "ghcr.io/dask/dask-gateway-server"
TRAEFIK_VERSION = "3.7.15"


@dataclass(frozen=True, slots=True)
class ChartKey:
    """A key with its type, as pydantic understands it, and its default; None: not set."""

    name: str
    type: Any
    default: Any
    description: str


def chart_keys() -> Iterator[ChartKey]:
    """All of them, in the order of the reference page."""
    yield from _names()
    yield from _gateway()
    yield from _auth()
    yield from _controller()
    yield from _gateway_api()
    yield from _traefik()
    yield from _rbac()
    yield from _cluster_wide()


def _names() -> Iterator[ChartKey]:
    yield ChartKey("nameOverride", Name, "", "Takes the chart's place in the names of objects.")
    yield ChartKey("fullnameOverride", Name, "", "Takes the place of release and chart in the names of objects.")
    yield ChartKey("enabled", bool, None, "Tolerated: charts that include this one switch it on and off by it.")
    yield ChartKey("global", Object, {}, "For charts that include this one; it is not read here.")


def _gateway() -> Iterator[ChartKey]:
    yield ChartKey("gateway.replicas", Count, 1, "Pods of the api.")
    yield from _pod("gateway", "the api's pods")
    yield from _autoscaling("gateway", "the api")
    yield from _image("gateway.image", SERVER_IMAGE, __version__)
    yield ChartKey(
        "gateway.env",
        list[Object],
        [],
        "More environment variables of the api, of auth and of the controller, as Kubernetes has them: all three run "
        "`extraConfig`.",
    )
    yield ChartKey(
        "gateway.extraVolumes",
        list[Object],
        [],
        "More volumes of the same pods, as Kubernetes has them: keytabs, code.",
    )
    yield ChartKey("gateway.extraVolumeMounts", list[Object], [], "Where they are mounted in the containers.")
    yield ChartKey("gateway.service.annotations", Texts, {}, "Annotations of the api's Service.")
    yield from _probe("gateway.livenessProbe", 6, "pods that do not answer are restarted")
    yield from _probe("gateway.readinessProbe", 3, "pods that do not answer get no requests")
    yield ChartKey(
        "gateway.extraConfig",
        str | Texts,
        {},
        "Python configuration code: one block, or a mapping of blocks that run in the order of their keys.",
    )


def _auth() -> Iterator[ChartKey]:
    yield ChartKey("gateway.auth.replicas", Count, 1, "Pods of auth.")
    yield from _pod("gateway.auth", "auth's pods")
    yield from _autoscaling("gateway.auth", "auth")
    yield from _image("gateway.auth.image", None, None, otherwise="that of `gateway.image`")
    yield ChartKey(
        "gateway.auth.signingKeysSecretName",
        str,
        None,
        "An existing Secret whose keys, in the order of their names, are PEM files with EC P-256 private keys: the "
        "first signs sessions, the others are still accepted. Default: one is made at the first install, and kept.",
    )
    hub = "gateway.auth.jupyterhub.apiTokenFromSecret"
    yield ChartKey(f"{hub}Name", str, "hub", "The Secret with the gateway's token, where `apiToken` is not set.")
    yield ChartKey(f"{hub}Key", str, "hub.services.dask-gateway.apiToken", "The key of the token in that Secret.")
    for setting, key, what in (
        ("simple.password", "password", "the password"),
        ("oidc.clientSecret", "client-secret", "the client's secret"),
        ("kerberos.keytab", "keytab", "the keytab, which is then mounted"),
    ):
        yield ChartKey(f"gateway.auth.{setting}FromSecretName", str, None, f"An existing Secret with {what}.")
        yield ChartKey(f"gateway.auth.{setting}FromSecretKey", str, key, "Its key in that Secret.")


def _controller() -> Iterator[ChartKey]:
    yield ChartKey("controller.enabled", bool, True, "Install the controller.")
    yield ChartKey("controller.replicas", Count, 1, "Pods of the controller: one acts, the others stand by.")
    yield from _pod("controller", "the controller's pods")
    yield from _image("controller.image", SERVER_IMAGE, __version__)


def _gateway_api() -> Iterator[ChartKey]:
    yield ChartKey(
        "proxy.gatewayAPI.podsNamespace",
        str,
        None,
        "Where the pods of the Gateway run, for the NetworkPolicies. Default: anywhere.",
    )


def _traefik() -> Iterator[ChartKey]:
    yield ChartKey("traefik.installTraefik", bool, True, "Install Traefik. Off: one that is there already is used.")
    yield ChartKey("traefik.replicas", Count, 1, "Pods of the proxy.")
    yield from _pod("traefik", "the proxy's pods")
    yield from _autoscaling("traefik", "the proxy")
    yield from _image("traefik.image", "docker.io/traefik", TRAEFIK_VERSION)
    yield ChartKey("traefik.additionalArguments", list[str], [], "More arguments of Traefik's command line.")
    yield ChartKey("traefik.loglevel", LogLevel, "WARN", "The least severe level that Traefik logs.")
    yield ChartKey("traefik.dashboard", bool, False, "Show Traefik's own dashboard on port 9000. For debugging only.")
    yield from _traefik_service()
    yield from _traefik_tls()
    yield from _existing_traefik()


def _traefik_service() -> Iterator[ChartKey]:
    yield ChartKey(
        "traefik.service.type",
        Literal["LoadBalancer", "NodePort", "ClusterIP"],
        "LoadBalancer",
        "How the proxy is reached from outside.",
    )
    yield ChartKey("traefik.service.annotations", Texts, {}, "Annotations of the proxy's Service.")
    yield ChartKey("traefik.service.spec", Object, {}, "More fields of the Service's spec.")
    ports = "traefik.service.ports"
    yield ChartKey(f"{ports}.web.port", Port, 80, "The port of HTTP requests.")
    yield ChartKey(f"{ports}.web.nodePort", NodePort, None, "The same on nodes.")
    yield ChartKey(f"{ports}.websecure.port", Port, 443, "The port of HTTPS requests, where `traefik.tls` is set up.")
    yield ChartKey(f"{ports}.websecure.nodePort", NodePort, None, "The same on nodes.")
    yield ChartKey(
        f"{ports}.tcp.port",
        Port | Literal["web"],
        "web",
        "The port of connections to schedulers; `web`: shared with HTTP, or with HTTPS where there is TLS.",
    )
    yield ChartKey(f"{ports}.tcp.nodePort", NodePort, None, "The same on nodes.")


def _traefik_tls() -> Iterator[ChartKey]:
    yield ChartKey(
        "traefik.tls.secretName",
        str,
        None,
        "The Secret with the certificate (`kubernetes.io/tls`) that the proxy shows; where it is set, or an issuer, "
        "there is HTTPS.",
    )
    issuer = "traefik.tls.certManager"
    yield ChartKey(f"{issuer}.issuerName", str, None, "The issuer that cert-manager gets the certificate from.")
    yield ChartKey(f"{issuer}.issuerKind", Literal["Issuer", "ClusterIssuer"], "ClusterIssuer", "What kind it is.")
    yield ChartKey(f"{issuer}.hosts", list[str], [], "Host names in the certificate.")
    yield ChartKey("traefik.tls.redirect", bool, True, "Send those who come by HTTP to HTTPS.")


def _existing_traefik() -> Iterator[ChartKey]:
    existing = "traefik.existing"
    yield ChartKey(f"{existing}.namespace", str, None, "Where the Traefik that is there already runs.")
    yield ChartKey(f"{existing}.webEntryPoint", str, "web", "Its entry point for HTTP or HTTPS.")
    yield ChartKey(
        f"{existing}.tcpEntryPoint",
        str,
        None,
        "Its entry point for schedulers, where that is another one. It must let TLS pass to routes with `HostSNI`.",
    )
    yield ChartKey(f"{existing}.tlsSecretName", str, None, "The Secret with its certificate for the gateway's host.")
    yield ChartKey(
        f"{existing}.middlewares",
        list[Object],
        [],
        "Middlewares, each with name and namespace, that requests for the api go through before the gateway's own.",
    )


def _rbac() -> Iterator[ChartKey]:
    yield ChartKey("rbac.enabled", bool, True, "Create service accounts, roles and bindings.")
    for name, whose in (("controller", "the controller"), ("gateway", "the api"), ("traefik", "Traefik")):
        yield ChartKey(
            f"rbac.{name}.serviceAccountName",
            str,
            None,
            f"An existing service account for {whose}; then none is created, and no roles.",
        )


def _cluster_wide() -> Iterator[ChartKey]:
    yield ChartKey(
        "crds.enabled", bool, True, "Install the resource definitions that the cluster lacks, and keep ours up to date."
    )
    yield ChartKey(
        "crds.traefik",
        bool,
        True,
        "Those of the kinds that the chart's Traefik lists among them. Off where they are there, and the tool that "
        "renders the chart can't see it.",
    )
    yield ChartKey(
        "crds.keep", bool, True, "Leave them, and so all clusters' records, when the release is uninstalled."
    )
    yield ChartKey(
        "networkPolicies.enabled",
        bool,
        True,
        "Allow only the connections that the gateway, its schedulers and its workers need.",
    )
    yield ChartKey(
        "networkPolicies.blockedAddresses",
        list[AddressBlock],
        ["169.254.169.254/32", "fd00:ec2::254/128"],
        "Where schedulers and workers can't connect to: the cloud's metadata service, with the node's credentials. "
        "Empty it where pods get their own credentials from there (GKE's workload identity).",
    )
    yield ChartKey(
        "networkPolicies.dashboardsFrom",
        list[Object],
        [],
        "Who else connects to the web pages of schedulers, past the proxy and its question who may see them: as peers "
        "of a NetworkPolicy. A Prometheus that scrapes schedulers is one.",
    )
    yield ChartKey(
        "networkPolicies.apiFrom",
        list[Object],
        [],
        "Who else connects to the api, past the proxy, such as a Gateway with a route of its own to it: as peers of a "
        "NetworkPolicy. `{namespaceSelector: {}}` is every pod.",
    )
    yield ChartKey(
        "podDisruptionBudgets.enabled", bool, True, "Let nodes be drained of one pod of each service at a time."
    )
    monitor = "metrics.podMonitor"
    yield ChartKey(f"{monitor}.enabled", bool, False, "Have the Prometheus operator scrape controller and Traefik.")
    yield ChartKey(f"{monitor}.labels", Texts, {}, "Labels by which Prometheus finds the PodMonitor.")
    dashboard = "metrics.grafanaDashboard"
    yield ChartKey(f"{dashboard}.enabled", bool, False, "Install a dashboard as a ConfigMap, for Grafana's sidecar.")
    yield ChartKey(f"{dashboard}.labels", Texts, {"grafana_dashboard": "1"}, "Labels by which the sidecar finds it.")


def _pod(prefix: str, whose: str) -> Iterator[ChartKey]:
    """What every Deployment of the chart has."""
    yield ChartKey(f"{prefix}.annotations", Texts, {}, f"Annotations of {whose}.")
    yield ChartKey(f"{prefix}.labels", Texts, {}, f"More labels of {whose}.")
    yield ChartKey(f"{prefix}.resources", Object, {}, f"Requests and limits of {whose}.")
    yield ChartKey(f"{prefix}.imagePullSecrets", list[Object], [], f"Secrets to pull the image of {whose} with.")
    yield ChartKey(f"{prefix}.nodeSelector", Texts, {}, f"Labels of the nodes for {whose}.")
    yield ChartKey(f"{prefix}.affinity", Object, {}, f"Affinity of {whose}.")
    yield ChartKey(f"{prefix}.tolerations", list[Object], [], f"Taints of nodes tolerated by {whose}.")
    yield ChartKey(
        f"{prefix}.topologySpreadConstraints",
        list[Object],
        [],
        f"How {whose} spread over nodes and zones. Default: over both where possible.",
    )
    yield ChartKey(f"{prefix}.priorityClassName", str, None, f"The priority class of {whose}.")
    yield ChartKey(
        f"{prefix}.podSecurityContext", Object, {}, f"Merged over the security context of {whose}, which is restricted."
    )
    yield ChartKey(f"{prefix}.containerSecurityContext", Object, {}, f"The same for the containers of {whose}.")


def _autoscaling(prefix: str, whose: str) -> Iterator[ChartKey]:
    where = f"{prefix}.autoscaling"
    yield ChartKey(
        f"{where}.enabled", bool, False, f"Let Kubernetes choose the number of pods of {whose} by their CPU."
    )
    yield ChartKey(f"{where}.minReplicas", Count, 2, "The least.")
    yield ChartKey(f"{where}.maxReplicas", Count, 10, "The most.")
    yield ChartKey(f"{where}.targetCPUUtilizationPercentage", Count, 80, "Percent of the CPU that they request.")


def _image(prefix: str, name: str | None, tag: str | None, otherwise: str = "") -> Iterator[ChartKey]:
    default = f" Default: {otherwise}." if otherwise else ""
    yield ChartKey(f"{prefix}.name", str, name, f"The image without its tag.{default}")
    yield ChartKey(f"{prefix}.tag", str, tag, f"The image's tag.{default}")
    yield ChartKey(f"{prefix}.pullPolicy", PullPolicy, None, "When it is pulled. Default: Kubernetes decides.")


def _probe(prefix: str, failures: int, use: str) -> Iterator[ChartKey]:
    yield ChartKey(f"{prefix}.enabled", bool, True, f"Probe the api: {use}.")
    yield ChartKey(f"{prefix}.initialDelaySeconds", Count, 5, "Seconds until the first probe.")
    yield ChartKey(f"{prefix}.timeoutSeconds", Count, 2, "Seconds that an answer may take.")
    yield ChartKey(f"{prefix}.periodSeconds", Count, 10, "Seconds between two probes.")
    yield ChartKey(f"{prefix}.failureThreshold", Count, failures, "Failed probes in a row that count.")
