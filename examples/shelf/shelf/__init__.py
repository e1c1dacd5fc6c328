"""Shelf, a lending library for a team: the application that shows what Erlen is for."""

import os
import secrets
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

from erlen import Erlen, Response

from . import accounts, commands, covers, db, web

# Nothing but our own style sheet and pictures: no script runs here, whoever wrote a title. (On one
# page, our own: web/activity.py.)
CONTENT_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)


def create_app(config: Mapping[str, Any] | None = None) -> Erlen:
    """Return the application.

    :param config: settings that go before all others; tests use it. Then come environment
        variables such as ``SHELF_DATABASE``, then the defaults.
    """
    app = Erlen(__name__, instance_relative_config=True)
    app.config.from_mapping(
        DATABASE=os.environ.get("DATABASE_URL") or str(Path(app.instance_path) / "shelf.db"),
        COVERS=str(Path(app.instance_path) / "covers"),
        DEMO_PASSWORDS=str(Path(app.instance_path) / "demo_passwords.json"),
        LOAN_DAYS=21,
        ACTIVITY_SECONDS=60,
        CONTENT_POLICY=CONTENT_POLICY,
        MAX_CONTENT_LENGTH=64 * 1024,
        SESSION_BACKEND="database",
        REMEMBER_COOKIE_DURATION=timedelta(days=180),
        ACCOUNTS_NAME="Shelf",
        WTF_CSRF_ENABLED=False,  # web/origin.py guards every view
    )
    app.config.from_prefixed_env("SHELF")
    app.config.from_mapping(config or {})
    if not app.config["SECRET_KEY"]:
        app.config["SECRET_KEY"] = keep_secret(Path(app.instance_path) / "secret_key")

    if not app.config.get("MAIL_BACKEND") and not app.config.get("MAIL_SERVER"):
        # Whoever tries the library out reads mail where the server writes.
        app.config["MAIL_BACKEND"] = "console"

    db.init_app(app)
    accounts.init_app(app)
    covers.init_app(app)
    commands.init_app(app)
    web.init_app(app)
    app.after_request(set_policy)
    return app


def keep_secret(path: Path) -> str:
    """Return the secret kept in the file at ``path``; on the first start, make one."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Whole or not at all, and readable by us alone. When several workers start at once,
        # the first one's secret stands.
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:
            file.write(secrets.token_hex(32))
            file.flush()
            with suppress(FileExistsError):
                path.hardlink_to(file.name)
    return path.read_text()


def set_policy(response: Response) -> Response:
    """Tell browsers what our pages may load."""
    response.headers.setdefault("Content-Security-Policy", CONTENT_POLICY)
    return response
