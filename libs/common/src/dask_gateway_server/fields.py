"""The kinds of options that a user can be offered.

Each knows how to describe itself to a client, how to check a client's value, and how to turn a checked value
into what the handler gets. The error texts and the shape of `json_spec` are part of the wire contract: released
clients show the texts, and pass every key of `spec` to a constructor.
"""

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping as MappingABC
from collections.abc import Sequence
from typing import Any


class Field(ABC):
    """One option. Subclass it for a kind of your own, with a `spec` that the clients know.

    Parameters
    ----------
    field
        The option's name: a Python identifier, since users set it as a keyword argument.
    default
        The value where a user gives none; it must be valid.
    target
        The key that the handler, or the cluster's configuration, gets. Default: `field`.
    label
        What a form shows. Default: `field`.
    """

    def __init__(self, field: str, default: Any = None, target: str | None = None, label: str | None = None) -> None:
        self.field = field
        self.validate(default)
        self.default = default
        self.target = target or field
        self.label = label or field

    def json_spec(self) -> dict[str, Any]:
        """The option as `GET /api/v1/options` describes it."""
        return {
            "field": self.field,
            "label": self.label,
            "default": self.default,
            "spec": self.json_type_spec(),
        }

    def get_default(self) -> Any:
        """The default, which the caller may change without harm."""
        return self.default

    def transform(self, x: Any) -> Any:
        """What the handler gets for the valid value `x`: any Python object."""
        return x

    @abstractmethod
    def validate(self, x: Any) -> Any:
        """`x`, normalized, as JSON; raises TypeError or ValueError with a text for the user."""

    @abstractmethod
    def json_type_spec(self) -> dict[str, Any]:
        """The `spec` by which clients build their own field: `type` and its limits, no other key."""


class String(Field):
    """A text."""

    def __init__(self, field: str, default: str = "", label: str | None = None, target: str | None = None) -> None:
        super().__init__(field, default=default, label=label, target=target)

    def validate(self, x: Any) -> str:
        """Any string."""
        if not isinstance(x, str):
            raise TypeError(f"{self.field} must be a string, got {x!r}")
        return x

    def json_type_spec(self) -> dict[str, Any]:
        """No limits."""
        return {"type": "string"}


class Bool(Field):
    """True or false."""

    def __init__(self, field: str, default: bool = False, label: str | None = None, target: str | None = None) -> None:
        super().__init__(field, default=default, label=label, target=target)

    def validate(self, x: Any) -> bool:
        """A bool, not merely something true."""
        if not isinstance(x, bool):
            raise TypeError(f"{self.field} must be a bool, got {x!r}")
        return x

    def json_type_spec(self) -> dict[str, Any]:
        """No limits."""
        return {"type": "bool"}


class Number(Field):
    """A number between two limits, both inclusive and both optional."""

    def __init__(
        self,
        field: str,
        default: float = 0,
        min: float | None = None,  # noqa: A002 - the published name
        max: float | None = None,  # noqa: A002 - the published name
        label: str | None = None,
        target: str | None = None,
    ) -> None:
        # each limit is checked for its type by this field while it has a name and no limits
        self.field = field
        self.min = self.max = None
        lowest, highest = self._limit(min), self._limit(max)
        self.min, self.max = lowest, highest
        super().__init__(field, default=default, label=label, target=target)

    def _limit(self, limit: float | None) -> Any:
        # JSON has no infinity, and an infinite limit is none
        return None if limit is None or math.isinf(limit) else self.validate(limit)

    def _check_limits(self, x: float) -> None:
        if self.min is not None and x < self.min:
            raise ValueError(f"{self.field} must be >= {self.min:f}, got {x}")
        if self.max is not None and x > self.max:
            raise ValueError(f"{self.field} must be <= {self.max:f}, got {x}")


class Integer(Number):
    """A whole number. A bool passes as 0 or 1, as it always has (it is an int to Python)."""

    def validate(self, x: Any) -> int:
        """An int within the limits."""
        if not isinstance(x, int):
            raise TypeError(f"{self.field} must be an integer, got {x!r}")
        self._check_limits(x)
        return x

    def json_type_spec(self) -> dict[str, Any]:
        """The limits."""
        return {"type": "int", "min": self.min, "max": self.max}


class Float(Number):
    """A number; a whole one becomes a float."""

    def validate(self, x: Any) -> float:
        """A finite float within the limits."""
        if not isinstance(x, int | float):
            raise TypeError(f"{self.field} must be a float, got {x!r}")
        try:
            number = float(x)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            # neither Kubernetes nor JSON has a place for it
            raise ValueError(f"{self.field} must be a finite number, got {number}")
        self._check_limits(number)
        return number

    def json_type_spec(self) -> dict[str, Any]:
        """The limits."""
        return {"type": "float", "min": self.min, "max": self.max}


class Select(Field):
    """One of several choices.

    Parameters
    ----------
    options
        The choices: each a name, or a tuple of the name and the value that the handler gets for it.
    default
        The name of a choice. Default: the first.
    """

    def __init__(
        self,
        field: str,
        options: Sequence[str | tuple[str, Any]],
        default: str | None = None,
        label: str | None = None,
        target: str | None = None,
    ) -> None:
        if not isinstance(options, Sequence):
            raise TypeError("options must be a sequence")
        if not options:
            raise ValueError("There must be at least one option")
        self.options: dict[str, Any] = {}
        for option in options:
            name, value = option if isinstance(option, tuple) else (option, option)
            if not isinstance(name, str):
                raise TypeError(f"Select keys must be strings, got {name!r}")
            self.options[name] = value
        super().__init__(
            field,
            default=next(iter(self.options)) if default is None else default,
            label=label,
            target=target,
        )

    def validate(self, x: Any) -> str:
        """The name of a choice."""
        if not isinstance(x, str):
            raise TypeError(f"{self.field} must be a string, got {x!r}")
        if x not in self.options:
            raise ValueError(f"{x!r} is not a valid option for {self.field}")
        return x

    def transform(self, x: Any) -> Any:
        """The choice's value."""
        return self.options[self.validate(x)]

    def json_type_spec(self) -> dict[str, Any]:
        """The names of the choices."""
        return {"type": "select", "options": list(self.options)}


class Mapping(Field):
    """A JSON object, as for environment variables."""

    def __init__(
        self,
        field: str,
        default: MappingABC[str, Any] | None = None,
        label: str | None = None,
        target: str | None = None,
    ) -> None:
        super().__init__(field, default={} if default is None else default, label=label, target=target)

    def validate(self, x: Any) -> dict[str, Any]:
        """A dict, whatever it holds."""
        if not isinstance(x, dict):
            raise TypeError(f"{self.field} must be a mapping, got {x!r}")
        return x

    def get_default(self) -> Any:
        """A copy of the default at every depth."""
        return copy.deepcopy(self.default)

    def json_type_spec(self) -> dict[str, Any]:
        """No limits."""
        return {"type": "mapping"}
