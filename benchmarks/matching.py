"""Route matching alone, and building the table of routes, at growing sizes."""

from __future__ import annotations

import gc
import typing as t
from itertools import cycle, islice
from time import process_time

from benchmarks.routes import sample
from benchmarks.timing import Cost, contest

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.frameworks import Framework
    from benchmarks.routes import Route
    from benchmarks.timing import Contestant, Effort

    Match: t.TypeAlias = Callable[[str], object]

SIZES = (10, 100, 1_000, 10_000)

# Bottle compiles its table anew for each rule it adds: 10,000 take it minutes.
LIMITS = {"bottle": 1_000}


def build_routers(
    size: int, frameworks: Iterable[Framework], rounds: int
) -> tuple[dict[str, Match], dict[str, Cost]]:
    """Build each framework's table of so many routes.

    The time runs until the first path is matched, because some do part of the work then.

    :returns: what matches, and what building cost, by the framework's name.
    """
    entrants = [item for item in frameworks if size <= LIMITS.get(item.name, size)]
    entrants = [item for item in entrants if item.router is not None]
    matchers: dict[str, Match] = {}
    spent: dict[str, list[float]] = {item.name: [] for item in entrants}
    path = sample(size)[0].path
    for _ in range(rounds):
        for item in entrants:
            assert item.router is not None
            start = process_time()
            match = item.router(size)
            match(path)
            spent[item.name].append((process_time() - start) * 1e6)
            matchers[item.name] = match
    return matchers, {name: Cost.of(times) for name, times in spent.items()}


def measure_matching(size: int, matchers: dict[str, Match], effort: Effort) -> dict[str, Cost]:
    """Time matching a path; fifty paths, evenly spread over the table, take turns."""
    table = sample(size)
    contestants = {name: _matching(match, table) for name, match in matchers.items()}
    contestants[""] = _matching(lambda path: None, table)
    # The tables are large; frozen, they are not walked at each collection between the rounds.
    gc.freeze()
    costs = contest(contestants, effort)
    gc.unfreeze()
    loop = costs.pop("")
    return {name: cost.without(loop) for name, cost in costs.items()}


def _matching(match: Match, table: list[Route]) -> Contestant:
    paths = cycle([route.path for route in table])

    def run(count: int) -> float:
        start = process_time()
        for path in islice(paths, count):
            match(path)
        return process_time() - start

    return run
