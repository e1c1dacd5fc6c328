"""Requests found by following the coverage of the code."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

RUNS = 20_000
#: The fuzzer stops after so many seconds, however far it has come.
SECONDS = 25


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None and not os.environ.get("CI"),
    reason="the fuzzer atheris is not installed",
)
def test_guided_fuzzing(tmp_path: Path) -> None:
    """No input that the fuzzer finds gives a 500, a late answer or a broken one."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "tests.fuzz.guided",
        f"-runs={RUNS}",
        f"-max_total_time={SECONDS}",
        "-max_len=400",
        "-seed=1",
        f"-artifact_prefix={tmp_path}/",
    ]
    root = Path(__file__).parents[2]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr[-4000:] + result.stdout[-4000:]
    assert "Done" in result.stderr
