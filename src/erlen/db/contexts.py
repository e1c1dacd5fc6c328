"""Which application context is the current one."""

from __future__ import annotations

from erlen.globals import app_ctx

get_ctx = app_ctx._get_current_object


def _app_ctx_id() -> int:
    """Return what tells the current application context from all others that are active."""
    return id(get_ctx())
