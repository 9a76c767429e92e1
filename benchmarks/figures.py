"""Figures: how they are summed up and shown."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import psutil


@dataclass(frozen=True)
class Figure:
    """One measured quantity; `samples` are its single measurements."""

    name: str
    unit: str
    samples: Sequence[float]

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    def as_json(self) -> dict[str, object]:
        return {
            "name": self.name,
            "unit": self.unit,
            "median": round(self.median, 4),
            "min": round(min(self.samples), 4),
            "max": round(max(self.samples), 4),
            "samples": len(self.samples),
        }


def table(figures: Sequence[Figure]) -> str:
    """The figures as a Markdown table."""
    rows = ["| what | median | min-max | unit | n |", "|---|---|---|---|---|"]
    for figure in figures:
        span = f"{_short(min(figure.samples))}-{_short(max(figure.samples))}" if len(figure.samples) > 1 else ""
        rows.append(f"| {figure.name} | {_short(figure.median)} | {span} | {figure.unit} | {len(figure.samples)} |")
    return "\n".join(rows)


def _short(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.3g}"


def cpu_seconds(pid: int) -> float:
    """CPU time that a process has used so far, user and system together, its finished children left out."""
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def memory_mib(pid: int) -> float:
    """Resident memory of a process."""
    return float(psutil.Process(pid).memory_info().rss) / 2**20
