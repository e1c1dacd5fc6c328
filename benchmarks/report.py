"""Tables of plain text: costs in one, and how many times as fast as Flask in the next."""

from __future__ import annotations

import platform
import sys
import typing as t

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from benchmarks.frameworks import Framework

    Rows: t.TypeAlias = Sequence[tuple[str, Mapping[str, float]]]
    """A title and a figure per column; a column that is missing is left blank."""

REFERENCE = "flask"
BLANK = "-"


def heading(frameworks: Iterable[Framework]) -> str:
    """Say what was measured, on what."""
    names = ", ".join(item.label for item in frameworks)
    return (
        f"{platform.python_implementation()} {platform.python_version()} on "
        f"{platform.system()} {platform.machine()}, processor time\n{names}"
    )


def table(title: str, columns: Sequence[str], rows: Rows, digits: int = 1) -> str:
    """Lay out rows of figures under their columns."""
    width = max(len(row_title) for row_title, _ in [*rows, (title, {})])
    lines = [title.ljust(width) + "".join(column.rjust(12) for column in columns)]
    lines.append("-" * len(lines[0]))
    for row_title, figures in rows:
        cells = (_cell(figures.get(column), digits) for column in columns)
        lines.append(row_title.ljust(width) + "".join(cell.rjust(12) for cell in cells))
    return "\n".join(lines)


def ratios(rows: Rows, goals: Mapping[str, float] | None = None) -> Rows:
    """Turn costs into "times as fast as Flask", beside the goal where a row has one."""
    return [
        (title, _ratios(figures) | _goal(goals or {}, title))
        for title, figures in rows
        if REFERENCE in figures
    ]


def both(
    title: str, columns: Sequence[str], rows: Rows, goals: Mapping[str, float] | None = None
) -> str:
    """Lay out costs and, below, ratios to Flask where Flask took part."""
    parts = [table(title, columns, rows)]
    if REFERENCE in columns:
        more = [*columns, "goal"] if goals else list(columns)
        parts.append(table("times as fast as Flask", more, ratios(rows, goals)))
    return "\n\n".join(parts)


def progress(text: str) -> None:
    """Say on a terminal what is being measured."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)


def _ratios(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: figures[REFERENCE] / figure for name, figure in figures.items()}


def _goal(goals: Mapping[str, float], title: str) -> dict[str, float]:
    return {"goal": goals[title]} if title in goals else {}


def _cell(figure: float | None, digits: int) -> str:
    return BLANK if figure is None else f"{figure:,.{digits}f}"
