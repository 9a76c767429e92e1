"""Options without Python: from their declarations to what users are offered, and to what follows from a choice.

`option_checks` says what can be wrong with declarations; here they are right.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dask_gateway_server.fields import Bool, Field, Float, Integer, Select, String
from dask_gateway_server.fields import Mapping as MappingField
from dask_gateway_server.options import Options
from gateway_common.config import ClusterConfig
from gateway_common.configuration.options import OptionDeclaration
from gateway_common.configuration.templates import as_text, fill, placeholders
from gateway_common.merge import merge_config

#: In templates: the option's own value, and the user's name. No option is called so.
VALUE, USER = "value", "user"

#: Fields that hold names and texts, and nothing that a pod is made of: a user's own mapping can be one.
MAPPINGS_OF_TEXT = frozenset(
    ["environment"]
    + [f"{part}_extra_pod_{what}" for part in ("worker", "scheduler") for what in ("annotations", "labels")]
)


class DeclaredOptions:
    """Declarations that have been checked.

    `options` is what users are offered; it has no handler, since what follows depends on what the fields override.
    """

    def __init__(self, declarations: Sequence[OptionDeclaration]) -> None:
        self._declarations = tuple(declarations)
        self.options = Options(*map(build_field, self._declarations))

    def apply(self, base: Mapping[str, Any], chosen: Mapping[str, Any], user: str) -> dict[str, Any]:
        """A cluster's configuration: what each option sets is merged over `base`, in the options' order.

        `chosen` has a valid value for every option.
        """
        values = {option.name: value_of(option, chosen[option.name]) for option in self._declarations}
        values[USER] = user
        config = dict(base)
        for option in self._declarations:
            config = merge_config(config, fields_set_by(option, chosen[option.name], values))
        return config


def merge_declarations(layers: Iterable[Sequence[OptionDeclaration]]) -> list[OptionDeclaration]:
    """General options and those of groups: one of the same name takes the earlier one's place, others follow."""
    merged: dict[str, OptionDeclaration] = {}
    for declarations in layers:
        merged.update({option.name: option for option in declarations})
    return list(merged.values())


def build_field(option: OptionDeclaration) -> Field:
    """The option as dask_gateway_server has it; raises TypeError and ValueError where the default is impossible."""
    given: dict[str, Any] = {} if option.default is None else {"default": option.default}
    named: dict[str, Any] = {"label": option.label, **given}
    match option.type:
        case "string":
            return String(option.name, **named)
        case "bool":
            return Bool(option.name, **named)
        case "integer":
            return Integer(option.name, min=_whole(option.min), max=_whole(option.max), **named)
        case "float":
            return Float(option.name, min=option.min, max=option.max, **named)
        case "select":
            return Select(option.name, list(option.choices), **named)
        case "mapping":
            return MappingField(option.name, **named)


def value_of(option: OptionDeclaration, chosen: Any) -> Any:
    """What a placeholder stands for: of a choice its value, or its name where it has none or sets several fields."""
    if option.type == "integer":
        return int(chosen)  # a bool passes as a number, and means one
    if option.type == "select" and isinstance(option.choices, dict):
        value = option.choices[chosen]
        return chosen if value is None or isinstance(value, dict) else value
    return chosen


def fields_set_by(option: OptionDeclaration, chosen: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a cluster's configuration that one option sets; `values` are those of all options."""
    template = template_of(option, chosen)
    if chosen is False and not any(found.name == VALUE for found in placeholders(template)):
        # a switch that is off, and that says only what it means to be on
        return {}
    filled: dict[str, Any] = fill(template, {**values, VALUE: values[option.name]})
    for field in MAPPINGS_OF_TEXT.intersection(template):
        if isinstance(template[field], dict):
            filled[field] = _texts(filled[field], template[field])
    return filled


def _texts(filled: dict[str, Any], template: Mapping[str, Any]) -> dict[str, Any]:
    """A value that stands alone is text here, too; what the operator wrote stays as it is, for the checks to see."""
    return {
        key: as_text(entry) if isinstance(written, str) and isinstance(entry, bool | float | int) else entry
        for (key, entry), written in zip(filled.items(), template.values(), strict=True)
    }


def template_of(option: OptionDeclaration, chosen: Any) -> dict[str, Any]:
    """The fields that a choice sets, with names in braces."""
    choice = option.choices.get(chosen, ...) if isinstance(option.choices, dict) else ...
    if choice is None:
        return {}
    if isinstance(choice, dict):
        return merge_config(option.sets, choice)
    if option.sets:
        return option.sets
    target = target_of(option)
    return {} if target is None else {target: option.template or f"{{{VALUE}}}"}


def target_of(option: OptionDeclaration) -> str | None:
    """The field that the option's value goes to, if any."""
    if option.target is not None:
        return option.target
    return option.name if option.name in ClusterConfig.model_fields else None


def _whole(number: float | None) -> float | None:
    return int(number) if number is not None and float(number).is_integer() else number
