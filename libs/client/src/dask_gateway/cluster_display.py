"""How a cluster looks in a notebook: as HTML, and as a panel to scale it with."""

import html
import logging
import weakref
from contextlib import suppress
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


class ClusterDisplay:
    """What makes a cluster show itself in a notebook. The class that inherits this knows the rest."""

    name: str | None
    dashboard_link: str | None
    _panel: ClusterPanel | None = None

    @property
    def asynchronous(self) -> bool:
        """Whether methods return awaitables, which buttons can't wait for."""
        raise NotImplementedError

    @property
    def scheduler_info(self) -> dict[str, Any]:
        """The scheduler's description of itself."""
        raise NotImplementedError

    def _refresh_display(self) -> None:
        if self._panel is not None:
            self._panel.refresh(self.scheduler_info)

    def _widget(self) -> Any:
        """The ipywidgets panel, or None where there is none to have."""
        if self._panel is None and not self.asynchronous:
            with suppress(ImportError):  # ipywidgets is optional
                self._panel = ClusterPanel(self.name, self.dashboard_link, weakref.proxy(self))
                self._panel.refresh(self.scheduler_info)
        return self._panel.widget if self._panel is not None else None

    def _ipython_display_(self, **kwargs: Any) -> None:
        from IPython.display import display  # noqa: PLC0415 (only in IPython)

        widget = self._widget()
        if widget is not None:
            display(widget, **kwargs)
        else:
            display({"text/plain": repr(self), "text/html": self._repr_html_()}, raw=True)

    def _repr_html_(self) -> str:
        return cluster_html(self.name, self.dashboard_link)


def _link(url: str) -> str:
    escaped = html.escape(url)
    return f'<a href="{escaped}" target="_blank">{escaped}</a>'
