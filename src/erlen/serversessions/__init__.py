"""Sessions that are kept on the server, or in an encrypted cookie.

The setting ``SESSION_BACKEND`` is all that an application needs; the names here are for stores of
your own, and for tests.

.. code-block:: python

    app.config["SESSION_BACKEND"] = "redis"
    app.config["SESSION_REDIS_URL"] = "redis://localhost:6379/0"
"""

from __future__ import annotations

import typing as _t

from .interface import ServerSessionInterface as ServerSessionInterface
from .memory import MemoryStore as MemoryStore
from .record import StoredSession as StoredSession
from .session import ServerSession as ServerSession
from .session import SessionUnavailable as SessionUnavailable
from .session import SessionValueError as SessionValueError
from .store import SessionStore as SessionStore
from .store import StoreUnavailable as StoreUnavailable

if _t.TYPE_CHECKING:
    from .auto import AutoSessionInterface as AutoSessionInterface
    from .database import DatabaseStore as DatabaseStore
    from .database import session_table as session_table
    from .encrypted import EncryptedCookieSessionInterface as EncryptedCookieSessionInterface
    from .filesystem import FileSystemStore as FileSystemStore
    from .redis import RedisStore as RedisStore

# What needs an extra, and what few applications need.
_LATER = {
    "AutoSessionInterface": "auto",
    "DatabaseStore": "database",
    "EncryptedCookieSessionInterface": "encrypted",
    "FileSystemStore": "filesystem",
    "RedisStore": "redis",
    "session_table": "database",
}


def __getattr__(name: str) -> _t.Any:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{module}"), name)
