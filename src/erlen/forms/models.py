"""Forms made from SQLAlchemy models, and uniqueness that holds when two people save at once.

This module needs SQLAlchemy, which ``pip install erlen[db]`` brings. It works with every mapped
class. The session is given, or found as ``current_app.extensions["sqlalchemy"].session``, where
``erlen.db`` and Flask-SQLAlchemy put it.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Iterable, Mapping

try:
    import sqlalchemy as sa
    from sqlalchemy.exc import IntegrityError
    from sqlalchemy.orm import Mapper
except ImportError as error:  # pragma: no cover -- a subprocess of the tests sees it
    raise ImportError(
        "Forms from models need SQLAlchemy. Install it with: pip install 'erlen[db]'"
    ) from error

from erlen import current_app

from .base import Field, UnboundField
from .fields import (
    BooleanField,
    DateField,
    DateTimeLocalField,
    DecimalField,
    FloatField,
    IntegerField,
    SelectChoice,
    SelectField,
    StringField,
    TextAreaField,
    TimeField,
)
from .form import FlaskForm
from .validators import InputRequired, Length, NumberRange, Optional

#: Texts longer than this get a field of several lines.
_LONG_TEXT = 500


class ModelForm(FlaskForm):
    """A form whose fields are the columns of a model, and which saves what it holds.

    Set the model in the class ``Meta``. Fields that the class declares itself go before those made
    from columns. Primary keys, foreign keys and computed columns get no field unless ``only`` names
    them.

    ``Meta`` may have:

    - ``model``: the mapped class;
    - ``only``, ``exclude``: names of attributes;
    - ``field_args``: arguments of fields by names of attributes, such as ``{"title": {"label":
      "Title of the book"}}``; ``validators`` are added to those made from the column;
    - ``unique_message``: what the error of a value that is taken says;
    - ``conflicts``: for unique indexes over expressions, by their names, the attribute that gets
      the error.

    .. code-block:: python

        class UserForm(ModelForm):
            class Meta:
                model = User
                only = ["name", "email"]

        @app.route("/users/<int:id>", methods=["GET", "POST"])
        def edit(id):
            user = db.get_or_404(User, id)
            form = UserForm(obj=user)
            if form.validate_on_submit() and form.save():
                return redirect(url_for("users"))
            return render_template("user.html", form=form)

    :param obj: the object to change; without one, :meth:`save` makes a new one.
    :param db_session: the session; by default that of the application.
    :param kwargs: as for :class:`~erlen.forms.FlaskForm`.
    """

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        model = _setting(cls, "model")
        if model is None:
            return
        declared = {name for name in dir(cls) if isinstance(getattr(cls, name), UnboundField)}
        for name, field in make_fields(
            model,
            only=_setting(cls, "only"),
            exclude={*_setting(cls, "exclude", ()), *declared},
            field_args=_setting(cls, "field_args", {}),
        ).items():
            setattr(cls, name, field)

    def __init__(
        self, *args: t.Any, obj: object | None = None, db_session: t.Any = None, **kwargs: t.Any
    ) -> None:
        self._model: type[t.Any] = _setting(type(self), "model")
        if self._model is None:
            raise TypeError(
                f"{type(self).__name__} names no model. Give it a class 'Meta' with 'model = …'."
            )
        super().__init__(*args, obj=obj, **kwargs)
        self._obj = obj
        self._db_session = db_session

    @property
    def db_session(self) -> t.Any:
        """The session that the form looks into and saves with."""
        if self._db_session is None:
            self._db_session = find_session()
        return self._db_session

    def validate(self, extra_validators: t.Any = None) -> bool:
        """Validate the form, and look whether unique values are free.

        :param extra_validators: as of :meth:`wtforms.Form.validate`.
        """
        valid = super().validate(extra_validators)
        return valid and not self._note_taken()

    def save(self, obj: t.Any = None, *, commit: bool = True) -> t.Any:
        """Write the form to an object and that to the database.

        Where somebody else took a unique value since the form was validated, the database refuses;
        that becomes an error of the field, like all others, and the session is usable.

        :param obj: the object; by default the one that the form was made with, or a new one.
        :param commit: whether to commit; else the changes are flushed and the transaction goes on.
        :returns: the object; ``None`` where a value was taken.
        :raises sqlalchemy.exc.IntegrityError: where something else is wrong, such as a foreign key
            that leads nowhere.
        """
        session = self.db_session
        target = obj if obj is not None else self._obj
        if target is None:
            target = self._model()
        try:
            with session.begin_nested():
                self.populate_obj(target)
                session.add(target)
                session.flush()
        except IntegrityError as error:
            # The savepoint is rolled back; what the transaction did before stands.
            if not self._note_conflict(error, target):
                raise
            return None
        if commit:
            session.commit()
        return target

    def _note_conflict(self, error: IntegrityError, target: object) -> bool:
        """Turn the database's error into that of a field; return whether that could be done."""
        if self._note_taken():
            return True
        text = str(error.orig)
        for name, attribute in _setting(type(self), "conflicts", {}).items():
            if name in text:
                self._add_error(attribute)
                return True
        return False

    def _note_taken(self) -> bool:
        """Look for other rows with the form's unique values; note errors and return if so."""
        taken = False
        mapper = _mapper(self._model)
        for attributes in unique_attributes(self._model):
            if not any(name in self for name in attributes):
                continue
            values = {name: self._value(name) for name in attributes}
            # NULL equals nothing, not even NULL (SQL:2016, 8.2).
            if None in values.values():
                continue
            query = sa.select(sa.literal(1)).select_from(mapper.entity).limit(1)
            for name, value in values.items():
                query = query.where(getattr(mapper.entity, name) == value)
            query = self._without_own(query, mapper)
            with self.db_session.no_autoflush:
                found = self.db_session.execute(query).first()
            if found is not None:
                taken = True
                self._add_error(next(name for name in attributes if name in self))
        return taken

    def _without_own(self, query: sa.Select[t.Any], mapper: Mapper[t.Any]) -> sa.Select[t.Any]:
        """Leave the object that the form changes out of a query."""
        state = sa.inspect(self._obj) if self._obj is not None else None
        if state is None or state.identity is None:
            return query
        own = zip(mapper.primary_key, state.identity, strict=True)
        return query.where(sa.not_(sa.and_(*(column == value for column, value in own))))

    def _value(self, name: str) -> t.Any:
        return self[name].data if name in self else getattr(self._obj, name, None)

    def _add_error(self, name: str) -> None:
        field: Field = self[name]
        message = _setting(type(self), "unique_message")
        text = message or field.gettext("This is taken already.")
        if text not in field.errors:
            field.errors = [*field.errors, text]


