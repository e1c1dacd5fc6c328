"""What only a person can know about a change of the models, and how they are asked."""

from __future__ import annotations

import sys
import typing as t
from dataclasses import dataclass, field

import click
from alembic.util import CommandError

from .environment import get_databases
from .output import say

if t.TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass
class Answers:
    """Answers that were given beforehand, and the way to get more.

    :param renames: what ``--rename`` was given, as pairs of an old and a new name. The names may
        have their table before a dot.
    :param fills: what ``--fill`` was given: the values that existing rows get, by
        ``table.column``.
    :param ask: whether somebody is there to be asked.
    :param quiet: whether to say nothing about what looks like a rename.
    """

    renames: list[tuple[str, str]] = field(default_factory=list)
    fills: dict[str, str] = field(default_factory=dict)
    ask: bool = False
    quiet: bool = False
    used: set[t.Any] = field(default_factory=set)

    def is_renamed(self, what: str, old: str, new: str) -> bool:
        """Return whether something was given another name, as far as that can be known.

        :param what: what it is: ``column``, ``table`` or ``value``.
        :param old: the name that is gone, a column's with its table.
        :param new: the name that is new, a column's with its table.
        """
        for pair in self.renames:
            if matches(pair[0], old) and matches(pair[1], new):
                self.used.add(pair)
                return True
        if any(matches(a, old) or matches(b, new) for a, b in self.renames):
            # One of the two has another partner.
            return False
        if not self.ask:
            self._hint(what, old, new)
            return False
        return click.confirm(f"Was the {what} {old} renamed to {new}?", err=True)

    def _hint(self, what: str, old: str, new: str) -> None:
        if not self.quiet:
            say(
                f"The {what} {old} is dropped and {new} is added: what is in it will be lost. If"
                " it was renamed, delete this migration and make it again with"
                f" --rename {old}:{_last(new)}"
            )

    def get_fill(self, name: str, guess: str) -> str:
        """Return the value that existing rows get in a new column.

        :param name: the column, with its table.
        :param guess: the value to take where nobody says another.
        """
        for key, value in self.fills.items():
            if matches(key, name):
                self.used.add(key)
                return value
        if not self.ask:
            return guess
        question = f"{name} allows no NULL. What do existing rows get?"
        return str(click.prompt(question, default=guess, err=True))

    def check_use_after(self, databases: int) -> None:
        """Stop where an answer was given to what is no question, once all databases were seen.

        :param databases: how many were compared by now.
        :raises CommandError: when a given name does not occur.
        """
        if databases < len(get_databases()):
            return
        for old, new in self.renames:
            if (old, new) not in self.used:
                raise CommandError(
                    f"--rename {old}:{new} fits nothing: {_last(old)!r} has to be gone from the"
                    f" models, and {_last(new)!r} to be new in the same table."
                )
        for key in self.fills:
            if key not in self.used:
                raise CommandError(
                    f"--fill {key}=… fits nothing: there is no such new column that allows no NULL."
                )


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def matches(given: str, name: str) -> bool:
    """Return whether a name, as a person gave it, stands for another that is complete.

    :param given: ``column`` or ``table.column``, a table's name, with its schema or without.
    :param name: the complete name.
    """
    return name == given or name.endswith(f".{given}")


def parse_renames(values: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs that ``--rename`` was given.

    :param values: each ``old:new``.
    :raises CommandError: when one is not of that form.
    """
    pairs = []
    for value in values:
        old, colon, new = value.partition(":")
        if not (old and colon and new):
            raise CommandError(f"--rename takes old:new, not {value!r}.")
        pairs.append((old, new))
    return pairs


def parse_fills(values: Iterable[str]) -> dict[str, str]:
    """Return the values that ``--fill`` was given.

    :param values: each ``table.column=value``.
    :raises CommandError: when one is not of that form.
    """
    fills = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise CommandError(f"--fill takes table.column=value, not {text!r}.")
        fills[name] = value
    return fills


def is_attended() -> bool:
    """Return whether a person sits at the terminal."""
    return sys.stdin.isatty() and sys.stderr.isatty()
