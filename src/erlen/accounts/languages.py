"""The languages of the pages and mails: English, and those that there is a catalog for."""

from __future__ import annotations

from pathlib import Path

from erlen import current_app
from erlen.forms.i18n import add_catalogs, get_locale

__all__ = ["CATALOGS", "find_language"]

#: A file for each language.
CATALOGS = Path(__file__).parent / "locale"

add_catalogs(CATALOGS)


def find_language() -> str:
    """Return the language that pages are in, as HTML names it (RFC 5646)."""
    config = current_app.config
    locale = get_locale() if config.get("WTF_I18N_ENABLED", True) else None
    if locale is None:
        return "en"
    is_known = (CATALOGS / f"{locale.language}.po").exists()
    # An application that has catalogs of its own may have any language.
    return str(locale).replace("_", "-") if is_known or config.get("WTF_TRANSLATIONS") else "en"