def _setting(form_class: type[t.Any], name: str, default: t.Any = None) -> t.Any:
    """Return what the class ``Meta`` of a form says, or those of its bases."""
    for cls in form_class.__mro__:
        meta = vars(cls).get("Meta")
        if hasattr(meta, name):
            return getattr(meta, name)
    return default


def find_session() -> t.Any:
    """Return the session of the current application's database.

    :raises RuntimeError: where the application has none.
    """
    database: t.Any = current_app.extensions.get("sqlalchemy")
    if database is None:
        raise RuntimeError(
            "The form needs a database session, and the application has none. Set up erlen.db, or"
            " pass the session: MyForm(db_session=session)."
        )
    return database.session


def make_form(model: type[t.Any], name: str | None = None, **options: t.Any) -> type[ModelForm]:
    """Return a form class for a model.

    :param model: the mapped class.
    :param name: the name of the form class.
    :param options: what :class:`ModelForm` takes in its class ``Meta``.
    """
    meta = type("Meta", (ModelForm.Meta,), {"model": model, **options})
    return type(name or f"{model.__name__}Form", (ModelForm,), {"Meta": meta})


def make_fields(
    model: type[t.Any],
    *,
    only: Iterable[str] | None = None,
    exclude: Iterable[str] = (),
    field_args: Mapping[str, Mapping[str, t.Any]] | None = None,
) -> dict[str, t.Any]:
    """Return fields for the columns of a model, by the names of its attributes.

    :param model: the mapped class.
    :param only: the attributes to make fields for, in this order.
    :param exclude: attributes to leave out.
    :param field_args: arguments of fields by names of attributes.
    :raises ValueError: for a name that the model does not have, or a type that has no field.
    """
    mapper = _mapper(model)
    columns = {attribute.key: attribute.columns[0] for attribute in mapper.column_attrs}
    args = field_args or {}
    left_out = set(exclude)
    unknown = (set(only or ()) | set(args)) - set(columns)
    if unknown - left_out:
        raise ValueError(
            f"{model.__name__} has no columns {', '.join(map(repr, sorted(unknown)))}."
            f" It has: {', '.join(columns)}."
        )
    names = list(only) if only is not None else [n for n, c in columns.items() if _is_plain(c)]
    return {
        name: _make_field(columns[name], args.get(name, {}))
        for name in names
        if name not in left_out
    }


def unique_attributes(model: type[t.Any]) -> list[tuple[str, ...]]:
    """Return which attributes of a model are unique, alone or together.

    :param model: the mapped class.
    """
    mapper = _mapper(model)
    names = {c: attribute.key for attribute in mapper.column_attrs for c in attribute.columns}
    kinds = (sa.UniqueConstraint, sa.PrimaryKeyConstraint)
    groups: list[list[t.Any]] = []
    for table in t.cast("Iterable[sa.Table]", mapper.tables):
        groups += [list(key.columns) for key in table.constraints if isinstance(key, kinds)]
        indexes = [index for index in table.indexes if index.unique and not _is_partial(index)]
        groups += [list(index.expressions) for index in indexes]
    found = [tuple(names[c] for c in group) for group in groups if all(c in names for c in group)]
    return sorted(set(filter(None, found)))


