"""The login manager: who is the user of a request, and what happens to those who are nobody."""

from __future__ import annotations

import os
import time
import typing as t
import warnings
from collections.abc import Callable
from datetime import UTC, datetime
from types import CoroutineType

from erlen import abort, current_app, flash, has_app_context, has_websocket_context, redirect
from erlen import request as current_request
from erlen import session as current_session
from erlen.globals import _cv_request

from .config import (
    AUTH_HEADER_NAME,
    ID_ATTRIBUTE,
    LOGIN_MESSAGE,
    LOGIN_MESSAGE_CATEGORY,
    REFRESH_MESSAGE,
    REFRESH_MESSAGE_CATEGORY,
    SESSION_KEYS,
    USE_SESSION_FOR_NEXT,
)
from .ended import EndedLogins, EndedLoginsFolder
from .identifiers import create_identifier
from .mixins import AnonymousUserMixin
from .remember import (
    RememberedLogin,
    cookie_name,
    cookie_options,
    encode_cookie,
    find_duration,
    make_token,
    new_identifier,
    note_token,
    read_cookie,
    read_note,
    wants_tokens,
)
from .signals import (
    _user_loaded_from_header,
    send,
    session_protected,
    user_accessed,
    user_loaded_from_cookie,
    user_loaded_from_request,
    user_needs_refresh,
    user_unauthorized,
)
from .stamps import is_stamp_valid
from .urls import expand_login_view, make_next_param
from .urls import login_url as make_login_url
from .utils import (
    _get_user,
    _user_context_processor,
    current_user,
    keep_user,
    renew_session,
    stamp_session,
)

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from erlen import Flask, Request, Response
    from erlen.sessions import SessionMixin

U = t.TypeVar("U")
F = t.TypeVar("F", bound=Callable[..., t.Any])

_NO_LOADER = (
    "Missing user_loader or request_loader. Nobody has said how a user is found: write a function"
    " that takes an identifier and returns a user or None, and decorate it with"
    " @login_manager.user_loader."
)


