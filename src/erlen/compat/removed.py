"""The names that Flask removed, what took their place, and what an old program expects of them."""

from __future__ import annotations

import threading
import typing as t
from collections.abc import Callable
from difflib import get_close_matches
from importlib import import_module


class Removed(t.NamedTuple):
    """One removed name.

    :param modules: the modules of Flask it could be imported from.
    :param attribute: its name there. With a class before a dot, an attribute of that class.
    :param since: the version of Flask without it.
    :param instead: what takes its place.
    :param make: returns the value to serve.
    """

    modules: tuple[str, ...]
    attribute: str
    since: str
    instead: str
    make: Callable[[], t.Any]


# -- What is served ------------------------------------------------------------------------------


class ContextStack:
    """What ``_app_ctx_stack`` and ``_request_ctx_stack`` were at the end: a view of the context.

    :param variable: the name of the context variable in :mod:`erlen.globals`.
    """

    def __init__(self, variable: str) -> None:
        self._variable = variable

    @property
    def top(self) -> t.Any:
        """The context that is active, or ``None``."""
        return getattr(import_module("erlen.globals"), self._variable).get(None)

    def push(self, context: t.Any) -> None:
        """Activate a context.

        :param context: the application or request context.
        """
        context.push()

    def pop(self) -> t.Any:
        """Deactivate the context that is active and return it, or ``None`` without one."""
        context = self.top
        if context is not None:
            context.pop()
        return context


def _attribute(module: str, name: str) -> Callable[[], t.Any]:
    return lambda: getattr(import_module(module), name)


def _make_json_encoder() -> t.Any:
    import json

    default = import_module("erlen.json.provider").DefaultJSONProvider.default

    class JSONEncoder(json.JSONEncoder):
        def default(self, o: t.Any) -> t.Any:
            return default(o)

    return JSONEncoder


def _make_json_decoder() -> t.Any:
    import json

    class JSONDecoder(json.JSONDecoder):
        pass

    return JSONDecoder


def _make_total_seconds() -> t.Any:
    return lambda delta: int(delta.total_seconds())


def _make_get_env() -> t.Any:
    import os

    return lambda: os.environ.get("FLASK_ENV") or "production"


def _make_htmlsafe_dumps() -> t.Any:
    from markupsafe import Markup

    dumps = import_module("jinja2.utils").htmlsafe_json_dumps
    default = import_module("erlen.json").dumps

    def htmlsafe_dumps(obj: t.Any, **kwargs: t.Any) -> Markup:
        return t.cast(Markup, dumps(obj, dumps=default, **kwargs))

    return htmlsafe_dumps


def _make_htmlsafe_dump() -> t.Any:
    dumps = _make_htmlsafe_dumps()

    def htmlsafe_dump(obj: t.Any, fp: t.IO[str], **kwargs: t.Any) -> None:
        fp.write(dumps(obj, **kwargs))

    return htmlsafe_dump


def _make_before_first_request() -> t.Any:
    def before_first_request(self: t.Any, f: Callable[[], t.Any]) -> Callable[[], t.Any]:
        lock = threading.Lock()
        done = False

        def run_once() -> None:
            nonlocal done
            with lock:
                if not done:
                    self.ensure_sync(f)()
                    done = True

        self.before_request_funcs.setdefault(None, []).insert(0, run_once)
        return f

    return before_first_request


def _make_before_app_first_request() -> t.Any:
    add = _make_before_first_request()

    def before_app_first_request(self: t.Any, f: Callable[[], t.Any]) -> Callable[[], t.Any]:
        self.record_once(lambda state: add(state.app, f))
        return f

    return before_app_first_request


def _config_property(key: str) -> Callable[[], t.Any]:
    def read(self: t.Any) -> t.Any:
        return self.config.get(key)

    def write(self: t.Any, value: t.Any) -> None:
        self.config[key] = value

    return lambda: property(read, write)


def _on_app(attribute: str, key: str) -> Removed:
    return Removed(
        ("flask.app",), f"Flask.{attribute}", "2.3", f"app.config[{key!r}]", _config_property(key)
    )


def _stack(attribute: str, variable: str, proxy: str) -> Removed:
    modules = ("flask", "flask.globals", "flask.ctx", "flask.app", "flask.templating")
    instead = f"flask.g for data, flask.globals.{proxy} for the context"
    return Removed(modules, attribute, "2.3", instead, lambda: ContextStack(variable))


