"""Who may connect to whom: the flows of ARCHITECTURE.md."""

import ipaddress
from typing import Any

import pytest

from tests.kit.chart import FULLNAME, GATEWAY_API, NAMESPACE, Manifest, render

COMPONENTS = {"api": "gateway", "auth": "auth", "controller": "controller", "proxy": "traefik"}
DASK = ("scheduler", "worker")
#: Labels of pods, as they come to Kubernetes.
PODS: dict[str, dict[str, str]] = {
    **{
        name: {
            "app.kubernetes.io/name": "dask-gateway",
            "app.kubernetes.io/instance": "dg",
            "app.kubernetes.io/component": component,
        }
        for name, component in COMPONENTS.items()
    },
    **{
        name: {
            "gateway.dask.org/instance": FULLNAME,
            "gateway.dask.org/cluster": "c0ffee",
            "app.kubernetes.io/component": f"dask-{name}",
        }
        for name in DASK
    },
    "of another gateway": {"gateway.dask.org/instance": "other", "gateway.dask.org/cluster": "c0ffee"},
    "a stranger": {"app": "shop"},
}
PORTS = (8000, 8001, 8786, 8787, 8788, 40000)
#: Who connects where: all that is needed, and nothing else.
FLOWS = {
    ("api", "auth", 8001),
    *((one, "api", 8000) for one in ("proxy", "scheduler")),
    *(("proxy", "scheduler", port) for port in (8786, 8787)),
    ("api", "scheduler", 8788),
    *((one, "scheduler", 8786) for one in DASK),
    # workers listen at any port; web pages are shown to those alone who ask for them through the proxy
    *(("scheduler", "worker", port) for port in PORTS),
    *(("worker", "worker", port) for port in PORTS if port != 8787),
}


def policies(values: Manifest | None = None) -> list[Manifest]:
    return [m for m in render(values) if m["kind"] == "NetworkPolicy"]


def selects(selector: Manifest, labels: dict[str, str]) -> bool:
    expressions = selector.get("matchExpressions", [])
    assert {expression["operator"] for expression in expressions} <= {"Exists"}
    return selector.get("matchLabels", {}).items() <= labels.items() and all(
        expression["key"] in labels for expression in expressions
    )


def lets_in(policy: Manifest, labels: dict[str, str], namespace: str, port: int) -> bool:
    return any(
        any(
            known["port"] <= port <= known.get("endPort", known["port"])
            for known in rule.get("ports", [{"port": port}])
        )
        and any(_is_of(peer, labels, namespace) for peer in rule.get("from", [{}]))
        for rule in policy["spec"].get("ingress", [])
    )


def _is_of(peer: Manifest, labels: dict[str, str], namespace: str) -> bool:
    where = {"kubernetes.io/metadata.name": namespace}
    return selects(peer.get("namespaceSelector", {}), where) and selects(peer.get("podSelector", {}), labels)


def flows(known: list[Manifest]) -> set[tuple[str, str, int]]:
    return {
        (one, other, port)
        for one, of_one in PODS.items()
        for other, of_other in PODS.items()
        for port in PORTS
        for policy in known
        if selects(policy["spec"]["podSelector"], of_other) and lets_in(policy, of_one, NAMESPACE, port)
    }


def test_only_what_the_gateway_needs_is_let_in() -> None:
    open_to_all = {"controller", "proxy"}
    assert {flow for flow in flows(policies()) if flow[1] not in open_to_all} == FLOWS


def test_users_pods_reach_what_they_need_and_no_metadata() -> None:
    (policy,) = (p for p in policies() if "Egress" in p["spec"]["policyTypes"])
    assert all(selects(policy["spec"]["podSelector"], PODS[name]) for name in ("scheduler", "worker"))
    assert not selects(policy["spec"]["podSelector"], PODS["of another gateway"])
    (rule,) = policy["spec"]["egress"]
    assert "ports" not in rule
    blocks = [peer["ipBlock"] for peer in rule["to"] if "ipBlock" in peer]
    reachable = {"169.254.169.254": False, "fd00:ec2::254": False, "8.8.8.8": True, "2001:db8::1": True}
    for address, is_reachable in reachable.items():
        assert any(_holds(block, address) for block in blocks) is is_reachable, address


