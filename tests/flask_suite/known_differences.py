"""The pytest plugin that expects the tests of a list to fail.

The list is the file beside this one that the variable ``KNOWN_DIFFERENCES`` names, by default
``known_differences.toml``.
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import pytest

LIST = Path(__file__).with_name(os.environ.get("KNOWN_DIFFERENCES", "known_differences.toml"))


def read_reasons() -> dict[str, str]:
    """Return the reason for each listed test, by pytest's name of it."""
    tests = tomllib.loads(LIST.read_text()).get("test", [])
    return {test["name"]: test["reason"] for test in tests}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the listed tests, and refuse a name that is none."""
    reasons = read_reasons()
    by_name = {item.nodeid: item for item in items}
    # With arguments only some tests are collected.
    if not config.args or config.args == config.getini("testpaths"):
        unknown = sorted(reasons.keys() - by_name.keys())
        if unknown:
            raise pytest.UsageError(f"{LIST.name} names tests that do not exist: {unknown}")
    for name in reasons.keys() & by_name.keys():
        by_name[name].add_marker(pytest.mark.xfail(strict=True, reason=reasons[name]))
