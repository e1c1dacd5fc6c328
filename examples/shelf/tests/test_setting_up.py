"""Starting a library: the commands, the configuration, the list of books."""

import csv
import stat
from pathlib import Path

import pytest
from shelf import create_app, keep_secret
from shelf.db import db

from erlen.testing import FlaskCliRunner

CATALOGUE = Path(__file__).parent.parent / "shelf" / "catalogue.csv"


def test_setting_up_twice_changes_nothing(runner: FlaskCliRunner) -> None:
    for _ in range(2):
        assert runner.invoke(args=["init-db"]).exit_code == 0
        assert runner.invoke(args=["seed"]).output == "Books added: 0. Already there: 735.\n"


def test_seed_before_init_db_says_what_to_do(tmp_path: Path) -> None:
    result = (
        create_app({"DATABASE": str(tmp_path / "new.db"), "SECRET_KEY": "x"})
        .test_cli_runner()
        .invoke(args=["seed"])
    )
    assert result.exit_code == 1
    assert "Run the commands init-db and seed." in result.output


def test_the_environment_says_where_the_database_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SHELF_DATABASE", str(tmp_path / "deep" / "down.sqlite3"))
    monkeypatch.setenv("SHELF_SECRET_KEY", "from outside")
    app = create_app()
    app.test_cli_runner().invoke(args=["init-db"])
    assert (tmp_path / "deep" / "down.sqlite3").exists()
    assert app.secret_key == "from outside"


def test_the_environment_may_name_another_kind_of_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada@localhost/shelf")
    with create_app({"SECRET_KEY": "x"}).app_context():
        assert db.engine.dialect.name == "postgresql"


def test_a_secret_is_made_once_and_kept_from_others(tmp_path: Path) -> None:
    path = tmp_path / "instance" / "secret_key"
    secret = keep_secret(path)
    assert len(secret) == 64
    assert keep_secret(path) == secret
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret_key"]


def test_each_book_of_the_list_is_plausible() -> None:
    with CATALOGUE.open(encoding="utf-8", newline="") as file:
        books = list(csv.DictReader(file))
    assert len(books) == len({(book["title"], book["author"], book["language"]) for book in books})
    for book in books:
        assert 1400 < int(book["year"]) < 1929
        assert not book["born"] or int(book["born"]) + 14 < int(book["year"])
        assert not book["died"] or int(book["died"]) < 1956
        assert book["title"] == book["title"].strip()
