"""The field for a captcha."""

from __future__ import annotations

import typing as t
from collections.abc import Callable, Sequence

from ..base import Field
from .validators import Recaptcha
from .widgets import RecaptchaWidget

if t.TYPE_CHECKING:
    from ..base import _Text, _Validator

__all__ = ["RecaptchaField"]


class RecaptchaField(Field):
    """A captcha, of reCAPTCHA or of a service that works like it (hCaptcha, Turnstile).

    :param label: the label.
    :param validators: by default :class:`Recaptcha`.
    :param nonce: the ``nonce`` of the script element, for a Content Security Policy; or a function
        that returns it, called when the field is rendered.
    :param kwargs: as for each field.
    """

    widget = RecaptchaWidget()
    #: What the service complained about, if it did.
    recaptcha_error: str | None = None

    def __init__(
        self,
        label: _Text = "",
        validators: Sequence[_Validator] | None = None,
        nonce: str | Callable[[], str] | None = None,
        **kwargs: t.Any,
    ) -> None:
        super().__init__(label, validators or [Recaptcha()], **kwargs)
        self.nonce = nonce
