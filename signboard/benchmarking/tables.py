"""Figures as Markdown."""

from __future__ import annotations

from typing import Any

from signboard.training.evaluation import markdown_table

LEAST_EXPLAINED = 90  # per cent of the wall time that the stages must add up to


def report(part: str, figures: dict[str, Any]) -> str:
    """The figures of a part as a table."""
    if part == "stages":
        return stage_report(figures)
    rows = [(name.replace("_", " "), _cell(value)) for name, value in figures.items()]
    return markdown_table(("figure", "value"), rows)


def stage_report(figures: dict[str, Any]) -> str:
    """A row a stage with its share of the wall time, and how much of that the stages explain."""
    seconds = figures["seconds"]
    wall = seconds["wall"]
    rows = [(stage, f"{1000 * s:.1f}", f"{100 * s / wall:.1f} %") for stage, s in seconds.items() if stage != "wall"]
    rows.append(("wall", f"{1000 * wall:.1f}", "100.0 %"))
    explained = 100 * (1 - abs(seconds["other"]) / wall)
    note = "" if explained >= LEAST_EXPLAINED else f" (less than {LEAST_EXPLAINED} %: bring STAGES up to date)"
    lines = [f"The stages are {explained:.1f} % of the wall time{note}."]
    if "detector_area" in figures:
        lines.append(f"Outside the networks: {1000 * figures['outside_networks_seconds']:.1f} ms a photo.")
        lines.append(f"The detector's network sees {figures['detector_area']:.2f} times the area of the photo.")
    head = f"{figures['photos']} photos one by one, median of {figures['rounds']} rounds"
    return f"{head}\n\n{markdown_table(('stage', 'ms a photo', 'share'), rows)}\n\n" + "\n".join(lines)


def _cell(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) and abs(value) < 100 else f"{value:.0f}"
