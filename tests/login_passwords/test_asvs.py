"""The page on ASVS lists each requirement, and names tests that are there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "asvs.md"

#: How many requirements each section of version 5.0.0 has on levels 1 and 2; they come first.
SECTIONS = {
    "6.1": 3,
    "6.2": 12,
    "6.3": 4,
    "6.4": 4,
    "6.5": 5,
    "6.6": 3,
    "6.8": 4,
    "7.1": 3,
    "7.2": 4,
    "7.3": 2,
    "7.4": 5,
    "7.5": 2,
    "7.6": 2,
    "8.1": 2,
    "8.2": 3,
    "8.3": 1,
    "8.4": 1,
}
LEVEL_1 = set(
    "6.1.1 6.2.1 6.2.2 6.2.3 6.2.4 6.2.5 6.2.6 6.2.7 6.2.8 6.3.1 6.3.2 6.4.1 6.4.2 7.2.1 7.2.2"
    " 7.2.3 7.2.4 7.4.1 7.4.2 8.1.1 8.2.1 8.2.2 8.3.1".split()
)
OWNERS = {"login", "accounts", "sessions", "core", "yours", "not here"}


def read_rows() -> dict[str, list[str]]:
    """Return the rows of all tables, by the number of the requirement."""
    rows = {}
    for line in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split(" |")]
        if re.fullmatch(r"\d\.\d\.\d+", cells[0]):
            assert len(cells) == 6, line
            assert cells[0] not in rows, line
            rows[cells[0]] = cells
    return rows


def test_all_requirements() -> None:
    """Each requirement of levels 1 and 2 is there, with its level and somebody who sees to it."""
    rows = read_rows()
    wanted = {f"{name}.{n}" for name, count in SECTIONS.items() for n in range(1, count + 1)}
    assert {number for number, cells in rows.items() if cells[1] != "3"} == wanted
    assert {number for number, cells in rows.items() if cells[1] == "1"} == LEVEL_1
    for cells in rows.values():
        assert set(cells[3].split(", ")) <= OWNERS, cells


def test_named_tests() -> None:
    """Each test that the page names is there, and what is met has one."""
    for number, cells in read_rows().items():
        named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", cells[5])
        assert cells[5].count("`") == 2 * len(named), number
        for file, name in named:
            text = (ROOT / file).read_text()
            assert re.search(rf"^(async )?def {name}\(", text, re.MULTILINE), f"{number}: {name}"
        if {"yours", "not here"}.isdisjoint(cells[3].split(", ")):
            assert named, number
