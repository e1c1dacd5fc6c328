"""The HTML of a captcha."""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from urllib.parse import urlencode

from markupsafe import Markup, escape

from erlen import current_app

from ..widgets import html_params

__all__ = ["RecaptchaWidget"]

RECAPTCHA_SCRIPT_DEFAULT = "https://www.google.com/recaptcha/api.js"
RECAPTCHA_DIV_CLASS_DEFAULT = "g-recaptcha"


class RecaptchaWidget:
    """Turns a captcha into its script and the element that the script fills."""

    def __call__(self, field: t.Any, error: object = None, **kwargs: t.Any) -> Markup:
        """Return the HTML of a field.

        :param field: the field.
        :param error: not used.
        :param kwargs: attributes of the element.
        :raises RuntimeError: without ``RECAPTCHA_PUBLIC_KEY``.
        """
        config = current_app.config
        if not config.get("RECAPTCHA_ENABLED", True):
            return Markup("<!-- recaptcha disabled -->")
        if "RECAPTCHA_PUBLIC_KEY" not in config:
            raise RuntimeError(
                "RECAPTCHA_PUBLIC_KEY config not set: set it to the key of your site, or"
                " RECAPTCHA_ENABLED to False."
            )
        kwargs.setdefault("id", field.id)
        return self.recaptcha_html(config["RECAPTCHA_PUBLIC_KEY"], nonce=field.nonce, **kwargs)

    def recaptcha_html(
        self, public_key: str, nonce: str | Callable[[], str] | None = None, **kwargs: t.Any
    ) -> Markup:
        """Return the script and the element.

        :param public_key: the key of the site.
        :param nonce: the script's nonce, or a function that returns it.
        :param kwargs: attributes of the element; they go before those of the configuration.
        """
        config = current_app.config
        html = config.get("RECAPTCHA_HTML")
        if html:
            return Markup(html)
        script = config.get("RECAPTCHA_SCRIPT") or RECAPTCHA_SCRIPT_DEFAULT
        parameters = config.get("RECAPTCHA_PARAMETERS")
        if parameters:
            script = f"{script}?{urlencode(parameters)}"
        if callable(nonce):
            nonce = nonce()
        nonce_attribute = Markup(' nonce="{}"').format(nonce) if nonce else ""
        if "class_" not in kwargs:
            css_class = config.get("RECAPTCHA_DIV_CLASS") or RECAPTCHA_DIV_CLASS_DEFAULT
            kwargs.setdefault("class", css_class)
        attributes = {"sitekey": public_key, **config.get("RECAPTCHA_DATA_ATTRS", {})}
        attributes["sitekey"] = public_key
        for name, value in attributes.items():
            kwargs.setdefault(f"data-{name}", value)
        return Markup("\n<script src='{}' async defer{}></script>\n<div {}></div>\n").format(
            escape(script), nonce_attribute, html_params(**kwargs)
        )
