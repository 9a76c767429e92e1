"""The form that shows options in a notebook, bound both ways. Needs ipywidgets, and is imported only to be shown."""

import html
from collections.abc import Callable, Iterable
from typing import Any

import ipywidgets
import yaml

from dask_gateway.option_fields import Bool, Field, Float, Integer, Mapping, Select, String

_INT_RANGE = (-(2**63), 2**63 - 1)
_FLOAT_RANGE = (float("-inf"), float("inf"))


def build_form(fields: Iterable[Field]) -> Any:
    """A titled grid with a row an option: label, input, and what is wrong with the input."""
    rows = [cell for field in fields for cell in _build_row(field)]
    layout = ipywidgets.Layout(justify_content="flex-start", grid_template_columns="auto auto auto", grid_gap="5px 5px")
    title = ipywidgets.HTML("<h2>Cluster Options</h2>")
    return ipywidgets.VBox(children=[title, ipywidgets.GridBox(children=rows, layout=layout)])


def _build_row(field: Field) -> tuple[Any, Any, Any]:
    label = ipywidgets.HTML(f"<p style='font-weight: bold'>{html.escape(field.label)}:</p>")
    status = ipywidgets.HTML("")
    widget, show, read = _build_input(field)

    def changed(change: Any) -> None:
        try:
            field.set(read(change.new))
        except yaml.YAMLError:
            status.value = _mark("Invalid YAML")
        except (TypeError, ValueError) as error:
            status.value = _mark(str(error))
        else:
            status.value = ""

    def refresh(value: Any) -> None:
        # Re-reading what the user typed must not rewrite it: the same mapping has many spellings.
        if _read_or_none(read, widget.value) != value:
            widget.value = show(value)

    widget.observe(changed, "value")
    field.observe(widget, refresh)
    return label, widget, status


def _build_input(field: Field) -> tuple[Any, Callable[[Any], Any], Callable[[Any], Any]]:
    """The input of a field, how it shows a value, and how its content is read."""
    value = field.get()
    match field:
        case String():
            widget = ipywidgets.Text(value=value, continuous_update=False)
        case Bool():
            widget = ipywidgets.Checkbox(value=value, indent=False)
        case Select():
            widget = ipywidgets.Dropdown(value=value, options=field.options)
        case Integer(min=None, max=None):
            widget = ipywidgets.IntText(value=value)
        case Integer():
            widget = ipywidgets.BoundedIntText(value=value, **_bounds(field, _INT_RANGE))
        case Float(min=None, max=None):
            widget = ipywidgets.FloatText(value=value)
        case Float():
            widget = ipywidgets.BoundedFloatText(value=value, **_bounds(field, _FLOAT_RANGE))
        case _:
            text = ipywidgets.Textarea(
                value=_show_yaml(value), continuous_update=False, placeholder="Enter yaml or json..."
            )
            return text, _show_yaml, _read_mapping if isinstance(field, Mapping) else yaml.safe_load
    return widget, _same, _same


def _bounds(field: Integer | Float, widest: tuple[Any, Any]) -> dict[str, Any]:
    low, high = widest
    return {"min": low if field.min is None else field.min, "max": high if field.max is None else field.max}


def _same(value: Any) -> Any:
    return value


def _show_yaml(value: Any) -> str:
    return yaml.safe_dump(value) if value else ""


def _read_mapping(text: str) -> Any:
    return yaml.safe_load(text) if text.strip() else {}


def _read_or_none(read: Callable[[Any], Any], content: Any) -> Any:
    try:
        return read(content)
    except yaml.YAMLError:
        return None


def _mark(problem: str) -> str:
    return f'<span title="{html.escape(problem)}">&#10060;</span>'
