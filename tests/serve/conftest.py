"""The tests of ``erlen serve`` need Granian and POSIX."""

from __future__ import annotations

import sys

import pytest

if sys.platform == "win32":
    collect_ignore_glob = ["test_*.py"]
else:
    pytest.importorskip("granian", reason="'erlen serve' needs the extra 'server'.")
