"""Applications are typed under mypy and pyright at their strictest, with nothing ignored."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SAMPLE = Path(__file__).with_name("sample_application.py")
ROOT = Path(__file__).resolve().parent.parent.parent


def run_checker(name: str, *command: str, cwd: Path) -> str:
    """Run a type checker and return what it printed; skip where it is not installed."""
    if shutil.which(command[0]) is None and not Path(command[0]).exists():
        pytest.skip(f"{name} is not installed.")
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.slow
def test_mypy(tmp_path: Path) -> None:
    """``mypy --strict`` finds nothing, and infers what the sample says."""
    pytest.importorskip("mypy")
    config = tmp_path / "mypy.ini"
    config.write_text("[mypy]\nstrict = True\nfollow_imports = silent\n")
    options = ("--config-file", str(config), "--cache-dir", str(ROOT / ".mypy_cache" / "sample"))
    run_checker("mypy", sys.executable, "-m", "mypy", *options, str(SAMPLE), cwd=tmp_path)


@pytest.mark.slow
def test_pyright(tmp_path: Path) -> None:
    """Pyright in strict mode finds nothing, and infers what the sample says."""
    pytest.importorskip("pyright")
    sample = tmp_path / SAMPLE.name
    sample.write_text("# pyright: strict\n" + SAMPLE.read_text())
    options = ("--pythonpath", sys.executable)
    run_checker("pyright", sys.executable, "-m", "pyright", *options, str(sample), cwd=tmp_path)


def test_nothing_is_ignored() -> None:
    """The sample needs no comment for type checkers."""
    assert "# type:" not in SAMPLE.read_text()
    assert "# pyright:" not in SAMPLE.read_text()
