"""The kinds of cluster options, and what each accepts.

The gateway validates again, and its word is final; here users hear of a mistake sooner.
"""

import weakref
from collections.abc import Callable, Sequence
from collections.abc import Mapping as MappingABC
from typing import Any, ClassVar


class Field:
    """One option: its name, label, value, and who wants to know when the value changes.

    This base class accepts every value. It also stands for kinds of options that a newer gateway may have.
    """

    #: Keys of the option's ``spec`` that the constructor takes; a gateway may send more.
    spec_keys: ClassVar[tuple[str, ...]] = ()

    def __init__(self, field: str, default: Any, label: str | None = None) -> None:
        self.field = field
        self.label = label or field
        self.value = self.validate(default)
        self._observers: weakref.WeakKeyDictionary[Any, Callable[[Any], None]] = weakref.WeakKeyDictionary()

    @staticmethod
    def from_json(option: MappingABC[str, Any]) -> "Field":
        """The field that one element of the gateway's answer describes."""
        spec = option["spec"]
        kind = _KINDS.get(spec["type"], Field)
        arguments = {key: spec[key] for key in kind.spec_keys if key in spec}
        return kind(option["field"], option["default"], label=option.get("label"), **arguments)

    def validate(self, value: Any) -> Any:
        """The value to keep; ``TypeError`` or ``ValueError`` when it isn't acceptable."""
        return value

    def get(self) -> Any:
        """The present value."""
        return self.value

    def set(self, value: Any) -> None:
        """Validate and keep a value, and tell the observers."""
        self.value = self.validate(value)
        for notify in list(self._observers.values()):
            notify(self.value)

    def observe(self, owner: Any, notify: Callable[[Any], None]) -> None:
        """Call ``notify`` with each new value for as long as ``owner`` lives."""
        self._observers[owner] = notify


class String(Field):
    """A text."""

    def validate(self, value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{self.field} must be a string, got {value!r}")
        return value


class Bool(Field):
    """True or False."""

    def validate(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise TypeError(f"{self.field} must be a bool, got {value!r}")
        return value


class Number(Field):
    """A number, with bounds that are None where there are none."""

    spec_keys = ("min", "max")

    def __init__(
        self,
        field: str,
        default: Any,
        label: str | None = None,
        min: Any = None,  # noqa: A002 (the wire's name)
        max: Any = None,  # noqa: A002 (the wire's name)
    ) -> None:
        self.min = self.max = None  # bounds are numbers of the same kind, and not bounded themselves
        self.field = field
        lower = None if min is None else self.validate(min)
        upper = None if max is None else self.validate(max)
        self.min, self.max = lower, upper
        super().__init__(field, default, label)

    def validate(self, value: Any) -> Any:
        if self.min is not None and value < self.min:
            raise ValueError(f"{self.field} must be >= {self.min:f}, got {value}")
        if self.max is not None and value > self.max:
            raise ValueError(f"{self.field} must be <= {self.max:f}, got {value}")
        return value


class Integer(Number):
    """A whole number."""

    def validate(self, value: Any) -> int:
        if not isinstance(value, int):
            raise TypeError(f"{self.field} must be an integer, got {value!r}")
        number: int = super().validate(value)
        return number


class Float(Number):
    """A real number; whole ones are accepted."""

    def validate(self, value: Any) -> float:
        if isinstance(value, int):
            value = float(value)
        if not isinstance(value, float):
            raise TypeError(f"{self.field} must be a float, got {value!r}")
        number: float = super().validate(value)
        return number


class Select(Field):
    """One of several texts."""

    spec_keys = ("options",)

    def __init__(self, field: str, default: Any, label: str | None = None, options: Any = None) -> None:
        if isinstance(options, str) or not isinstance(options, Sequence):
            raise TypeError(f"{field}: options must be a sequence, got {options!r}")
        if not options:
            raise ValueError(f"{field}: there must be at least one option")
        for option in options:
            if not isinstance(option, str):
                raise TypeError(f"{field}: select options must be strings, got {option!r}")
        self.options = tuple(options)
        super().__init__(field, default, label)

    def validate(self, value: Any) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{self.field} must be a string, got {value!r}")
        if value not in self.options:
            raise ValueError(f"{value!r} is not a valid option for {self.field}")
        return value


class Mapping(Field):
    """A dictionary that JSON can carry."""

    def validate(self, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise TypeError(f"{self.field} must be a dict, got {type(value).__name__!r}")
        return value


_KINDS: dict[str, type[Field]] = {
    "bool": Bool,
    "float": Float,
    "int": Integer,
    "mapping": Mapping,
    "select": Select,
    "string": String,
}
