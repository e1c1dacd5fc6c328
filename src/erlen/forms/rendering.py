"""Forms as accessible HTML, from templates that an application may replace one by one.

Each style is a folder of templates, ``erlen/forms/<style>/``. The application's own templates come
first, so a file of the same name in its folder replaces one of these.
"""

from __future__ import annotations

import json
import typing as t
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, TemplateNotFound
from markupsafe import Markup

from erlen import Blueprint, current_app

from .base import BaseForm, Field, Form, UnboundField
from .fields import (
    BooleanField,
    FieldList,
    FormField,
    PasswordField,
    RadioField,
    SelectFieldBase,
    SubmitField,
)
from .i18n import gettext
from .rows import ADD_BUTTON, REMOVE_BUTTON, Rows, find_rows
from .widgets import FileInput, HiddenInput, ListWidget, html_params

if t.TYPE_CHECKING:
    from erlen import Flask

TEMPLATES = Path(__file__).parent / "templates"
_EXTENSION = "erlen.forms.rendering"

#: What browsers fill in by themselves, by the names of fields (HTML, 4.10.18.7; WCAG 2.2, 1.3.5).
AUTOCOMPLETE = {
    "address": "street-address",
    "birthday": "bday",
    "city": "address-level2",
    "company": "organization",
    "country": "country-name",
    "country_code": "country",
    "date_of_birth": "bday",
    "email": "email",
    "family_name": "family-name",
    "first_name": "given-name",
    "full_name": "name",
    "given_name": "given-name",
    "last_name": "family-name",
    "mobile": "tel",
    "new_password": "new-password",
    "one_time_code": "one-time-code",
    "organisation": "organization",
    "organization": "organization",
    "otp": "one-time-code",
    "phone": "tel",
    "post_code": "postal-code",
    "postal_code": "postal-code",
    "postcode": "postal-code",
    "street": "street-address",
    "street_address": "street-address",
    "tel": "tel",
    "telephone": "tel",
    "user_name": "username",
    "username": "username",
    "website": "url",
    "zip": "postal-code",
    "zip_code": "postal-code",
}
_NEW_PASSWORD = ("new", "confirm", "repeat", "again")


class RenderedForm(Form):
    """A form that renders itself, with rows that people add and remove.

    ``FlaskForm`` is one. The style is ``style=…``, or the setting ``FORMS_STYLE``, or ``"plain"``.
    """

    def render(self, **options: t.Any) -> Markup:
        """Return the whole form as HTML.

        :param options: ``action``, ``method`` (``"post"``), ``style``, ``submit`` (what the button
            says where the form has no ``SubmitField``), ``only`` (the names of the fields to
            show), ``htmx`` (whether the buttons of rows use it), ``summary`` (whether errors are
            listed at the top). All else is an attribute of the form: ``class_``, ``novalidate``,
            ``hx_post`` (underscores become dashes).

        .. code-block:: html+jinja

            {{ form.render(action=url_for("add"), submit="Save") }}
        """
        return FormView(self, options).render()

    def render_row(self, field: str | Field, **options: t.Any) -> Markup:
        """Return a field with its label, its description and its errors.

        :param field: the field, or its name.
        :param options: ``style``, ``htmx``; all else is an attribute of the control.
        """
        return self._view(field, options).render()

    def render_field(self, field: str | Field, **options: t.Any) -> Markup:
        """Return the control of a field alone, with the attributes that point to its errors.

        :param field: the field, or its name.
        :param options: attributes of the control.
        """
        return self._view(field, options).control()

    def render_errors(self, field: str | Field | None = None, **options: t.Any) -> Markup:
        """Return the errors of a field, or those of the whole form with links to the fields.

        :param field: the field, or its name; ``None`` for the form.
        :param options: ``style``.
        """
        if field is None:
            return FormView(self, options).summary
        return self._view(field, options).error_list

    def _view(self, field: str | Field, options: dict[str, t.Any]) -> FieldView:
        found = self._fields[field] if isinstance(field, str) else field
        own = _take_options(options)
        return FieldView(FormView(self, own), found, options)

    @property
    def rows_changed(self) -> bool:
        """Whether the request added or removed a row, instead of submitting the form."""
        return any(rows.changed for rows in find_rows(self))

    def validate(self, extra_validators: t.Any = None) -> bool:
        """Validate the form; one whose rows were changed is not valid, and has no errors.

        :param extra_validators: as of :meth:`wtforms.Form.validate`.
        """
        if self.rows_changed:
            return False
        return super().validate(extra_validators)


