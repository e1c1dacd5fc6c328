"""Memory and descriptors of a worker over many requests."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
import typing as t

import pytest
from tests.processes import wait_for

from .serving import open_files, resident, serve, workers_of

if t.TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.process import Server

MIB = 1024 * 1024
#: RELIABILITY: at most so much more memory.
GROWTH = 4 * MIB
#: A quick machine sends this many.
MANY = 200_000
#: Where so many take longer, fewer must do, but not less than FEW.
SECONDS = 25.0
FEW = 30_000

# Requests of several kinds in turn.
SCRIPT = r"""
local turn = 0
local form = { ["Content-Type"] = "application/x-www-form-urlencoded" }
local kinds = {
  function() return wrk.format("GET", "/") end,
  function() return wrk.format("GET", "/async") end,
  function() return wrk.format("POST", "/form", form, "name=" .. turn) end,
  function() return wrk.format("GET", "/async?n=" .. turn) end,
  function() return wrk.format("GET", "/missing/" .. turn) end,
  function() return wrk.format("GET", "/parts") end,
  function() return wrk.format("GET", "/", { ["Cookie"] = "a=" .. turn, ["X-N"] = turn }) end,
  function() return wrk.format("POST", "/take/async", form, string.rep("x", 2000)) end,
}
function request()
  turn = turn + 1
  return kinds[turn % #kinds + 1]()
end
"""


@pytest.mark.slow
def test_nothing_grows(tmp_path: Path) -> None:
    """After many mixed requests a worker holds what it held before, and no more descriptors."""
    if shutil.which("wrk") is None:
        pytest.skip("wrk is not installed.")
    script = tmp_path / "mixed.lua"
    script.write_text(SCRIPT)
    with serve(tmp_path) as server:
        (worker,) = workers_of(server)
        # What is made once, and the size that buffers find for this load.
        put_under_load(server, script, 4)
        files, memory = settled(worker), resident(worker)
        count, deadline = 0, time.monotonic() + SECONDS
        while count < MANY and time.monotonic() < deadline:
            count += put_under_load(server, script, 5)
        assert count >= FEW
        assert settled(worker) <= files
        grown = resident(worker) - memory
        assert grown <= GROWTH, f"{grown / MIB:.1f} MiB over {count} requests"
        assert workers_of(server) == [worker]


def put_under_load(server: Server, script: Path, seconds: int) -> int:
    """Let wrk send requests for so many seconds; return how many were answered."""
    command = ["wrk", "-t1", "-c16", f"-d{seconds}s", "-s", str(script)]
    result = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}"], check=True, capture_output=True, text=True
    )
    assert "Socket errors" not in result.stdout, result.stdout
    found = re.search(r"(\d+) requests in", result.stdout)
    assert found is not None, result.stdout
    return int(found[1])


def settled(worker: int) -> int:
    """Return how many descriptors a worker has when all clients have gone."""
    seen: list[int] = []

    def is_settled() -> bool:
        time.sleep(0.3)
        seen.append(open_files(worker))
        return len(seen) > 2 and seen[-1] == seen[-3]

    wait_for(is_settled, "rest")
    return seen[-1]
