"""What a worker is told at its beginning and its end."""

from __future__ import annotations

import typing as t
from dataclasses import fields
from pathlib import Path

from .settings import Settings

#: How many seconds connections of a worker that ends may bring further requests.
IDLE = 1.0

_PATHS = frozenset({"tls_cert", "tls_key", "tls_client_ca", "pid_file"})


def pack(settings: Settings) -> dict[str, t.Any]:
    """Return settings as JSON can carry them."""
    packed = {}
    for item in fields(settings):
        value = getattr(settings, item.name)
        packed[item.name] = str(value) if isinstance(value, Path) else value
    return packed


def unpack(packed: dict[str, t.Any]) -> Settings:
    """Return settings as they were before :func:`pack`."""
    values = dict(packed)
    for name in _PATHS:
        values[name] = None if packed[name] is None else Path(packed[name])
    return Settings(**values)
