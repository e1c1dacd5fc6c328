"""The database: accounts, events and dishes."""

from datetime import date

import click
import sqlalchemy as sa
from erlen import Erlen
from erlen.cli import with_appcontext
from erlen.db import Model, SQLAlchemy
from erlen.login import UserMixin
from sqlalchemy.orm import Mapped, mapped_column, relationship

db = SQLAlchemy(model_class=Model)


class Account(UserMixin, Model):
    """Somebody who can log in."""

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40), unique=True)
    password: Mapped[str] = mapped_column(sa.String(200))

    def get_session_stamp(self) -> str:
        """Return what logins end with: a new password."""
        return self.password


class Event(Model):
    """A dinner."""

    id: Mapped[int] = mapped_column(primary_key=True)
    host_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id"))
    title: Mapped[str] = mapped_column(sa.String(80))
    day: Mapped[date]

    host: Mapped[Account] = relationship()
    dishes: Mapped[list["Dish"]] = relationship(order_by="Dish.id")


class Dish(Model):
    """What somebody brings."""

    id: Mapped[int] = mapped_column(primary_key=True)
    event_id: Mapped[int] = mapped_column(sa.ForeignKey("event.id"))
    cook_id: Mapped[int] = mapped_column(sa.ForeignKey("account.id"))
    name: Mapped[str] = mapped_column(sa.String(80))

    cook: Mapped[Account] = relationship()


def init_db() -> None:
    """Make the tables; what was in them is lost."""
    db.drop_all()
    db.create_all()


@click.command("init-db")
@with_appcontext
def init_db_command() -> None:
    """Make the tables; what was in them is lost."""
    init_db()
    click.echo("The database is ready.")


def init_app(app: Erlen) -> None:
    """Connect the application to its database, and add the command."""
    db.init_app(app)
    app.cli.add_command(init_db_command)
