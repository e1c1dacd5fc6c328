"""The setting SESSION_BACKEND: what it chooses, and what it says where that cannot be."""

from __future__ import annotations

import sys
import typing as t
from pathlib import Path

import pytest
import redis
import redis.asyncio
from click.testing import CliRunner, Result
from tests.serversessions.bench import Bench, add_views, new_extension, store_of

from erlen import Erlen, Flask, session
from erlen.cli import FlaskGroup
from erlen.cli.doctor import find_gaps
from erlen.db import SQLAlchemy
from erlen.db.testing import close_engines
from erlen.exceptions import ConfigError
from erlen.migrate import Migrate
from erlen.serversessions import session_table
from erlen.sessions import SecureCookieSessionInterface


def make_app(tmp_path: Path, **config: t.Any) -> Erlen:
    """Return an application with some settings."""
    app = Erlen("setup", instance_path=str(tmp_path))
    app.config.update({"SECRET_KEY": "k" * 32} | config)
    return app


def run(app: Erlen, *args: str) -> Result:
    """Run a command as ``erlen`` with the application would."""
    return CliRunner().invoke(FlaskGroup(create_app=lambda: app), ["sessions", *args])


MISTAKES: list[tuple[dict[str, t.Any], str]] = [
    ({"SESSION_BACKEND": "mongodb"}, 'SESSION_BACKEND is \'mongodb\'.*"database", "redis"'),
    ({"SESSION_BACKEND": "redis"}, "set SESSION_REDIS_URL"),
    (
        {"SESSION_BACKEND": "redis", "SESSION_REDIS_URL": "http://localhost"},
        "SESSION_REDIS_URL is no URL of a Redis server",
    ),
    ({"SESSION_BACKEND": "database"}, r"Call db.init_app\(app\)"),
    (
        {"SESSION_BACKEND": "auto", "SESSION_OVERFLOW": "cookie"},
        "SESSION_OVERFLOW is 'cookie', which is no place for sessions",
    ),
    ({"SESSION_BACKEND": "auto", "SECRET_KEY": None}, "needs a SECRET_KEY"),
    ({"SESSION_BACKEND": "memory", "SESSION_UNAVAILABLE": "maybe"}, "SESSION_UNAVAILABLE is"),
    ({"SESSION_BACKEND": "memory", "SESSION_IDLE_TIMEOUT": "1h"}, "SESSION_IDLE_TIMEOUT is '1h'"),
    ({"SESSION_BACKEND": "memory", "SESSION_LIFETIME": -1}, "SESSION_LIFETIME is -1"),
]


@pytest.mark.parametrize(("config", "message"), MISTAKES)
def test_mistakes_are_explained(tmp_path: Path, config: dict[str, t.Any], message: str) -> None:
    """A setting that cannot be is an error with the remedy, with the first request at latest."""
    app = make_app(tmp_path, TESTING=True, **config)
    add_views(app)
    with pytest.raises(ConfigError, match=message):
        _ = app.session_interface
    with pytest.raises(ConfigError, match=message):
        app.test_client().get("/untouched")


def test_a_database_in_memory_is_refused(tmp_path: Path) -> None:
    """All of such a database is one connection, whose transaction is the application's."""
    app = make_app(tmp_path, SESSION_BACKEND="database", SQLALCHEMY_DATABASE_URI="sqlite://")
    SQLAlchemy(app)
    with pytest.raises(ConfigError, match='set SESSION_BACKEND to "memory"'):
        _ = app.session_interface


def test_an_unknown_bind_key_is_refused(tmp_path: Path) -> None:
    """SESSION_DATABASE_BIND must be a key of the binds."""
    app = make_app(tmp_path, SESSION_BACKEND="database", SQLALCHEMY_DATABASE_URI="sqlite:///a.db")
    app.config["SESSION_DATABASE_BIND"] = "other"
    SQLAlchemy(app)
    with pytest.raises(ConfigError, match="no key of SQLALCHEMY_BINDS"):
        _ = app.session_interface


def test_an_asynchronous_client_is_refused(tmp_path: Path) -> None:
    """SESSION_REDIS takes a synchronous client, and says what to do for the other kind."""
    app = make_app(tmp_path, SESSION_BACKEND="redis", SESSION_REDIS=redis.asyncio.Redis())
    with pytest.raises(ConfigError, match="Set SESSION_REDIS_URL instead"):
        _ = app.session_interface


@pytest.mark.parametrize(
    ("backend", "package", "extra"),
    [
        ("redis", "redis", "redis"),
        ("database", "sqlalchemy", "db"),
        ("encrypted", "cryptography", "encrypted"),
    ],
)
def test_a_missing_package_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: str, package: str, extra: str
) -> None:
    """Where an extra is not installed, the error names it."""
    for name in list(sys.modules):
        if name.partition(".")[0] == package:
            monkeypatch.delitem(sys.modules, name)
    for module in ("redis", "database", "encrypted", "wire"):
        monkeypatch.delitem(sys.modules, f"erlen.serversessions.{module}", raising=False)
    monkeypatch.setitem(sys.modules, package, None)
    app = make_app(tmp_path, SESSION_BACKEND=backend, SESSION_REDIS_URL="redis://localhost")
    with pytest.raises(ConfigError, match=rf"erlen\[{extra}\]"):
        _ = app.session_interface


