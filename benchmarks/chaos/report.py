"""benchmarks/chaos.json, and the tables that docs/reliability.md shows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.record import ROOT, Record, machine

RECORD = Record(ROOT / "benchmarks" / "chaos.json", ROOT / "docs" / "reliability.md")
COUNTED = ("jobs_accepted", "jobs_lost", "jobs_wrong", "jobs_stuck")
"""Summed over the parts."""


def save(part: str, seed: int, figures: Mapping[str, float], rows: Sequence[Any], notes: Mapping[str, Any]) -> None:
    """Replace one part in chaos.json; the figures of the whole are those of all parts together."""
    results = RECORD.load()
    results["parts"][part] = {
        "machine": machine(), "seed": seed, "figures": dict(figures), "faults": list(rows), "notes": dict(notes)
    }  # fmt: skip
    results["figures"] = _together([each["figures"] for each in results["parts"].values()])
    RECORD.store(results)


def write_page() -> str:
    """Fill docs/reliability.md between its markers, and return the tables."""
    results = RECORD.load()
    tables = _figures(results["figures"]) + "\n\n" + _faults(results["parts"])
    RECORD.show(tables)
    return tables


def _together(parts: Sequence[Mapping[str, float]]) -> dict[str, float]:
    figures = {name: value for part in parts for name, value in part.items()}
    return figures | {name: sum(part.get(name, 0) for part in parts) for name in COUNTED}


def _figures(figures: Mapping[str, float]) -> str:
    lines = ["| figure | measured |", "| --- | ---: |"]
    shown = {name: f"{value:,}" if isinstance(value, int) else f"{value:,.4g}" for name, value in figures.items()}
    return "\n".join(lines + [f"| `{name}` | {value} |" for name, value in sorted(shown.items())])


def _faults(parts: Mapping[str, Any]) -> str:
    lines = [
        "| fault | times | jobs in flight | recovery, median | p95 | longest |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for part in parts.values():
        lines += [
            f"| {row['fault']} | {row['times']} | {row['in_flight_median']:.0f} | {row['recovery_median_s']:.1f} s "
            f"| {row['recovery_p95_s']:.1f} s | {row['recovery_max_s']:.1f} s |"
            for row in part["faults"]
        ]
    return "\n".join(lines)