def _is_partial(index: sa.Index) -> bool:
    """Return whether an index is for some rows only, which no other value tells."""
    return any(options.get("where") is not None for options in index.dialect_options.values())


def _mapper(model: type[t.Any]) -> Mapper[t.Any]:
    mapper: t.Any = sa.inspect(model, raiseerr=False)
    if not isinstance(mapper, Mapper):
        raise TypeError(f"{model!r} is no mapped class of SQLAlchemy.")
    return mapper


def _is_plain(column: t.Any) -> bool:
    return (
        isinstance(column, sa.Column)
        and not column.primary_key
        and not column.foreign_keys
        and column.computed is None
    )


def _make_field(column: t.Any, args: Mapping[str, t.Any]) -> t.Any:
    kind, validators, options = _describe(column)
    given = dict(args)
    own: list[t.Any] = [_presence(column, kind), *validators, *given.pop("validators", ())]
    options = {"description": column.doc or "", **options, **given}
    default = _default(column)
    if default is not None:
        options.setdefault("default", default)
    return kind(validators=[validator for validator in own if validator], **options)


def _presence(column: t.Any, kind: type[Field]) -> t.Any:
    """Return the validator that says whether a value must be there."""
    if issubclass(kind, BooleanField):
        return None
    is_needed = not column.nullable and column.server_default is None
    return InputRequired() if is_needed else Optional()


def _default(column: t.Any) -> t.Any:
    default = column.default
    return default.arg if default is not None and default.is_scalar else None


def _empty_to_none(value: t.Any) -> t.Any:
    return None if isinstance(value, str) and not value.strip() else value


def _describe(column: t.Any) -> tuple[type[t.Any], list[t.Any], dict[str, t.Any]]:
    """Return the class of a column's field, its validators and its arguments."""
    type_ = column.type
    if isinstance(type_, sa.Enum):
        return _describe_enum(column, type_)
    for kind, describe in _KINDS:
        if isinstance(type_, kind):
            return describe(column, type_)
    raise ValueError(
        f"There is no field for the column {column.name!r} of the type {type_!r}. Declare one in"
        " the form, or leave the attribute out by 'exclude'."
    )


_Described: t.TypeAlias = "tuple[type[t.Any], list[t.Any], dict[str, t.Any]]"


def _describe_text(column: t.Any, type_: t.Any) -> _Described:
    is_long = isinstance(type_, sa.Text) or (type_.length or 0) > _LONG_TEXT
    validators: list[t.Any] = [Length(max=type_.length)] if type_.length else []
    options = {"filters": [_empty_to_none]} if column.nullable else {}
    return (TextAreaField if is_long else StringField), validators, options


def _describe_integer(column: t.Any, type_: t.Any) -> _Described:
    bits = 63 if isinstance(type_, sa.BigInteger) else 31
    bits = 15 if isinstance(type_, sa.SmallInteger) else bits
    # What does not fit would be an error of the database's driver.
    return IntegerField, [NumberRange(-(2**bits), 2**bits - 1)], {}


def _describe_decimal(column: t.Any, type_: t.Any) -> _Described:
    if not type_.asdecimal:
        return FloatField, [], {}
    validators: list[t.Any] = []
    if type_.precision:
        most = 10 ** (type_.precision - (type_.scale or 0))
        validators.append(NumberRange(-most + 1, most - 1))
    return DecimalField, validators, {"places": type_.scale}


def _describe_enum(column: t.Any, type_: sa.Enum) -> _Described:
    members = type_.enum_class
    choices = [SelectChoice(name, name.replace("_", " ").capitalize()) for name in type_.enums]
    if column.nullable:
        choices.insert(0, SelectChoice("", ""))

    def coerce(value: t.Any) -> t.Any:
        if value is None or value == "":
            return None
        if members is None or isinstance(value, members):
            return value
        if value not in members.__members__:
            raise ValueError(f"{value!r} is none of {', '.join(members.__members__)}.")
        return members[value]

    return SelectField, [], {"choices": choices, "coerce": coerce}


_KINDS: list[tuple[type[t.Any], Callable[[t.Any, t.Any], _Described]]] = [
    (sa.String, _describe_text),
    (sa.Boolean, lambda column, type_: (BooleanField, [], {})),
    (sa.Integer, _describe_integer),
    (sa.Float, lambda column, type_: (FloatField, [], {})),
    (sa.Numeric, _describe_decimal),
    (sa.DateTime, lambda column, type_: (DateTimeLocalField, [], {})),
    (sa.Date, lambda column, type_: (DateField, [], {})),
    (sa.Time, lambda column, type_: (TimeField, [], {})),
]
