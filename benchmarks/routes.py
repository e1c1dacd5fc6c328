"""Realistic route tables of any size, and their spelling in each framework."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator

NOUNS = """
teams projects issues comments labels milestones releases packages builds jobs runners
variables users hooks keys tokens invoices payments orders products reviews carts coupons
shipments authors books loans shelves
""".split()  # noqa: SIM905 - a word list is easier to read

# What a resource typically has. Variables at the same place in a path carry the same name and
# converter, because Falcon refuses a table in which they do not.
SHAPES = (
    "/{noun}/",
    "/{noun}/new",
    "/{noun}/search",
    "/{noun}/<int:id>",
    "/{noun}/<int:id>/edit",
    "/{noun}/<int:id>/delete",
    "/{noun}/<int:id>/posts/<slug>",
    "/{noun}/<int:id>/posts/<slug>/comments",
    "/{noun}/<int:id>/files/<name>",
    "/{noun}/<int:id>/history",
    "/api/{noun}",
    "/api/{noun}/<int:id>",
)

SAMPLES = {"int": "4711", "string": "a-fine-day"}
_VARIABLE = re.compile(r"<(?:(?P<converter>\w+):)?(?P<name>\w+)>")


class Converter(Protocol):
    """Spells one variable of a rule: its name, and its converter or ``None``."""

    def __call__(self, name: str, converter: str | None, /) -> str: ...


class Route(NamedTuple):
    """A rule in Flask's spelling, and a path that matches it."""

    rule: str
    path: str


def routes(count: int) -> list[Route]:
    """Return the first ``count`` rules of an endless realistic table."""
    return list(islice(_all_routes(), count))


def sample(count: int, size: int = 50) -> list[Route]:
    """Return ``size`` of the first ``count`` routes, or all if they are fewer, evenly spread."""
    table = routes(count)
    step = max(1, len(table) // size)
    return table[step // 2 :: step][:size]


def falcon_rule(rule: str) -> str:
    """Spell a rule as Falcon does: ``/users/{id:int}``."""
    return respell(rule, lambda name, kind: f"{{{name}:{kind}}}" if kind else f"{{{name}}}")


def bottle_rule(rule: str) -> str:
    """Spell a rule as Bottle does: ``/users/<id:int>``."""
    return respell(rule, lambda name, kind: f"<{name}:{kind}>" if kind else f"<{name}>")


def respell(rule: str, spell: Converter) -> str:
    """Replace each variable of a rule in Flask's spelling."""
    return _VARIABLE.sub(lambda found: spell(found["name"], found["converter"]), rule)


def _all_routes() -> Iterator[Route]:
    part = 0
    while True:
        prefix = f"/part{part}" if part else ""
        for noun in NOUNS:
            for shape in SHAPES:
                rule = prefix + shape.format(noun=noun)
                yield Route(rule, respell(rule, _sample_value))
        part += 1


def _sample_value(name: str, converter: str | None) -> str:
    return SAMPLES[converter or "string"]
