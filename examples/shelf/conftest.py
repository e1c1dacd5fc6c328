"""A library of its own for each test. ``client`` and ``runner`` come from Erlen's pytest plugin."""

import shutil
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from erlen import Erlen
from erlen.testing import FlaskClient

sys.path.insert(0, str(Path(__file__).parent))

from shelf import create_app
from shelf.accounts import make_account
from shelf.db import db as database

PASSWORD = "a password for tests"

#: Hashes that take no time, and mail that goes nowhere.
CHEAP = {
    "PASSWORD_ARGON2_MEMORY_COST": 8,
    "PASSWORD_ARGON2_TIME_COST": 1,
    "MAIL_BACKEND": "memory",
}


def make_app(path: Path, **config: object) -> Erlen:
    """Return the application with its database at ``path``."""
    settings = {"TESTING": True, "SECRET_KEY": "for tests", "DATABASE": str(path), **CHEAP}
    folders = {
        "COVERS": str(path.parent / "covers"),
        "DEMO_PASSWORDS": str(path.parent / "demo_passwords.json"),
        "REMEMBER_COOKIE_ENDED": str(path.parent / "ended-logins"),
    }
    return create_app({**settings, **folders, **config})


def close(app: Erlen) -> None:
    """Close the connections of an application to its database."""
    with app.app_context():
        database.engine.dispose()


@pytest.fixture(scope="session")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database with all books in it, made once, to copy."""
    path = tmp_path_factory.mktemp("stock") / "shelf.db"
    app = make_app(path)
    for command in ("init-db", "seed"):
        result = app.test_cli_runner().invoke(args=[command])
        assert result.exit_code == 0, result.output
    with app.app_context():
        for name in ("Ada", "Ben"):
            make_account(f"{name}@shelf.example", name, PASSWORD)
        make_account("Alma@shelf.example", "Alma", PASSWORD, ("librarian", "reader"))
    # The last connection that closes moves what is in the log into the file.
    close(app)
    return path


@pytest.fixture
def app(stock: Path, tmp_path: Path) -> Iterator[Erlen]:
    """The library with all its books, two readers and a librarian, and nobody in it."""
    path = tmp_path / "shelf.db"
    shutil.copy(stock, path)
    app = make_app(path)
    yield app
    close(app)


def log_in(app: Erlen, name: str) -> FlaskClient:
    """Return the browser of somebody who has just logged in."""
    client = app.test_client()
    form = {"email": f"{name}@shelf.example", "password": PASSWORD}
    assert client.post("/account/login", data=form).status_code == 303
    return client


@pytest.fixture
def ada(app: Erlen) -> FlaskClient:
    """The browser of a reader."""
    return log_in(app, "Ada")


@pytest.fixture
def ben(app: Erlen) -> FlaskClient:
    """The browser of another reader."""
    return log_in(app, "Ben")


@pytest.fixture
def alma(app: Erlen) -> FlaskClient:
    """The browser of a librarian."""
    return log_in(app, "Alma")


@pytest.fixture
def db(app: Erlen) -> Iterator[sqlite3.Connection]:
    """A connection to the library's database, to see and arrange what no page does."""
    with closing(sqlite3.connect(app.config["DATABASE"], isolation_level=None)) as db:
        yield db
