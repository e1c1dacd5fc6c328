"""The forms of the pages. Each may be replaced by a subclass, or by any form with its fields."""

from __future__ import annotations

import typing as t

from erlen import current_app
from erlen.forms import FlaskForm
from erlen.forms.fields import BooleanField, EmailField, PasswordField
from erlen.forms.i18n import gettext, lazy_gettext
from erlen.forms.validators import EqualTo, InputRequired, Length, ValidationError
from erlen.login.passwords import PasswordRefused, check_new_password
from erlen.login.passwords_rules import MAX_LENGTH, MIN_LENGTH

from .addresses import MAX_LENGTH as MAX_ADDRESS
from .addresses import AddressRefused, clean_address

__all__ = [
    "ActionForm",
    "ChangeAddressForm",
    "ChangePasswordForm",
    "ConfirmForm",
    "ForgottenForm",
    "LoginForm",
    "RegisterForm",
    "ResetForm",
]

#: The most characters of a password that are looked at.
MAX_PASSWORD = 1024

_texts: t.Any = lazy_gettext


def _required(maximum: int) -> list[t.Any]:
    return [InputRequired(_texts("This is needed.")), Length(max=maximum)]


def _email(label: str, autocomplete: str = "email") -> EmailField:
    return EmailField(
        _texts(label), validators=_required(MAX_ADDRESS), render_kw={"autocomplete": autocomplete}
    )


def _password(label: str, autocomplete: str) -> PasswordField:
    return PasswordField(
        _texts(label), validators=_required(MAX_PASSWORD), render_kw={"autocomplete": autocomplete}
    )


class NewPasswordForm(FlaskForm):
    """A part of several forms: a password that is chosen, typed twice."""

    #: What a password must not be made of.
    context: t.Sequence[str] = ()

    def validate_password(self, field: PasswordField) -> None:
        """Refuse a password that is easily guessed.

        :param field: the field.
        """
        email = self._fields.get("email")
        known = [*self.context, *([email.data] if email is not None and email.data else [])]
        try:
            check_new_password(field.data or "", context=known)
        except PasswordRefused as error:
            raise ValidationError(_explain(error)) from None


def _repeat() -> PasswordField:
    return PasswordField(
        _texts("Password again"),
        validators=[EqualTo("password", _texts("The two passwords are not the same."))],
        render_kw={"autocomplete": "new-password"},
    )


class LoginForm(FlaskForm):
    """Who somebody is, and by what that shows."""

    email = _email("E-mail address", "username")
    password = _password("Password", "current-password")
    remember = BooleanField(_texts("Stay logged in on this device"))


class RegisterForm(NewPasswordForm):
    """A new account."""

    email = _email("E-mail address")
    password = _password("Password", "new-password")
    repeat = _repeat()

    def validate_email(self, field: EmailField) -> None:
        """Refuse what is no address.

        :param field: the field.
        """
        _check_address(field)


class ConfirmForm(FlaskForm):
    """The password, by whoever opens the link that was mailed."""

    password = _password("Password", "current-password")


class ForgottenForm(FlaskForm):
    """Where to send the link to."""

    email = _email("E-mail address", "username")


class ResetForm(NewPasswordForm):
    """A new password for a forgotten one."""

    password = _password("New password", "new-password")
    repeat = _repeat()


class ChangePasswordForm(NewPasswordForm):
    """A new password for the present one."""

    current = _password("Present password", "current-password")
    password = _password("New password", "new-password")
    repeat = _repeat()


class ChangeAddressForm(FlaskForm):
    """Another address, and the password to show who asks."""

    email = _email("New e-mail address")
    current = _password("Password", "current-password")

    def validate_email(self, field: EmailField) -> None:
        """Refuse what is no address.

        :param field: the field.
        """
        _check_address(field)


class ActionForm(FlaskForm):
    """A button: no fields but the token."""


def _explain(error: PasswordRefused) -> str:
    """Return why a password is refused, in the language of the request."""
    config = current_app.config
    if error.reason == "too short":
        count = config.get("PASSWORD_MIN_LENGTH", MIN_LENGTH)
        return gettext("Use at least %(count)s characters.") % {"count": count}
    if error.reason == "too long":
        count = config.get("PASSWORD_MAX_LENGTH", MAX_LENGTH)
        return gettext("Use at most %(count)s characters.") % {"count": count}
    return gettext(str(error))


def _check_address(field: EmailField) -> None:
    try:
        clean_address(field.data or "")
    except AddressRefused:
        raise ValidationError(gettext("This is no e-mail address that can be used.")) from None
