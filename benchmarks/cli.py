"""The command ``python -m benchmarks``."""

from __future__ import annotations

import argparse
import json
import typing as t
from dataclasses import asdict, dataclass, field, is_dataclass
from pathlib import Path

from benchmarks import frameworks, protocols, report
from benchmarks.applications.with_flask import VARIANTS
from benchmarks.databases import GOAL, measure_databases
from benchmarks.forms import measure_forms
from benchmarks.logins import GOALS as LOGIN_GOALS
from benchmarks.logins import measure_logins
from benchmarks.matching import SIZES, build_routers, measure_matching
from benchmarks.requests import ASKING, VARIED, measure_variants, measure_workload
from benchmarks.sessions import goals as session_goals
from benchmarks.sessions import measure_sessions
from benchmarks.startup import measure_startup
from benchmarks.timing import FULL, QUICK
from benchmarks.workloads import WORKLOADS

if t.TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.frameworks import Framework
    from benchmarks.timing import Cost, Effort
    from benchmarks.workloads import Workload

SECTIONS = ("variants", "matching", "forms", "sessions", "login", "db", "startup", "asgi", "fibers")
NOISE = 0.15


@dataclass
class Run:
    """One run of the comparison: what takes part, how hard to try, and what was found."""

    frameworks: list[Framework]
    effort: Effort
    quick: bool
    found: dict[str, t.Any] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """The names of the frameworks, in order."""
        return [item.name for item in self.frameworks]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what the arguments ask for, print it, and return the exit code."""
    options = _parser().parse_args(arguments)
    effort = QUICK if options.quick else FULL
    chosen = [frameworks.load(name) for name in options.frameworks]
    run = Run(chosen, effort, options.quick)
    wanted = set(options.only)
    print(report.heading(run.frameworks))
    workloads = [work for work in WORKLOADS if work.name in wanted]
    if workloads:
        _run_workloads(run, workloads)
    if "variants" in wanted:
        _run_variants(run)
    if "matching" in wanted:
        _run_matching(run)
    if "forms" in wanted:
        _run_forms(run)
    if "sessions" in wanted:
        _run_sessions(run)
    if "login" in wanted:
        _run_logins(run)
    if "db" in wanted:
        _run_databases(run)
    if "startup" in wanted:
        _run_startup(run)
    if "asgi" in wanted:
        _run_asgi(run)
    if "fibers" in wanted:
        _run_fibers(run)
    if options.json:
        text = json.dumps(run.found, indent=2, default=_plain)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    names = [work.name for work in WORKLOADS] + list(SECTIONS)
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds")
    parser.add_argument(
        "--only",
        type=_names(names),
        default=names,
        metavar="NAME,…",
        help="what to measure, of: " + ", ".join(names),
    )
    parser.add_argument(
        "--frameworks",
        type=_names(frameworks.NAMES),
        default=list(frameworks.NAMES),
        metavar="NAME,…",
        help="who takes part, of: " + ", ".join(frameworks.NAMES),
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    return parser


def _names(known: Sequence[str]) -> t.Callable[[str], list[str]]:
    def names(text: str) -> list[str]:
        given = text.split(",")
        unknown = sorted(set(given) - set(known))
        if unknown:
            raise argparse.ArgumentTypeError(
                f"unknown: {', '.join(unknown)}; known are {', '.join(known)}"
            )
        return [name for name in known if name in given]

    return names


def _run_workloads(run: Run, workloads: list[Workload]) -> None:
    rows: dict[str, dict[str, Cost]] = {}
    for work in workloads:
        report.progress(work.title)
        rows[work.title] = measure_workload(work, run.frameworks, run.effort)
    goals = {work.title: work.goal for work in workloads if work.goal is not None}
    _show(report.both("µs per request", run.columns, _best(rows), goals))
    asking = min(costs[ASKING].best for costs in rows.values())
    print(f"\nTaken off: {asking:.1f} µs to make the environ and to read and close the answer.")
    _show_noise(rows)
    run.found["requests"] = rows


def _run_variants(run: Run) -> None:
    columns = [item.name for item in run.frameworks if item.api is not None]
    rows: dict[str, dict[str, Cost]] = {}
    for work in (work for work in WORKLOADS if work.name in VARIED):
        report.progress(f"variants of {work.title}")
        for variant, costs in measure_variants(work, run.frameworks, run.effort):
            rows[f"{work.name}, {variant}"] = costs
    _show(report.both("µs per request, by set-up", columns, _best(rows)))
    print("\n".join(f"  {name}: {what}" for name, what in VARIANTS.items()))
    run.found["variants"] = rows


def _run_matching(run: Run) -> None:
    sizes = SIZES[:3] if run.quick else SIZES
    matched: dict[str, dict[str, Cost]] = {}
    built: dict[str, dict[str, Cost]] = {}
    for size in sizes:
        title = f"{size:,} routes"
        report.progress(title)
        matchers, built[title] = build_routers(size, run.frameworks, 1 if size > 1_000 else 3)
        matched[title] = measure_matching(size, matchers, run.effort)
    columns = [item.name for item in run.frameworks if item.router is not None]
    _show(report.both("µs to match a path", columns, _best(matched)))
    milliseconds = [
        (title, {name: cost / 1000 for name, cost in costs.items()})
        for title, costs in _best(built)
    ]
    _show(report.both("ms to build", columns, milliseconds))
    run.found["matching"], run.found["building"] = matched, built


def _run_forms(run: Run) -> None:
    report.progress("forms")
    rows = measure_forms(run.frameworks, run.effort)
    columns = [name for name in run.columns if any(name in costs for costs in rows.values())]
    _show(report.both("µs per form, beside Flask-WTF", columns, _best(rows)))
    run.found["forms"] = rows


def _run_sessions(run: Run) -> None:
    report.progress("sessions on the server")
    rows = measure_sessions(run.frameworks, run.effort)
    columns = [name for name in run.columns if any(name in costs for costs in rows.values())]
    title = "µs that a session on the server adds to a request, beside Flask-Session"
    _show(report.both(title, columns, _best(rows), session_goals(rows)))
    run.found["sessions"] = rows


def _run_logins(run: Run) -> None:
    report.progress("logins")
    rows = measure_logins(run.frameworks, run.effort)
    columns = [name for name in run.columns if any(name in costs for costs in rows.values())]
    title = "µs added to a request, beside Flask-Login"
    _show(report.both(title, columns, _best(rows), LOGIN_GOALS))
    run.found["logins"] = rows


def _run_databases(run: Run) -> None:
    report.progress("databases")
    rows = measure_databases(run.frameworks, run.effort)
    columns = [name for name in run.columns if any(name in costs for costs in rows.values())]
    goals = dict.fromkeys(rows, GOAL)
    title = "µs that db.session adds to SQLAlchemy, beside Flask-SQLAlchemy"
    _show(report.both(title, columns, _best(rows), goals))
    run.found["databases"] = rows


def _run_startup(run: Run) -> None:
    report.progress("starting fresh processes")
    found = measure_startup(run.frameworks, 3 if run.quick else 9)
    rows = [
        ("ms to import", {name: item.imported for name, item in found.items()}),
        ("ms until the first answer", {name: item.ready for name, item in found.items()}),
        ("MiB of memory", {name: item.memory for name, item in found.items()}),
    ]
    _show(report.table("300 routes, fresh process", list(found), rows))
    run.found["startup"] = found


def _run_asgi(run: Run) -> None:
    chosen = [protocols.load(name) for name in protocols.NAMES]
    print(f"\nOver ASGI, with asynchronous views: {', '.join(item.label for item in chosen)}")
    rows: dict[str, dict[str, Cost]] = {}
    for work in WORKLOADS:
        report.progress(f"{work.title} over ASGI")
        rows[work.title] = protocols.measure_workload(work, chosen, run.effort)
    goals = {work.title: protocols.GOALS.get(work.name, 0) for work in WORKLOADS}
    goals = {title: goal for title, goal in goals.items() if goal}
    columns = [*protocols.NAMES, protocols.REFERENCE]
    _show(report.both("µs over ASGI, Flask over WSGI", columns, _best(rows), goals))
    run.found["asgi"] = rows


def _run_fibers(run: Run) -> None:
    report.progress("fibers and ways through the gateway")
    fibers = protocols.measure_fibers(run.effort)
    _show(report.table("µs more than the same without it", ["cost"], _one(fibers), 2))
    ways = protocols.measure_ways(run.effort)
    _show(report.table("µs for plain text on Erlen", ["cost"], _one(ways)))
    run.found["fibers"], run.found["ways"] = fibers, ways


def _one(costs: dict[str, Cost]) -> list[tuple[str, dict[str, float]]]:
    return [(title, {"cost": cost.best}) for title, cost in costs.items()]


def _best(rows: dict[str, dict[str, Cost]]) -> list[tuple[str, dict[str, float]]]:
    return [
        (title, {name: cost.best for name, cost in costs.items()}) for title, costs in rows.items()
    ]


def _show(text: str) -> None:
    report.progress("")
    print(f"\n{text}")


def _show_noise(rows: dict[str, dict[str, Cost]]) -> None:
    costs = [cost for row in rows.values() for cost in row.values()]
    noisy = sum(cost.unrest > NOISE for cost in costs)
    if noisy:
        print(
            f"In {noisy} of {len(costs)} figures the median lies over {NOISE:.0%} above the best"
            " round: the machine is busy."
        )


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
