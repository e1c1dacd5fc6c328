"""The table of what servers can do, for readers."""

from __future__ import annotations

from .abilities import CANNOT, ROWS, Ability
from .kinds import COMMANDS, PROXIED
from .process import HERE

PAGE = HERE.parents[1] / "docs" / "how-to" / "deploy.md"


def test_each_kind_is_in_the_table() -> None:
    """What is tested is told."""
    assert CANNOT.keys() == COMMANDS.keys() | PROXIED.keys()
    # Those of the standard library and for development are not for visitors.
    left_out = {"granian-rsgi-loop", "uvicorn-loop", "werkzeug", "wsgiref"}
    assert set(ROWS.values()) == CANNOT.keys() - left_out


def test_the_page_says_the_same() -> None:
    """The table in the documentation is that of the tests."""
    rows = [f"| | {' | '.join(ability.value for ability in Ability)} |"]
    rows.append(f"|{'---|' * (len(Ability) + 1)}")
    for title, kind in ROWS.items():
        cells = [CANNOT[kind].get(ability, "yes") for ability in Ability]
        rows.append(f"| {title} | {' | '.join(cells)} |")
    table = "\n".join(rows)
    assert table in PAGE.read_text(), f"the table in {PAGE} must be:\n{table}"
