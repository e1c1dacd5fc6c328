"""Serve the application with Werkzeug's server for development, on a free port."""

from __future__ import annotations

from application import app  # type: ignore[import-not-found]
from werkzeug.serving import run_simple

if __name__ == "__main__":
    run_simple("127.0.0.1", 0, app, threaded=True)
