"""An attribute that is worked out when it is first read."""

from __future__ import annotations

import typing as t
from collections.abc import Callable

T = t.TypeVar("T")


class _Lazy:
    """Decorate a method that makes an attribute's value at the first read.

    The value is kept in the instance's ``__dict__`` under the attribute's name, so that later
    reads find it without any call, assignment replaces it, and ``name in obj.__dict__`` tells
    whether it was made.

    :param make: called with the instance; returns the value.

    .. code-block:: python

        class Request:
            @lazy
            def cookies(self) -> dict[str, str]:
                return parse(self.environ.get("HTTP_COOKIE", ""))

    PERF: a non-data descriptor without a lock. ``functools.cached_property`` takes a lock in
    Python 3.11, ``werkzeug.utils.cached_property`` is a data descriptor, called at each read.
    """

    def __init__(self, make: Callable[[t.Any], t.Any]) -> None:
        self.make = make
        self.name = make.__name__
        self.__doc__ = make.__doc__

    def __get__(self, obj: t.Any, owner: type[t.Any] | None = None) -> t.Any:
        if obj is None:
            return self
        value = obj.__dict__[self.name] = self.make(obj)
        return value


if t.TYPE_CHECKING:
    # To a type checker the attribute is a plain one: it can be read, assigned and deleted.
    def lazy(make: Callable[[t.Any], T]) -> T: ...
else:
    lazy = _Lazy
