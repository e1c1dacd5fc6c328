"""The form: it takes its data from the current request by itself."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import partial

from markupsafe import Markup
from werkzeug.utils import cached_property

from erlen import current_app, session

from .base import BaseForm, DefaultMeta, Field, Flags, UnboundField
from .csrf import _FlaskFormCSRF
from .fields import DecimalField, FieldList
from .i18n import has_languages, translations
from .rendering import RenderedForm
from .submission import SUBMIT_METHODS as SUBMIT_METHODS
from .submission import is_submitted as _is_submitted
from .submission import read_submission
from .validation import is_async, put_off, put_off_all, put_off_methods, sync_types, validate_all
from .widgets import HiddenInput

__all__ = ["FlaskForm", "FlaskMeta", "Form"]

_Auto: t.Any = object()

#: The most digits of an entry's number in a list of fields.
MAX_INDEX_DIGITS = 9


class QuickFlags(Flags):
    """What validators and widgets note about a field.

    PERF: widgets ask each time for all names, and get here those that were noted, without those
    that each object has.
    """

    def __dir__(self) -> list[str]:
        return list(vars(self))


class BaseMeta(DefaultMeta):
    """How fields are made: so that no text that is sent makes one of them fail."""

    def bind_field(
        self, form: BaseForm, unbound_field: UnboundField, options: dict[str, t.Any]
    ) -> Field:
        """Make a field of a form.

        :param form: the form.
        :param unbound_field: what the form's class says about it.
        :param options: what the form adds.
        """
        field = unbound_field.bind(form=form, **options)
        if type(field.flags) is Flags:
            field.flags.__class__ = QuickFlags
        for validator in field.validators:
            if type(validator) not in sync_types and is_async(validator):
                field.validators = [put_off(v) if is_async(v) else v for v in field.validators]
                break
        if isinstance(field, FieldList):
            # That of WTForms fails by digits that int() does not take ("²"), or not so many.
            vars(field)["_extract_indices"] = partial(_find_indices, field)
        elif isinstance(field, DecimalField):
            field.filters = (_quieten, *field.filters)
        return field


class FlaskMeta(BaseMeta):
    """What forms take from the configuration; a form's class ``Meta`` overrides it."""

    csrf_class = _FlaskFormCSRF
    csrf_context = session
    csrf: t.Any = cached_property(
        lambda self: current_app.config.get("WTF_CSRF_ENABLED", True),
        name="csrf",
        doc="Whether the form has a token.",
    )
    csrf_secret: t.Any = cached_property(
        lambda self: current_app.config.get("WTF_CSRF_SECRET_KEY", current_app.secret_key),
        name="csrf_secret",
        doc="The key that tokens are signed with.",
    )
    csrf_field_name: t.Any = cached_property(
        lambda self: current_app.config.get("WTF_CSRF_FIELD_NAME", "csrf_token"),
        name="csrf_field_name",
        doc="The name of the field with the token.",
    )
    csrf_time_limit: t.Any = cached_property(
        lambda self: current_app.config.get("WTF_CSRF_TIME_LIMIT", 3600),
        name="csrf_time_limit",
        doc="For how many seconds a token is good.",
    )

    def wrap_formdata(self, form: BaseForm, formdata: t.Any) -> t.Any:
        """Return the data for a form.

        :param form: the form.
        :param formdata: what it was given.
        """
        return read_submission(form) if formdata is _Auto else formdata

    def get_translations(self, form: BaseForm) -> t.Any:
        """Return what translates the messages of a form.

        :param form: the form.
        """
        if not current_app.config.get("WTF_I18N_ENABLED", True):
            return super().get_translations(form)
        # PERF: a form asks for each of its labels.
        return translations if has_languages() else None


