"""Python function calls per request, and that routing costs the same however many routes.

Calls do not depend on how busy the machine is, so they can be compared exactly with what is
recorded in ``benchmarks/call_counts.txt``. Where a change lowers them, or raises them for a
reason, ``python -m benchmarks.calls --record`` writes them anew.
"""

from __future__ import annotations

import typing as t

import pytest
from benchmarks import frameworks
from benchmarks.applications.with_flask import VARIANTS, build, router
from benchmarks.calls import (
    BY_ASGI,
    PYTHON,
    count_by_asgi,
    count_calls,
    count_request,
    count_workload,
    load_table,
)
from benchmarks.routes import sample
from benchmarks.workloads import WORKLOADS, Workload

if t.TYPE_CHECKING:
    from collections.abc import Callable

# What the project promises, whatever the table says.
LIMITS = {"plain": 40, "json": 50}

BY_NAME = {work.name: work for work in WORKLOADS}


@pytest.fixture(params=["erlen", "erlen-flask"])
def framework(request: pytest.FixtureRequest) -> frameworks.Framework:
    """Erlen with the defaults of today, and with Flask's."""
    return frameworks.load(request.param)


@pytest.mark.parametrize("work", WORKLOADS, ids=lambda work: work.name)
def test_no_more_calls_than_recorded(framework: frameworks.Framework, work: Workload) -> None:
    """A request makes no more Python calls than the table says for this Python."""
    recorded = {
        version: calls.python
        for (name, work_name, version), calls in load_table().items()
        if (name, work_name) == (framework.name, work.name)
    }
    # A Python that nobody has recorded yet is measured by the most generous of the others.
    allowed = recorded.get(PYTHON, max(recorded.values()))
    assert count_workload(framework, work).python <= allowed


@pytest.mark.parametrize("name", BY_ASGI)
def test_no_more_calls_over_asgi(name: str) -> None:
    """Nor does a request over ASGI to an asynchronous view."""
    recorded = {
        version: calls.python
        for (framework, work, version), calls in load_table().items()
        if (framework, work) == ("erlen-asgi", name)
    }
    allowed = recorded.get(PYTHON, max(recorded.values()))
    assert count_by_asgi(BY_NAME[name]).python <= allowed


@pytest.mark.parametrize(("name", "limit"), LIMITS.items())
def test_promised_limits(framework: frameworks.Framework, name: str, limit: int) -> None:
    """Plain text and JSON stay below what the project promises."""
    assert count_workload(framework, BY_NAME[name]).python <= limit


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(("name", "limit"), LIMITS.items())
def test_limits_hold_in_every_set_up(
    framework: frameworks.Framework, variant: str, name: str, limit: int
) -> None:
    """A secret key, a factory with blueprints and a teardown function keep the limits."""
    assert framework.api is not None
    app = build(framework.api, name, variant)
    assert count_request(app, BY_NAME[name].prepare(app)).python <= limit


def test_matching_does_not_depend_on_the_number_of_routes(
    framework: frameworks.Framework,
) -> None:
    """Matching the same paths makes the same calls among 20 routes and among 2,000."""
    assert framework.api is not None
    few, many = (router(framework.api, size) for size in (20, 2_000))
    assert _calls_to_match(few) == _calls_to_match(many)


def _calls_to_match(match: Callable[[str], object]) -> int:
    paths = [route.path for route in sample(20, size=20)]

    def match_all() -> None:
        for path in paths:
            match(path)

    match_all()
    return count_calls(match_all).python
