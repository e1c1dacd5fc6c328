"""What Flask-Migrate has, and what is found without any ceremony."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest
import sqlalchemy as sa

from erlen import Erlen, Flask
from erlen.db import SQLAlchemy
from erlen.migrate import Config, Migrate, alembic_version, upgrade
from erlen.migrate.cli import db as group
from erlen.migrate.environment import get_databases

from .conftest import Project
from .test_history import nothing, tables

#: The commands of Flask-Migrate 4.1, with their options and arguments.
COMMANDS = {
    "branches": "directory verbose",
    "check": "directory",
    "current": "directory verbose",
    "downgrade": "directory revision sql tag x_arg",
    "edit": "directory revision",
    "heads": "directory resolve_dependencies verbose",
    "history": "directory indicate_current rev_range verbose",
    "init": "directory multidb package template",
    "list-templates": "",
    "merge": "branch_label directory message rev_id revisions",
    "migrate": "branch_label directory head message rev_id splice sql version_path x_arg",
    "revision": ("autogenerate branch_label directory head message rev_id splice sql version_path"),
    "show": "directory revision",
    "stamp": "directory purge revision sql tag",
    "upgrade": "directory revision sql tag x_arg",
}


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(name: str) -> None:
    """Each command of Flask-Migrate is there, with its options."""
    parameters = {parameter.name for parameter in group.commands[name].params}
    assert set(COMMANDS[name].split()) <= parameters


def test_arguments() -> None:
    """The constructor and init_app() take what they take in Flask-Migrate."""
    app, db = Flask("shop"), object()
    migrate = Migrate(directory=Path("x"), command="c", compare_type=False, include_schemas=True)
    migrate.init_app(app, db, render_as_batch=False, command="schema")
    state = app.extensions["migrate"]
    assert state.migrate is migrate
    assert state.db is db
    assert state.directory == "x"
    assert state.configure_args == {
        "compare_type": False,
        "render_as_batch": False,
        "include_schemas": True,
    }
    assert app.cli.commands["schema"] is group
    assert len(alembic_version) == 3


def test_new_defaults() -> None:
    """Applications of the class Erlen compare server defaults too."""
    app = Erlen("shop")
    Migrate(app, object())
    assert app.extensions["migrate"].configure_args["compare_server_default"] is True


def test_configure(small: Project) -> None:
    """Functions decorated with configure() change the configuration of Alembic."""
    app = small.make_app(nothing)
    migrate: Migrate = app.extensions["migrate"].migrate

    @migrate.configure
    def shorter(config: Config) -> Config:
        config.set_main_option("file_template", "%%(rev)s_own")
        return config

    with app.app_context():
        config = migrate.get_config(x_arg=["a=1", "b=2"], opts=["autogenerate"])
    assert config.get_main_option("file_template") == "%(rev)s_own"
    assert t.cast(t.Any, config.cmd_opts).x == ["a=1", "b=2"]
    assert t.cast(t.Any, config.cmd_opts).autogenerate is True


def test_functions(small: Project) -> None:
    """The functions do what the commands do, and end the program at an error."""
    small.write("one", None, "op.create_table('a', sa.Column('id', sa.Integer))")
    app = small.make_app(nothing)
    with app.app_context():
        upgrade()
        with pytest.raises(SystemExit) as end:
            upgrade(revision="nowhere")
    assert end.value.code == 1
    assert small.columns("a") == {"id"}


def test_process_revision_directives(small: Project) -> None:
    """A project's own hook sees what is about to be written."""
    seen = []

    def hook(context: t.Any, revision: t.Any, directives: list[t.Any]) -> None:
        seen.append(directives[0].message)
        directives.clear()

    app = small.make_app(tables("a"))
    Migrate(
        app,
        app.extensions["migrate"].db,
        small.folder / "migrations",
        process_revision_directives=hook,
    )
    result = app.test_cli_runner().invoke(args=["db", "migrate", "-m", "first"])
    assert result.exit_code == 0, result.output
    assert seen == ["first"]
    assert small.versions() == []


def test_own_environment(small: Project) -> None:
    """A folder made by init has an env.py to change; the history that was there stays."""
    small.step(tables("a"), "--rev-id", "one")
    small.run(tables("a"), "init")
    folder = small.folder / "migrations"
    assert {"env.py", "alembic.ini", "script.py.mako", "README"} <= {
        path.name for path in folder.iterdir()
    }
    small.step(tables("a", "b"), "--rev-id", "two")
    assert len(small.versions()) == 2
    assert "already exists" in small.run(tables("a"), "init", exit_code=1)
    assert "Additional" not in small.run(tables("a"), "list-templates")


def several(folder: Path) -> tuple[Erlen, SQLAlchemy]:
    """Return an application with two databases."""
    app = Erlen("several", root_path=str(folder))
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{folder / 'main.db'}"
    app.config["SQLALCHEMY_BINDS"] = {"other": f"sqlite:///{folder / 'other.db'}"}
    db = SQLAlchemy(app)
    Migrate(app, db, directory=folder / "migrations")
    return app, db


def names(folder: Path, name: str) -> set[str]:
    """Return the tables of a database."""
    engine = sa.create_engine(f"sqlite:///{folder / name}")
    found = set(sa.inspect(engine).get_table_names())
    engine.dispose()
    return found


