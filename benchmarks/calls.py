"""Python function calls per request: a measure of work that no busy machine disturbs.

``python -m benchmarks.calls`` prints them; with ``--record`` it also writes them to the table
that ``tests/test_call_counts.py`` compares with.
"""

from __future__ import annotations

import argparse
import gc
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path

from benchmarks import asgi, frameworks
from benchmarks.applications import with_erlen
from benchmarks.environs import Request
from benchmarks.timing import requests_to, start_response
from benchmarks.workloads import WORKLOADS

if t.TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType

    from _typeshed.wsgi import WSGIApplication

    from benchmarks.workloads import Workload

TABLE = Path(__file__).with_name("call_counts.txt")
LINE = "{:13}{:11}{:9}{:>7}{:>9}"
RECORDED = ("erlen", "erlen-flask", "erlen-asgi")
# What goes over ASGI without waiting for anything; a static file takes a thread.
BY_ASGI = ("plain", "json", "route", "form", "echo", "template", "session", "missing", "hooks")
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"

# Served by the first requests: what is made once must not be counted.
WARM_UP = 20


@dataclass(frozen=True)
class Calls:
    """How many functions one request calls.

    :param python: functions written in Python, libraries included; each resumption of a
        generator counts, as it makes a frame run.
    :param builtin: functions written in C, for information.
    """

    python: int
    builtin: int


Table: t.TypeAlias = dict[tuple[str, str, str], Calls]
"""Counts by framework, workload and Python version."""


def count_calls(run: Callable[[], object], ignore: tuple[object, ...] = ()) -> Calls:
    """Count the calls that a function makes, itself not counted.

    :param run: what to call, once.
    :param ignore: functions of the measurement itself, which are not counted.
    """
    codes = {function.__code__ for function in (run, *ignore) if hasattr(function, "__code__")}
    python = builtin = 0

    def profiler(frame: FrameType, event: str, argument: object) -> None:
        nonlocal python, builtin
        if event == "call" and frame.f_code not in codes:
            python += 1
        elif event == "c_call" and frame.f_code not in codes:
            builtin += 1

    before = sys.getprofile()
    collects = gc.isenabled()
    # What the garbage collector finds in the meantime may call functions of its own.
    gc.disable()
    sys.setprofile(profiler)
    try:
        run()
    finally:
        sys.setprofile(before)
        if collects:
            gc.enable()
    return Calls(python, builtin)


def codes_called(app: WSGIApplication, request: Request) -> set[CodeType]:
    """Return the code of each Python function that a request calls, after some to warm up."""
    send = requests_to(app, request)
    send(WARM_UP)
    codes: set[CodeType] = set()

    def profiler(frame: FrameType, event: str, argument: object) -> None:
        codes.add(frame.f_code)

    sys.setprofile(profiler)
    try:
        send(1)
    finally:
        sys.setprofile(None)
    return codes


def count_request(app: WSGIApplication, request: Request) -> Calls:
    """Count the calls of one request, once the application has warmed up."""
    send = requests_to(app, request)
    send(WARM_UP)

    def run() -> None:
        send(1)

    return count_calls(run, (send, start_response))


def count_workload(framework: frameworks.Framework, work: Workload) -> Calls:
    """Count the calls of a workload's request on a framework."""
    app = framework.builders[work.name]()
    return count_request(app, work.prepare(app))


def count_by_asgi(work: Workload) -> Calls:
    """Count the calls of a workload's request on Erlen, with asynchronous views, over ASGI.

    :raises AssertionError: where it waits for something, so that other code runs in between.
    """
    app = with_erlen.BUILDERS[work.name]()
    with asgi.Driver() as driver:
        steps = driver.steps_of(app, work.prepare(app, driver.send), WARM_UP)

        def run() -> None:
            # A coroutine that does not suspend ends at its first step.
            assert next(steps) == "ended"

        return driver.call(lambda: count_calls(run, (asgi.ignore,)))


def load_table() -> Table:
    """Read what is recorded."""
    table: Table = {}
    for line in TABLE.read_text(encoding="utf-8").splitlines()[1:]:
        framework, work, version, python, builtin = line.split()
        table[framework, work, version] = Calls(int(python), int(builtin))
    return table


def save_table(table: Table) -> None:
    """Write what is recorded, a line per framework, workload and Python version."""
    lines = [LINE.format("framework", "workload", "version", "python", "builtin")]
    for key, calls in sorted(table.items()):
        lines.append(LINE.format(*key, calls.python, calls.builtin))
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Print the counts of each framework, and record Erlen's where ``--record`` asks for it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.calls", description=__doc__)
    parser.add_argument("--record", action="store_true", help="write Erlen's to the table")
    parser.add_argument("frameworks", nargs="*", default=["erlen", "erlen-flask"])
    options = parser.parse_args()
    table = load_table() if TABLE.exists() else {}
    for name in options.frameworks:
        framework = frameworks.load(name)
        for work in WORKLOADS:
            if work.name in framework.builders:
                calls = count_workload(framework, work)
                print(LINE.format(name, work.name, PYTHON, calls.python, calls.builtin))
                table[name, work.name, PYTHON] = calls
    for work in WORKLOADS:
        if work.name in BY_ASGI:
            calls = count_by_asgi(work)
            print(LINE.format("erlen-asgi", work.name, PYTHON, calls.python, calls.builtin))
            table["erlen-asgi", work.name, PYTHON] = calls
    if options.record:
        save_table({key: calls for key, calls in table.items() if key[0] in RECORDED})


if __name__ == "__main__":
    main()
