"""The history of the tables: up, down, and with the books of before in them."""

import sqlite3
from contextlib import closing
from pathlib import Path

from shelf import create_app
from shelf.db import db

from erlen import Erlen
from erlen.testing import FlaskCliRunner


def test_the_history_gives_what_the_models_say(runner: FlaskCliRunner) -> None:
    assert runner.invoke(args=["db", "check"]).exit_code == 0
    assert "0 errors" in runner.invoke(args=["db", "lint", "base:head"]).output


def test_a_library_of_before_keeps_its_books_and_loans(tmp_path: Path) -> None:
    app = create_app({"SECRET_KEY": "for tests", "DATABASE": str(tmp_path / "old.db")})
    _run(app, "upgrade", "0001")
    with closing(sqlite3.connect(app.config["DATABASE"])) as old:
        old.execute(
            "INSERT INTO books (id, title, author, year, language, copies)"
            " VALUES (1, 'Émile', 'Jean-Jacques Rousseau', 1762, 'fr', 2)"
        )
        old.execute("INSERT INTO readers VALUES (1, 'Ada', 'ada')")
        old.execute(
            "INSERT INTO loans (id, book_id, reader_id, taken_on, due_on)"
            " VALUES (1, 1, 1, '2026-01-20', '2026-02-10')"
        )
        old.commit()
    _run(app, "upgrade")
    with closing(sqlite3.connect(app.config["DATABASE"])) as new:
        assert new.execute("SELECT borrowed_on FROM loans").fetchall() == [("2026-01-20",)]
        keys = new.execute("SELECT title_key, author_key FROM books").fetchall()
        assert keys == [("emile", "rousseau jean-jacques rousseau")]
    _run(app, "downgrade", "base")
    with app.app_context():
        db.engine.dispose()


def _run(app: Erlen, *args: str) -> None:
    result = app.test_cli_runner().invoke(args=["db", *args])
    assert result.exit_code == 0, result.output
