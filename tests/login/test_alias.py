"""Programs that import Flask-Login get the logins of Erlen, under both names the same."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

#: What Flask-Login 0.6 has in which module.
NAMES = {
    "flask_login": (
        "AUTH_HEADER_NAME AnonymousUserMixin COOKIE_DURATION COOKIE_HTTPONLY COOKIE_NAME"
        " COOKIE_SECURE FlaskLoginClient ID_ATTRIBUTE LOGIN_MESSAGE LOGIN_MESSAGE_CATEGORY"
        " LoginManager REFRESH_MESSAGE REFRESH_MESSAGE_CATEGORY UserMixin __version__ confirm_login"
        " current_user decode_cookie encode_cookie fresh_login_required login_fresh"
        " login_remembered login_required login_url login_user logout_user make_next_param"
        " session_protected set_login_view user_accessed user_loaded_from_cookie"
        " user_loaded_from_request user_logged_in user_logged_out user_login_confirmed"
        " user_needs_refresh user_unauthorized"
    ),
    "flask_login.__about__": (
        "__author__ __author_email__ __copyright__ __description__ __license__ __maintainer__"
        " __title__ __url__ __version__ __version_info__"
    ),
    "flask_login.config": (
        "AUTH_HEADER_NAME COOKIE_DURATION COOKIE_HTTPONLY COOKIE_NAME COOKIE_SAMESITE"
        " COOKIE_SECURE EXEMPT_METHODS ID_ATTRIBUTE LOGIN_MESSAGE LOGIN_MESSAGE_CATEGORY"
        " REFRESH_MESSAGE REFRESH_MESSAGE_CATEGORY SESSION_KEYS USE_SESSION_FOR_NEXT"
    ),
    "flask_login.login_manager": (
        "LoginManager COOKIE_NAME decode_cookie encode_cookie current_app request session g flash"
    ),
    "flask_login.mixins": "AnonymousUserMixin UserMixin",
    "flask_login.signals": (
        "session_protected user_accessed user_loaded_from_cookie user_loaded_from_request"
        " user_logged_in user_logged_out user_login_confirmed user_needs_refresh user_unauthorized"
        " _user_loaded_from_header"
    ),
    "flask_login.test_client": "FlaskLoginClient",
    "flask_login.utils": (
        "_cookie_digest _create_identifier _get_user _secret_key"
        " _user_context_processor confirm_login current_user decode_cookie encode_cookie"
        " expand_login_view fresh_login_required login_fresh login_remembered login_required"
        " login_url login_user logout_user make_next_param set_login_view COOKIE_NAME"
        " EXEMPT_METHODS LocalProxy current_app g has_request_context request session url_for"
    ),
}


def run(code: str, tmp_path: Path) -> str:
    """Run code in a process of its own, where both names are served, and return what it prints."""
    code = f"import erlen.compat; erlen.compat.install()\n{code}"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_names(tmp_path: Path) -> None:
    """Each name is where Flask-Login has it, and a star brings these and no others."""
    code = f"""
from importlib import import_module
for module, names in {NAMES!r}.items():
    for name in names.split():
        getattr(import_module(module), name)
found = {{}}
exec("from flask_login import *", found)
print(*sorted(found.keys() - {{"__builtins__"}}))
"""
    assert run(code, tmp_path).split() == sorted(NAMES["flask_login"].split())


@pytest.mark.parametrize("first", ["flask_login.utils", "erlen.login.utils"])
def test_one_module_under_two_names(tmp_path: Path, first: str) -> None:
    """The modules are the same, whichever name comes first, so classes exist once."""
    code = f"""
import {first}
import flask_login.utils, flask_login.mixins, erlen.login.mixins, erlen.login.utils
from flask_login import LoginManager, UserMixin
from erlen.login import LoginManager as Same
assert LoginManager is Same
assert flask_login.utils is erlen.login.utils
assert UserMixin is erlen.login.mixins.UserMixin
"""
    run(code, tmp_path)


def test_version(tmp_path: Path) -> None:
    """Both places where programs look for the version answer."""
    code = """
import flask_login
from importlib.metadata import version
print(flask_login.__version__, version("Flask-Login"))
"""
    assert run(code, tmp_path) == "0.6.3 0.6.3\n"


def test_what_is_needed_later_is_loaded_later(tmp_path: Path) -> None:
    """Importing the package loads neither the test client nor what hashes passwords."""
    code = """
import sys, flask_login
loaded = {"erlen.testing", "erlen.login.passwords", "erlen.login.permissions", "argon2"}
print(loaded & sys.modules.keys())
"""
    assert run(code, tmp_path) == "set()\n"
