"""What somebody asked Traefik for, as it tells us."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from gateway_common.errors import InvalidClusterName
from gateway_common.names import ClusterName, dashboard_host, parse_cluster_name


class NoDashboard(Exception):
    """The address is not that of a cluster's pages."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request for a cluster's page. `uri` is path and query as the browser sees them."""

    cluster: ClusterName
    method: str
    scheme: str
    host: str
    uri: str
    headers: Mapping[str, str]
    client: str

    @property
    def path(self) -> str:
        """The path alone."""
        return self.uri.partition("?")[0]

    @property
    def query(self) -> str:
        """What comes after the question mark."""
        return self.uri.partition("?")[2]

    @property
    def is_secure(self) -> bool:
        """Whether the browser speaks TLS."""
        return self.scheme == "https"


@dataclass(frozen=True, slots=True)
class Places:
    """Where dashboards are, as browsers see it.

    Parameters
    ----------
    prefix
        The path of the gateway.
    public_url
        The gateway's address where Traefik can't know it, since TLS ends before it. Empty: as the request came.
    parent
        Each cluster has a host below this one. Empty: all are at the gateway's own.
    """

    prefix: str
    public_url: str = ""
    parent: str = ""

    def visit(self, headers: Mapping[str, str], client: str) -> Visit:
        """What Traefik asks about; raises NoDashboard."""
        scheme, host = headers.get("x-forwarded-proto", "http"), headers.get("x-forwarded-host", "")
        scheme = {"ws": "http", "wss": "https"}.get(scheme, scheme)
        if self.public_url:
            public = urlsplit(self.public_url)
            scheme = public.scheme
            host = host if self.parent else public.netloc
        uri = headers.get("x-forwarded-uri", "")
        method = headers.get("x-forwarded-method", "GET")
        return Visit(self.cluster_of(uri.partition("?")[0]), method, scheme, host, uri, headers, client)

    def is_secure(self, headers: Mapping[str, str], scheme: str) -> bool:
        """Whether a browser that asks the gateway itself speaks TLS."""
        if self.public_url:
            return self.public_url.startswith("https:")
        # the first proxy's word counts: it saw the connection from outside
        return headers.get("x-forwarded-proto", scheme).partition(",")[0].strip() == "https"

    def cluster_of(self, path: str) -> ClusterName:
        """The cluster that a page belongs to; raises NoDashboard."""
        below = f"{self.prefix}/clusters/"
        try:
            return parse_cluster_name(path.removeprefix(below).partition("/")[0] if path.startswith(below) else "")
        except InvalidClusterName as error:
            raise NoDashboard from error

    def path_of(self, cluster: ClusterName | str) -> str:
        """Where a cluster's pages begin, and what its cookie is limited to."""
        return f"{self.prefix}/clusters/{cluster}"

    @property
    def callback_path(self) -> str:
        """Where a browser comes back to from signing in."""
        return f"{self.prefix}/oauth_callback"

    def callback_url(self, visit: Visit) -> str:
        """The same with the host: what an issuer knows."""
        return f"{visit.scheme}://{visit.host}{self.callback_path}"

    def own_host(self, visit: Visit) -> str:
        """The host of the cluster's own, or that of the visit where clusters have none."""
        return dashboard_host(visit.cluster.name, self.parent) + _port(visit.host) if self.parent else visit.host

    def front_host(self, visit: Visit) -> str:
        """The host where users sign in."""
        return f"{self.parent}{_port(visit.host)}" if self.parent else visit.host

    def is_below(self, uri: str, cluster: str) -> bool:
        """Whether this is an address of the cluster's pages, and of nothing else, for a browser that is sent there."""
        path = self.path_of(cluster)
        plain = uri.isascii() and uri.isprintable() and "\\" not in uri and " " not in uri
        # browsers take %2e for a dot
        segments = uri.partition("?")[0].lower().replace("%2e", ".").split("/")
        return plain and (uri == path or uri.startswith((f"{path}/", f"{path}?"))) and ".." not in segments


def _port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return f":{port}" if colon and port.isdigit() and name else ""
