"""The chart as Helm renders it."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import yaml

CHART = Path(__file__).parents[2] / "charts/dask-gateway"
RELEASE, NAMESPACE = "dg", "gw"
FULLNAME = "dg-dask-gateway"

Manifest = dict[str, Any]

#: Behind somebody's Gateway, which has a way to ask the api.
GATEWAY_API: Manifest = {
    "proxy": {
        "kind": "gatewayAPI",
        "gatewayAPI": {
            "gateway": "edge",
            "gatewayNamespace": "infra",
            "webListener": "https",
            "hosts": ["dask.example.org"],
            "podsNamespace": "infra-pods",
            "dashboardFilters": [
                {"type": "ExtensionRef", "extensionRef": {"group": "example.org", "kind": "Ask", "name": "access"}}
            ],
        },
    }
}


@cache
def chart() -> helm_python.Chart:
    """Loaded once."""
    return helm_python.Chart.load(CHART)


def render(values: Mapping[str, Any] | None = None) -> list[Manifest]:
    """All objects of an installation; raises HelmError for values that the schema or the chart refuses."""
    known = dict(values or {})
    chart().validate_schema(known)
    rendered = chart().render(known, name=RELEASE, namespace=NAMESPACE)
    return [manifest for name, text in rendered.items() if not name.endswith(".txt") for manifest in _objects(text)]


def notes(values: Mapping[str, Any] | None = None) -> str:
    """What Helm says in the end."""
    return next(
        text
        for name, text in chart().render(dict(values or {}), name=RELEASE, namespace=NAMESPACE).items()
        if name.endswith("NOTES.txt")
    )


def find(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    """The one of this kind and name."""
    (found,) = (m for m in manifests if (m["kind"], m["metadata"]["name"]) == (kind, name))
    return found


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """The pod specs by the names of what makes them."""
    return {m["metadata"]["name"]: m["spec"]["template"]["spec"] for m in manifests if m["kind"] == "Deployment"}


def operators_values(name: str) -> Manifest:
    """A values file of tests/data; of one for a chart that includes this one, the part that is for us."""
    file = Path(__file__).parents[1] / "data/values" / f"{name}.yaml"
    values: Manifest = yaml.safe_load(file.read_text())
    return values.get("dask-gateway", values)


def _objects(text: str) -> Iterator[Manifest]:
    yield from filter(None, yaml.safe_load_all(text))
