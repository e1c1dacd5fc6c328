from pathlib import Path

import pytest
from erlen import Erlen
from erlen.testing import FlaskClient, FlaskCliRunner

from potluck import create_app
from potluck.db import init_db


@pytest.fixture
def app(tmp_path: Path) -> Erlen:
    app = create_app({"TESTING": True, "DATABASE": str(tmp_path / "test.db")})
    with app.app_context():
        init_db()
    return app


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
