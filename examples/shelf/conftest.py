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
from shelf.db import db as database


def make_app(path: Path, **config: object) -> Erlen:
    """Return the application with its database at ``path``."""
    settings = {"TESTING": True, "SECRET_KEY": "for tests", "DATABASE": str(path)}
    return create_app({**settings, "COVERS": str(path.parent / "covers"), **config})


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
    # The last connection that closes moves what is in the log into the file.
    close(app)
    return path


@pytest.fixture
def app(stock: Path, tmp_path: Path) -> Iterator[Erlen]:
    """The library with all its books, and nobody in it."""
    path = tmp_path / "shelf.db"
    shutil.copy(stock, path)
    app = make_app(path)
    yield app
    close(app)


@pytest.fixture
def ada(app: Erlen) -> FlaskClient:
    """The browser of somebody who has given a name."""
    client = app.test_client()
    client.post("/reader", data={"name": "Ada"})
    return client


@pytest.fixture
def db(app: Erlen) -> Iterator[sqlite3.Connection]:
    """A connection to the library's database, to see and arrange what no page does."""
    with closing(sqlite3.connect(app.config["DATABASE"], isolation_level=None)) as db:
        yield db
