"""What the controller's service account must be allowed to do in Kubernetes, and nothing beyond.

The chart's roles are made of this. A test records every call of a whole life and finds neither one that is missing here
nor one too many.
"""

from collections.abc import Mapping

from gateway_common.configuration.proxy import ProxyKind
from gateway_common.resources import (
    DASKCLUSTERS,
    EVENTS,
    HTTPROUTES,
    INGRESSROUTES,
    INGRESSROUTETCPS,
    LEASES,
    PODS,
    SECRETS,
    SERVICES,
    TLSROUTES,
)
from gateway_common.rights import Rule

#: In every backend namespace; in all namespaces (a ClusterRole) only where clusters may run in all.
BACKEND_RULES = (
    Rule(DASKCLUSTERS, ("list", "watch", "delete")),
    Rule(DASKCLUSTERS, ("patch",), "status"),
    Rule(PODS, ("get", "list", "watch", "create", "delete", "deletecollection")),
    # why a scheduler failed
    Rule(PODS, ("get",), "log"),
    Rule(EVENTS, ("create",)),
    # not list: nobody needs to see the secrets of others
    Rule(SECRETS, ("get", "create", "delete")),
    Rule(SERVICES, ("get", "list", "create")),
)

ROUTE_VERBS = ("get", "list", "create", "patch")
#: There as well: for the routes that the installation's proxy understands.
ROUTE_RULES: Mapping[ProxyKind, tuple[Rule, ...]] = {
    "traefik": (Rule(INGRESSROUTES, ROUTE_VERBS), Rule(INGRESSROUTETCPS, ROUTE_VERBS)),
    "gatewayAPI": (Rule(HTTPROUTES, ROUTE_VERBS), Rule(TLSROUTES, ROUTE_VERBS)),
}

#: In the namespace of the Lease, where replicas elect a leader.
LEASE_RULES = (Rule(LEASES, ("get", "create", "patch")),)
