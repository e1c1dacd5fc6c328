"""Forms made from models, and unique values when two people save at once."""

from __future__ import annotations

import datetime
import enum
import typing as t
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
from tests.services import mariadb_url, postgresql_url

from erlen import Erlen
from erlen.db import Model as ErlenModel
from erlen.db import SQLAlchemy
from erlen.forms import FlaskForm
from erlen.forms.fields import (
    BooleanField,
    DateField,
    DateTimeLocalField,
    DecimalField,
    FloatField,
    IntegerField,
    SelectField,
    StringField,
    TextAreaField,
    TimeField,
)
from erlen.forms.models import ModelForm, make_fields, make_form, unique_attributes
from erlen.forms.validators import Email


class Base(DeclarativeBase):
    """The base of the models here."""


class Colour(enum.Enum):
    """A colour."""

    red = 1
    dark_blue = 2


class Shop(Base):
    """Where users buy."""

    __tablename__ = "shops"
    id: Mapped[int] = mapped_column(primary_key=True)


class User(Base):
    """A model with a column of each kind, and each kind of uniqueness."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(40), unique=True, doc="As others see it")
    email: Mapped[str | None] = mapped_column(sa.String(100), unique=True)
    country: Mapped[str | None] = mapped_column(sa.String(2))
    number: Mapped[int | None]
    about: Mapped[str | None] = mapped_column(sa.Text)
    small: Mapped[int | None] = mapped_column(sa.SmallInteger)
    large: Mapped[int | None] = mapped_column(sa.BigInteger)
    price: Mapped[Decimal | None] = mapped_column(sa.Numeric(6, 2))
    weight: Mapped[float | None]
    height: Mapped[float | None] = mapped_column(sa.Numeric(6, 2, asdecimal=False))
    active: Mapped[bool] = mapped_column(default=True)
    born: Mapped[datetime.date | None]
    seen: Mapped[datetime.datetime | None]
    wakes: Mapped[datetime.time | None]
    colour: Mapped[Colour | None]
    size: Mapped[str] = mapped_column(sa.Enum("S", "L", name="size"), default="S")
    shop_id: Mapped[int | None] = mapped_column(sa.ForeignKey("shops.id"))
    doubled: Mapped[int | None] = mapped_column(sa.Computed("number * 2", persisted=True))

    __table_args__ = (
        sa.UniqueConstraint("country", "number"),
        sa.CheckConstraint("number < 1000", name="low"),
        sa.Index("uq_users_lower_name", sa.func.lower(name), unique=True),
        sa.Index("active_names", "name", "active", unique=True, sqlite_where=sa.text("active")),
    )


class UserForm(ModelForm):
    """The form of a user."""

    class Meta:
        """What it is made of."""

        model = User
        only = ["name", "email", "country", "number"]
        field_args = {"email": {"validators": [Email()], "label": "E-mail"}}
        unique_message = "Somebody has this."
        conflicts = {"uq_users_lower_name": "name"}


@pytest.fixture
def app() -> Erlen:
    """An application without tokens."""
    app = Erlen(__name__)
    app.config.update(SECRET_KEY="for tests", WTF_CSRF_ENABLED=False)
    return app


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mariadb"])
def database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[sa.Engine]:
    """A database with the tables, of each kind."""
    folder = tmp_path_factory.mktemp("database")
    urls: dict[str, t.Callable[[], str]] = {
        "sqlite": lambda: f"sqlite:///{folder}/test.db",
        "postgresql": lambda: postgresql_url("model_forms"),
        "mariadb": lambda: mariadb_url("model_forms"),
    }
    engine = sa.create_engine(urls[request.param]())
    if request.param == "sqlite":
        # Without this Python begins transactions too late, and a savepoint would commit.
        sa.event.listen(engine, "connect", lambda db, _: setattr(db, "isolation_level", None))
        sa.event.listen(engine, "begin", lambda db: db.exec_driver_sql("BEGIN"))
    tables = sa.MetaData()
    for table in Base.metadata.sorted_tables:
        copy = table.to_metadata(tables)
        if request.param == "mariadb":
            # It has no indexes over expressions.
            copy.indexes = {index for index in copy.indexes if "lower" not in str(index.name)}
    tables.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def engine(database: sa.Engine) -> sa.Engine:
    """The database without users."""
    with database.begin() as connection:
        connection.execute(sa.delete(User))
    return database


def fill(app: Erlen, session: Session, obj: User | None = None, **data: str) -> UserForm:
    """Return the form with what somebody sent."""
    with app.test_request_context("/", method="POST", data=data):
        return UserForm(obj=obj, db_session=session)


def test_the_fields_of_columns() -> None:
    """Each type of column has its field; keys and computed columns have none."""
    kinds = {name: field.field_class for name, field in make_fields(User).items()}
    assert kinds == {
        "name": StringField,
        "email": StringField,
        "country": StringField,
        "number": IntegerField,
        "about": TextAreaField,
        "small": IntegerField,
        "large": IntegerField,
        "price": DecimalField,
        "weight": FloatField,
        "height": FloatField,
        "active": BooleanField,
        "born": DateField,
        "seen": DateTimeLocalField,
        "wakes": TimeField,
        "colour": SelectField,
        "size": SelectField,
    }


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("name", "", "This field is required."),
        ("name", "x" * 41, "Field cannot be longer than 40 characters."),
        ("number", str(2**31), "Number must be between -2147483648 and 2147483647."),
        ("small", "40000", "Number must be between -32768 and 32767."),
        ("price", "10000", "Number must be between -9999 and 9999."),
        ("colour", "green", "Invalid Choice: could not coerce."),
        ("size", "M", "Not a valid choice."),
    ],
)
def test_what_a_column_cannot_hold(app: Erlen, name: str, value: str, message: str) -> None:
    """The form refuses it, and not the database's driver."""
    form_class = make_form(User)
    sent = {"name": "Ada", "size": "S", name: value}
    with app.test_request_context("/", method="POST", data=sent):
        form = form_class()
        FlaskForm.validate(form)
        assert form.errors == {name: [message]}


