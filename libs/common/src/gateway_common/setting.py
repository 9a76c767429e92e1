"""A field of the configuration, with all the names it goes by.

Each setting is defined once. An operator may know it by its key in the chart's values, by its traitlet in Python
configuration code, or by its environment variable, which follows from where it stands in the model.
"""

from typing import Any

from pydantic import Field
from pydantic.fields import FieldInfo

_UNIT, _VALUES, _TRAITS = "x-unit", "x-values", "x-traits"


def setting(
    default: Any = ...,
    *,
    description: str,
    unit: str = "",
    values: str | tuple[str, ...] = (),
    traits: str | tuple[str, ...] = (),
    **constraints: Any,
) -> Any:
    """A pydantic field.

    Parameters
    ----------
    description
        What it does, and why one would change it.
    unit
        Of a number, such as `seconds`.
    values
        Keys in a values file that set it, with dots: `controller.backoffBaseDelay`. Those of a cluster's
        configuration are relative to `gateway.backend`.
    traits
        `Class.name` in Python configuration code, the more specific class last: it wins.
    """
    names: dict[str, Any] = {_UNIT: unit, _VALUES: _tuple(values), _TRAITS: _tuple(traits)}
    return Field(default, description=description, json_schema_extra=names, **constraints)


def unit_of(field: FieldInfo) -> str:
    """The unit of a number; empty for none."""
    return str(_extra(field).get(_UNIT, ""))


def values_of(field: FieldInfo) -> tuple[str, ...]:
    """The keys in a values file that set the field."""
    return tuple(_extra(field).get(_VALUES, ()))


def traits_of(field: FieldInfo) -> tuple[str, ...]:
    """The traitlets that set the field, the one that wins last."""
    return tuple(_extra(field).get(_TRAITS, ()))


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _tuple(names: str | tuple[str, ...]) -> tuple[str, ...]:
    return (names,) if isinstance(names, str) else names
