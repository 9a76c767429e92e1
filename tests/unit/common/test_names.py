"""Names of clusters and of their objects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_common.errors import InvalidClusterName
from gateway_common.names import ClusterName, dashboard_path, parse_cluster_name, sni_host, worker_pod_name
from gateway_common.resources import DASKCLUSTERS, PODS


def test_a_cluster_is_named_by_its_namespace_and_its_object() -> None:
    cluster = parse_cluster_name("dask.0123456789abcdef0123456789abcdef")
    assert cluster == ClusterName("dask", "0123456789abcdef0123456789abcdef")
    assert str(cluster) == "dask.0123456789abcdef0123456789abcdef"
    assert sni_host(cluster) == "daskgateway-dask.0123456789abcdef0123456789abcdef"
    assert dashboard_path(cluster) == "/clusters/dask.0123456789abcdef0123456789abcdef/"
    assert worker_pod_name(cluster.name, 3) == "dask-worker-0123456789abcdef0123456789abcdef-3"


@pytest.mark.parametrize(
    "text", ["", ".", "a", "a.", ".a", "a.b.c", "A.b", "a/b.c", "a.b/../c", "a.b\n", "ä.b", "a" * 64 + ".b"]
)
def test_other_shapes_are_refused(text: str) -> None:
    with pytest.raises(InvalidClusterName):
        parse_cluster_name(text)


@given(st.text())
def test_what_passes_is_safe_in_a_path(text: str) -> None:
    try:
        cluster = parse_cluster_name(text)
    except InvalidClusterName:
        return
    assert str(cluster) == text
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyz0123456789-.")


def test_paths_of_resources() -> None:
    assert PODS.path() == "/api/v1/pods"
    assert PODS.path("ns", "p", "log") == "/api/v1/namespaces/ns/pods/p/log"
    assert DASKCLUSTERS.path("ns") == "/apis/gateway.dask.org/v1alpha1/namespaces/ns/daskclusters"
