"""What a request submits: its form, files and JSON, made fit for fields."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Iterator

from werkzeug.datastructures import CombinedMultiDict, ImmutableMultiDict, MultiDict

from erlen import current_app, has_request_context, request

from .base import BaseForm, UnboundField
from .fields import (
    BooleanField,
    DateTimeField,
    DecimalField,
    FieldList,
    FloatField,
    FormField,
    IntegerField,
    SelectFieldBase,
    StringField,
)
from .uploads import guard_form

#: The methods that submit a form.
SUBMIT_METHODS = {"POST", "PUT", "PATCH", "DELETE"}

#: The fields that take text, never a file.
TEXT_FIELDS = (
    *(BooleanField, DateTimeField, DecimalField, FloatField, IntegerField),
    *(SelectFieldBase, StringField),
)

#: How deep JSON is looked into for values of fields.
MAX_DEPTH = 16


def is_submitted() -> bool:
    """Say whether the current request submits a form."""
    return has_request_context() and request.method in SUBMIT_METHODS


def read_submission(form: BaseForm) -> t.Any:
    """Return what the current request submits; ``None`` where that is nothing.

    :param form: the form that it is for.
    """
    if not is_submitted():
        return None
    guard_form(form)
    files = request.files
    if files:
        return CombinedMultiDict([_drop_misplaced(form, files), request.form])
    if request.form:
        return request.form
    if request.is_json:
        return read_json(request.get_json())
    return None


# --- JSON -----------------------------------------------------------------------------------------


def read_json(data: t.Any) -> ImmutableMultiDict[str, t.Any]:
    """Return the values of a JSON document under the names of fields.

    With ``WTF_FLATTEN_JSON`` they are texts, as from a form, also those of objects and arrays
    within: ``{"authors": [{"name": "Ada"}]}`` is ``authors-0-name``.

    :param data: the document; one that is no object has no values.
    """
    if current_app.config.get("WTF_FLATTEN_JSON"):
        return ImmutableMultiDict(_flatten(data) if isinstance(data, dict) else ())
    try:
        return ImmutableMultiDict(data)
    except (TypeError, ValueError):
        return ImmutableMultiDict()


def _flatten(data: dict[str, t.Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, str]]:
    for name, value in data.items():
        yield from _flatten_value(_clean(f"{prefix}{name}"), value, depth)


def _flatten_value(name: str, value: t.Any, depth: int) -> Iterator[tuple[str, str]]:
    if depth > MAX_DEPTH:
        return
    if isinstance(value, dict):
        yield from _flatten(value, f"{name}-", depth + 1)
    elif isinstance(value, list):
        for number, item in enumerate(value):
            # Several values of one field, or the entries of a list of fields.
            if not isinstance(item, dict | list):
                yield from _flatten_value(name, item, depth + 1)
            yield from _flatten_value(f"{name}-{number}", item, depth + 1)
    elif isinstance(value, bool):
        yield name, "true" if value else "false"
    elif value is not None:
        yield name, _clean(str(value))


def _clean(text: str) -> str:
    """Return a text without lone surrogates, which JSON may hold and no page can."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


# --- Files ----------------------------------------------------------------------------------------


def _drop_misplaced(form: BaseForm, files: MultiDict[str, t.Any]) -> MultiDict[str, t.Any]:
    """Return the files without those under the name of a field that takes text.

    Such a field would hold a file, and the first validator or widget that takes it for text would
    raise. Whoever sends the request chooses the names.

    :param form: the form.
    :param files: what was sent.
    """
    names = re.compile("|".join(_find_text_names(form)) or "(?!)")
    kept = [(name, file) for name, file in files.items(multi=True) if not names.fullmatch(name)]
    return ImmutableMultiDict(kept)


def _find_text_names(form: BaseForm) -> Iterator[str]:
    """Yield patterns for the names of all fields that take text, in the form and below it."""
    for field in form._fields.values():
        if isinstance(field, TEXT_FIELDS):
            yield re.escape(field.name)
    for name, unbound in getattr(form, "_unbound_fields", None) or ():
        if not issubclass(unbound.field_class, TEXT_FIELDS):
            yield from _find_names(unbound, re.escape(f"{form._prefix}{unbound.name or name}"), 1)


def _find_names(unbound: UnboundField, pattern: str, depth: int) -> Iterator[str]:
    kind = unbound.field_class
    if issubclass(kind, TEXT_FIELDS):
        yield pattern
    elif depth > MAX_DEPTH:
        return
    elif issubclass(kind, FieldList) and unbound.args:
        separator = re.escape(unbound.kwargs.get("separator", "-"))
        yield from _find_names(unbound.args[0], rf"{pattern}{separator}\d+", depth + 1)
    elif issubclass(kind, FormField) and unbound.args:
        separator = unbound.kwargs.get("separator", "-")
        for name, below in _list_fields(unbound.args[0]):
            inner = f"{pattern}{re.escape(separator)}{re.escape(below.name or name)}"
            yield from _find_names(below, inner, depth + 1)


def _list_fields(form_class: type) -> list[tuple[str, UnboundField]]:
    """Return the fields of a form's class."""
    return [
        (name, value)
        for name in dir(form_class)
        if isinstance(value := getattr(form_class, name), UnboundField)
    ]