@pytest.mark.parametrize("own", [False, True])
def test_several_databases(tmp_path: Path, own: bool) -> None:
    """One migration serves several databases, each by its functions."""
    app, db = several(tmp_path)
    db.Table("a", db.Column("id", db.Integer))
    db.Table("b", db.Column("id", db.Integer), bind_key="other")
    runner = app.test_cli_runner()
    commands = [["migrate"], ["upgrade"], ["upgrade"], ["check"], ["status"], ["lint"]]
    if own:
        commands.insert(0, ["init", "--multidb"])
    for command in commands:
        result = runner.invoke(args=["db", *command])
        assert result.exit_code == 0, result.output
    assert names(tmp_path, "main.db") == {"a", "alembic_version"}
    assert names(tmp_path, "other.db") == {"b", "alembic_version"}
    result = runner.invoke(args=["db", "downgrade", "base"])
    assert result.exit_code == 0, result.output
    assert names(tmp_path, "other.db") == {"alembic_version"}
    with app.app_context():
        for database in get_databases():
            database.engine.dispose()


def test_second_database_later(tmp_path: Path) -> None:
    """Migrations from the time of one database run for the default one only."""
    app, db = several(tmp_path)
    db.Table("b", db.Column("id", db.Integer), bind_key="other")
    project = Project(tmp_path, f"sqlite:///{tmp_path / 'main.db'}")
    project.write("one", None, "op.create_table('a', sa.Column('id', sa.Integer))")
    result = app.test_cli_runner().invoke(args=["db", "upgrade"])
    assert result.exit_code == 0, result.output
    assert names(tmp_path, "main.db") == {"a", "alembic_version"}
    assert names(tmp_path, "other.db") == {"alembic_version"}
    with app.app_context():
        for database in get_databases():
            database.engine.dispose()


def test_discovery(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models in modules that nothing imports are found; tests and scripts are left alone."""
    package = tmp_path / "erlenshop"
    (package / "parts").mkdir(parents=True)
    (package / "__init__.py").write_text(
        "from erlen import Erlen\nfrom erlen.db import SQLAlchemy\n"
        "from erlen.migrate import Migrate\n"
        f"app = Erlen(__name__)\napp.config['SQLALCHEMY_DATABASE_URI'] = 'sqlite://'\n"
        f"db = SQLAlchemy(app)\nMigrate(app, db, directory={str(tmp_path / 'migrations')!r})\n"
    )
    (package / "parts" / "__init__.py").touch()
    model = (
        "from erlenshop import db\n"
        "class {0}(db.Model):\n    id = db.Column(db.Integer, primary_key=True)\n"
    )
    (package / "parts" / "stock.py").write_text(model.format("Stock"))
    (package / "orders.py").write_text(model.format("Order"))
    (package / "script.py").write_text("raise SystemExit('must not be imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    import importlib

    app = importlib.import_module("erlenshop").app
    result = app.test_cli_runner().invoke(args=["db", "migrate"])
    assert result.exit_code == 0, result.output
    assert "create table order" in result.output
    assert "create table stock" in result.output
    with app.app_context():
        get_databases()[0].engine.dispose()
    for name in [name for name in sys.modules if name.startswith("erlenshop")]:
        del sys.modules[name]


def test_broken_models(small: Project) -> None:
    """A module of models that cannot be imported is named."""
    output = small.run(nothing, "migrate", exit_code=1, MIGRATE_MODELS=["erlen_no_such_module"])
    assert "'erlen_no_such_module', which seems to have models, cannot be imported" in output
    assert "Traceback" not in output


def test_nothing_changed(small: Project) -> None:
    """'No changes' tells what was seen and what matched."""
    small.step(tables("a", "b"))
    output = small.run(tables("a", "b"), "migrate")
    assert "2 tables of the models seen" in output
    assert "as the models say: a, b." in output


def test_questions(small: Project) -> None:
    """At a terminal, a likely rename is a question, and so is the value of existing rows."""

    def before(db: SQLAlchemy) -> None:
        db.Table("p", db.Column("id", db.Integer, primary_key=True), db.Column("x", db.String(9)))

    def after(db: SQLAlchemy) -> None:
        db.Table(
            "q",
            db.Column("id", db.Integer, primary_key=True),
            db.Column("x", db.String(9)),
            db.Column("n", db.Integer, nullable=False),
        )

    small.step(before)
    small.execute("INSERT INTO p VALUES (1, 'kept')")
    output = small.run(after, "migrate", "--ask", input="y\n7\n")
    assert "Was the table p renamed to q?" in output
    assert "q.n allows no NULL. What do existing rows get? [0]" in output
    small.run(after, "upgrade")
    assert small.query("SELECT x, n FROM q") == [("kept", 7)]
    assert "No changes" in small.run(after, "migrate")


def test_hint(small: Project) -> None:
    """Where nobody can be asked, a likely rename is named, with the option for it."""

    def with_column(name: str) -> t.Callable[[SQLAlchemy], None]:
        def define(db: SQLAlchemy) -> None:
            key = db.Column("id", db.Integer, primary_key=True)
            db.Table("p", key, db.Column(name, db.String(9)))

        return define

    small.step(with_column("x"))
    assert "--rename p.x:y" in small.run(with_column("y"), "migrate")


def test_wrong_answers(small: Project) -> None:
    """An answer to what is no question is refused, before anything is written."""
    small.step(tables("a"))
    output = small.run(tables("a", "b"), "migrate", "--rename", "x:y", exit_code=1)
    assert "--rename x:y fits nothing" in output
    output = small.run(tables("a", "b"), "migrate", "--fill", "b.id=1", exit_code=1)
    assert "--fill b.id=… fits nothing" in output
    assert "takes old:new" in small.run(tables("a"), "migrate", "--rename", "x", exit_code=1)
    assert len(small.versions()) == 1
