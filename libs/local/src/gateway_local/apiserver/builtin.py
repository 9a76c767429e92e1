"""The kinds of Kubernetes itself that this server has."""

import base64
import itertools
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Address

from gateway_common import resources
from gateway_common.resources import Manifest
from gateway_local.apiserver import columns
from gateway_local.apiserver.errors import FieldProblem
from gateway_local.apiserver.kinds import METADATA_FIELDS, Kind, own_kind
from gateway_local.apiserver.pods import check_pod, set_pod_defaults
from gateway_local.apiserver.rbac import rbac_kinds
from gateway_local.apiserver.validation import check_label_name
from gateway_local.apiserver.workloads import workload_kinds
from gateway_local.resources import (
    ENDPOINTS,
    HORIZONTALPODAUTOSCALERS,
    NETWORKPOLICIES,
    PODDISRUPTIONBUDGETS,
    PRIORITYCLASSES,
)

_SERVICE_TYPES = ("ClusterIP", "ExternalName", "LoadBalancer", "NodePort")
_FIRST_SERVICE_ADDRESS = IPv4Address("10.96.0.1")
_FIRST_NODE_PORT = 30_000


def _paths(*fields: str) -> Mapping[str, tuple[str, ...]]:
    return {**METADATA_FIELDS, **{name: tuple(name.split(".")) for name in fields}}


def builtin_kinds() -> list[Kind]:
    """Kinds in the order of discovery. Services get addresses from a range of their own in each call's kinds."""
    return [
        own_kind(resources.CONFIGMAPS, "cm"),
        own_kind(ENDPOINTS, "ep"),
        _events(),
        _namespaces(),
        own_kind(
            resources.NODES, "no", columns=columns.NODES, has_status=True, selectable=_paths("spec.unschedulable")
        ),
        _pods(),
        own_kind(resources.SECRETS, selectable=_paths("type"), set_defaults=_set_secret_defaults, check=_check_secret),
        own_kind(resources.SERVICEACCOUNTS, "sa"),
        _services(),
        own_kind(resources.LEASES),
        own_kind(resources.ENDPOINTSLICES, check=_check_endpoint_slice),
        *workload_kinds(),
        *rbac_kinds(),
        *_kept_only(),
    ]


def _kept_only() -> list[Kind]:
    """Kinds that are stored, and that nothing here acts upon."""
    return [
        own_kind(NETWORKPOLICIES, "netpol", counts_generations=True),
        own_kind(PODDISRUPTIONBUDGETS, "pdb", has_status=True, counts_generations=True),
        own_kind(HORIZONTALPODAUTOSCALERS, "hpa", categories=("all",), has_status=True),
        own_kind(PRIORITYCLASSES, "pc"),
    ]


def _events() -> Kind:
    return own_kind(
        resources.EVENTS,
        "ev",
        columns=columns.EVENTS,
        selectable=_paths(
            "involvedObject.kind",
            "involvedObject.namespace",
            "involvedObject.name",
            "involvedObject.uid",
            "involvedObject.apiVersion",
            "involvedObject.resourceVersion",
            "involvedObject.fieldPath",
            "reason",
            "reportingComponent",
            "type",
        ),
    )


def _namespaces() -> Kind:
    return own_kind(
        resources.NAMESPACES,
        "ns",
        columns=columns.NAMESPACES,
        has_status=True,
        selectable=_paths("status.phase"),
        name_rule=check_label_name,
        set_defaults=_set_namespace_defaults,
    )


def _pods() -> Kind:
    return own_kind(
        resources.PODS,
        "po",
        columns=columns.PODS,
        categories=("all",),
        has_status=True,
        counts_generations=True,
        selectable=_paths(
            "spec.nodeName",
            "spec.restartPolicy",
            "spec.schedulerName",
            "spec.serviceAccountName",
            "status.phase",
            "status.podIP",
        ),
        set_defaults=set_pod_defaults,
        check=check_pod,
    )


