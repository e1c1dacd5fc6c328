from erlen import Erlen
from erlen.testing import FlaskCliRunner

from potluck.db import Account, db


def test_one_session_per_context(app: Erlen) -> None:
    with app.app_context():
        ada = Account(name="Ada", password="x")
        db.session.add(ada)
        db.session.commit()
        assert db.session.get(Account, 1) is ada
    with app.app_context():
        assert db.session.get(Account, 1) is not ada


def test_init_db_command(runner: FlaskCliRunner) -> None:
    result = runner.invoke(args=["init-db"])
    assert result.output == "The database is ready.\n"
