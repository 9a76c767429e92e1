"""What the api's service account must be allowed to do in Kubernetes, and nothing beyond.

The chart's roles are made of this. A test records every call of the api and finds neither one that is missing here nor
one too many.
"""

from gateway_common.resources import DASKCLUSTERS, PODS, SECRETS
from gateway_common.rights import Rule

#: In every backend namespace; in all namespaces (a ClusterRole) only where clusters may run in all.
BACKEND_RULES = (
    Rule(DASKCLUSTERS, ("get", "list", "watch", "create", "patch")),
    # a cluster's certificate for its owner, and its token to know it by
    Rule(SECRETS, ("get",)),
)

#: The same, where `gateway.backend.validatePods` is on: they are dry runs, which RBAC can't tell from others.
DRY_RUN_RULES = (Rule(PODS, ("create",)),)
