"""Which objects that lead to a cluster are to be made anew."""

from copy import deepcopy
from typing import Any

import pytest

from gateway_common.resources import INGRESSROUTES, SERVICES
from gateway_controller.core.build.access import build_access
from gateway_controller.core.drift import is_outdated, renewal
from gateway_local.apiserver.mergepatch import apply_json_patch
from tests.kit.observed import INSTALLATION, cluster

ACCESS = build_access(INSTALLATION, cluster().full_name)
ROUTE = ACCESS[INGRESSROUTES]


def found(**metadata: Any) -> dict[str, Any]:
    manifest = deepcopy(ROUTE)
    manifest["metadata"].update(metadata)
    return manifest


def test_a_route_as_it_was_made_is_left_alone() -> None:
    labels = {**ROUTE["metadata"]["labels"], "somebody's": "own"}
    assert not is_outdated(INGRESSROUTES, ROUTE, found(labels=labels, annotations={"a": "b"}))


@pytest.mark.parametrize("labels", [None, {}, {"gateway.dask.org/instance": "other"}])
def test_a_route_without_its_labels_is_outdated(labels: dict[str, str] | None) -> None:
    assert is_outdated(INGRESSROUTES, ROUTE, found(labels=labels))


@pytest.mark.parametrize("spec", [None, {}, {**ROUTE["spec"], "tls": {}}, {**ROUTE["spec"], "entryPoints": ["other"]}])
def test_a_route_with_another_content_is_outdated(spec: dict[str, Any] | None) -> None:
    assert is_outdated(INGRESSROUTES, ROUTE, {**ROUTE, "spec": spec})


def test_a_service_is_as_the_server_made_it() -> None:
    wanted = ACCESS[SERVICES]
    served = {**wanted, "spec": {**wanted["spec"], "clusterIPs": ["None"], "sessionAffinity": "None"}}
    assert not is_outdated(SERVICES, wanted, served)


def test_a_renewed_route_is_not_outdated_and_keeps_what_others_have_put_there() -> None:
    old = found(labels={"somebody's": "own"}, annotations={"a": "b"})
    old["spec"] = {"entryPoints": ["old"], "tls": {}}
    new = apply_json_patch(old, renewal(ROUTE))
    assert not is_outdated(INGRESSROUTES, ROUTE, new)
    assert new["metadata"]["labels"]["somebody's"] == "own"
    assert new["metadata"]["annotations"] == {"a": "b"}
