"""JSON by the rules of the current application.

These functions call the application's provider, :attr:`app.json <erlen.Flask.json>`; without an
application context they use Python's :mod:`json` with its own settings.
"""

from __future__ import annotations

import json as _json
import typing as t

from erlen.local import active_app, find_app

from .provider import _default

if t.TYPE_CHECKING:
    from erlen.wrappers import Response

__all__ = ["dump", "dumps", "jsonify", "load", "loads"]


def dumps(obj: t.Any, **kwargs: t.Any) -> str:
    """Return *obj* as JSON text.

    :param obj: the data.
    :param kwargs: passed to the provider's ``dumps``, or to :func:`json.dumps`.
    """
    app = find_app()
    if app is not None:
        text: str = app.json.dumps(obj, **kwargs)
        return text
    kwargs.setdefault("default", _default)
    return _json.dumps(obj, **kwargs)


def dump(obj: t.Any, fp: t.IO[str], **kwargs: t.Any) -> None:
    """Write *obj* as JSON to a file.

    :param obj: the data.
    :param fp: a file open for writing text, which should be encoded as UTF-8.
    :param kwargs: passed to the provider's ``dump``, or to :func:`json.dump`.
    """
    app = find_app()
    if app is not None:
        app.json.dump(obj, fp, **kwargs)
        return
    kwargs.setdefault("default", _default)
    _json.dump(obj, fp, **kwargs)


def loads(s: str | bytes, **kwargs: t.Any) -> t.Any:
    """Return the data in JSON text.

    :param s: text, or bytes in UTF-8.
    :param kwargs: passed to the provider's ``loads``, or to :func:`json.loads`.
    :raises ValueError: if it is not JSON.
    """
    app = find_app()
    if app is not None:
        return app.json.loads(s, **kwargs)
    return _json.loads(s, **kwargs)


def load(fp: t.IO[t.AnyStr], **kwargs: t.Any) -> t.Any:
    """Return the data in a JSON file.

    :param fp: a file open for reading text, or bytes in UTF-8.
    :param kwargs: passed to the provider's ``load``, or to :func:`json.load`.
    :raises ValueError: if it is not JSON.
    """
    app = find_app()
    if app is not None:
        return app.json.load(fp, **kwargs)
    return _json.load(fp, **kwargs)


def jsonify(*args: t.Any, **kwargs: t.Any) -> Response:
    """Return a response with the arguments as JSON, of type ``application/json``.

    One positional argument is the data; several are a list; keyword arguments are an object; none
    at all is ``null``. A ``dict`` or ``list`` returned from a view becomes such a response by
    itself.

    :raises RuntimeError: outside an application context.
    :raises TypeError: if positional and keyword arguments are mixed.

    .. code-block:: python

        @app.get("/me")
        def me():
            return jsonify(name="Ada", since=date(2024, 2, 29))
    """
    response: Response = active_app().json.response(*args, **kwargs)
    return response