def test_the_cookie_is_the_default(tmp_path: Path) -> None:
    """Without the setting, sessions are where Flask keeps them."""
    assert type(Flask("plain").session_interface) is SecureCookieSessionInterface
    assert type(Flask.session_interface) is SecureCookieSessionInterface


def test_an_interface_that_is_set_goes_first(tmp_path: Path) -> None:
    """Extensions set app.session_interface, and the setting is not even looked at."""

    class Own(SecureCookieSessionInterface):
        pass

    app = make_app(tmp_path, SESSION_BACKEND="nonsense")
    app.session_interface = Own()
    assert type(app.session_interface) is Own

    class Application(Erlen):
        session_interface = Own()

    assert type(Application("sub").session_interface) is Own


def test_settings_may_change_before_the_first_request(tmp_path: Path) -> None:
    """What looked at the interface while the application was set up does not fix it."""
    app = make_app(tmp_path, SESSION_BACKEND="memory")
    first = app.session_interface
    assert app.session_interface is first
    app.config["SESSION_BACKEND"] = "filesystem"
    assert app.session_interface is not first
    add_views(app)
    app.test_client().get("/")
    fixed = app.session_interface
    app.config["SESSION_BACKEND"] = "memory"
    assert app.session_interface is fixed


def test_a_client_of_ones_own(tmp_path: Path, redis_bench: Bench) -> None:
    """SESSION_REDIS is used as it is, one that decodes too, and in coroutines as well."""
    client = redis.Redis(decode_responses=True, socket_timeout=5)
    app = redis_bench.app(SESSION_REDIS=client)
    for gateway in ("wsgi", "asgi"):
        browser = app.test_client(gateway=gateway)
        browser.get("/async/put/a/1")
        browser.get("/login/ann")
        assert browser.get("/async/").json == {"a": "1", "user": "ann"}
    client.close()


def test_a_url_with_options(redis_bench: Bench) -> None:
    """Options in the URL count, apart from those that would change how the store speaks."""
    url = "redis://localhost:6379/0?protocol=3&client_name=visits&decode_responses=yes"
    client = redis_bench.client(SESSION_REDIS_URL=url)
    client.get("/put/a/1")
    client.get("/async/login/ann")
    assert client.get("/").json == {"a": "1", "user": "ann"}
    assert client.get("/async/").json == {"a": "1", "user": "ann"}


def test_connections_come_and_go(redis_bench: Bench) -> None:
    """A store does not run out of connections, however many it has made in its time."""
    store = t.cast(t.Any, redis_bench.store())
    for _ in range(300):
        assert store.load("0" * 64) is None
        store.close()


def test_applications_do_not_share_sessions(tmp_path: Path) -> None:
    """Two applications on one Redis server have different keys unless they are told otherwise."""
    stores = []
    for name in ("one", "two"):
        app = Erlen(name)
        app.config.update(SESSION_BACKEND="redis", SESSION_REDIS_URL="redis://localhost")
        stores.append(t.cast(t.Any, store_of(app)).prefix)
    assert stores == ["one:session:", "two:session:"]


# --- Tables -------------------------------------------------------------------------------------


def database_app(tmp_path: Path, **config: t.Any) -> tuple[Erlen, SQLAlchemy]:
    """Return an application that keeps sessions in its database, and the extension."""
    config = {"SQLALCHEMY_DATABASE_URI": "sqlite:///a.db", **config}
    app = make_app(tmp_path, SESSION_BACKEND="database", TESTING=True, **config)
    return app, new_extension(app)


def test_the_table_is_one_of_the_models(tmp_path: Path) -> None:
    """Both create_all() and the table's own function add it, once."""
    app, db = database_app(tmp_path)
    with app.app_context():
        db.create_all()
    assert session_table(db.metadata) is db.metadata.tables["erlen_sessions"]


def test_migrations_see_the_table(tmp_path: Path) -> None:
    """A generated migration makes the table, and then there is nothing left to do."""
    app, db = database_app(tmp_path)
    Migrate(app, db, directory=str(tmp_path / "migrations"))
    runner = app.test_cli_runner()
    for command in ("init", "migrate -m sessions", "upgrade", "check"):
        result = runner.invoke(args=["db", *command.split()])
        assert result.exit_code == 0, result.output
    (version,) = (tmp_path / "migrations" / "versions").glob("*.py")
    assert "erlen_sessions" in version.read_text()
    add_views(app)
    client = app.test_client()
    client.get("/put/a/1")
    assert client.get("/").json == {"a": "1"}
    close_engines(app)


