from collections.abc import Iterator
from pathlib import Path

import pytest
from erlen import Erlen
from erlen.db.testing import close_engines
from erlen.testing import FlaskClient, FlaskCliRunner

from potluck import create_app
from potluck.db import init_db


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Erlen]:
    url = f"sqlite:///{tmp_path}/test.db"
    config = {"TESTING": True, "WTF_CSRF_ENABLED": False, "SQLALCHEMY_DATABASE_URI": url}
    app = create_app(config)
    with app.app_context():
        init_db()
    yield app
    close_engines(app)


@pytest.fixture
def client(app: Erlen) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def runner(app: Erlen) -> FlaskCliRunner:
    return app.test_cli_runner()


@pytest.fixture
def ada(client: FlaskClient) -> FlaskClient:
    """The client, logged in as Ada."""
    form = {"name": "Ada", "password": "difference engine"}
    client.post("/accounts/register", data=form)
    client.post("/accounts/login", data=form)
    return client
