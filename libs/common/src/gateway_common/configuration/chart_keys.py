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
Object = dict[str, Any]
Texts = dict[str, str]
PullPolicy = Literal["Always", "IfNotPresent", "Never", ""]

SERVER_IMAGE = "ghcr.io/dask/dask-gateway-server"


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
    yield from _controller()
    yield from _traefik()
    yield from _rbac()


def _names() -> Iterator[ChartKey]:
    yield ChartKey("nameOverride", str, "", "Takes the chart's place in the names of objects.")
    yield ChartKey("fullnameOverride", str, "", "Takes the place of release and chart in the names of objects.")
    yield ChartKey("enabled", bool, None, "Tolerated: charts that include this one switch it on and off by it.")
    yield ChartKey("global", Object, {}, "For charts that include this one; it is not read here.")


def _gateway() -> Iterator[ChartKey]:
    yield ChartKey("gateway.replicas", Count, 1, "Pods of the api.")
    yield from _pod("gateway", "the api's pods")
    yield from _image("gateway.image", SERVER_IMAGE, __version__)
    yield ChartKey(
        "gateway.env", list[Object], [], "More environment variables of the api's containers, as Kubernetes has them."
    )
    yield ChartKey("gateway.service.annotations", Texts, {}, "Annotations of the api's Service.")
    hub = "gateway.auth.jupyterhub.apiTokenFromSecret"
    yield ChartKey(f"{hub}Name", str, "hub", "The Secret with the gateway's token, where `apiToken` is not set.")
    yield ChartKey(f"{hub}Key", str, "hub.services.dask-gateway.apiToken", "The key of the token in that Secret.")
    yield from _probe("gateway.livenessProbe", 6, "pods that do not answer are restarted")
    yield from _probe("gateway.readinessProbe", 3, "pods that do not answer get no requests")
    yield ChartKey(
        "gateway.extraConfig",
        str | Texts,
        {},
        "Python configuration code: one block, or a mapping of blocks that run in the order of their keys.",
    )


def _controller() -> Iterator[ChartKey]:
    yield ChartKey("controller.enabled", bool, True, "Install the controller.")
    yield from _pod("controller", "the controller's pod")
    yield from _image("controller.image", SERVER_IMAGE, __version__)


def _traefik() -> Iterator[ChartKey]:
    yield ChartKey("traefik.installTraefik", bool, True, "Install Traefik. Off: one that is there already is used.")
    yield ChartKey("traefik.replicas", Count, 1, "Pods of the proxy.")
    yield from _pod("traefik", "the proxy's pods")
    yield from _image("traefik.image", "docker.io/traefik", "3.3.5")
    yield ChartKey("traefik.additionalArguments", list[str], [], "More arguments of Traefik's command line.")
    yield ChartKey("traefik.loglevel", LogLevel, "WARN", "The least severe level that Traefik logs.")
    yield ChartKey("traefik.dashboard", bool, False, "Show Traefik's own dashboard on port 9000. For debugging only.")
    yield ChartKey(
        "traefik.service.type",
        Literal["LoadBalancer", "NodePort", "ClusterIP"],
        "LoadBalancer",
        "How the proxy is reached from outside.",
    )
    yield ChartKey("traefik.service.annotations", Texts, {}, "Annotations of the proxy's Service.")
    yield ChartKey("traefik.service.spec", Object, {}, "More fields of the Service's spec.")
    web, tcp = "traefik.service.ports.web", "traefik.service.ports.tcp"
    yield ChartKey(f"{web}.port", Port, 80, "The port of HTTP requests.")
    yield ChartKey(f"{web}.nodePort", NodePort, None, "The same on nodes.")
    yield ChartKey(
        f"{tcp}.port", Port | Literal["web"], "web", "The port of connections to schedulers; `web`: shared with HTTP."
    )
    yield ChartKey(f"{tcp}.nodePort", NodePort, None, "The same on nodes.")


def _rbac() -> Iterator[ChartKey]:
    yield ChartKey("rbac.enabled", bool, True, "Create service accounts, roles and bindings.")
    for name, whose in (("controller", "the controller"), ("gateway", "the api"), ("traefik", "Traefik")):
        yield ChartKey(
            f"rbac.{name}.serviceAccountName",
            str,
            None,
            f"An existing service account for {whose}; then none is created, and no roles.",
        )


def _pod(prefix: str, whose: str) -> Iterator[ChartKey]:
    """What every Deployment of the chart has."""
    yield ChartKey(f"{prefix}.annotations", Texts, {}, f"Annotations of {whose}.")
    yield ChartKey(f"{prefix}.resources", Object, {}, f"Requests and limits of {whose}.")
    yield ChartKey(f"{prefix}.imagePullSecrets", list[Object], [], f"Secrets to pull the image of {whose} with.")
    yield ChartKey(f"{prefix}.nodeSelector", Texts, {}, f"Labels of the nodes for {whose}.")
    yield ChartKey(f"{prefix}.affinity", Object, {}, f"Affinity of {whose}.")
    yield ChartKey(f"{prefix}.tolerations", list[Object], [], f"Taints of nodes tolerated by {whose}.")


def _image(prefix: str, name: str, tag: str) -> Iterator[ChartKey]:
    yield ChartKey(f"{prefix}.name", str, name, "The image without its tag.")
    yield ChartKey(f"{prefix}.tag", str, tag, "The image's tag.")
    yield ChartKey(f"{prefix}.pullPolicy", PullPolicy, None, "When it is pulled. Default: Kubernetes decides.")


def _probe(prefix: str, failures: int, use: str) -> Iterator[ChartKey]:
    yield ChartKey(f"{prefix}.enabled", bool, True, f"Probe the api: {use}.")
    yield ChartKey(f"{prefix}.initialDelaySeconds", Count, 5, "Seconds until the first probe.")
    yield ChartKey(f"{prefix}.timeoutSeconds", Count, 2, "Seconds that an answer may take.")
    yield ChartKey(f"{prefix}.periodSeconds", Count, 10, "Seconds between two probes.")
    yield ChartKey(f"{prefix}.failureThreshold", Count, failures, "Failed probes in a row that count.")
