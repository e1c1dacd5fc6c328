"""The signals that are sent while somebody logs in, is recognized, or logs out.

The sender is the application.
"""

from __future__ import annotations

import typing as t
import warnings

from blinker import Namespace

if t.TYPE_CHECKING:
    from blinker import NamedSignal

    from erlen import Flask

_signals = Namespace()

#: Somebody logged in. Carries ``user``.
user_logged_in = _signals.signal("logged-in")
#: Somebody logged out. Carries ``user``.
user_logged_out = _signals.signal("logged-out")
#: A user was recognized by the cookie that remembers a login. Carries ``user``.
user_loaded_from_cookie = _signals.signal("loaded-from-cookie")
_user_loaded_from_header = _signals.signal("loaded-from-header")
#: A user was recognized by a ``request_loader``. Carries ``user``.
user_loaded_from_request = _signals.signal("loaded-from-request")
#: A login was confirmed, so that it is fresh again.
user_login_confirmed = _signals.signal("login-confirmed")
#: Somebody who is not logged in was refused.
user_unauthorized = _signals.signal("unauthorized")
#: Somebody whose login is not fresh was refused.
user_needs_refresh = _signals.signal("needs-refresh")
#: The user of a request is about to be looked for.
user_accessed = _signals.signal("accessed")
#: A session was used from elsewhere than where it began.
session_protected = _signals.signal("session-protected")


def send(signal: NamedSignal, app: Flask, **values: t.Any) -> None:
    """Send a signal, where anybody listens.

    :param signal: the signal.
    :param app: the application, its sender.
    :param values: what it carries.
    """
    if signal.receivers:
        signal.send(app, _async_wrapper=app.ensure_sync, **values)


def header_signal(stacklevel: int) -> NamedSignal:
    """Return the signal of ``header_loader``, with the warning that both are going.

    :param stacklevel: where the caller's caller is, as for :func:`warnings.warn`.
    """
    warnings.warn(
        "'user_loaded_from_header' goes away with Flask-Login 0.7. Use a request_loader and"
        " 'user_loaded_from_request'.",
        DeprecationWarning,
        stacklevel=stacklevel,
    )
    return _user_loaded_from_header


def __getattr__(name: str) -> t.Any:
    if name == "user_loaded_from_header":
        return header_signal(3)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
