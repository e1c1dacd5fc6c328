"""The application that a server of the benchmarks serves; the environment says which."""

from __future__ import annotations

import os

from benchmarks.http.contestants import CONTESTANTS

app = CONTESTANTS[os.environ["BENCH_CONTESTANT"]].build(os.environ["BENCH_WORKLOAD"])