def test_what_was_sent_becomes_values(app: Erlen) -> None:
    """They are of the columns' types; an empty text is NULL where that is allowed."""
    sent = {"name": "Ada", "size": "L", "email": " ", "colour": "dark_blue", "price": "1.50"}
    with app.test_request_context("/", method="POST", data=sent):
        form = make_form(User)()
        user = User()
        assert FlaskForm.validate(form), form.errors
        form.populate_obj(user)
    assert (user.email, user.colour, user.size, user.price) == (
        None,
        Colour.dark_blue,
        "L",
        Decimal("1.50"),
    )


def test_defaults_and_descriptions(app: Erlen) -> None:
    """The model's are those of a new form."""
    with app.test_request_context():
        form = make_form(User, "Anything")()
        assert type(form).__name__ == "Anything"
        assert form["active"].data is True
        assert form["size"].data == "S"
        assert form["name"].description == "As others see it"
        assert form["name"].flags.required
        assert not form["email"].flags.required
        assert 'value="dark_blue">Dark blue' in str(form["colour"]())


def test_fields_of_the_class_go_first(app: Erlen) -> None:
    """A field that is declared is not made from the column; others can be left out."""

    class OwnForm(ModelForm):
        class Meta:
            model = User
            exclude = ["about", "seen"]

        name = TextAreaField("Called")

    with app.test_request_context():
        form = OwnForm()
    assert form.name.type == "TextAreaField"
    assert "about" not in form
    assert "born" in form


def test_names_that_are_wrong() -> None:
    """The error lists the names that there are."""
    with pytest.raises(ValueError, match="User has no columns 'nmae'. It has: id, name"):
        make_fields(User, only=["nmae"])


def test_a_type_without_a_field() -> None:
    """The error says what to do."""

    class Blob(Base):
        __tablename__ = "blobs"
        id: Mapped[int] = mapped_column(primary_key=True)
        data: Mapped[bytes]

    with pytest.raises(ValueError, match="no field for the column 'data'"):
        make_fields(Blob)
    assert make_fields(Blob, exclude=["data"]) == {}
    Base.metadata.remove(Base.metadata.tables["blobs"])


def test_a_class_that_is_no_model(app: Erlen) -> None:
    """So says the error."""
    with pytest.raises(TypeError, match="no mapped class"):
        make_fields(int)
    with app.test_request_context(), pytest.raises(TypeError, match="ModelForm names no model"):
        ModelForm()


def test_what_is_unique() -> None:
    """Constraints and plain unique indexes count; those over expressions or some rows do not."""
    assert unique_attributes(User) == [("country", "number"), ("email",), ("id",), ("name",)]


def test_a_value_that_is_taken(app: Erlen, engine: sa.Engine) -> None:
    """Validation finds it, alone or together with another."""
    with Session(engine) as session:
        session.add(User(name="Ada", email="a@example.com", country="uk", number=1))
        session.commit()
        form = fill(app, session, name="Ada", email="a@example.com", country="uk", number="1")
        assert not form.validate()
        assert form.errors == {
            "name": ["Somebody has this."],
            "email": ["Somebody has this."],
            "country": ["Somebody has this."],
        }
        assert fill(app, session, name="Grace", country="uk", number="2").validate()
        # NULL is never taken.
        assert fill(app, session, name="Edsger", country="uk").validate()


