"""Validators that are coroutines: they run after the others, once the whole form was looked at.

WTForms calls validators one by one and knows no coroutines. So an asynchronous one is put off: in
its place something is called that notes it, and where all fields were looked at, those noted are
awaited. They are the expensive ones, so a field that is wrong already does not have them run.
"""

from __future__ import annotations

import typing as t
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from functools import partial, wraps
from inspect import CO_COROUTINE, iscoroutinefunction
from types import FunctionType, MethodType

from erlen import current_app

from .fields import FieldList, FormField
from .validators import StopValidation, ValidationError

if t.TYPE_CHECKING:
    from .base import BaseForm, Field

AsyncValidator = Callable[[t.Any, t.Any], Awaitable[object]]
Extra = Mapping[str, Sequence[t.Any]]
Pending = list[tuple["BaseForm", "Field", AsyncValidator]]

#: The types of what stands for a function.
WRAPPERS = (partial, MethodType)

#: What was put off in the form that is being validated, those in it included.
_pending: ContextVar[Pending | None] = ContextVar("erlen.forms.pending", default=None)
#: PERF: classes whose objects are known to be no asynchronous validators.
sync_types: set[type] = set()
#: How many of them to remember: programs may make classes without end.
MAX_TYPES = 1_000


def is_async(validator: object) -> bool:
    """Say whether calling a validator makes a coroutine.

    :param validator: a function, or an object that can be called.
    """
    kind = type(validator)
    if kind is FunctionType:
        # PERF: what inspect does, at a twentieth of the time.
        return bool(t.cast(FunctionType, validator).__code__.co_flags & CO_COROUTINE)
    if kind in WRAPPERS:
        return iscoroutinefunction(validator)
    if iscoroutinefunction(kind.__call__):
        return True
    if len(sync_types) < MAX_TYPES:
        sync_types.add(kind)
    return False


def put_off(validator: Callable[[t.Any, t.Any], t.Any]) -> Callable[[t.Any, t.Any], t.Any]:
    """Return what stands in for an asynchronous validator.

    :param validator: the validator.
    :returns: a function that notes it while a form is being validated, and calls it otherwise.
    """

    @wraps(validator)
    def note(form: t.Any, field: t.Any) -> t.Any:
        pending = _pending.get()
        if pending is None:
            return validator(form, field)
        pending.append((form, field, validator))
        return None

    return note


def put_off_all(validators: Extra | None) -> Extra | None:
    """Let the asynchronous ones among validators be put off.

    :param validators: lists of validators, by the names of fields.
    """
    if validators is None:
        return None
    return {
        name: [put_off(each) if is_async(each) else each for each in chosen]
        for name, chosen in validators.items()
    }


def put_off_methods(form_class: type) -> None:
    """Let the asynchronous ``validate_<field>`` methods of a form's class be put off.

    :param form_class: the class.
    """
    for name in dir(form_class):
        if name.startswith("validate_"):
            method = getattr(form_class, name)
            if iscoroutinefunction(method):
                setattr(form_class, name, put_off(method))


def validate_all(form: BaseForm, validate: Callable[[], bool]) -> bool:
    """Validate a form, and then run what was put off.

    :param form: the form.
    :param validate: what runs the other validators.
    :returns: whether the form is valid.
    """
    if _pending.get() is not None:
        # A form within a form: the outer one runs what is put off here.
        return validate()
    pending: Pending = []
    token = _pending.set(pending)
    try:
        valid = validate()
    finally:
        _pending.reset(token)
    found = _refuse_nul(form)
    if pending:
        found = current_app.ensure_sync(_run)(pending) or found
    if found:
        _refresh(form)
        return False
    return valid


def _refuse_nul(fields: Iterable[Field]) -> bool:
    """Complain about text with a NUL: databases refuse it, with an error that no visitor reads.

    :returns: whether there is any.
    """
    found = False
    for field in fields:
        if isinstance(field, FormField):
            found = _refuse_nul(field.form) or found
        elif isinstance(field, FieldList):
            found = _refuse_nul(field.entries) or found
        elif type(field.data) is str and "\x00" in field.data:
            field.errors = [field.gettext("Null characters are not allowed.")]
            found = True
    return found


async def _run(pending: Pending) -> bool:
    """Run asynchronous validators, one after the other: they may share a connection.

    :returns: whether one complained.
    """
    found = False
    for form, field, validator in pending:
        if field.errors:
            continue
        try:
            await validator(form, field)
        except ValidationError as error:
            field.errors = [error.args[0]]
            found = True
        except StopValidation as error:
            # Without a message it only ends the field's validation.
            if error.args and error.args[0]:
                field.errors = [error.args[0]]
                found = True
    return found


def _refresh(fields: Iterable[Field]) -> None:
    """Collect the errors of lists anew: they hold copies of those of their entries."""
    for field in fields:
        if isinstance(field, FormField):
            _refresh(field.form)
        elif isinstance(field, FieldList):
            _refresh(field.entries)
            own = [error for error in field.errors if not isinstance(error, list | tuple | dict)]
            below = [entry.errors for entry in field.entries]
            field.errors = [*(below if any(below) else ()), *own]
