"""The workloads over ASGI, beside frameworks of ASGI, and what Erlen's own ways differ by."""

from __future__ import annotations

import asyncio
import contextvars
import typing as t
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version

from benchmarks import content, frameworks
from benchmarks.applications import with_erlen
from benchmarks.asgi import Driver, nothing
from benchmarks.timing import Cost, contest, requests_to
from benchmarks.timing import nothing as nothing_by_wsgi
from benchmarks.workloads import WORKLOADS
from erlen import Erlen, await_
from erlen.gateway.fibers import run_in_fiber

if t.TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Mapping

    from benchmarks.asgi import ASGIApplication
    from benchmarks.timing import Contestant, Effort
    from benchmarks.workloads import Workload
    from erlen import Flask

REFERENCE = "flask"
"""Flask on WSGI, which all figures are compared with."""

ASKING = "asking"
NAMES = ("bare", "erlen", "erlen-flask", "starlette", "fastapi", "quart", "litestar", "blacksheep")

# How many times as fast as Flask on WSGI Erlen is to be at least.
GOALS = {"plain": 5.0, "route": 5.0}


@dataclass(frozen=True)
class ASGIFramework:
    """One column of the report.

    :param name: its short name.
    :param builders: what makes the application of each workload that the framework can do.
    """

    name: str
    builders: Mapping[str, Callable[[], ASGIApplication]]

    @property
    def label(self) -> str:
        """Name and version."""
        if self.name == "bare":
            return self.name
        return f"{self.name} {version('erlen' if self.name == 'erlen-flask' else self.name)}"


def load(name: str) -> ASGIFramework:
    """Import one framework.

    :raises ImportError: if it is not installed.
    """
    if name == "erlen-flask":
        return ASGIFramework(name, with_erlen.FLASK_BUILDERS)
    module = "bare_asgi" if name == "bare" else f"with_{name}"
    return ASGIFramework(name, import_module(f"benchmarks.applications.{module}").BUILDERS)


def measure_workload(
    work: Workload, chosen: Iterable[ASGIFramework], effort: Effort
) -> dict[str, Cost]:
    """Check each framework's answer, then time all of them side by side, Flask on WSGI too."""
    flask = frameworks.load(REFERENCE).builders[work.name]()
    with Driver() as driver:
        contestants: dict[str, Contestant] = {ASKING: driver.requests_to(nothing, work.request)}
        for framework in chosen:
            if work.name in framework.builders:
                app = framework.builders[work.name]()
                driver.start(app)
                request = work.prepare(app, driver.send)
                contestants[framework.name] = driver.requests_to(app, request)
        costs = _without(contest(contestants, effort))
        by_wsgi = {
            ASKING: requests_to(nothing_by_wsgi, work.request),
            REFERENCE: requests_to(flask, work.prepare(flask)),
        }
        return costs | {REFERENCE: _without(contest(by_wsgi, effort))[REFERENCE]}


def _without(costs: dict[str, Cost]) -> dict[str, Cost]:
    asking = costs.pop(ASKING)
    return {name: cost.without(asking) for name, cost in costs.items()}


async def _nothing() -> None:
    pass


async def _suspend() -> None:
    await asyncio.sleep(0)


def measure_fibers(effort: Effort) -> dict[str, Cost]:
    """Measure what a fiber adds to a call, and to a coroutine that is awaited in it."""
    context = contextvars.copy_context()

    def in_fiber(func: Callable[[], object]) -> Callable[[], Awaitable[object]]:
        return lambda: run_in_fiber(func, (), context)

    async def without() -> None:
        pass

    def wait() -> None:
        await_(_nothing())

    def wait_long() -> None:
        await_(_suspend())

    with Driver() as driver:
        costs = contest(
            {
                "coroutine": driver.calls_of(without),
                "suspended": driver.calls_of(_suspend),
                "fiber": driver.calls_of(in_fiber(lambda: None)),
                "coroutine in a fiber": driver.calls_of(in_fiber(wait)),
                "suspended in a fiber": driver.calls_of(in_fiber(wait_long)),
            },
            effort,
        )
    fiber = costs["fiber"]
    return {
        "a fiber from the pool": fiber.without(costs["coroutine"]),
        "in it, a coroutine that does not suspend": costs["coroutine in a fiber"].without(fiber),
        "in it, one that suspends once": costs["suspended in a fiber"]
        .without(fiber)
        .without(costs["suspended"].without(costs["coroutine"])),
    }


def measure_ways(effort: Effort) -> dict[str, Cost]:
    """Time Erlen's plain text by each way that a request can go."""
    plain = next(work for work in WORKLOADS if work.name == "plain")

    def plain_text() -> str:
        return content.HELLO

    def app(view: Callable[..., object], **options: object) -> Flask:
        app = Erlen(__name__)
        app.add_url_rule("/", "view", view, **options)  # type: ignore[arg-type]
        return app

    with Driver() as driver:
        contestants: dict[str, Contestant] = {ASKING: driver.requests_to(nothing, plain.request)}
        for title, application in {
            "ASGI, async def": app(with_erlen.hello),
            "ASGI, def, cooperative": app(plain_text, cooperative=True),
            "ASGI, def, in a worker thread": app(plain_text),
        }.items():
            plain.prepare(application, driver.send)
            contestants[title] = driver.requests_to(application, plain.request)
        costs = _without(contest(contestants, effort))
    by_wsgi = {
        ASKING: requests_to(nothing_by_wsgi, plain.request),
        "WSGI, def": requests_to(app(plain_text), plain.request),
        "WSGI, async def": requests_to(app(with_erlen.hello), plain.request),
    }
    return _without(contest(by_wsgi, effort)) | costs