class Form(RenderedForm):
    """A form that is given its data, with no token: a part of another form, or one for a search.

    :param formdata: the data, for example ``request.args``.
    :param obj: an object whose attributes the fields begin with.
    :param prefix: what stands before the names of fields.
    :param data: values that the fields begin with.
    :param meta: values that go before those of the class ``Meta``.
    :param kwargs: further values of fields.

    .. code-block:: python

        class AddressForm(Form):
            street = StringField()

        class OrderForm(FlaskForm):
            address = FormField(AddressForm)
    """

    # Not a class within this one: a form may have a plain ``class Meta``, which is no subclass.
    Meta: t.ClassVar[t.Any] = BaseMeta

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        put_off_methods(cls)

    def validate(self, extra_validators: Mapping[str, Sequence[t.Any]] | None = None) -> bool:
        """Run all validators, those of fields and the form's ``validate_<field>`` methods.

        Coroutines run after the others, for the fields that are right so far.

        :param extra_validators: more of them, by the names of fields.
        :returns: whether nothing is wrong; :attr:`errors` says what is.

        .. code-block:: python

            class SignUp(FlaskForm):
                name = StringField(validators=[DataRequired()])

                async def validate_name(self, field: StringField) -> None:
                    if await is_taken(field.data):
                        raise ValidationError("This name is taken.")
        """
        return validate_all(self, partial(super().validate, put_off_all(extra_validators)))


class FlaskForm(Form):
    """A form that takes its data from the current request and carries a CSRF token.

    :param formdata: the data; by default those of the request, where it submits a form. ``None``
        for a form without.
    :param kwargs: as for a form of WTForms: ``obj``, ``data``, ``prefix``, ``meta``, and values of
        fields.

    .. code-block:: python

        class BookForm(FlaskForm):
            title = StringField(validators=[DataRequired()])

        @app.route("/new", methods=["GET", "POST"])
        def new() -> ResponseReturnValue:
            form = BookForm()
            if form.validate_on_submit():
                save(form.title.data)
                return redirect("/")
            return render_template("new.html", form=form)
    """

    Meta: t.ClassVar[t.Any] = FlaskMeta

    def __init__(self, formdata: t.Any = _Auto, **kwargs: t.Any) -> None:
        super().__init__(formdata=formdata, **kwargs)

    def is_submitted(self) -> bool:
        """Say whether the current request submits a form: POST, PUT, PATCH or DELETE."""
        return _is_submitted()

    def validate_on_submit(
        self, extra_validators: Mapping[str, Sequence[t.Any]] | None = None
    ) -> bool:
        """Validate the form where it is submitted.

        :param extra_validators: as for :meth:`validate`.
        :returns: whether it is submitted and valid.
        """
        return self.is_submitted() and self.validate(extra_validators=extra_validators)

    def hidden_tag(self, *fields: str | Field | None) -> Markup:
        """Return the hidden fields as HTML, the token among them.

        :param fields: fields, or names of fields, to choose from; by default all.
        """
        chosen = self._hidden(fields or self)
        return Markup("\n".join(str(field) for field in chosen))

    def _hidden(self, fields: Iterable[str | Field | None]) -> Iterator[Field]:
        for field in fields:
            found = getattr(self, field, None) if isinstance(field, str) else field
            if found is not None and isinstance(found.widget, HiddenInput):
                yield found


def _quieten(value: t.Any) -> t.Any:
    """Return a signaling NaN as a quiet one: comparing it would raise."""
    return Decimal("NaN") if isinstance(value, Decimal) and value.is_snan() else value


def _find_indices(field: FieldList[Field], prefix: str, formdata: t.Any) -> Iterator[int]:
    """Yield the numbers of the entries of a list that were sent.

    :param field: the list.
    :param prefix: its name.
    :param formdata: what was sent.
    """
    separator = field.unbound_field.kwargs.get("separator", "-")
    for key in formdata:
        if key.startswith(prefix):
            number = key[len(prefix) + 1 :].split(separator, 1)[0]
            if number.isascii() and number.isdigit() and len(number) <= MAX_INDEX_DIGITS:
                yield int(number)
