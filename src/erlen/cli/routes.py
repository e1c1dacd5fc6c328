"""The table that ``erlen routes`` prints."""

from __future__ import annotations

import typing as t
from operator import itemgetter

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..typing import Application

IMPLIED_METHODS = frozenset({"HEAD", "OPTIONS"})


def routes_table(app: Application, sort: str, all_methods: bool) -> Iterator[str]:
    """Return the lines of a table of an application's routes.

    :param app: the application.
    :param sort: the column to sort by; ``"match"`` keeps the order in which rules are tried.
    :param all_methods: whether to show HEAD and OPTIONS, which are there without being asked for.
    """
    rules = list(app.url_map.iter_rules())
    if not rules:
        return iter(["No routes were registered."])

    host_matching = app.url_map.host_matching
    domain = itemgetter("host" if host_matching else "subdomain")
    rows = [
        {
            "endpoint": rule.endpoint,
            "methods": _show_methods(rule.methods, all_methods),
            "domain": domain({"host": rule.host, "subdomain": rule.subdomain}) or "",
            "rule": rule.rule,
        }
        for rule in rules
    ]
    titles = {
        "endpoint": "Endpoint",
        "methods": "Methods",
        "domain": "Host" if host_matching else "Subdomain",
        "rule": "Rule",
    }
    if not any(row["domain"] for row in rows):
        del titles["domain"]
    if sort in titles:
        rows.sort(key=itemgetter(sort))
    return _layout(list(titles.values()), [[row[c] for c in titles] for row in rows])


def _show_methods(methods: Iterable[str] | None, all_methods: bool) -> str:
    shown = set(methods or ())
    return ", ".join(sorted(shown if all_methods else shown - IMPLIED_METHODS))


def _layout(titles: list[str], rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(titles, *rows, strict=True)]
    for row in (titles, ["-" * width for width in widths], *rows):
        yield "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True))