def test_saving(app: Erlen, engine: sa.Engine) -> None:
    """A new object, and then the same again with other values; its own are not taken."""
    with Session(engine) as session:
        form = fill(app, session, name="Ada", email="a@example.com")
        assert form.validate()
        user = form.save()
        assert user is not None
        form = fill(app, session, user, name="Ada", email="b@example.com")
        assert form.validate()
        assert form.save() is user
    with Session(engine) as session:
        assert [(u.name, u.email) for u in session.query(User)] == [("Ada", "b@example.com")]


def test_a_race(app: Erlen, engine: sa.Engine) -> None:
    """Two forms are valid at the same time; who saves second gets an error of the field."""
    with Session(engine) as one, Session(engine) as two:
        first, second = fill(app, one, name="Ada"), fill(app, two, name="Ada")
        assert first.validate()
        assert second.validate()
        for session in (one, two):
            session.rollback()
        assert first.save() is not None
        assert second.save() is None
        assert second.errors == {"name": ["Somebody has this."]}
        # The session goes on.
        again = fill(app, two, name="Grace")
        assert again.validate()
        assert again.save() is not None
    with Session(engine) as session:
        assert sorted(session.scalars(sa.select(User.name))) == ["Ada", "Grace"]


def test_a_race_while_changing(app: Erlen, engine: sa.Engine) -> None:
    """An object that was there stays as it was."""
    with Session(engine) as one, Session(engine) as two:
        two.add(User(name="Grace"))
        two.commit()
        grace = two.scalars(sa.select(User)).one()
        second = fill(app, two, grace, name="Ada")
        assert second.validate()
        two.rollback()
        assert fill(app, one, name="Ada").save() is not None
        assert second.save() is None
        assert second.errors == {"name": ["Somebody has this."]}
        assert grace.name == "Grace"


@pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)
def test_an_index_over_an_expression(app: Erlen, engine: sa.Engine) -> None:
    """Its name says which field gets the error."""
    with Session(engine) as session:
        assert fill(app, session, name="Ada").save() is not None
        form = fill(app, session, name="ADA")
        assert form.validate()
        assert form.save() is None
        assert form.errors == {"name": ["Somebody has this."]}


def test_other_errors_of_the_database_are_raised(app: Erlen, engine: sa.Engine) -> None:
    """Only what a field can be blamed for becomes an error of the form."""
    with Session(engine) as session:
        form = fill(app, session, name="Ada", number="5000")
        assert form.validate()
        with pytest.raises((IntegrityError, OperationalError)):
            form.save()


def test_saving_without_a_commit(app: Erlen, engine: sa.Engine) -> None:
    """The change is part of the transaction, and goes with it."""
    with Session(engine) as session:
        assert fill(app, session, name="Ada").save(commit=False) is not None
        session.rollback()
        assert session.scalar(sa.select(sa.func.count(User.id))) == 0


def test_what_the_transaction_did_before_stands(app: Erlen, engine: sa.Engine) -> None:
    """A value that is taken undoes the form's change only."""
    with Session(engine) as session:
        session.add(User(name="Ada"))
        session.commit()
        session.add(User(name="Grace"))
        session.flush()
        assert fill(app, session, name="Ada").save() is None
        session.commit()
        assert sorted(session.scalars(sa.select(User.name))) == ["Ada", "Grace"]


def test_the_session_of_the_application() -> None:
    """With ``erlen.db`` there is nothing to pass."""
    app = Erlen(__name__)
    app.config.update(
        SECRET_KEY="for tests",
        WTF_CSRF_ENABLED=False,
        SQLALCHEMY_DATABASE_URI="sqlite://",
    )
    db = SQLAlchemy(model_class=type("Base", (ErlenModel,), {"__abstract__": True}))

    class Reader(db.Model):  # type: ignore[name-defined, misc]
        id: Mapped[int] = mapped_column(primary_key=True)
        name: Mapped[str] = mapped_column(sa.String(40), unique=True)

    db.init_app(app)
    reader_form = make_form(Reader)
    with app.app_context():
        db.create_all()

    @app.post("/")
    def add() -> t.Any:
        form = reader_form()
        if form.validate_on_submit() and (reader := form.save()):
            return {"id": reader.id}
        return form.errors, 422

    client = app.test_client()
    assert client.post("/", data={"name": "Ada"}).json == {"id": 1}
    assert client.post("/", data={"name": "Ada"}).json == {"name": ["This is taken already."]}


def test_an_application_without_a_database(app: Erlen) -> None:
    """The error says how to give the form a session."""
    with app.test_request_context("/", method="POST", data={"name": "Ada"}):
        form = UserForm()
        with pytest.raises(RuntimeError, match="db_session=session"):
            form.validate()
