"""Makes sure that the tests meet what the runner says they meet."""

from __future__ import annotations

import os
from importlib import metadata

PHASE = os.environ.get("ERLEN_ECOSYSTEM")

if PHASE is None:
    # Started by the project's own pytest, in whose environment the extensions are not installed.
    collect_ignore_glob = ["test_*.py"]


def pytest_report_header() -> str:
    """Show what answers for Flask, and refuse to test anything else."""
    if PHASE is None:
        return ""
    import flask

    on_erlen = flask.__name__ == "erlen"
    context = metadata.DistributionFinder.Context(name="flask")
    installed = any(True for _ in metadata.MetadataPathFinder.find_distributions(context))
    assert on_erlen == (PHASE != "flask"), flask
    assert installed == (PHASE != "absent"), PHASE
    return f"flask: {flask.__file__}, version {metadata.version('flask')}"