class FormView:
    """A form as its templates see it.

    :param form: the form.
    :param options: as of :meth:`RenderedForm.render`.
    """

    def __init__(self, form: BaseForm, options: Mapping[str, t.Any]) -> None:
        options = dict(options)
        self.form = form
        self.style: str = options.pop("style", None) or current_app.config.get(
            "FORMS_STYLE", "plain"
        )
        self.htmx: bool = options.pop("htmx", False)
        self.action: str | None = options.pop("action", None)
        #: What the button says where the form has none of its own.
        self.submit: str = options.pop("submit", None) or gettext("Save")
        self.shows_summary: bool = options.pop("summary", True)
        self._only: Iterable[str] | None = options.pop("only", None)
        self._method: str = options.pop("method", "post")
        self._attributes = options

    def render(self) -> Markup:
        """Return the form as HTML."""
        return self.use("form.html", form=self)

    def use(self, template: str, **context: object) -> Markup:
        """Render one of the style's templates.

        :param template: its name within the style.
        :param context: what it works with.
        :raises jinja2.TemplateNotFound: for a style that is none.
        """
        environment = _environment()
        try:
            found = environment.get_template(f"erlen/forms/{self.style}/{template}")
        except TemplateNotFound as error:
            raise TemplateNotFound(
                error.name,
                f"There is no template 'erlen/forms/{self.style}/{template}'. The styles that come"
                " with Erlen are 'plain' and 'bootstrap5'; for one of your own, put its templates"
                " into that folder of the application's templates.",
            ) from None
        return Markup(found.render(context))

    @cached_property
    def fields(self) -> list[FieldView]:
        """The fields to show, without hidden ones and buttons."""
        return [view for view in self._views if view.kind not in {"hidden", "submit"}]

    @cached_property
    def buttons(self) -> list[FieldView]:
        """The form's own submit buttons."""
        return [view for view in self._views if view.kind == "submit"]

    @cached_property
    def _views(self) -> list[FieldView]:
        if self._only is None:
            return [FieldView(self, field) for field in self.form]
        return [FieldView(self, self.form[name]) for name in self._only]

    @property
    def hidden(self) -> Markup:
        """The hidden fields, the token among them."""
        return Markup("\n").join(
            field() for field in self.form if isinstance(field.widget, HiddenInput)
        )

    @property
    def has_rows(self) -> bool:
        """Whether it has rows, whose buttons must not be those that the enter key presses."""
        return next(find_rows(self.form), None) is not None

    @property
    def attributes(self) -> Markup:
        """The attributes of the form element."""
        attributes = {"method": self._method}
        if self.action is not None:
            attributes["action"] = self.action
        if self.has_files:
            attributes["enctype"] = "multipart/form-data"
        return _attributes({**attributes, **self._attributes})

    @cached_property
    def has_files(self) -> bool:
        """Whether files are sent with it, or would be with a row more."""
        return any(
            isinstance(field.widget, FileInput)
            or (isinstance(field, FieldList) and _declares_files(field.unbound_field))
            for field, _ in _leaves(self.form)
        )

    @cached_property
    def errors(self) -> list[tuple[str | None, str, str]]:
        """All errors, each with the id of its control, the label and the text."""
        found: list[tuple[str | None, str, str]] = [
            (None, "", str(error)) for error in self.form.form_errors
        ]
        for field, label in _leaves(self.form):
            own = [error for error in field.errors or () if not isinstance(error, (list, dict))]
            target = FieldView(self, field).target if own else None
            found += [(target, label, str(error)) for error in own]
        return found

    @property
    def summary(self) -> Markup:
        """All errors as HTML, with links to the controls; empty where there are none."""
        return self.use("summary.html", form=self) if self.errors else Markup()

    @property
    def title(self) -> str:
        """What the list of errors is headed with."""
        return gettext("There is a problem")