def test_a_table_and_a_database_of_its_own(tmp_path: Path) -> None:
    """SESSION_DATABASE_TABLE and SESSION_DATABASE_BIND say where the table is."""
    app, db = database_app(
        tmp_path,
        SQLALCHEMY_BINDS={"visits": "sqlite:///visits.db"},
        SESSION_DATABASE_BIND="visits",
        SESSION_DATABASE_TABLE="visits",
    )
    add_views(app)
    with app.app_context():
        db.create_all()
    client = app.test_client()
    client.get("/put/a/1")
    assert client.get("/").json == {"a": "1"}
    import sqlalchemy as sa

    with app.app_context(), db.engines["visits"].connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM visits")) == 1
    close_engines(app)


def test_the_transaction_of_the_view_is_its_own(tmp_path: Path) -> None:
    """Saving the session neither commits nor undoes what the view has not committed."""
    app, db = database_app(tmp_path, SQLALCHEMY_BINDS={"visits": "sqlite:///visits.db"})
    app.config["SESSION_DATABASE_BIND"] = "visits"

    class Book(db.Model):  # type: ignore[name-defined,misc]
        id = db.Column(db.Integer, primary_key=True)

    @app.get("/half")
    def half() -> str:
        db.session.add(Book())
        db.session.flush()
        session["a"] = 1
        return "not committed"

    @app.get("/count")
    def count() -> str:
        return f"{db.session.query(Book).count()} {session['a']}"

    with app.app_context():
        db.create_all()
    client = app.test_client()
    client.get("/half")
    assert client.get("/count").text == "0 1"
    close_engines(app)


# --- Commands -----------------------------------------------------------------------------------


def test_the_commands(memory: Bench) -> None:
    """Sessions can be listed, ended and cleaned up from the command line."""
    app = memory.app()
    client = app.test_client()
    client.get("/login/ann")
    app.test_client().get("/login/ann")
    listed = run(app, "list", "ann").output.splitlines()
    assert len(listed) == 2
    assert "Python" in listed[0]
    assert "127.0.0.1" in listed[0]
    result = run(app, "revoke", "ann", listed[0].split()[0])
    assert result.output == "Ended 1 session of 'ann'.\n"
    result = run(app, "revoke", "ann", "nonsense")
    assert result.exit_code == 1
    assert result.output == "Error: 'ann' has no session with the id 'nonsense'.\n"
    result = run(app, "revoke", "ann")
    assert result.output == "Ended 1 session of 'ann'.\n"
    result = run(app, "prune")
    assert result.output == "Deleted 0 sessions that had ended.\n"


def test_commands_explain(tmp_path: Path) -> None:
    """Without sessions on the server, with a mistake and with a store that is down: one line."""
    for config, message in (
        ({}, "keeps its sessions in cookies"),
        ({"SESSION_BACKEND": "nonsense"}, "no place for sessions"),
        (
            {"SESSION_BACKEND": "redis", "SESSION_REDIS_URL": f"unix://{tmp_path}/none"},
            "The store of sessions cannot be asked",
        ),
    ):
        app = make_app(tmp_path, **config)
        result = run(app, "list", "ann")
        assert result.exit_code == 1
        assert message in result.output
        assert len(result.output.splitlines()) == 1


def test_an_application_has_its_own_command(tmp_path: Path) -> None:
    """A command "sessions" that an application had before goes first."""
    app = make_app(tmp_path)

    @app.cli.command("sessions")
    def sessions() -> None:
        print("mine")

    assert run(app).output == "mine\n"


def test_the_doctor_names_gaps(tmp_path: Path) -> None:
    """Sessions in memory, without an end, on a plain connection or a client without patience."""
    for config, gap in (
        ({"SESSION_BACKEND": "memory"}, "Sessions are kept in the memory of each process"),
        ({"SESSION_BACKEND": "redis", "SESSION_LIFETIME": None}, "SESSION_LIFETIME is not set"),
        (
            {"SESSION_BACKEND": "redis", "SESSION_REDIS_URL": "redis://sessions.example.org"},
            "SESSION_REDIS_URL is a plain connection",
        ),
        (
            {"SESSION_BACKEND": "redis", "SESSION_REDIS": redis.Redis(socket_timeout=None)},
            "SESSION_REDIS is a client without socket_timeout",
        ),
    ):
        app = make_app(tmp_path, **config)
        assert any(found.startswith(gap) for found in find_gaps(app)), gap
    fine = {"SESSION_BACKEND": "redis", "SESSION_REDIS_URL": "redis://localhost"}
    app = make_app(tmp_path, **fine, TRUSTED_HOSTS=["a"], SESSION_COOKIE_SECURE=True)
    assert not any("SESSION" in found for found in find_gaps(app))


def test_a_page_without_sessions_imports_no_store(tmp_path: Path) -> None:
    """The package of the stores is not imported by an application that has none."""
    import subprocess

    program = (
        "import sys; from erlen import Erlen; app = Erlen('a'); app.add_url_rule('/', view_func="
        "lambda: 'x'); app.test_client().get('/');"
        "sys.exit('erlen.serversessions' in sys.modules or 'redis' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=tmp_path)
