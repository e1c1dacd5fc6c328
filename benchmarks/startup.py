"""Import time and memory of an application with 300 routes, each in a fresh interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import typing as t
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.routes import bottle_rule, falcon_rule, routes

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from benchmarks.frameworks import Framework

COUNT = 300
_NO_BYTECODE = "PYTHONDONTWRITEBYTECODE"
PROBE = Path(__file__).with_name("startup_probe.py")
SPELLINGS: dict[str, Callable[[str], str]] = {"falcon": falcon_rule, "bottle": bottle_rule}


@dataclass(frozen=True)
class Startup:
    """What starting took.

    :param imported: milliseconds to import the framework; the best process.
    :param ready: milliseconds to import it, add 300 routes and answer a request; the best.
    :param memory: resident memory after that, in MiB, less the bare interpreter's; the median.
    """

    imported: float
    ready: float
    memory: float


def measure_startup(frameworks: Iterable[Framework], processes: int) -> dict[str, Startup]:
    """Start each framework in turns, in so many fresh processes each."""
    names = [item.name for item in frameworks if item.router is not None]
    found: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    # The first of each only makes sure that every module is compiled.
    for number in range(processes + 1):
        for name in names:
            result = _start(name)
            if number:
                found[name].append(result)
    return {name: _summary(results) for name, results in found.items()}


def _start(name: str) -> dict[str, float]:
    table = routes(COUNT)
    spell = SPELLINGS.get(name, str)
    # -P keeps the modules beside the probe from being found in the place of others.
    command = [sys.executable, "-P", str(PROBE), name, table[-1].path]
    rules = "\n".join(spell(route.rule) for route in table)
    # Compiling from source at each start is not what a server does.
    environ = {key: text for key, text in os.environ.items() if key != _NO_BYTECODE}
    done = subprocess.run(
        command, input=rules, capture_output=True, text=True, check=True, timeout=60, env=environ
    )
    result: dict[str, float] = json.loads(done.stdout)
    return result


def _summary(results: list[dict[str, float]]) -> Startup:
    return Startup(
        imported=min(result["import"] for result in results) * 1e3,
        ready=min(result["ready"] for result in results) * 1e3,
        memory=median(r["memory"] - r["interpreter"] for r in results) / 2**20,
    )
