"""What the server says about itself: groups, versions, resources. Documents are made from the catalog."""

from collections.abc import Iterable
from typing import Any

from gateway_local.apiserver.catalog import Catalog
from gateway_local.apiserver.kinds import Kind

Document = dict[str, Any]

VERSION: Document = {
    "major": "1",
    "minor": "34",
    "gitVersion": "v1.34.0+dask-gateway-local",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "1970-01-01T00:00:00Z",
    "goVersion": "none",
    "compiler": "cpython",
    "platform": "linux/amd64",
}
"""The Kubernetes version whose behaviour clients may expect. kr8s 0.20 knows 1.28 to 1.35 and warns about others."""

_VERBS = ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"]
_SUBRESOURCE_VERBS = ["get", "patch", "update"]
_SCALE = {"group": "autoscaling", "version": "v1", "kind": "Scale"}


def api_versions() -> Document:
    return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}


def group_list(catalog: Catalog) -> Document:
    groups = [_group(name, versions) for name, versions in catalog.group_versions().items() if name]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": groups}


def group(catalog: Catalog, name: str) -> Document | None:
    """The document of one group, or None when nothing of it is served."""
    versions = catalog.group_versions().get(name)
    return {"kind": "APIGroup", "apiVersion": "v1", **_group(name, versions)} if name and versions else None


def _group(name: str, versions: list[str]) -> Document:
    entries = [{"groupVersion": f"{name}/{version}", "version": version} for version in versions]
    return {"name": name, "versions": entries, "preferredVersion": entries[0]}


def resource_list(catalog: Catalog, name: str, version: str) -> Document | None:
    """The resources of a group's version, or None when nothing of it is served."""
    kinds = catalog.of_group(name, version)
    if not kinds:
        return None
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": f"{name}/{version}" if name else version,
        "resources": [resource for kind in kinds for resource in _resources(kind)],
    }


def _resources(kind: Kind) -> Iterable[Document]:
    main: Document = {
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.name,
        "verbs": _VERBS,
    }
    if kind.short_names:
        main["shortNames"] = list(kind.short_names)
    if kind.categories:
        main["categories"] = list(kind.categories)
    yield main
    for name, verbs in subresources(kind):
        yield {
            "name": f"{kind.plural}/{name}",
            "singularName": "",
            "namespaced": kind.namespaced,
            **(_SCALE if name == "scale" else {"kind": kind.name}),
            "verbs": verbs,
        }


def subresources(kind: Kind) -> Iterable[tuple[str, list[str]]]:
    """(name, verbs) of the subresources of a kind."""
    if kind.key == ("", "pods"):
        yield "log", ["get"]
    if kind.has_status:
        yield "status", _SUBRESOURCE_VERBS
    if kind.scale:
        yield "scale", _SUBRESOURCE_VERBS


def aggregated(catalog: Catalog, *, core: bool) -> Document:
    """All groups with all their resources in one document (apidiscovery.k8s.io/v2)."""
    items = []
    for name, versions in catalog.group_versions().items():
        if (name == "") is not core:
            continue
        entries = [
            {
                "version": version,
                "freshness": "Current",
                "resources": [_aggregated(kind) for kind in catalog.of_group(name, version)],
            }
            for version in versions
        ]
        items.append({"metadata": {"name": name} if name else {}, "versions": entries})
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _aggregated(kind: Kind) -> Document:
    response_kind = {"group": kind.group, "version": kind.version, "kind": kind.name}
    return {
        "resource": kind.plural,
        "responseKind": response_kind,
        "scope": "Namespaced" if kind.namespaced else "Cluster",
        "singularResource": kind.singular,
        "verbs": _VERBS,
        "shortNames": list(kind.short_names),
        "categories": list(kind.categories),
        "subresources": [
            {"subresource": name, "responseKind": _SCALE if name == "scale" else response_kind, "verbs": verbs}
            for name, verbs in subresources(kind)
        ],
    }
