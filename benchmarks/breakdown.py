"""Where the time of a request goes, step by step, on the frameworks with Flask's API.

``python -m benchmarks.breakdown plain json`` prints a table for each workload. Each step is a
group of methods. They are wrapped with a clock; a step's time is what passes inside its methods
less what passes inside wrapped methods that they call. Only methods that a request really calls
are wrapped, since a framework may do without a call where a method is not overridden.

What the clocks themselves cost is measured on an empty function and taken off. They disturb the
processor's caches, too, so what is left is scaled to the cost of the same request without any
clock; the last line says by how much.
"""

from __future__ import annotations

import argparse
import typing as t
from collections import defaultdict
from dataclasses import dataclass, field
from functools import update_wrapper
from importlib import import_module
from statistics import median
from time import perf_counter

from benchmarks import frameworks, report
from benchmarks.calls import codes_called
from benchmarks.timing import FULL, QUICK, Effort, contest, nothing, requests_to
from benchmarks.workloads import WORKLOADS

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

    from benchmarks.environs import Request
    from benchmarks.frameworks import Framework
    from benchmarks.workloads import Workload

# A method that a framework does not have is passed over, and its time falls to the step around
# it. Both frameworks use Flask's names, so one table serves them.
STEPS: dict[str, tuple[str, ...]] = {
    "outer frame": ("app:Flask.__call__", "app:Flask.wsgi_app"),
    "request object": ("wrappers:Request.__init__",),
    "URL adapter": (
        "app:Flask.create_url_adapter",
        "sansio.app:App.create_url_adapter",
    ),
    "contexts made and pushed": (
        "app:Flask.request_context",
        "app:Flask.app_context",
        "ctx:RequestContext.__init__",
        "ctx:RequestContext.push",
        "ctx:AppContext.__init__",
        "ctx:AppContext.push",
    ),
    "matching": ("ctx:RequestContext.match_request",),
    "session opened": (
        "sessions:SecureCookieSessionInterface.open_session",
        "sessions:SecureCookieSessionInterface.make_null_session",
    ),
    "hooks before": ("app:Flask.preprocess_request",),
    "dispatch": ("app:Flask.full_dispatch_request", "app:Flask.dispatch_request"),
    "errors": (
        "app:Flask.handle_user_exception",
        "app:Flask.handle_http_exception",
        "app:Flask.handle_exception",
        "app:Flask.raise_routing_exception",
    ),
    "response made": ("app:Flask.make_response", "wrappers:Response.__init__"),
    "hooks after": ("app:Flask.finalize_request", "app:Flask.process_response"),
    "session saved": (
        "sessions:SecureCookieSessionInterface.save_session",
        "sessions:SessionInterface.is_null_session",
    ),
    "response sent": ("wrappers:Response.__call__", "wrappers:Response.get_wsgi_response"),
    "teardown": (
        "app:Flask.do_teardown_request",
        "app:Flask.do_teardown_appcontext",
    ),
    "contexts popped": (
        "ctx:RequestContext.pop",
        "ctx:AppContext.pop",
        "wrappers:Request.close",
    ),
    "view": (),
}
TOTAL, SCALE = "together", "(scaled by)"
ROOT = "outside"


@dataclass
class Meter:
    """Clocks on functions, each booked on a step."""

    spent: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    calls: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    inner_calls: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    step: str = ROOT
    inside: float = 0.0

    def wrap(self, step: str, function: Callable[..., t.Any]) -> Callable[..., t.Any]:
        """Return the function with a clock around it."""

        def clocked(*args: t.Any, **kwargs: t.Any) -> t.Any:
            start = perf_counter()
            outer_step, outer_inside = self.step, self.inside
            self.step, self.inside = step, 0.0
            try:
                return function(*args, **kwargs)
            finally:
                elapsed = perf_counter() - start
                self.spent[step] += elapsed - self.inside
                self.calls[step] += 1
                self.inner_calls[outer_step] += 1
                self.step, self.inside = outer_step, outer_inside + elapsed

        return update_wrapper(clocked, function)

    def clear(self) -> None:
        """Forget all that was counted."""
        self.spent.clear()
        self.calls.clear()
        self.inner_calls.clear()