REMOVED: tuple[Removed, ...] = (
    _stack("_request_ctx_stack", "_cv_request", "request_ctx"),
    _stack("_app_ctx_stack", "_cv_app", "app_ctx"),
    Removed(("flask",), "Markup", "3.0", "markupsafe.Markup", _attribute("markupsafe", "Markup")),
    Removed(("flask",), "escape", "3.0", "markupsafe.escape", _attribute("markupsafe", "escape")),
    Removed(
        ("flask", "flask.helpers"),
        "safe_join",
        "2.1",
        "werkzeug.utils.safe_join",
        _attribute("werkzeug.utils", "safe_join"),
    ),
    Removed(
        ("flask", "flask.signals"),
        "signals_available",
        "3.0",
        "nothing: signals are always available",
        lambda: True,
    ),
    Removed(("flask",), "json_available", "1.0", "nothing: JSON always is", lambda: True),
    Removed(
        ("flask.json",),
        "JSONEncoder",
        "2.3",
        "a flask.json.provider.JSONProvider as app.json",
        _make_json_encoder,
    ),
    Removed(
        ("flask.json",),
        "JSONDecoder",
        "2.3",
        "a flask.json.provider.JSONProvider as app.json",
        _make_json_decoder,
    ),
    Removed(
        ("flask.json",),
        "htmlsafe_dumps",
        "2.3",
        "jinja2.utils.htmlsafe_json_dumps",
        _make_htmlsafe_dumps,
    ),
    Removed(
        ("flask.json",),
        "htmlsafe_dump",
        "2.3",
        "jinja2.utils.htmlsafe_json_dumps",
        _make_htmlsafe_dump,
    ),
    Removed(
        ("flask.helpers",),
        "locked_cached_property",
        "3.0",
        "werkzeug.utils.cached_property",
        _attribute("werkzeug.utils", "cached_property"),
    ),
    Removed(
        ("flask.helpers",),
        "_endpoint_from_view_func",
        "2.1",
        "flask.sansio.scaffold._endpoint_from_view_func",
        _attribute("erlen.scaffold", "_endpoint_from_view_func"),
    ),
    Removed(
        ("flask.helpers",),
        "total_seconds",
        "2.1",
        "datetime.timedelta.total_seconds",
        _make_total_seconds,
    ),
    Removed(("flask.helpers",), "get_env", "2.3", "app.debug", _make_get_env),
    Removed(
        ("flask",),
        "scaffold",
        "3.0",
        "flask.sansio.scaffold",
        lambda: import_module("erlen.scaffold"),
    ),
    Removed(
        ("flask.app",),
        "Flask.before_first_request",
        "2.3",
        "code that runs where the application is made",
        _make_before_first_request,
    ),
    Removed(
        ("flask.blueprints",),
        "Blueprint.before_app_first_request",
        "2.3",
        "Blueprint.record_once",
        _make_before_app_first_request,
    ),
    _on_app("session_cookie_name", "SESSION_COOKIE_NAME"),
    _on_app("send_file_max_age_default", "SEND_FILE_MAX_AGE_DEFAULT"),
    _on_app("use_x_sendfile", "USE_X_SENDFILE"),
    _on_app("propagate_exceptions", "PROPAGATE_EXCEPTIONS"),
    _on_app("templates_auto_reload", "TEMPLATES_AUTO_RELOAD"),
)

# By each module it was in, and by its bare name: everyone writes flask.Flask, not flask.app.Flask.
_BY_NAME = {
    f"{module}.{removed.attribute}".removeprefix("flask."): removed
    for removed in REMOVED
    for module in (*removed.modules, "flask")
}


def find_removed(name: str) -> tuple[Removed, str]:
    """Split an entry as :func:`erlen.compat.install` takes it.

    :param name: ``"flask.Markup"``, ``"Markup"`` or ``"some_package:Markup"``.
    :returns: what it names, and the package it is for; ``""`` for everyone.
    :raises ValueError: when the name is not in :data:`REMOVED`.
    """
    package, _, attribute = name.rpartition(":")
    short = attribute.removeprefix("flask.")
    removed = _BY_NAME.get(short)
    if removed is None:
        close = get_close_matches(short, _BY_NAME, n=3)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else ""
        raise ValueError(f"{name!r} is no name that Erlen knows Flask to have removed.{hint}")
    return removed, package
