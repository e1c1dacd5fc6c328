"""Measure requests over HTTP: ``python -m benchmarks.http``.

Each server runs on one core with one worker, and wrk on another. What counts is the requests per
second of the server's processor time, of the best round. All servers take turns in each round.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import typing as t
from contextlib import ExitStack
from pathlib import Path

from benchmarks import report
from benchmarks.http.contestants import BARS, CONTESTANTS, FLASK_BARS
from benchmarks.http.servers import Server
from benchmarks.workloads import WORKLOADS

if t.TYPE_CHECKING:
    from benchmarks.workloads import Workload

    Rates: t.TypeAlias = dict[str, float]

NAMES = ("plain", "json", "route")


def measure(work: Workload, names: list[str], rounds: int, seconds: float) -> Rates:
    """Check each server's answer, then put all of them under load in turns.

    :param work: what is asked.
    :param names: who takes part.
    :param rounds: how many rounds.
    :param seconds: how long each takes in a round.
    :returns: the best rate of each.
    """
    wrk_core, server_core = sorted(os.sched_getaffinity(0))[:2]
    best: Rates = {}
    with ExitStack() as stack:
        servers = {}
        for name in names:
            server = stack.enter_context(Server(CONTESTANTS[name], work.name, server_core))
            work.prepare(server, server.send)
            servers[name] = server
        order = list(servers)
        for number in range(rounds + 1):
            for name in order:
                report.progress(f"{work.title}, round {number} of {rounds}: {name}")
                # The first round warms up.
                load = servers[name].load(work.request.path, seconds if number else 1, wrk_core)
                if number:
                    best[name] = max(best.get(name, 0.0), load.rate)
            order.append(order.pop(0))
    return best


def ratios(rates: Rates) -> Rates:
    """Return how much of the bare application on its interface each reaches."""
    return {
        name: rate / rates[CONTESTANTS[name].reference]
        for name, rate in rates.items()
        if CONTESTANTS[name].reference in rates
    }


def shortfalls(title: str, rates: Rates) -> list[str]:
    """Return a line for each bar that was missed."""
    missed = []
    share = ratios(rates)
    for name, bar in BARS.items():
        if name in share and share[name] < bar:
            missed.append(f"{title}: {name} is at {share[name]:.0%} of bare, below {bar:.0%}")
    for name, bar in FLASK_BARS.items():
        if name in rates and "flask" in rates and rates[name] < bar * rates["flask"]:
            times = rates[name] / rates["flask"]
            missed.append(f"{title}: {name} is at {times:.2f} times Flask, below {bar}")
    return missed


def main() -> int:
    """Run the comparison and print it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="how many rounds (5)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each in a round (2)")
    parser.add_argument("--only", default=",".join(NAMES), help="what to ask: " + ", ".join(NAMES))
    parser.add_argument(
        "--who", default=",".join(CONTESTANTS), help="who takes part: " + ", ".join(CONTESTANTS)
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures there")
    options = parser.parse_args()
    for program in ("wrk", "taskset"):
        if shutil.which(program) is None:
            parser.error(f"{program} is not installed (apt-get install wrk util-linux)")
    if len(os.sched_getaffinity(0)) < 2:
        parser.error("two cores are needed, one for the load and one for the servers")
    names = [name for name in CONTESTANTS if name in options.who.split(",")]
    chosen = options.only.split(",")
    found = {
        work.name: measure(work, names, options.rounds, options.seconds)
        for work in WORKLOADS
        if work.name in chosen
    }
    report.progress("")
    print(", ".join(CONTESTANTS[name].label for name in names))
    # One line for each contestant, for there are many of them.
    rows = [(name, {work: rates[name] for work, rates in found.items()}) for name in names]
    print("\n" + report.table("requests per second of CPU", list(found), rows, 0))
    shares = {work: ratios(rates) for work, rates in found.items()}
    rows = [
        (name, {work: share[name] for work, share in shares.items() if name in share})
        for name in names
    ]
    print("\n" + report.table("of the bare application on the interface", list(found), rows, 2))
    if "flask" in names:
        rows = [
            (name, {work: rates[name] / rates["flask"] for work, rates in found.items()})
            for name in names
        ]
        print("\n" + report.table("times Flask on Granian", list(found), rows, 2))
    for work, rates in found.items():
        for line in shortfalls(work, rates):
            print(line)
    if options.json:
        options.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
