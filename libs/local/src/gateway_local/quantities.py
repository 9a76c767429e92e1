"""Kubernetes resource quantities: "500m", "2Gi", "1e3". Pure."""

import re
from decimal import Decimal

_QUANTITY = re.compile(r"([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)([numkMGTPE]|[KMGTPE]i)?")
_SCALES = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate("kMGTPE", 1)},
    **{suffix + "i": Decimal(1024) ** power for power, suffix in enumerate("KMGTPE", 1)},
}


def parse_quantity(text: str | float) -> Decimal:
    """A quantity in its base unit (cores, bytes, pods); raises ValueError for what is none."""
    found = _QUANTITY.fullmatch(str(text))
    if found is None:
        raise ValueError(f"{text!r} is not a quantity: expected a number with a suffix such as m, k, Mi or G")
    try:
        return Decimal(found[1]) * _SCALES[found[2] or ""]
    except ArithmeticError as error:
        raise ValueError(f"{text!r} is not a quantity: {found[1]!r} is not a number") from error
