"""What holds where the configuration says nothing: the defaults of Flask-Login."""

from __future__ import annotations

from datetime import timedelta

#: The name of the cookie that remembers a login (``REMEMBER_COOKIE_NAME``).
COOKIE_NAME = "remember_token"
#: For how long a login is remembered (``REMEMBER_COOKIE_DURATION``).
COOKIE_DURATION = timedelta(days=365)
#: Whether that cookie goes over HTTPS only (``REMEMBER_COOKIE_SECURE``).
COOKIE_SECURE = False
#: Whether that cookie is kept from scripts (``REMEMBER_COOKIE_HTTPONLY``).
COOKIE_HTTPONLY = True
#: With which requests of foreign sites that cookie goes (``REMEMBER_COOKIE_SAMESITE``).
COOKIE_SAMESITE: str | None = None

#: What visitors are told who must log in.
LOGIN_MESSAGE = "Please log in to access this page."
#: The category of that message.
LOGIN_MESSAGE_CATEGORY = "message"
#: What users are told whose login must be confirmed.
REFRESH_MESSAGE = "Please reauthenticate to access this page."
#: The category of that message.
REFRESH_MESSAGE_CATEGORY = "message"

#: The method of a user that returns its identifier.
ID_ATTRIBUTE = "get_id"
#: The header that a ``header_loader`` reads (``AUTH_HEADER_NAME``).
AUTH_HEADER_NAME = "Authorization"

#: The names of all that is kept in sessions.
SESSION_KEYS = {
    "_user_id",
    "_remember",
    "_remember_seconds",
    "_id",
    "_fresh",
    "_stamp",
    "_remembered",
    "next",
}
#: Requests with these methods need no login: browsers ask with ``OPTIONS`` before they send what
#: the visitor is logged in with (https://fetch.spec.whatwg.org/#cors-preflight-fetch).
EXEMPT_METHODS = {"OPTIONS"}
#: Whether the address to go on to is kept in the session instead of the login page's query.
USE_SESSION_FOR_NEXT = False