class FieldView:
    """A field as its templates see it.

    :param form: the form.
    :param field: the field.
    :param attributes: attributes of the control.
    :param number: which row it is of, where it is in a list by itself; from 1.
    """

    def __init__(
        self,
        form: FormView,
        field: Field,
        attributes: Mapping[str, t.Any] | None = None,
        number: int | None = None,
    ) -> None:
        self.form = form
        self.field = field
        self.number = number
        self._given = dict(attributes or {})

    @cached_property
    def kind(self) -> str:
        """How it is shown.

        ``hidden``, ``submit``, ``check`` (one box), ``choices`` (boxes or radio buttons), ``group``
        (a form inside), ``rows``, ``file``, ``select`` or ``input``.
        """
        field = self.field
        if isinstance(field.widget, HiddenInput):
            return "hidden"
        if isinstance(field, FormField):
            return "group"
        if isinstance(field, FieldList):
            return "rows"
        if isinstance(field, SubmitField):
            return "submit"
        if isinstance(field, BooleanField):
            return "check"
        if isinstance(field, SelectFieldBase):
            is_list = isinstance(field, RadioField) or isinstance(field.widget, ListWidget)
            return "choices" if is_list else "select"
        return "file" if isinstance(field.widget, FileInput) else "input"

    @property
    def id(self) -> str:
        """The id of the control, or of the group of controls."""
        return self.field.id

    @property
    def target(self) -> str | None:
        """The id of what a link to the field should go to; ``None`` where it is not shown."""
        if self.kind == "hidden":
            return None
        return f"{self.id}-0" if self.kind == "choices" else self.id

    @cached_property
    def label(self) -> str:
        """The text of the label."""
        text = str(self.field.label.text)
        return text if self.number is None else f"{text} {self.number}"

    @cached_property
    def hint(self) -> str:
        """The description of the field; empty where it has none."""
        return str(self.field.description or "")

    @cached_property
    def errors(self) -> list[str]:
        """The errors of the field itself."""
        errors: Iterable[object] = self.field.errors or ()
        return [str(error) for error in errors if not isinstance(error, (list, dict))]

    @property
    def required(self) -> bool:
        """Whether it must be filled in."""
        return bool(self.field.flags.required)

    @property
    def hint_id(self) -> str:
        """The id of the description."""
        return f"{self.id}-hint"

    @property
    def error_id(self) -> str:
        """The id of the errors."""
        return f"{self.id}-error"

    @property
    def described_by(self) -> str | None:
        """The ids of what describes the control, for ``aria-describedby``."""
        ids = [self.hint_id] if self.hint else []
        ids += [self.error_id] if self.errors else []
        return " ".join(ids) or None

    def control(self, **attributes: t.Any) -> Markup:
        """Return the control as HTML.

        :param attributes: attributes to add; classes go before the field's own.
        """
        own = dict(self.field.render_kw or {})
        given = {**own, **self._given}
        classes = [attributes.pop("class_", None), given.pop("class_", None)]
        classes.append(given.pop("class", None))
        merged: dict[str, t.Any] = {**self._aria(), **attributes, **given}
        if any(classes):
            merged["class_"] = " ".join(name for name in classes if name)
        return self.field(**merged)

    def _aria(self) -> dict[str, t.Any]:
        attributes: dict[str, t.Any] = {}
        described = self.described_by
        if described:
            attributes["aria_describedby"] = described
        if self.errors:
            attributes["aria_invalid"] = "true"
        autocomplete = self.autocomplete
        if autocomplete:
            attributes["autocomplete"] = autocomplete
        return attributes

    @property
    def autocomplete(self) -> str | None:
        """What the browser may fill in, by the field's name."""
        name = self.field.short_name
        if isinstance(self.field, PasswordField):
            is_new = any(word in name for word in _NEW_PASSWORD)
            return "new-password" if is_new else "current-password"
        return AUTOCOMPLETE.get(name) if self.kind in {"input", "select"} else None

    def options(self, **attributes: t.Any) -> Iterator[tuple[Markup, Markup]]:
        """Yield the controls of the choices, each with its label.

        :param attributes: attributes of each control.
        """
        for option in t.cast("Iterable[t.Any]", self.field):
            yield option(**attributes), option.label

    @cached_property
    def fields(self) -> list[FieldView]:
        """The fields of the form inside, without hidden ones."""
        views = [FieldView(self.form, field) for field in t.cast(FormField, self.field)]
        return [view for view in views if view.kind != "hidden"]

    @property
    def hidden(self) -> Markup:
        """The hidden fields of the form inside."""
        fields: Iterable[Field] = t.cast(FormField, self.field)
        return Markup("\n").join(
            field() for field in fields if isinstance(field.widget, HiddenInput)
        )

    @cached_property
    def entries(self) -> list[EntryView]:
        """The rows."""
        entries = t.cast("FieldList", self.field).entries
        return [EntryView(self, entry, number) for number, entry in enumerate(entries, 1)]

    @property
    def can_add(self) -> bool:
        """Whether there is a button that adds a row."""
        return isinstance(self.field, Rows) and self.field.can_add

    @property
    def add_label(self) -> str:
        """What that button says."""
        return str(t.cast(Rows, self.field).add_label)

    @property
    def add_attributes(self) -> Markup:
        """The attributes of that button."""
        return self._button(ADD_BUTTON, self.field.name)

    @property
    def rows_id(self) -> str:
        """The id of all rows together."""
        return f"{self.id}-rows"

    def _button(self, name: str, value: str) -> Markup:
        attributes: dict[str, t.Any] = {"name": name, "value": value, "formnovalidate": True}
        if self.form.htmx:
            attributes |= {
                "hx-post": self.form.action or "",
                "hx-target": f"#{self.rows_id}",
                "hx-select": f"#{self.rows_id}",
                "hx-swap": "outerHTML",
                # Version 4 leaves out the name of the button that was pressed.
                "hx-vals": json.dumps({name: value}),
            }
            if self.form.has_files:
                attributes["hx-encoding"] = "multipart/form-data"
        return _attributes(attributes)

    def render(self) -> Markup:
        """Return the control with its label, description and errors."""
        if self.kind in {"group", "rows"}:
            return self.form.use(f"{self.kind}.html", field=self, form=self.form)
        if self.kind in {"hidden", "submit"}:
            return self.control()
        return self.form.use("row.html", field=self, form=self.form)

    @property
    def error_list(self) -> Markup:
        """The errors as HTML; empty where there are none."""
        if not self.errors:
            return Markup()
        return self.form.use("errors.html", field=self, form=self.form)


