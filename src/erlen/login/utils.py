"""The current user, logging in and out, and views that need a login."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from datetime import timedelta
from functools import wraps
from inspect import iscoroutinefunction

from werkzeug.local import LocalProxy

from erlen import current_app, g, request, session
from erlen.globals import _cv_request, request_ctx

from .config import EXEMPT_METHODS
from .identifiers import create_identifier as _create_identifier
from .permissions_access import mark_access
from .remember import _cookie_digest as _cookie_digest
from .remember import _secret_key as _secret_key
from .remember import cookie_name
from .remember import decode_cookie as decode_cookie
from .remember import encode_cookie as encode_cookie
from .signals import send, user_logged_in, user_logged_out, user_login_confirmed
from .stamps import make_stamp
from .urls import expand_login_view as expand_login_view
from .urls import login_url as login_url
from .urls import make_next_param as make_next_param
from .urls import set_login_view as set_login_view

if t.TYPE_CHECKING:
    from erlen import Flask

    from .login_manager import LoginManager

P = t.ParamSpec("P")
R = t.TypeVar("R")

_missing: t.Any = object()
_OWN_NAMES = frozenset(dir(LocalProxy))


class UserProxy(LocalProxy[t.Any]):
    """Stands for the user of the current request."""

    __slots__ = ()

    # PERF: the base class takes five calls for this, by far the most frequent use.
    def __getattribute__(self, name: str) -> t.Any:
        if name in _OWN_NAMES:
            return object.__getattribute__(self, name)
        # Looked up each time: tests put another function in its place.
        return getattr(_get_user(), name)


#: The user of the current request: somebody's, or an anonymous one. It is loaded when it is first
#: used. Outside of requests it stands for ``None``.
current_user: t.Any = UserProxy(lambda: _get_user())


def _get_user() -> t.Any:
    """Return the user of the current request, loaded at the first call; ``None`` outside."""
    ctx = _cv_request.get(None)
    if ctx is None:
        return None
    found = ctx.request.__dict__.get("_login_user", _missing)
    if found is not _missing:
        return found
    app = ctx.app
    if app.config.get("LOGIN_USER_PER_REQUEST"):
        find_manager(app)._load_user()
        return ctx.request.__dict__["_login_user"]
    values = g._get_current_object()
    if "_login_user" not in values:
        find_manager(app)._load_user()
    return values._login_user


def keep_user(user: t.Any) -> None:
    """Make somebody the user of the current request.

    With Flask-Login, and unless ``LOGIN_USER_PER_REQUEST`` is set, it is the user of the
    application context, which in tests may serve several requests.

    :param user: the user.
    """
    ctx = _cv_request.get()
    if ctx.app.config.get("LOGIN_USER_PER_REQUEST"):
        ctx.request.__dict__["_login_user"] = user
    else:
        g._login_user = user


def find_manager(app: Flask) -> LoginManager[t.Any]:
    """Return the login manager of an application.

    :param app: the application.
    :raises RuntimeError: where it has none.
    """
    manager: LoginManager[t.Any] | None = getattr(app, "login_manager", None)
    if manager is None:
        raise RuntimeError(
            f"The application {app.name!r} has no login manager, so nobody knows who its users"
            " are. Make one: login = LoginManager(app)."
        )
    return manager


def _this_app() -> Flask:
    return current_app._get_current_object()


def _user_context_processor() -> dict[str, t.Any]:
    # A template that does not ask for the user does not load it.
    if _cv_request.get(None) is not None and current_app.config.get("LOGIN_LAZY_TEMPLATES"):
        return {"current_user": current_user}
    return {"current_user": _get_user()}


# --- In and out -----------------------------------------------------------------------------------


def login_user(
    user: t.Any,
    remember: bool = False,
    duration: timedelta | None = None,
    force: bool = False,
    fresh: bool = True,
) -> bool:
    """Log a user in: make them the user of this session.

    With ``LOGIN_RENEW_SESSION`` the session gets a new identifier, and what another user has left
    in it is thrown away.

    :param user: the user.
    :param remember: also remember the login in a cookie, beyond the end of the session.
    :param duration: for how long; by default ``REMEMBER_COOKIE_DURATION``.
    :param force: log in users who are not active, too.
    :param fresh: whether views that need a fresh login let the user in.
    :returns: whether the user was logged in; those who are not active are not.
    :raises ValueError: for a user who has no identifier yet.
    :raises TypeError: where *duration* is no :class:`~datetime.timedelta`.

    .. code-block:: python

        if verify_password(user.password, form.password.data):
            login_user(user, remember=form.remember.data)
    """
    if not force and not user.is_active:
        return False
    app = _this_app()
    manager = find_manager(app)
    user_id = _find_id(manager, user)
    seconds = None
    if remember and duration is not None:
        seconds = _count_seconds(duration)
    _prepare_session(app, user_id)
    session["_user_id"] = user_id
    session["_fresh"] = fresh
    session["_id"] = manager._session_identifier_generator()
    stamp_session(app, user, user_id)
    _plan_remembering(app, remember, seconds)
    manager._update_request_context_with_user(user)
    send(user_logged_in, app, user=_get_user())
    return True


def _find_id(manager: LoginManager[t.Any], user: t.Any) -> t.Any:
    user_id = getattr(user, manager.id_attribute)()
    if user_id is None or (user_id == "None" and getattr(user, "id", "") is None):
        raise ValueError(
            f"{type(user).__name__} has no identifier, so it could not be found again at the next"
            " request. A new object gets its identifier when it is stored: flush or commit the"
            " database session before login_user()."
        )
    return user_id


def _count_seconds(duration: t.Any) -> float:
    if not isinstance(duration, timedelta):
        raise TypeError(f"duration must be a datetime.timedelta, instead got: {duration}")
    return duration.total_seconds()


def _prepare_session(app: Flask, user_id: t.Any) -> None:
    """Make the session one that nobody knew before the login."""
    if not app.config.get("LOGIN_RENEW_SESSION"):
        return
    before = session.get("_user_id")
    if before is not None and str(before) != str(user_id):
        session.clear()
    renew_session(app)
    session.owner = str(user_id)


def renew_session(app: Flask) -> None:
    """Give the session another identifier, and forms another token.

    :param app: the application.
    """
    session.renew()
    renew_token = getattr(app.extensions.get("csrf"), "renew", None)
    if renew_token is not None:
        renew_token()


def stamp_session(app: Flask, user: t.Any, user_id: t.Any) -> None:
    """Tie the session to the user's stamp, where there is one.

    :param app: the application.
    :param user: the user.
    :param user_id: the user's identifier.
    """
    stamp = make_stamp(app, user, user_id)
    if stamp is not None:
        session["_stamp"] = stamp
    elif "_stamp" in session:
        del session["_stamp"]


def _plan_remembering(app: Flask, remember: bool, seconds: float | None) -> None:
    """Note in the session what is to happen to the cookie when the response is made."""
    before = request.cookies.get(cookie_name(app.config))
    if not app.config.get("LOGIN_RENEW_SESSION"):
        before = None
    if before is not None:
        find_manager(app)._end_remembered_login(before)
    if remember:
        session["_remember"] = "set"
        if seconds is not None:
            session["_remember_seconds"] = seconds
        else:
            session.pop("_remember_seconds", None)
    elif before is not None:
        # Otherwise whoever was remembered before comes back when the session ends.
        session["_remember"] = "clear"
        session.pop("_remembered", None)


def logout_user() -> bool:
    """Log the user out, and forget a remembered login.

    With ``LOGIN_RENEW_SESSION`` the session gets a new identifier.

    :returns: ``True``.
    """
    app = _this_app()
    manager = find_manager(app)
    user = _get_user()
    for key in ("_user_id", "_fresh", "_id", "_stamp", "_remember", "_remembered"):
        if key in session:
            del session[key]
    cookie = request.cookies.get(cookie_name(app.config))
    if cookie is not None:
        session["_remember"] = "clear"
        session.pop("_remember_seconds", None)
        manager._end_remembered_login(cookie)
    if app.config.get("LOGIN_RENEW_SESSION"):
        renew_session(app)
        session.owner = None
    send(user_logged_out, app, user=user)
    manager._update_request_context_with_user()
    return True


def confirm_login() -> None:
    """Make the login fresh again, when the user has shown once more who they are."""
    app = _this_app()
    if app.config.get("LOGIN_RENEW_SESSION"):
        renew_session(app)
    session["_fresh"] = True
    session["_id"] = find_manager(app)._session_identifier_generator()
    send(user_login_confirmed, app)


def login_fresh() -> bool:
    """Tell whether the user logged in during this session, by more than a cookie."""
    fresh: bool = session.get("_fresh", False)
    return fresh


def login_remembered() -> bool:
    """Tell whether the request has a cookie that remembers a login."""
    app = _this_app()
    cookie = request.cookies.get(cookie_name(app.config))
    if cookie is None or session.get("_remember") == "clear":
        return False
    return find_manager(app)._read_remember_cookie(cookie) is not None


# --- Views ----------------------------------------------------------------------------------------


def login_required(func: Callable[P, R]) -> Callable[P, R]:
    """Let only users into a view who are logged in; for others see ``LoginManager.unauthorized``.

    With ``LOGIN_DISABLED``, for tests, everybody is let in, and so are requests of the methods in
    ``EXEMPT_METHODS``.

    :param func: the view, a coroutine function or not, or a handler of WebSockets.

    .. code-block:: python

        @app.get("/account")
        @login_required
        def account():
            return f"You are {current_user.name}."
    """
    return _guard(func, needs_fresh=False)


def fresh_login_required(func: Callable[P, R]) -> Callable[P, R]:
    """Let only users into a view who have logged in during this session.

    Remembered users are asked to confirm who they are (``LoginManager.needs_refresh``). It is for
    views that change passwords, addresses and the like.

    :param func: as for :func:`login_required`.

    .. code-block:: python

        @app.post("/password")
        @fresh_login_required
        def change_password(): ...
    """
    return _guard(func, needs_fresh=True)


def _guard(func: Callable[P, R], needs_fresh: bool) -> Callable[P, R]:
    is_async = iscoroutinefunction(func)

    @wraps(func)
    def decorated_view(*args: P.args, **kwargs: P.kwargs) -> t.Any:
        # PERF: the proxies would look for it three times.
        ctx = _cv_request.get(None) or request_ctx._get_current_object()
        app: Flask = ctx.app
        if ctx.request.method not in EXEMPT_METHODS and not app.config.get("LOGIN_DISABLED"):
            if not current_user.is_authenticated:
                return find_manager(app).unauthorized()
            if needs_fresh and not login_fresh():
                return find_manager(app).needs_refresh()
        view = app.ensure_sync(func) if is_async else func
        return view(*args, **kwargs)

    mark_access(decorated_view, "login")
    return decorated_view


# NOTE: not used here; applications take it from this module.
__all__ = [
    "_create_identifier",
    "_get_user",
    "_user_context_processor",
    "confirm_login",
    "current_user",
    "fresh_login_required",
    "login_fresh",
    "login_remembered",
    "login_required",
    "login_user",
    "logout_user",
]
