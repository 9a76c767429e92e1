"""Amounts of memory and CPU: as people write them, as Kubernetes counts them, and back."""

import math
import re
from typing import Any

_MEMORY = re.compile(r"\s*((?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?)\s*([KMGT]?)(?:i?B)?\s*", re.IGNORECASE | re.ASCII)
_BINARY = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}

#: Kubernetes counts in signed 64-bit integers.
MOST_BYTES = 2**63 - 1


def parse_memory(value: Any) -> Any:
    """Bytes from a number or from text such as "2 G" or "512M"; the suffixes K, M, G and T are binary (A5).

    Null and what is neither number nor text is left to the field's own validation. Raises ValueError.
    """
    if isinstance(value, bool):
        raise ValueError("expected bytes or a number with one of the suffixes K, M, G, T, got a boolean")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"expected bytes, got {value}")
    size = int(value) if isinstance(value, float) else _parse_text(value) if isinstance(value, str) else value
    if isinstance(size, int) and size > MOST_BYTES:
        raise ValueError("expected less than 8 EiB, which is more than Kubernetes can count")
    return size


def _parse_text(text: str) -> int:
    match = _MEMORY.fullmatch(text)
    # nobody means a number of so many digits, and Python refuses to read longer ones
    if match is None or len(text) > 1000:
        shown = repr(text[:80])
        raise ValueError(f"expected bytes or a number with one of the suffixes K, M, G, T, such as '2 G', got {shown}")
    number, suffix = match.groups()
    if number.isdigit():
        return int(number) * _BINARY[suffix.upper()]
    amount = float(number) * _BINARY[suffix.upper()]
    return int(amount) if math.isfinite(amount) else MOST_BYTES + 1


def format_memory(size: int) -> str:
    """Bytes for people: `2.00 GiB`."""
    amount = float(size)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024:
            return f"{amount:.2f} {unit}" if unit != "B" else f"{size} B"
        amount /= 1024
    return f"{amount:.2f} TiB"


def millicores(cores: float) -> int:
    """CPUs in Kubernetes' smallest unit, at least one of it."""
    return max(round(cores * 1000), 1)
