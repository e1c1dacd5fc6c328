"""``flask.__version__``, which Flask 3 has deprecated."""

from __future__ import annotations

import warnings
from types import ModuleType

from .fallback import MISSING, add_fallback


def serve(module: ModuleType, version: str) -> None:
    """Let ``__version__`` behave as in Flask 3.1: it answers, and warns.

    :param module: the module of Erlen that is served.
    :param version: the version it answers.
    """

    def find(name: str) -> object:
        if name != "__version__":
            return MISSING
        warnings.warn(
            "The '__version__' attribute is deprecated and will be removed in Flask 3.2. Use"
            " feature detection or 'importlib.metadata.version(\"flask\")' instead.",
            DeprecationWarning,
            # The caller of the module's __getattr__.
            stacklevel=3,
        )
        return version

    add_fallback(module, find)
