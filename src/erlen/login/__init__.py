"""Users: who is logged in, passwords, and who may do what."""

from __future__ import annotations

import typing as t

from .__about__ import __version__ as __version__
from .config import AUTH_HEADER_NAME as AUTH_HEADER_NAME
from .config import COOKIE_DURATION as COOKIE_DURATION
from .config import COOKIE_HTTPONLY as COOKIE_HTTPONLY
from .config import COOKIE_NAME as COOKIE_NAME
from .config import COOKIE_SECURE as COOKIE_SECURE
from .config import ID_ATTRIBUTE as ID_ATTRIBUTE
from .config import LOGIN_MESSAGE as LOGIN_MESSAGE
from .config import LOGIN_MESSAGE_CATEGORY as LOGIN_MESSAGE_CATEGORY
from .config import REFRESH_MESSAGE as REFRESH_MESSAGE
from .config import REFRESH_MESSAGE_CATEGORY as REFRESH_MESSAGE_CATEGORY
from .login_manager import LoginManager as LoginManager
from .mixins import AnonymousUserMixin as AnonymousUserMixin
from .mixins import UserMixin as UserMixin
from .signals import header_signal
from .signals import session_protected as session_protected
from .signals import user_accessed as user_accessed
from .signals import user_loaded_from_cookie as user_loaded_from_cookie
from .signals import user_loaded_from_request as user_loaded_from_request
from .signals import user_logged_in as user_logged_in
from .signals import user_logged_out as user_logged_out
from .signals import user_login_confirmed as user_login_confirmed
from .signals import user_needs_refresh as user_needs_refresh
from .signals import user_unauthorized as user_unauthorized
from .utils import confirm_login as confirm_login
from .utils import current_user as current_user
from .utils import decode_cookie as decode_cookie
from .utils import encode_cookie as encode_cookie
from .utils import fresh_login_required as fresh_login_required
from .utils import login_fresh as login_fresh
from .utils import login_remembered as login_remembered
from .utils import login_required as login_required
from .utils import login_url as login_url
from .utils import login_user as login_user
from .utils import logout_user as logout_user
from .utils import make_next_param as make_next_param
from .utils import set_login_view as set_login_view

if t.TYPE_CHECKING:
    from .passwords import PasswordCheck as PasswordCheck
    from .passwords import PasswordRefused as PasswordRefused
    from .passwords import check_new_password as check_new_password
    from .passwords import hash_password as hash_password
    from .passwords import needs_rehash as needs_rehash
    from .passwords import prepare_passwords as prepare_passwords
    from .passwords import verify_and_update as verify_and_update
    from .passwords import verify_password as verify_password
    from .permissions import Permissions as Permissions
    from .permissions import authorize as authorize
    from .permissions import can as can
    from .permissions import granted as granted
    from .permissions import policy as policy
    from .permissions import public as public
    from .permissions import requires as requires
    from .test_client import FlaskLoginClient as FlaskLoginClient
    from .urls import safe_next_url as safe_next_url

# What is Erlen's own is not in it, so that ``from flask_login import *`` brings what it always did.
__all__ = [
    "AUTH_HEADER_NAME",
    "COOKIE_DURATION",
    "COOKIE_HTTPONLY",
    "COOKIE_NAME",
    "COOKIE_SECURE",
    "ID_ATTRIBUTE",
    "LOGIN_MESSAGE",
    "LOGIN_MESSAGE_CATEGORY",
    "REFRESH_MESSAGE",
    "REFRESH_MESSAGE_CATEGORY",
    "AnonymousUserMixin",
    "FlaskLoginClient",
    "LoginManager",
    "UserMixin",
    "__version__",
    "confirm_login",
    "current_user",
    "decode_cookie",
    "encode_cookie",
    "fresh_login_required",
    "login_fresh",
    "login_remembered",
    "login_required",
    "login_url",
    "login_user",
    "logout_user",
    "make_next_param",
    "session_protected",
    "set_login_view",
    "user_accessed",
    "user_loaded_from_cookie",
    "user_loaded_from_request",
    "user_logged_in",
    "user_logged_out",
    "user_login_confirmed",
    "user_needs_refresh",
    "user_unauthorized",
]

# PERF: what not every application that has logins needs: the test client, hashing, permissions.
_LATER = {
    "FlaskLoginClient": "test_client",
    "PasswordCheck": "passwords",
    "PasswordRefused": "passwords",
    "Permissions": "permissions",
    "authorize": "permissions",
    "can": "permissions",
    "check_new_password": "passwords",
    "granted": "permissions",
    "hash_password": "passwords",
    "needs_rehash": "passwords",
    "policy": "permissions",
    "prepare_passwords": "passwords",
    "public": "permissions",
    "requires": "permissions",
    "safe_next_url": "urls",
    "verify_and_update": "passwords",
    "verify_password": "passwords",
}


def __getattr__(name: str) -> t.Any:
    module = _LATER.get(name)
    if module is not None:
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{module}"), name)
        globals()[name] = value
        return value
    if name == "user_loaded_from_header":
        return header_signal(3)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
