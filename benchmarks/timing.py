"""Timing in interleaved rounds: every contestant once per round, in turning order.

What is measured is the processor's time, which other programs on the machine disturb less than
they do the time on the wall. All the work is done in one thread and without waiting.
"""

from __future__ import annotations

import gc
import typing as t
from dataclasses import dataclass
from io import BytesIO
from statistics import median
from time import process_time

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from benchmarks.environs import Request

    Contestant: t.TypeAlias = Callable[[int], float]
"""Does something so many times, and returns how many seconds that took."""


@dataclass(frozen=True)
class Effort:
    """How long to measure.

    :param rounds: how many rounds.
    :param seconds: how long each contestant runs in a round, about.
    """

    rounds: int
    seconds: float


FULL = Effort(rounds=25, seconds=0.02)
QUICK = Effort(rounds=7, seconds=0.005)


@dataclass(frozen=True)
class Cost:
    """What one call took, in microseconds, over all rounds.

    The best round is what the report quotes: whatever else the machine does only ever adds.
    """

    best: float
    median: float

    @classmethod
    def of(cls, times: list[float]) -> Cost:
        """Summarise the rounds."""
        return cls(min(times), median(times))

    def without(self, other: Cost) -> Cost:
        """Return what remains when another cost is taken off."""
        return Cost(self.best - other.best, self.median - other.median)

    @property
    def unrest(self) -> float:
        """How far the median lies above the best round, as a fraction of it."""
        return self.median / self.best - 1


def contest(contestants: Mapping[str, Contestant], effort: Effort) -> dict[str, Cost]:
    """Time all contestants in interleaved rounds and return each one's cost per call."""
    counts = {name: _count(run, effort.seconds) for name, run in contestants.items()}
    spent: dict[str, list[float]] = {name: [] for name in contestants}
    order = list(contestants)
    for _ in range(effort.rounds):
        for name in order:
            # The garbage collector stays on with its usual thresholds, as in a server; only the
            # garbage of the one before is not to be paid by the next.
            gc.collect()
            spent[name].append(contestants[name](counts[name]) / counts[name] * 1e6)
        order.append(order.pop(0))
    return {name: Cost.of(times) for name, times in spent.items()}


def requests_to(app: WSGIApplication, request: Request) -> Contestant:
    """Return a contestant that sends a request as a server would.

    Each request gets its own environ and input stream; the answer is read to its end and closed.
    """
    template, body = request.template(), request.body

    def run(count: int) -> float:
        start = process_time()
        for _ in range(count):
            environ = template.copy()
            environ["wsgi.input"] = BytesIO(body)
            chunks = app(environ, start_response)
            for _chunk in chunks:
                pass
            if hasattr(chunks, "close"):
                chunks.close()
        return process_time() - start

    return run


def start_response(
    status: str, headers: list[tuple[str, str]], exc_info: object = None, /
) -> Callable[[bytes], object]:
    """Take status and headers and do nothing with them."""
    return _write


def nothing(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Answer with nothing: what :func:`requests_to` then costs is the cost of asking."""
    return ()


def _write(data: bytes) -> object:
    return None


def _count(run: Contestant, seconds: float) -> int:
    """Return how many calls take about so many seconds."""
    count = 1
    while True:
        spent = run(count)
        if spent > seconds / 4:
            return max(1, round(count * seconds / spent))
        count *= 4