def _holds(block: Any, address: str) -> bool:
    parsed = ipaddress.ip_address(address)
    inside = [parsed in ipaddress.ip_network(cidr) for cidr in block.get("except", [])]
    return parsed in ipaddress.ip_network(block["cidr"]) and not any(inside)


def test_what_is_blocked_is_the_operators_to_say() -> None:
    (policy,) = (
        p for p in policies({"networkPolicies": {"blockedAddresses": []}}) if "Egress" in p["spec"]["policyTypes"]
    )
    assert all("except" not in peer.get("ipBlock", {}) for peer in policy["spec"]["egress"][0]["to"])


@pytest.mark.parametrize(("namespace", "others"), [("edge", False), (None, True)])
def test_a_traefik_that_was_there_before_is_let_in_from_its_namespace(namespace: str | None, others: bool) -> None:
    values = {"traefik": {"installTraefik": False, "existing": {"namespace": namespace}}}
    (policy,) = (p for p in policies(values) if p["metadata"]["name"] == f"api-{FULLNAME}")
    assert lets_in(policy, PODS["a stranger"], "edge", 8000)
    assert lets_in(policy, PODS["a stranger"], "elsewhere", 8000) is others


def test_who_goes_to_the_api_past_the_proxy_is_let_in_where_the_operator_says_so() -> None:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "envoy"}}}
    known = policies({"networkPolicies": {"apiFrom": [peer]}})
    let_in = {p["metadata"]["name"] for p in known if lets_in(p, PODS["a stranger"], "envoy", 8000)}
    assert let_in == {f"{part}-{FULLNAME}" for part in ("api", "traefik")}
    assert flows(known) == flows(policies())


def test_who_reads_metrics_of_schedulers_is_let_in_where_the_operator_says_so() -> None:
    peer = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
    known = policies({"networkPolicies": {"dashboardsFrom": [peer]}})
    let_in = {p["metadata"]["name"] for p in known if lets_in(p, PODS["a stranger"], "monitoring", 8787)}
    assert let_in == {f"schedulers-{FULLNAME}-{NAMESPACE}", f"traefik-{FULLNAME}"}
    for port in (8786, 8788):
        let_in = {p["metadata"]["name"] for p in known if lets_in(p, PODS["a stranger"], "monitoring", port)}
        assert let_in == {f"traefik-{FULLNAME}"}
    assert flows(known) == flows(policies())


def test_a_gateway_is_let_in_from_where_its_pods_are() -> None:
    (policy,) = (p for p in policies(GATEWAY_API) if p["metadata"]["name"] == f"api-{FULLNAME}")
    assert lets_in(policy, PODS["a stranger"], "infra-pods", 8000)
    assert not lets_in(policy, PODS["a stranger"], "infra", 8000)


def test_policies_for_clusters_are_where_clusters_run() -> None:
    made = policies({"gateway": {"backend": {"namespaces": ["a", "b"]}}})
    assert {p["metadata"]["namespace"] for p in made if "Egress" in p["spec"]["policyTypes"]} == {"a", "b"}


def test_where_a_traefik_may_be_anywhere_also_those_are_let_in_that_are_no_pods() -> None:
    made = {p["metadata"]["name"]: p for p in policies({"traefik": {"installTraefik": False}})}
    assert made[f"api-{FULLNAME}"]["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": 8000}]}]
    web = {"ports": [{"protocol": "TCP", "port": 8786}, {"protocol": "TCP", "port": 8787}]}
    assert web in made[f"schedulers-{FULLNAME}-{NAMESPACE}"]["spec"]["ingress"]


def test_where_nobody_has_named_the_clusters_namespaces_policies_are_in_the_gateway_s_own() -> None:
    made = policies({"gateway": {"backend": {"namespaces": ["*"]}}})
    assert {p["metadata"]["namespace"] for p in made if "Egress" in p["spec"]["policyTypes"]} == {NAMESPACE}
