"""The kinds of a Helm chart, applied as Helm 4 applies them: server-side, with strict checking of fields."""

import pytest

from gateway_common.resources import Resource
from gateway_local.resources import DEPLOYMENTS, ROLES
from tests.contract.kube.chart_objects import EVERYWHERE, apply, manifest
from tests.kit.kube import KubeHttp, Manifest, accepted, refused


@pytest.mark.parametrize(("resource", "parts"), EVERYWHERE, ids=lambda value: getattr(value, "plural", ""))
async def test_applying_the_same_again_changes_nothing(kube: KubeHttp, resource: Resource, parts: Manifest) -> None:
    first = await apply(kube, resource, parts, 201)
    again = await apply(kube, resource, parts, 200)
    assert again["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]


@pytest.mark.parametrize(("resource", "parts"), EVERYWHERE, ids=lambda value: getattr(value, "plural", ""))
async def test_a_field_that_there_is_not_is_refused(kube: KubeHttp, resource: Resource, parts: Manifest) -> None:
    wrong = manifest(resource, {**parts, "typo": 1})
    response = await kube.client.post(kube.path(resource), json=wrong, params={"fieldValidation": "Strict"})
    assert 'unknown field "typo"' in refused(response, 400, "BadRequest")["message"]


@pytest.mark.parametrize(
    ("resource", "names"),
    [
        (DEPLOYMENTS, {"deployments", "deployments/status"}),
        (ROLES, {"roles", "rolebindings", "clusterroles", "clusterrolebindings"}),
    ],
    ids=["apps", "rbac"],
)
async def test_discovery_names_a_group_s_resources(kube: KubeHttp, resource: Resource, names: set[str]) -> None:
    found = accepted(await kube.client.get(f"/apis/{resource.group}/{resource.version}"))
    assert names <= {entry["name"] for entry in found["resources"]}
