"""What a Helm chart consists of: objects of the kinds that it uses, and Helm 4's way to write them."""

from gateway_common.resources import CONFIGMAPS, SECRETS, SERVICEACCOUNTS, SERVICES, Resource
from gateway_local.resources import (
    DEPLOYMENTS,
    HORIZONTALPODAUTOSCALERS,
    JOBS,
    NETWORKPOLICIES,
    PODDISRUPTIONBUDGETS,
    ROLEBINDINGS,
    ROLES,
)
from tests.kit.kube import KubeHttp, Manifest, accepted

LABELS = {"app": "api"}
TEMPLATE: Manifest = {
    "metadata": {"labels": LABELS},
    "spec": {
        "containers": [
            {
                "name": "api",
                "image": "example/api:1",
                "ports": [{"name": "http", "containerPort": 8000}],
                "env": [
                    {"name": "A", "value": "1"},
                    {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                ],
                "volumeMounts": [{"name": "config", "mountPath": "/etc/api"}],
            }
        ],
        "volumes": [{"name": "config", "configMap": {"name": "api"}}],
    },
}
RULES = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list"]}]
REFERENCE = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "api"}
SUBJECTS = [{"kind": "ServiceAccount", "name": "api", "namespace": "default"}]

#: What real API machinery has here, too.
EVERYWHERE: list[tuple[Resource, Manifest]] = [
    (CONFIGMAPS, {"data": {"a": "1"}}),
    (SECRETS, {"data": {"a": "MQ=="}}),
    (SERVICEACCOUNTS, {"automountServiceAccountToken": False}),
    (SERVICES, {"spec": {"selector": LABELS, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}}),
    (DEPLOYMENTS, {"spec": {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}}),
    (ROLES, {"rules": RULES}),
    (ROLEBINDINGS, {"roleRef": REFERENCE, "subjects": SUBJECTS}),
]
HERE_ALONE: list[tuple[Resource, Manifest]] = [
    (NETWORKPOLICIES, {"spec": {"podSelector": {"matchLabels": LABELS}, "policyTypes": ["Ingress"]}}),
    (PODDISRUPTIONBUDGETS, {"spec": {"minAvailable": 1, "selector": {"matchLabels": LABELS}}}),
    (
        HORIZONTALPODAUTOSCALERS,
        {
            "spec": {
                "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"},
                "maxReplicas": 3,
                "metrics": [
                    {
                        "type": "Resource",
                        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
                    }
                ],
            }
        },
    ),
    (JOBS, {"spec": {"template": {"spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}}}),
]


def manifest(resource: Resource, parts: Manifest) -> Manifest:
    return {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {"name": "api"}, **parts}


async def apply(kube: KubeHttp, resource: Resource, parts: Manifest, code: int) -> Manifest:
    """Apply server-side with strict checking of fields; the answer has to have that status."""
    answer = await kube.patch(
        resource, "api", manifest(resource, parts), "apply-patch+yaml", fieldManager="helm", fieldValidation="Strict"
    )
    return accepted(answer, code)
