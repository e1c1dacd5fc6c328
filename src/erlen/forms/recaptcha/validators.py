"""Asking the captcha service."""

from __future__ import annotations

import json
import logging
import typing as t
from urllib import request as http
from urllib.parse import urlencode

from erlen import current_app, request

from ..validators import ValidationError

if t.TYPE_CHECKING:
    from ..base import _Text

__all__ = ["Recaptcha"]

RECAPTCHA_VERIFY_SERVER_DEFAULT = "https://www.google.com/recaptcha/api/siteverify"
#: What the service may answer, and the error for it.
RECAPTCHA_ERROR_CODES = {
    "missing-input-secret": "The secret parameter is missing.",
    "invalid-input-secret": "The secret parameter is invalid or malformed.",
    "missing-input-response": "The response parameter is missing.",
    "invalid-input-response": "The response parameter is invalid or malformed.",
}

logger = logging.getLogger("flask_wtf.recaptcha")


class Recaptcha:
    """Demands that the captcha service accepts the visitor's answer.

    In tests (``TESTING``) and with ``RECAPTCHA_ENABLED = False`` each answer is accepted, and
    nobody is asked.

    :param message: the error.
    """

    def __init__(self, message: _Text | None = None) -> None:
        self.message = (
            RECAPTCHA_ERROR_CODES["missing-input-response"] if message is None else message
        )

    def __call__(self, form: t.Any, field: t.Any) -> None:
        """Ask the service.

        :param form: the form.
        :param field: the field.
        :raises ValidationError: where the answer is missing or not accepted.
        """
        if current_app.testing or not current_app.config.get("RECAPTCHA_ENABLED", True):
            return
        answer = _read_answer()
        if not answer:
            raise ValidationError(field.gettext(self.message))
        try:
            accepted = self._validate_recaptcha(answer, request.remote_addr)
        except ValidationError as error:
            raise ValidationError(field.gettext(error.args[0])) from None
        if not accepted:
            field.recaptcha_error = "incorrect-captcha-sol"
            raise ValidationError(field.gettext(self.message))

    def _validate_recaptcha(self, response: str, remote_addr: str | None) -> bool:
        """Return whether the service accepts an answer."""
        config = current_app.config
        if "RECAPTCHA_PRIVATE_KEY" not in config:
            raise RuntimeError("No RECAPTCHA_PRIVATE_KEY config set: it is the key of your server.")
        server = config.get("RECAPTCHA_VERIFY_SERVER") or RECAPTCHA_VERIFY_SERVER_DEFAULT
        data = urlencode(
            {
                "secret": config["RECAPTCHA_PRIVATE_KEY"],
                "remoteip": remote_addr,
                "response": response,
            }
        )
        result = _ask(server, data.encode(), config.get("RECAPTCHA_TIMEOUT"))
        if result.get("success"):
            return True
        for error in result.get("error-codes") or ():
            if error in RECAPTCHA_ERROR_CODES:
                raise ValidationError(RECAPTCHA_ERROR_CODES[error])
        return False


def _read_answer() -> str | None:
    """Return the visitor's answer, which the service's script has put into the form."""
    if request.is_json:
        data = request.get_json()
        answer = data.get("g-recaptcha-response") if isinstance(data, dict) else None
    else:
        answer = request.form.get("g-recaptcha-response")
    return answer if isinstance(answer, str) else None


def _ask(server: str, data: bytes, timeout: float | None) -> dict[str, t.Any]:
    """Return what the service says; nothing where it cannot be reached or is not understood."""
    options: dict[str, t.Any] = {} if timeout is None else {"timeout": timeout}
    try:
        answer = http.urlopen(server, data, **options)
        result = json.loads(answer.read()) if answer.code == 200 else {}
    except (OSError, ValueError):
        logger.warning(
            "The captcha service at %s did not answer as it should", server, exc_info=True
        )
        return {}
    return result if isinstance(result, dict) else {}
