"""The ``doctor`` command."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner, Result

from erlen import Erlen, Flask
from erlen.cli import FlaskGroup
from erlen.defaults import ERLEN_DEFAULTS, FLASK_DEFAULTS
from erlen.login import LoginManager, UserMixin

#: How the keys begin that are for the extras.
EXTRAS = (
    *("LOGIN_", "MIGRATE_", "RECAPTCHA_", "REMEMBER_", "SQLALCHEMY_", "WTF_"),
    # Of sessions on the server.
    "SESSION_LIFETIME",
)


def doctor(app: Flask, *options: str) -> Result:
    """Run the command on an application."""
    return CliRunner().invoke(FlaskGroup(create_app=lambda: app), [*options, "doctor"])


def ready(app: Flask) -> Flask:
    """Give an application what no default can know."""
    app.config.update(SECRET_KEY="x" * 32, TRUSTED_HOSTS=["example.com"])
    return app


def test_todays_defaults_leave_nothing_to_do() -> None:
    """A new application is well once it has a key and its hosts."""
    result = doctor(ready(Erlen(__name__)))
    assert (result.exit_code, result.output) == (0, "Nothing is left to do.\n")


def test_each_gap_of_flasks_defaults_is_named() -> None:
    """Each setting in which Flask's table is the weaker one stands in the list."""
    result = doctor(ready(Flask(__name__)))
    different = {key for key in ERLEN_DEFAULTS if ERLEN_DEFAULTS[key] != FLASK_DEFAULTS.get(key)}
    # What databases and forms are set up with matters to who uses them.
    different = {key for key in different if not key.startswith(EXTRAS)}
    assert result.exit_code == 1
    for key in different:
        assert f"- {key} " in result.output
    assert f"{len(different)} to do before production." in result.output


def test_protection_of_forms() -> None:
    """Where requests are protected as Flask-WTF does it, what is missing is named."""
    app = ready(Flask(__name__))
    app.extensions["csrf"] = object()
    result = doctor(app)
    for key in ("WTF_CSRF_FETCH_METADATA", "WTF_CSRF_MASK_TOKENS"):
        assert f"- {key} is not set" in result.output
        app.config[key] = True
    assert "WTF_" not in doctor(app).output


def test_logins() -> None:
    """Where users log in as with Flask-Login, what is weaker is named, until it is mended."""
    app = ready(Flask(__name__))
    assert "LOGIN_" not in doctor(app).output
    LoginManager[UserMixin](app)
    output = doctor(app).output
    keys = [
        "LOGIN_RENEW_SESSION",
        "LOGIN_TRUST_FORWARDED_FOR",
        "REMEMBER_COOKIE_ENDED",
        "REMEMBER_COOKIE_FORMAT",
        "REMEMBER_COOKIE_SAMESITE",
        "REMEMBER_COOKIE_SECURE",
    ]
    for key in keys:
        assert f"- {key} " in output
        app.config[key] = ERLEN_DEFAULTS[key]
    output = doctor(app).output
    assert "LOGIN_" not in output and "REMEMBER_" not in output
    app.config["REMEMBER_COOKIE_HTTPONLY"] = False
    assert "- REMEMBER_COOKIE_HTTPONLY " in doctor(app).output


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (None, "is not set"),
        ("dev", "known to everybody"),
        (b"Secret", "known to everybody"),
        ("short", "shorter than 16 bytes"),
    ],
)
def test_weak_keys(key: str | bytes | None, expected: str) -> None:
    """A missing, known or short key is named, with the command that makes a good one."""
    app = ready(Erlen(__name__))
    app.secret_key = key
    result = doctor(app)
    assert result.exit_code == 1
    assert expected in result.output
    assert "secrets.token_hex()" in result.output


def test_development_settings() -> None:
    """What belongs to development is named."""
    app = ready(Erlen(__name__))
    app.config["TESTING"] = True
    result = doctor(app, "--debug")
    assert result.exit_code == 1
    assert "- DEBUG is on" in result.output
    assert "- TESTING is on" in result.output


def test_a_missing_header() -> None:
    """Only the headers that are missing are named, whatever their case."""
    app = ready(Erlen(__name__))
    headers = app.config["DEFAULT_RESPONSE_HEADERS"]
    app.config["DEFAULT_RESPONSE_HEADERS"] = {
        name.lower(): value for name, value in headers.items() if name != "X-Frame-Options"
    }
    result = doctor(app)
    assert "X-Frame-Options: SAMEORIGIN" in result.output
    assert "nosniff" not in result.output


def test_an_applications_own_doctor_comes_first() -> None:
    """An application that had such a command before keeps it."""
    app = Flask(__name__)

    @app.cli.command("doctor")
    def own() -> None:
        click.echo("mine")

    assert doctor(app).output == "mine\n"