class EntryView:
    """A row as its templates see it.

    :param rows: all rows.
    :param field: the field of the row.
    :param number: which one it is, from 1.
    """

    def __init__(self, rows: FieldView, field: Field, number: int) -> None:
        self.rows = rows
        self.field = field
        self.number = number

    @property
    def id(self) -> str:
        """The id of the row."""
        return f"{self.field.id}-row"

    @property
    def label(self) -> str:
        """What to call the row."""
        return f"{self.rows.label} {self.number}"

    @cached_property
    def fields(self) -> list[FieldView]:
        """The fields of the row."""
        form = self.rows.form
        if not isinstance(self.field, FormField):
            views = [FieldView(form, self.field, self._focus(), self.number)]
        else:
            views = FieldView(form, self.field).fields
            if views and self._focus():
                views[0] = FieldView(form, views[0].field, self._focus())
        return views

    def _focus(self) -> dict[str, t.Any]:
        """Return what puts the cursor into a row that was just added."""
        is_new = getattr(self.rows.field, "added", None) is self.field
        return {"autofocus": True} if is_new else {}

    @property
    def hidden(self) -> Markup:
        """The hidden fields of the row."""
        if not isinstance(self.field, FormField):
            return Markup()
        return FieldView(self.rows.form, self.field).hidden

    @property
    def is_simple(self) -> bool:
        """Whether it is one field, which says by its own label which row it is."""
        return not isinstance(self.field, FormField)

    @property
    def can_remove(self) -> bool:
        """Whether there is a button that removes it."""
        return isinstance(self.rows.field, Rows) and self.rows.field.can_remove

    @property
    def remove_label(self) -> str:
        """What that button says."""
        return str(t.cast(Rows, self.rows.field).remove_label)

    @property
    def remove_attributes(self) -> Markup:
        """The attributes of that button; its name tells which row it removes."""
        name = self.fields[0].label if self.is_simple else self.label
        label = _attributes({"aria-label": f"{self.remove_label}: {name}"})
        return label + self.rows._button(REMOVE_BUTTON, self.field.name)