def _services() -> Kind:
    return own_kind(
        resources.SERVICES,
        "svc",
        columns=columns.SERVICES,
        categories=("all",),
        has_status=True,
        selectable=_paths("spec.clusterIP", "spec.type"),
        name_rule=check_label_name,
        set_defaults=_ServiceDefaults(),
        check=_check_service,
    )


def _set_namespace_defaults(namespace: Manifest) -> None:
    if "deletionTimestamp" not in namespace["metadata"]:
        namespace.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
    if not namespace.get("status"):
        namespace["status"] = {"phase": "Active"}
    labels = namespace["metadata"].get("labels") or {}
    namespace["metadata"]["labels"] = {**labels, "kubernetes.io/metadata.name": namespace["metadata"]["name"]}


def _set_secret_defaults(secret: Manifest) -> None:
    secret.setdefault("type", "Opaque")
    for key, value in secret.pop("stringData", {}).items():
        secret.setdefault("data", {})[key] = base64.b64encode(value.encode()).decode()


def _check_secret(secret: Manifest, old: Manifest | None) -> Iterator[FieldProblem]:
    if old is not None and secret["type"] != old["type"]:
        yield FieldProblem.invalid("type", secret["type"], "field is immutable")


class _ServiceDefaults:
    """Fills in services; gives each one that is not headless an address, and where it is for outside, node ports.

    The numbers of what was deleted are not given again.
    """

    def __init__(self) -> None:
        self._addresses = itertools.count(1)
        self._node_ports = itertools.count(_FIRST_NODE_PORT)

    def __call__(self, service: Manifest) -> None:
        spec = service.setdefault("spec", {})
        spec.setdefault("type", "ClusterIP")
        spec.setdefault("sessionAffinity", "None")
        for port in spec.get("ports", ()):
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port.get("port"))
        if spec["type"] == "ExternalName":
            return
        if not spec.get("clusterIP"):
            spec["clusterIP"] = str(_FIRST_SERVICE_ADDRESS + next(self._addresses))
        spec.setdefault("clusterIPs", [spec["clusterIP"]])
        spec.setdefault("ipFamilies", ["IPv4"])
        spec.setdefault("ipFamilyPolicy", "SingleStack")
        spec.setdefault("internalTrafficPolicy", "Cluster")
        if spec["type"] in ("NodePort", "LoadBalancer"):
            spec.setdefault("externalTrafficPolicy", "Cluster")
            for port in spec.get("ports", ()):
                port["nodePort"] = port.get("nodePort") or next(self._node_ports)
        if spec["type"] == "LoadBalancer":
            spec.setdefault("allocateLoadBalancerNodePorts", True)
        service.setdefault("status", {}).setdefault("loadBalancer", {})


def _check_service(service: Manifest, old: Manifest | None) -> Iterator[FieldProblem]:
    spec = service["spec"]
    if spec["type"] not in _SERVICE_TYPES:
        yield FieldProblem.not_supported("spec.type", spec["type"], _SERVICE_TYPES)
    ports = spec.get("ports", [])
    if not ports and spec.get("clusterIP") != "None" and spec["type"] != "ExternalName":
        yield FieldProblem.required("spec.ports")
    names: set[str] = set()
    for index, port in enumerate(ports):
        field = f"spec.ports[{index}]"
        if not 0 < port.get("port", 0) < 65536:
            yield FieldProblem.invalid(f"{field}.port", port.get("port", 0), "must be between 1 and 65535, inclusive")
        if len(ports) > 1 and not port.get("name"):
            yield FieldProblem.required(f"{field}.name")
        elif port.get("name") in names:
            yield FieldProblem.duplicate(f"{field}.name", port["name"])
        names.add(port.get("name", ""))
    if old is not None and old["spec"].get("clusterIP") != spec.get("clusterIP"):
        yield FieldProblem.invalid("spec.clusterIP", spec.get("clusterIP"), "field is immutable")


def _check_endpoint_slice(piece: Manifest, _: Manifest | None) -> Iterator[FieldProblem]:
    if not piece.get("addressType"):
        yield FieldProblem.required("addressType")
