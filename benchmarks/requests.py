"""Each workload on each framework, and the variants of set-up on those with Flask's API."""

from __future__ import annotations

import typing as t

from benchmarks.applications.with_flask import VARIANTS, build
from benchmarks.timing import Cost, contest, nothing, requests_to

if t.TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed.wsgi import WSGIApplication

    from benchmarks.frameworks import Framework
    from benchmarks.timing import Effort
    from benchmarks.workloads import Workload

    Costs: t.TypeAlias = dict[str, Cost]

ASKING = "asking"
"""The contestant that answers nothing; what it costs is taken off everyone else's cost."""

VARIED = ("plain", "json", "route")
"""The workloads that are also run in every variant of set-up."""


def measure_workload(work: Workload, frameworks: Iterable[Framework], effort: Effort) -> Costs:
    """Check each framework's answer, then time all of them side by side."""
    apps = {
        framework.name: framework.builders[work.name]()
        for framework in frameworks
        if work.name in framework.builders
    }
    return _time(work, apps, effort)


def measure_variants(
    work: Workload, frameworks: Iterable[Framework], effort: Effort
) -> Iterator[tuple[str, Costs]]:
    """Time a workload in each variant of set-up, on the frameworks with Flask's API."""
    flasks = [framework for framework in frameworks if framework.api is not None]
    apps: dict[str, WSGIApplication] = {}
    for variant in VARIANTS:
        for framework in flasks:
            if framework.api is not None:
                apps[f"{variant}/{framework.name}"] = build(framework.api, work.name, variant)
    # All variants run in the same rounds, so that they compare with each other too.
    costs = _time(work, apps, effort)
    for variant in VARIANTS:
        yield variant, {item.name: costs[f"{variant}/{item.name}"] for item in flasks}


def _time(work: Workload, apps: dict[str, WSGIApplication], effort: Effort) -> Costs:
    contestants = {ASKING: requests_to(nothing, work.request)}
    for name, app in apps.items():
        contestants[name] = requests_to(app, work.prepare(app))
    costs = contest(contestants, effort)
    asking = costs[ASKING]
    return {ASKING: asking} | {name: costs[name].without(asking) for name in apps}
