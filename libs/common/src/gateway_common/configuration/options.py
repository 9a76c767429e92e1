"""Options that users are offered, declared without Python, and groups of users that get something else."""

from typing import Any, Literal

from pydantic import Field

from gateway_common.configuration.groups import SettingsGroup
from gateway_common.configuration.limits import GroupLimits
from gateway_common.setting import setting


class OptionDeclaration(SettingsGroup):
    """One option. What it is good for stands in `target`, `template` or `sets`."""

    name: str = setting(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="The keyword by which users set it.")
    type: Literal["string", "bool", "integer", "float", "select", "mapping"] = setting(description="Its kind.")
    label: str | None = setting(None, description="What forms show. Default: its name.")
    default: Any = setting(
        None,
        description=(
            "Its value where the user gives none. Default: that of the kind; of a select, the first choice. "
            "Helm sorts the choices of a mapping by name."
        ),
    )
    min: float | None = setting(None, description="The smallest number.")
    max: float | None = setting(None, description="The largest number.")
    choices: list[str] | dict[str, Any] = setting(
        [],
        description="(select) The names to choose from. As a mapping, each name's value: what `target` is set to, or "
        "an object of the fields of a cluster's configuration that this choice sets, as in `sets`; null sets nothing.",
    )
    target: str | None = setting(
        None, description="The field of a cluster's configuration that it sets. Default: the one of its own name."
    )
    template: str | None = setting(
        None, description="What `target` is set to, with `{value}` where the value goes: `{value}G`."
    )
    sets: dict[str, Any] = setting(
        {},
        description="Fields of a cluster's configuration that it sets: texts at any depth may hold `{value}`, `{user}` "
        "and the names of other options in braces; a brace itself is written twice. Takes the place of `target`. Where "
        "a bool's do not hold `{value}`, they count if it is true.",
    )


class GroupSettings(SettingsGroup):
    """What is different for the members of a group."""

    priority: int = setting(
        0, description="Of several groups that a user is in, the one with the highest priority has the last word."
    )
    backend: dict[str, Any] = Field(
        default={},
        description="Fields of their clusters' configuration: in a values file the keys of `gateway.backend`.",
    )
    options: list[OptionDeclaration] = setting(
        [], description="More options. One of a general option's name takes its place."
    )
    limits: GroupLimits = Field(default=GroupLimits(), description="Their limits.")
