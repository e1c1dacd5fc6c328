from erlen import Erlen
from erlen.testing import FlaskCliRunner

from potluck.db import get_db


def test_one_connection_per_context(app: Erlen) -> None:
    with app.app_context():
        assert get_db() is get_db()


def test_init_db_command(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["init-db"])
    assert result.output == "The database is ready.\n"
