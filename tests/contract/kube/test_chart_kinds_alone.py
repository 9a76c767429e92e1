"""Kinds of a Helm chart that the real machinery at hand lacks, and rules of those that it has and does not check."""

from typing import Any

import pytest

from gateway_common.resources import SERVICES, Resource
from gateway_local.resources import (
    CLUSTERROLES,
    DEPLOYMENTS,
    JOBS,
    NETWORKPOLICIES,
    PODDISRUPTIONBUDGETS,
    REPLICASETS,
    ROLEBINDINGS,
)
from tests.contract.kube.chart_objects import HERE_ALONE, LABELS, REFERENCE, SUBJECTS, TEMPLATE, apply, manifest
from tests.kit.kube import KubeHttp, KubeServer, Manifest, accepted, refused


@pytest.fixture
def kube_server(embedded_kube_server: KubeServer) -> KubeServer:
    return embedded_kube_server


@pytest.mark.parametrize(("resource", "parts"), HERE_ALONE, ids=lambda value: getattr(value, "plural", ""))
async def test_kinds_that_the_oracle_lacks_are_applied_as_the_others_are(
    kube: KubeHttp, resource: Resource, parts: Manifest
) -> None:
    first = await apply(kube, resource, parts, 201)
    again = await apply(kube, resource, parts, 200)
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


async def test_a_deployment_gets_kubernetes_defaults(kube: KubeHttp) -> None:
    parts = {"spec": {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}}
    spec = (await apply(kube, DEPLOYMENTS, parts, 201))["spec"]
    assert (spec["replicas"], spec["revisionHistoryLimit"], spec["progressDeadlineSeconds"]) == (1, 10, 600)
    assert spec["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": "25%", "maxSurge": "25%"},
    }
    assert spec["template"]["spec"]["restartPolicy"] == "Always"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ({"selector": {"matchLabels": {"app": "web"}}}, "`selector` does not match template `labels`"),
        ({"selector": None}, "spec.selector: Required value"),
        ({"replicas": -1}, "spec.replicas: Invalid value: -1: must be greater than or equal to 0"),
        ({"strategy": {"type": "Sudden"}}, 'spec.strategy.type: Unsupported value: "Sudden"'),
    ],
)
async def test_a_deployment_that_makes_no_sense_is_refused(kube: KubeHttp, spec: dict[str, Any], message: str) -> None:
    parts = {"spec": {"selector": {"matchLabels": LABELS}, "template": TEMPLATE, **spec}}
    response = await kube.client.post(kube.path(DEPLOYMENTS), json=manifest(DEPLOYMENTS, parts))
    assert message in refused(response, 422, "Invalid")["message"]


async def test_a_selector_stays_as_it_is(kube: KubeHttp) -> None:
    parts = {"spec": {"selector": {"matchLabels": LABELS}, "template": TEMPLATE}}
    await apply(kube, DEPLOYMENTS, parts, 201)
    labels = {"app": "api", "more": "yes"}
    patch = {
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}},
    }
    status = refused(await kube.patch(DEPLOYMENTS, "api", patch), 422, "Invalid")
    assert "spec.selector" in status["message"]
    assert "field is immutable" in status["message"]


async def test_a_deployment_has_a_scale(kube: KubeHttp) -> None:
    parts = {"spec": {"replicas": 2, "selector": {"matchLabels": LABELS}, "template": TEMPLATE}}
    await apply(kube, DEPLOYMENTS, parts, 201)
    scale = accepted(await kube.patch(DEPLOYMENTS, "api", {"spec": {"replicas": 3}}, subresource="scale"))
    assert scale["spec"] == {"replicas": 3}
    assert scale["status"] == {"replicas": 0, "selector": "app=api"}


async def test_a_job_selects_the_pods_of_its_own_life(kube: KubeHttp) -> None:
    spec = {"template": {"spec": {**TEMPLATE["spec"], "restartPolicy": "Never"}}}
    job = await kube.create(JOBS, manifest(JOBS, {"spec": spec}))
    uid = {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}
    assert job["spec"]["selector"] == {"matchLabels": uid}
    assert uid.items() <= job["spec"]["template"]["metadata"]["labels"].items()


async def test_a_service_for_the_outside_gets_node_ports(kube: KubeHttp) -> None:
    spec = {"type": "LoadBalancer", "selector": LABELS, "ports": [{"name": "web", "port": 80}]}
    service = await apply(kube, SERVICES, {"spec": spec}, 201)
    again = await apply(kube, SERVICES, {"spec": spec}, 200)
    assert service["spec"]["ports"][0]["nodePort"] >= 30_000
    assert again["spec"] == service["spec"]


async def test_what_a_binding_refers_to_stays_as_it_is(kube: KubeHttp) -> None:
    await apply(kube, ROLEBINDINGS, {"roleRef": REFERENCE, "subjects": SUBJECTS}, 201)
    patch = {"roleRef": {**REFERENCE, "name": "other"}}
    status = refused(await kube.patch(ROLEBINDINGS, "api", patch), 422, "Invalid")
    assert "cannot change roleRef" in status["message"]


async def test_every_kind_that_charts_use_is_discovered(kube: KubeHttp) -> None:
    for resource in (DEPLOYMENTS, REPLICASETS, JOBS, CLUSTERROLES, NETWORKPOLICIES, PODDISRUPTIONBUDGETS):
        path = f"/apis/{resource.group}/{resource.version}"
        found = accepted(await kube.client.get(path))
        assert resource.kind in {entry["kind"] for entry in found["resources"]}
        document = accepted(await kube.client.get(f"/openapi/v3{path}"))
        assert resource.kind in document["components"]["schemas"]