@dataclass(frozen=True)
class Overhead:
    """Seconds that a clock adds per call: to the step itself, and to the step around it."""

    inner: float
    outer: float

    @classmethod
    def measured(cls) -> Overhead:
        """Measure it on a function that does nothing."""
        meter = Meter()
        clocked = meter.wrap("empty", _empty)
        count = 200
        shown, whole, bare = [], [], []
        for _ in range(100):
            meter.clear()
            whole.append(_time_calls(clocked, count))
            bare.append(_time_calls(_empty, count))
            shown.append(meter.spent["empty"] / count)
        inner = median(shown)
        return cls(inner=inner - median(bare), outer=median(whole) - inner)

    def corrected(self, meter: Meter, step: str) -> float:
        """Return what a step took without the clocks, in seconds."""
        inner, outer = meter.calls[step] * self.inner, meter.inner_calls[step] * self.outer
        return meter.spent[step] - inner - outer


def break_down(framework: Framework, work: Workload, effort: Effort) -> dict[str, float]:
    """Return the microseconds that each step takes, and the whole without any clock."""
    assert framework.api is not None
    app = framework.builders[work.name]()
    request = work.prepare(app)
    entrants = {"app": requests_to(app, request), "asking": requests_to(nothing, request)}
    costs = contest(entrants, effort)
    whole = costs["app"].without(costs["asking"]).best

    meter = Meter()
    called = codes_called(app, request)
    undo = list(_put_clocks(meter, framework.api.module.__name__, called))
    try:
        steps = _run(framework, work, request, meter, effort)
    finally:
        for owner, name, original, own in undo:
            if own:
                setattr(owner, name, original)
            else:
                delattr(owner, name)
    scale = whole / sum(steps.values())
    return {step: spent * scale for step, spent in steps.items()} | {TOTAL: whole, SCALE: scale}


def _run(
    framework: Framework, work: Workload, request: Request, meter: Meter, effort: Effort
) -> dict[str, float]:
    app: t.Any = framework.builders[work.name]()
    for endpoint, view in list(app.view_functions.items()):
        app.view_functions[endpoint] = meter.wrap("view", view)
    work.prepare(app)
    send = requests_to(app, request)
    send(50)
    spent: defaultdict[str, list[float]] = defaultdict(list)
    overhead = Overhead.measured()
    for _ in range(effort.rounds * 100):
        meter.clear()
        send(1)
        for step in STEPS:
            spent[step].append(overhead.corrected(meter, step) * 1e6)
    # The median of many single requests: whatever else the machine does hits few of them.
    return {step: max(0.0, median(times)) for step, times in spent.items()}


def _put_clocks(
    meter: Meter, package: str, called: set[CodeType]
) -> Iterator[tuple[t.Any, str, t.Any, bool]]:
    """Wrap the methods of all steps; yield owner, name, original, and whether it is the owner's."""
    for step, targets in STEPS.items():
        for target in targets:
            module_name, _, path = target.partition(":")
            class_name, _, name = path.partition(".")
            try:
                owner = getattr(import_module(f"{package}.{module_name}"), class_name)
                original = getattr(owner, name)
            except (ImportError, AttributeError):
                continue
            if original.__code__ not in called:
                continue
            yield owner, name, original, name in vars(owner)
            setattr(owner, name, meter.wrap(step, original))


def _empty() -> None:
    pass


def _time_calls(function: Callable[[], object], count: int) -> float:
    start = perf_counter()
    for _ in range(count):
        function()
    spent = perf_counter() - start
    start = perf_counter()
    for _ in range(count):
        pass
    return (spent - (perf_counter() - start)) / count


def main() -> None:
    """Print a table per workload."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.breakdown", description="Where a request's time goes."
    )
    names = [work.name for work in WORKLOADS]
    parser.add_argument("workloads", nargs="*", choices=[*names, []], default=["plain"])
    parser.add_argument("--frameworks", default="erlen,erlen-flask,flask")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    options = parser.parse_args()
    columns = options.frameworks.split(",")
    effort = QUICK if options.quick else FULL
    for work in (work for work in WORKLOADS if work.name in options.workloads):
        found = {name: break_down(frameworks.load(name), work, effort) for name in columns}
        rows = [
            (step, {name: steps[step] for name, steps in found.items()})
            for step in (*STEPS, TOTAL, SCALE)
        ]
        print(report.table(f"{work.title}, µs", columns, rows, digits=2), end="\n\n")


if __name__ == "__main__":
    main()
