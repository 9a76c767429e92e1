"""What Prometheus and Grafana are told fits the metrics that there are."""

import json
import re

from gateway_controller.metrics import PREFIX, Metrics, Snapshot
from tests.kit.chart import FULLNAME, find, pods, render


def test_the_dashboard_asks_for_metrics_that_the_controller_has() -> None:
    values = {"metrics": {"grafanaDashboard": {"enabled": True, "labels": {"grafana_dashboard": "yes"}}}}
    made = find(render(values), "ConfigMap", f"dashboard-{FULLNAME}")
    assert made["metadata"]["labels"]["grafana_dashboard"] == "yes"
    dashboard = json.loads(made["data"]["dask-gateway.json"])
    asked = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(asked) >= len(dashboard["panels"]) > 5

    metrics = Metrics()
    metrics.show(lambda: Snapshot(leading=True, synced=True, clusters={"a": 1}, workers={"a": 1}, queue={"a": 1}))
    shown = metrics.encode("text/plain")[0].decode()
    # a counter with labels has no series before its first event
    there = set(re.findall(rf"^({PREFIX}\w+|process_\w+)", shown, re.MULTILINE)) | {f"{PREFIX}_kube_calls_total"}
    names = {name for expression in asked for name in re.findall(rf"{PREFIX}\w+|process_\w+", expression)}
    assert names - there == set()


def test_ports_of_the_pod_monitor_are_those_of_the_pods() -> None:
    manifests = render({"metrics": {"podMonitor": {"enabled": True, "labels": {"release": "prometheus"}}}})
    monitor = find(manifests, "PodMonitor", FULLNAME)
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    scraped = {endpoint["port"] for endpoint in monitor["spec"]["podMetricsEndpoints"]}
    ports = {
        name.partition("-")[0]: {port["name"] for port in pod["containers"][0]["ports"]}
        for name, pod in pods(manifests).items()
    }
    assert scraped == {"metrics", "traefik"}
    assert "metrics" in ports["controller"]
    assert "traefik" in ports["traefik"]
    (selected,) = (e["values"] for e in monitor["spec"]["selector"]["matchExpressions"])
    assert set(selected) == {"controller", "traefik"}
    (traefik,) = pods(manifests)[f"traefik-{FULLNAME}"]["containers"]
    assert "--metrics.prometheus=true" in traefik["args"]
