"""The Kubernetes resources that the gateway touches, and their addresses. No I/O."""

from dataclasses import dataclass
from typing import Any

#: A Kubernetes object, or a part of one, as JSON.
Manifest = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Resource:
    """A kind of Kubernetes object: what discovery calls an APIResource.

    `group` is empty for the core group.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str = "", subresource: str = "") -> str:
        """The URL path of a collection, of one object, or of its subresource.

        Without a namespace the collection of a namespaced resource spans all of them.
        """
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        tail = "".join(f"/{part}" for part in (name, subresource) if part)
        return f"{root}{scope}/{self.plural}{tail}"


NAMESPACES = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
NODES = Resource("", "v1", "nodes", "Node", namespaced=False)
PODS = Resource("", "v1", "pods", "Pod")
SECRETS = Resource("", "v1", "secrets", "Secret")
CONFIGMAPS = Resource("", "v1", "configmaps", "ConfigMap")
SERVICES = Resource("", "v1", "services", "Service")
SERVICEACCOUNTS = Resource("", "v1", "serviceaccounts", "ServiceAccount")
EVENTS = Resource("", "v1", "events", "Event")
ENDPOINTSLICES = Resource("discovery.k8s.io", "v1", "endpointslices", "EndpointSlice")
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease")
CRDS = Resource("apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False)
DASKCLUSTERS = Resource("gateway.dask.org", "v1alpha1", "daskclusters", "DaskCluster")
INGRESSROUTES = Resource("traefik.io", "v1alpha1", "ingressroutes", "IngressRoute")
INGRESSROUTETCPS = Resource("traefik.io", "v1alpha1", "ingressroutetcps", "IngressRouteTCP")
MIDDLEWARES = Resource("traefik.io", "v1alpha1", "middlewares", "Middleware")
HTTPROUTES = Resource("gateway.networking.k8s.io", "v1", "httproutes", "HTTPRoute")
TLSROUTES = Resource("gateway.networking.k8s.io", "v1", "tlsroutes", "TLSRoute")