class LoginManager(t.Generic[U]):
    """Knows how users are found, and where visitors go who must log in.

    :param app: the application, or ``None`` to call :meth:`init_app` later.
    :param add_context_processor: whether templates get ``current_user``.

    .. code-block:: python

        from erlen.login import LoginManager

        login = LoginManager[User](app)
        login.login_view = "log_in"

        @login.user_loader
        def load_user(user_id: str) -> User | None:
            return db.session.get(User, int(user_id))
    """

    def __init__(self, app: Flask | None = None, add_context_processor: bool = True) -> None:
        #: Makes the user of requests that nobody is logged in for.
        self.anonymous_user: Callable[[], t.Any] = AnonymousUserMixin
        #: The endpoint or the address of the page to log in at. Without one, those who must log in
        #: are answered with 401.
        self.login_view: str | None = None
        #: The same for blueprints, by their names.
        self.blueprint_login_views: dict[t.Any, str | None] = {}
        #: What those are told who must log in.
        self.login_message: t.Any = LOGIN_MESSAGE
        #: The category of that message.
        self.login_message_category: str = LOGIN_MESSAGE_CATEGORY
        #: The endpoint or the address of the page to confirm a login at.
        self.refresh_view: str | None = None
        #: What those are told who must confirm their login.
        self.needs_refresh_message: t.Any = REFRESH_MESSAGE
        #: The category of that message.
        self.needs_refresh_message_category: str = REFRESH_MESSAGE_CATEGORY
        #: What happens to a session that is used from another address or browser than it began in:
        #: "basic" makes its login not fresh, "strong" ends it, ``None`` does nothing. The setting
        #: ``SESSION_PROTECTION`` goes before.
        self.session_protection: str | None = "basic"
        #: Translates the two messages.
        self.localize_callback: Callable[[t.Any], t.Any] | None = None
        #: Answers those who must log in.
        self.unauthorized_callback: Callable[[], t.Any] | None = None
        #: Answers those who must confirm their login.
        self.needs_refresh_callback: Callable[[], t.Any] | None = None
        #: The method of users that returns their identifier.
        self.id_attribute = ID_ATTRIBUTE
        #: Where logins are written down that were remembered, and ended by a logout; ``None`` for
        #: the folder ``REMEMBER_COOKIE_ENDED``.
        self.ended_logins: EndedLogins | None = None
        self._ended_folders: dict[str, EndedLoginsFolder] = {}
        self._user_callback: Callable[[t.Any], t.Any] | None = None
        self._header_callback: Callable[[t.Any], t.Any] | None = None
        self._request_callback: Callable[[t.Any], t.Any] | None = None
        self._session_identifier_generator: Callable[[], str] = create_identifier
        if app is not None:
            self.init_app(app, add_context_processor)

    def init_app(self, app: Flask, add_context_processor: bool = True) -> None:
        """Make this the login manager of an application.

        :param app: the application.
        :param add_context_processor: whether templates get ``current_user``.
        """
        t.cast("t.Any", app).login_manager = self
        app.after_request(self._update_remember_cookie)
        if add_context_processor:
            app.context_processor(_user_context_processor)

    def setup_app(self, app: Flask, add_context_processor: bool = True) -> None:
        """Do what :meth:`init_app` does, which is its name now.

        :param app: the application.
        :param add_context_processor: whether templates get ``current_user``.
        """
        _warn("setup_app", "init_app()")
        self.init_app(app, add_context_processor)

    # --- The user, typed ------------------------------------------------------------------------

    @property
    def current_user(self) -> U:
        """The user of the current request: :data:`erlen.login.current_user`, with a type.

        It is a proxy, which may be kept in a variable of a module.
        Where nobody is logged in it stands for an anonymous user, which has not got what your users
        have; in views with ``@login_required`` that does not happen.
        """
        return t.cast(U, current_user)

    @property
    def user(self) -> U | None:
        """The user who is logged in, ``None`` where nobody is."""
        user = _get_user()
        return user if user is not None and user.is_authenticated else None

    # --- What applications say ------------------------------------------------------------------

    def user_loader(self, callback: F) -> F:
        """Say how a user is found; a decorator.

        :param callback: a function or a coroutine function that takes a user's identifier, which
            is what ``get_id()`` returned, and returns the user, or ``None`` where there is none.
        """
        self._user_callback = callback
        return callback

    @property
    def user_callback(self) -> Callable[[t.Any], t.Any] | None:
        """The function that :meth:`user_loader` was given."""
        return self._user_callback

    def request_loader(self, callback: F) -> F:
        """Say how a user is found where no session says who it is, by a header for example.

        :param callback: a function or a coroutine function that takes the request and returns the
            user, or ``None``.
        """
        self._request_callback = callback
        return callback

    @property
    def request_callback(self) -> Callable[[t.Any], t.Any] | None:
        """The function that :meth:`request_loader` was given."""
        return self._request_callback

    def header_loader(self, callback: F) -> F:
        """Say how a user is found by a header; :meth:`request_loader` has taken its place.

        :param callback: a function that takes the header's value and returns the user, or ``None``.
        """
        _warn("header_loader", "request_loader()")
        self._header_callback = callback
        return callback

    def unauthorized_handler(self, callback: F) -> F:
        """Say what those get who must log in; a decorator.

        :param callback: a function or a coroutine function that returns a response.
        """
        self.unauthorized_callback = callback
        return callback

    def needs_refresh_handler(self, callback: F) -> F:
        """Say what those get who must confirm their login; a decorator.

        :param callback: a function or a coroutine function that returns a response.
        """
        self.needs_refresh_callback = callback
        return callback

    # --- Ending what is remembered --------------------------------------------------------------

    def end_remembered(self, session: Mapping[str, t.Any]) -> bool:
        """End the login that the browser of a session remembers, if it does so; others go on.

        A session knows it where sessions are kept on the server and logins are remembered by
        tokens. Revoke the session after it, or the browser goes on with that.

        :param session: what is in the session, which need not be that of this request.
        :returns: whether nothing is remembered by it any more; ``False`` where ended logins cannot
            be written down.
        """
        app = current_app._get_current_object()
        note = read_note(app, session)
        return note is None or self._note_ended(app, *note)

    # --- Refusing -------------------------------------------------------------------------------

    def unauthorized(self) -> t.Any:
        """Return the answer for somebody who must log in; ``@login_required`` does.

        That is what the function of :meth:`unauthorized_handler` returns; without one, a redirect
        to the login page, with a message; without such a page, and for a WebSocket, 401.

        :raises werkzeug.exceptions.Unauthorized: in the latter case.
        """
        app = current_app._get_current_object()
        send(user_unauthorized, app)
        if self.unauthorized_callback is not None:
            return _wait(app, self.unauthorized_callback())
        view = self._find_login_view()
        return self._send_to(view, self.login_message, self.login_message_category)

    def needs_refresh(self) -> t.Any:
        """Return the answer for somebody who must confirm their login.

        It is made as by :meth:`unauthorized`, with the page, the message and the handler for this.

        :raises werkzeug.exceptions.Unauthorized: where there is neither.
        """
        app = current_app._get_current_object()
        send(user_needs_refresh, app)
        if self.needs_refresh_callback is not None:
            return _wait(app, self.needs_refresh_callback())
        return self._send_to(
            self.refresh_view, self.needs_refresh_message, self.needs_refresh_message_category
        )

    def _find_login_view(self) -> str | None:
        views = self.blueprint_login_views
        for name in current_request.blueprints if views else ():
            if name in views:
                return views[name]
        return self.login_view or views.get(None)

    def _send_to(self, view: str | None, message: t.Any, category: str) -> t.Any:
        # Browsers do not follow redirects of handshakes.
        if not view or has_websocket_context():
            abort(401)
        if message:
            localize = self.localize_callback
            flash(message if localize is None else localize(message), category=category)
        if not current_app.config.get("USE_SESSION_FOR_NEXT", USE_SESSION_FOR_NEXT):
            return redirect(make_login_url(view, next_url=current_request.url))
        current_session["_id"] = self._session_identifier_generator()
        current_session["next"] = make_next_param(expand_login_view(view), current_request.url)
        return redirect(make_login_url(view))

    # --- Finding the user -----------------------------------------------------------------------

    def _update_request_context_with_user(self, user: t.Any = None) -> None:
        """Make somebody the user of the request, by default an anonymous user."""
        keep_user(self.anonymous_user() if user is None else user)

    def _load_user(self) -> None:
        """Find the user of the request."""
        if self._user_callback is None and self._request_callback is None:
            raise RuntimeError(_NO_LOADER)
        ctx = _cv_request.get()
        app: Flask = ctx.app
        if user_accessed.receivers:
            send(user_accessed, app)
        if self._session_protection_failed():
            self._update_request_context_with_user()
            return
        user = self._load_user_from_session(app, ctx.session)
        if user is None:
            user = self._load_user_otherwise(app)
        self._update_request_context_with_user(user)

    def _load_user_from_session(self, app: Flask, session: SessionMixin) -> t.Any:
        user_id = session.get("_user_id")
        if user_id is None or self._user_callback is None:
            return None
        user = self._user_callback(user_id)
        if isinstance(user, CoroutineType):
            user = _wait(app, user)
        if user is None or not is_stamp_valid(app, user, user_id, session.get("_stamp")):
            return None
        return user

    def _load_user_otherwise(self, app: Flask) -> t.Any:
        """Find the user by the cookie, by what the request says, or by its header."""
        config = app.config
        user = None
        cookie = current_request.cookies.get(cookie_name(config))
        if cookie is not None and current_session.get("_remember") != "clear":
            user = self._load_user_from_remember_cookie(cookie)
        if user is None and self._request_callback is not None:
            return self._load_user_from_request(current_request)
        if user is None and self._header_callback is not None:
            header = current_request.headers.get(config.get("AUTH_HEADER_NAME", AUTH_HEADER_NAME))
            return None if header is None else self._load_user_from_header(header)
        return user

    def _session_protection_failed(self) -> bool:
        """Tell whether the session must not be used, being used from elsewhere."""
        ctx = _cv_request.get()
        app: Flask = ctx.app
        mode = app.config.get("SESSION_PROTECTION", self.session_protection)
        if mode not in ("basic", "strong"):
            return False
        session = ctx.session
        # A session that nobody is logged in with has nothing to protect.
        if "_user_id" not in session and "_id" not in session:
            return False
        if session.get("_id") == self._session_identifier_generator():
            return False
        if mode == "strong" and not session.permanent:
            for key in SESSION_KEYS:
                session.pop(key, None)
            session["_remember"] = "clear"
        elif session.get("_fresh") is not False:
            session["_fresh"] = False
        send(session_protected, app)
        return mode == "strong" and not session.permanent

    def _read_remember_cookie(self, cookie: str) -> RememberedLogin | None:
        """Return what the cookie says, unless that login was ended."""
        app = current_app._get_current_object()
        login = read_cookie(app, cookie)
        if login is None or login.token is None:
            return login
        ended = self._find_ended_logins(app)
        return None if ended is not None and login.token in ended else login

    def _end_remembered_login(self, cookie: str) -> None:
        """See to it that a copy of the cookie is worth nothing."""
        app = current_app._get_current_object()
        login = read_cookie(app, cookie)
        if login is not None and login.token is not None and login.expires is not None:
            self._note_ended(app, login.token, login.expires)

    def _note_ended(self, app: Flask, token: str, expires: float) -> bool:
        """Write down that a token is not good any more, and tell whether that was possible."""
        ended = self._find_ended_logins(app)
        if ended is None:
            return False
        try:
            ended.add(token, expires)
        except OSError as error:
            app.logger.warning(
                "A remembered login that was ended by a logout could not be noted, so a copy of its"
                " cookie stays good: %s. Make the instance folder writable, set"
                " REMEMBER_COOKIE_ENDED to a folder that is, or set login.ended_logins.",
                error,
            )
            return False
        return True

    def _find_ended_logins(self, app: Flask) -> EndedLogins | None:
        if self.ended_logins is not None:
            return self.ended_logins
        place = app.config.get("REMEMBER_COOKIE_ENDED")
        if not place:
            return None
        folder = os.path.join(app.instance_path, place)
        found = self._ended_folders.get(folder)
        if found is None:
            found = self._ended_folders.setdefault(folder, EndedLoginsFolder(folder))
        return found

    def _load_user_from_remember_cookie(self, cookie: str) -> t.Any:
        login = self._read_remember_cookie(cookie)
        if login is None or self._user_callback is None:
            return None
        app = current_app._get_current_object()
        user = _wait(app, self._user_callback(login.user_id))
        if user is None or not is_stamp_valid(app, user, login.user_id, login.stamp):
            return None
        accepts = getattr(user, "accepts_remembered_login", None)
        if accepts is not None and not accepts(login.made):
            return None
        session = current_session._get_current_object()
        if app.config.get("LOGIN_RENEW_SESSION"):
            renew_session(app)
            session.owner = login.user_id
        session["_user_id"] = login.user_id
        session["_fresh"] = False
        # Without it, strong protection would end the session at the next request.
        session["_id"] = self._session_identifier_generator()
        stamp_session(app, user, login.user_id)
        if login.token is not None and login.expires is not None:
            note_token(app, session, login.token, login.expires)
        send(user_loaded_from_cookie, app, user=user)
        return user

    def _load_user_from_header(self, header: str) -> t.Any:
        if self._header_callback is None:
            return None
        app = current_app._get_current_object()
        user = _wait(app, self._header_callback(header))
        if user is not None:
            send(_user_loaded_from_header, app, user=user)
        return user

    def _load_user_from_request(self, request: Request) -> t.Any:
        if self._request_callback is None:
            return None
        app = current_app._get_current_object()
        user = _wait(app, self._request_callback(request))
        if user is not None:
            send(user_loaded_from_request, app, user=user)
        return user

    # --- Remembering ----------------------------------------------------------------------------

    def _update_remember_cookie(self, response: Response) -> Response:
        """Set the cookie, or delete it, as the session says that is to be done."""
        ctx = _cv_request.get()
        session = ctx.opened_session
        if session is not None and "_remember" in session:
            operation = session.pop("_remember")
            if operation == "set" and "_user_id" in session:
                self._set_cookie(response)
            elif operation == "clear":
                self._clear_cookie(response)
        elif ctx.app.config.get("REMEMBER_COOKIE_REFRESH_EACH_REQUEST"):
            self._refresh_cookie(response)
        return response

    def _refresh_cookie(self, response: Response) -> None:
        """Move the end of a remembered login."""
        cookie = current_request.cookies.get(cookie_name(current_app.config))
        if cookie is None or "_user_id" not in current_session:
            return
        login = self._read_remember_cookie(cookie)
        if login is not None and login.user_id == str(current_session["_user_id"]):
            # Under another identifier, the logout would not end copies of this one.
            self._write_cookie(response, login.token)

    def _set_cookie(self, response: Response) -> None:
        self._write_cookie(response, None)

    def _write_cookie(self, response: Response, token: str | None) -> None:
        app = current_app._get_current_object()
        session = current_session._get_current_object()
        duration = find_duration(app.config, session.get("_remember_seconds"))
        user_id, stamp = str(session["_user_id"]), session.get("_stamp")
        if stamp is not None or wants_tokens(app):
            identifier = token or new_identifier()
            value = make_token(app, user_id, stamp, duration, identifier)
            if token is None:
                note_token(app, session, identifier, time.time() + duration.total_seconds())
        else:
            value = encode_cookie(user_id)
        response.set_cookie(
            cookie_name(app.config),
            value=value,
            expires=datetime.now(UTC) + duration,
            **cookie_options(app.config),
        )
        directive = app.config.get("SESSION_CACHE_CONTROL")
        if directive and "Cache-Control" not in response.headers:
            response.headers["Cache-Control"] = directive

    def _clear_cookie(self, response: Response) -> None:
        config = current_app.config
        response.delete_cookie(cookie_name(config), **cookie_options(config))

    @property
    def _login_disabled(self) -> bool:
        _warn("_login_disabled", "the setting LOGIN_DISABLED")
        return has_app_context() and bool(current_app.config.get("LOGIN_DISABLED", False))

    @_login_disabled.setter
    def _login_disabled(self, value: bool) -> None:
        _warn("_login_disabled", "the setting LOGIN_DISABLED")
        current_app.config["LOGIN_DISABLED"] = value


def _wait(app: Flask, result: t.Any) -> t.Any:
    """Return the result of a callback, once a coroutine has ended."""
    if not isinstance(result, CoroutineType):
        return result

    async def wait() -> t.Any:
        return await result

    return app.ensure_sync(wait)()


def _warn(name: str, other: str) -> None:
    warnings.warn(
        f"{name!r} goes away with Flask-Login 0.7. Use {other}.", DeprecationWarning, stacklevel=3
    )
