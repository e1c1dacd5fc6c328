"""The table of the page on forged requests, read as a rule that tests can ask."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "csrf.md"


class Sent(t.NamedTuple):
    """What a request carries, in the words of the table."""

    site: str
    origin: str
    referrer: str
    token: str


class Row(t.NamedTuple):
    """A row of the table: for each column what it is about, and the answer."""

    cells: tuple[frozenset[str], ...]
    accepted: bool

    def covers(self, sent: Sent) -> bool:
        """Say whether the row is about a request."""
        pairs = zip(self.cells, sent, strict=True)
        return all("any" in cell or value in cell for cell, value in pairs)


def read_rows() -> list[Row]:
    """Return the rows of the table."""
    text = PAGE.read_text()
    table = text[text.index("| `Sec-Fetch-Site` |") :].partition("\n\n")[0]
    rows = []
    for line in table.splitlines()[2:]:
        *cells, answer = [cell.strip() for cell in line.strip("|").split("|")]
        assert answer in ("accepted", "refused"), line
        words = tuple(frozenset(re.split(r",\s*", cell.replace("`", ""))) for cell in cells)
        rows.append(Row(words, answer == "accepted"))
    return rows


ROWS = read_rows()


def is_accepted(sent: Sent) -> bool:
    """Say what the table says about a request: the first row about it decides."""
    for row in ROWS:
        if row.covers(sent):
            return row.accepted
    raise AssertionError(f"no row of the table is about {sent}")
