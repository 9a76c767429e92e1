"""How a cluster looks in a notebook: as HTML, and as a panel to scale it with."""

import html
import logging
from typing import Any

from dask.utils import format_bytes

logger = logging.getLogger("distributed.client")


def cluster_html(name: str | None, dashboard_link: str | None) -> str:
    """Name and dashboard of a cluster, for front ends without widgets."""
    dashboard = _link(dashboard_link) if dashboard_link is not None else "Not Available"
    return (
        '<div style="background-color: #f2f2f2; display: inline-block; padding: 10px; border: 1px solid #999999;">\n'
        "  <h3>GatewayCluster</h3>\n"
        "  <ul>\n"
        f"    <li><b>Name: </b>{html.escape(str(name))}</li>\n"
        f"    <li><b>Dashboard: </b>{dashboard}</li>\n"
        "  </ul>\n"
        "</div>\n"
    )


def workers_html(scheduler_info: dict[str, Any]) -> str:
    """A table of how many workers, threads and bytes of memory a cluster has."""
    workers = scheduler_info.get("workers", {}).values()
    cells = {
        "Workers": str(len(workers)),
        "Threads": str(sum(worker["nthreads"] for worker in workers)),
        "Memory": format_bytes(sum(worker["memory_limit"] for worker in workers)),
    }
    rows = "".join(f"<tr><th>{title}</th><td>{value}</td></tr>" for title, value in cells.items())
    return f'<table style="text-align: right;">{rows}</table>'


class ClusterPanel:
    """The widget of a cluster: its workers, manual and adaptive scaling, and its dashboard's link.

    Creating one raises ``ImportError`` where ipywidgets is not installed.
    """

    def __init__(self, name: str | None, dashboard_link: str | None, cluster: Any) -> None:
        import ipywidgets as w  # noqa: PLC0415 (optional)

        self._cluster = cluster
        self._status = w.HTML("", layout=w.Layout(min_width="150px"))
        column = w.Layout(width="150px")
        self._count = w.IntText(0, description="Workers", layout=column)
        self._minimum = w.IntText(0, description="Minimum", layout=column)
        self._maximum = w.IntText(0, description="Maximum", layout=column)
        scale = w.Button(description="Scale", layout=column)
        adapt = w.Button(description="Adapt", layout=column)
        scale.on_click(self._scale)
        adapt.on_click(self._adapt)

        scaling = w.Accordion(
            [w.HBox([self._count, scale]), w.HBox([self._minimum, self._maximum, adapt])],
            layout=w.Layout(min_width="500px"),
            selected_index=None,
        )
        scaling.set_title(0, "Manual Scaling")
        scaling.set_title(1, "Adaptive Scaling")
        rows = [
            w.HTML("<h2>GatewayCluster</h2>"),
            w.HBox([self._status, scaling]),
            w.HTML(f"<p><b>Name: </b>{html.escape(str(name))}</p>"),
        ]
        if dashboard_link is not None:
            rows.append(w.HTML(f"<p><b>Dashboard: </b>{_link(dashboard_link)}</p>"))
        self.widget = w.VBox(rows)

    def refresh(self, scheduler_info: dict[str, Any]) -> None:
        """Show the workers of now."""
        self._status.value = workers_html(scheduler_info)

    def _scale(self, _button: Any) -> None:
        self._try("scale", self._count.value)

    def _adapt(self, _button: Any) -> None:
        self._try("adapt", minimum=self._minimum.value, maximum=self._maximum.value)

    def _try(self, action: str, *args: Any, **kwargs: Any) -> None:
        """Call a method of the cluster. A button has no caller that an error could reach, so it is logged."""
        try:
            getattr(self._cluster, action)(*args, **kwargs)
        except Exception:
            logger.exception("Failed to %s the cluster", action)


def _link(url: str) -> str:
    escaped = html.escape(url)
    return f'<a href="{escaped}" target="_blank">{escaped}</a>'
