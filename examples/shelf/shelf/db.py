"""The database: SQLite, PostgreSQL or MariaDB, by its URL."""

import unicodedata
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql

from erlen import Erlen, current_app, has_request_context, request
from erlen.db import Model, SQLAlchemy
from erlen.migrate import Migrate, upgrade
from erlen.serversessions.database import session_table

from .exceptions import NotReady

db = SQLAlchemy(model_class=Model)
# Sessions are kept here too, and migrations are to know of their table.
session_table(db.metadata)
migrate = Migrate(db=db, directory=Path(__file__).parent / "migrations")

LARGEST_ID = 2**31 - 1  # what an INTEGER holds, in the smallest of the databases


def key(length: int) -> sa.types.TypeEngine[str]:
    """Return the type of folded text: it compares and sorts by its characters' codes.

    Left to themselves the databases would each sort in another way, and MariaDB would take some
    titles for the same that are not.
    """
    return (
        sa.String(length)
        .with_variant(postgresql.VARCHAR(length, collation="C"), "postgresql")
        .with_variant(mysql.VARCHAR(length, collation="utf8mb4_bin"), "mysql", "mariadb")
    )


def fold(text: str) -> str:
    """Return ``text`` without case and accents, to compare and to search: Émile as emile."""
    letters = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))


def database_url(place: str) -> sa.URL:
    """Return the URL of the database at ``place``, which is a URL or the path of a file."""
    return sa.make_url(place) if "://" in place else sa.URL.create("sqlite", database=place)


def create_tables() -> str:
    """Bring the tables to what the models say; return where the database is."""
    url = db.engine.url
    if url.get_backend_name() == "sqlite" and url.database:
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
    upgrade()
    return url.render_as_string()


def check_ready() -> None:
    """Raise ``NotReady`` as long as there are no tables."""
    if "shelf.ready" in current_app.extensions or request_is_static():
        return
    if not sa.inspect(db.engine).has_table("accounts"):
        raise NotReady("The database is not set up yet. Run the commands init-db and seed.")
    current_app.extensions["shelf.ready"] = True


def request_is_static() -> bool:
    """Return whether a file is asked for, which needs no database."""
    return has_request_context() and request.endpoint == "static"


def init_app(app: Erlen) -> None:
    """Connect ``app`` to the database that its configuration names."""
    app.config["SQLALCHEMY_DATABASE_URI"] = database_url(app.config["DATABASE"])
    db.init_app(app)
    migrate.init_app(app)
    app.before_request(check_ready)