def _leaves(form: Iterable[Field], before: str = "") -> Iterator[tuple[Field, str]]:
    """Yield all fields of a form that are shown, those inside of others too, with full labels."""
    for field in form:
        if not isinstance(field.widget, HiddenInput) or field.errors:
            yield from _leaves_of(field, before, str(field.label.text))


def _leaves_of(field: Field, before: str, label: str) -> Iterator[tuple[Field, str]]:
    if isinstance(field, FormField):
        yield from _leaves(field.form, f"{before}{label}: ")
        return
    yield field, f"{before}{label}"
    if isinstance(field, FieldList):
        for number, entry in enumerate(field.entries, 1):
            if isinstance(entry, FormField):
                yield from _leaves(entry.form, f"{before}{label} {number}: ")
            else:
                yield from _leaves_of(entry, before, f"{entry.label.text} {number}")


def _declares_files(unbound: UnboundField) -> bool:
    """Return whether a field that is not made yet is for files, or has such fields inside."""
    if isinstance(unbound.kwargs.get("widget", unbound.field_class.widget), FileInput):
        return True
    for given in (*unbound.args, *unbound.kwargs.values()):
        if isinstance(given, UnboundField) and _declares_files(given):
            return True
        if isinstance(given, type) and issubclass(given, BaseForm):
            inner = [getattr(given, name, None) for name in dir(given)]
            if any(isinstance(field, UnboundField) and _declares_files(field) for field in inner):
                return True
    return False


def _attributes(attributes: Mapping[str, t.Any]) -> Markup:
    """Return attributes of an element, with a space in front."""
    cleaned = {
        name.rstrip("_").replace("_", "-"): value
        for name, value in attributes.items()
        if value is not None and value is not False
    }
    return Markup(" ") + html_params(**cleaned)


def _take_options(options: dict[str, t.Any]) -> dict[str, t.Any]:
    """Take what concerns the form out of the options of a field."""
    return {name: options.pop(name) for name in ("style", "htmx") if name in options}


def _environment() -> Environment:
    """Return the application's Jinja environment, with the templates here as the last resort."""
    extensions = current_app.extensions
    environment: Environment | None = extensions.get(_EXTENSION)
    if environment is None:
        own = current_app.jinja_env
        loaders = [loader for loader in (own.loader, FileSystemLoader(TEMPLATES)) if loader]
        environment = own.overlay(loader=ChoiceLoader(loaders))
        extensions[_EXTENSION] = environment
    return environment


class FormMacros:
    """Lets templates import the macros ``row``, ``field``, ``errors`` and ``summary``.

    Forms render themselves without it.

    :param app: the application; or call :meth:`init_app` later.

    .. code-block:: html+jinja

        {% from "erlen/forms/macros.html" import row, errors, summary %}
        {{ summary(form) }} {{ row(form.title) }}
    """

    def __init__(self, app: Flask | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Add the templates to those that an application finds.

        :param app: the application.
        """
        app.register_blueprint(Blueprint("erlen_forms", __name__, template_folder=str(TEMPLATES)))
        app.jinja_env.globals["erlen_forms_view"] = view_field
        app.jinja_env.globals["erlen_forms_form"] = FormView


def view_field(field: Field, options: dict[str, t.Any]) -> FieldView:
    """Return a field as templates see it.

    :param field: the field.
    :param options: ``style``, ``htmx``, and attributes of the control.
    """
    own = _take_options(options)
    form: BaseForm = t.cast(t.Any, field)._form
    return FieldView(FormView(form, own), field, options)
