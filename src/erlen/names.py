"""How the names of endpoints and blueprints are made and taken apart."""

from __future__ import annotations

import typing as t
from functools import cache

if t.TYPE_CHECKING:
    from collections.abc import Callable


def _endpoint_from_view_func(view_func: Callable[..., t.Any] | None) -> str:
    """Return the endpoint that a view gets when none is named: the function's own name."""
    assert view_func is not None, "expected view func if endpoint is not provided."
    return view_func.__name__


@cache
def _split_blueprint_path(name: str) -> list[str]:
    """Return a nested blueprint's name and those of its parents, innermost first.

    >>> _split_blueprint_path("shop.admin")
    ['shop.admin', 'shop']
    """
    path = [name]
    while "." in name:
        name = name.rpartition(".")[0]
        path.append(name)
    return path
