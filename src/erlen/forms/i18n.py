"""The language of messages: that of the request.

Which one that is, says Flask-Babel where it is set up, else ``WTF_LOCALE_SELECTOR``, else the
browser, among ``WTF_LOCALES``. With none of these, messages are English.
"""

from __future__ import annotations

import os
import typing as t
from functools import lru_cache
from gettext import NullTranslations
from importlib import import_module
from io import BytesIO
from pathlib import Path

from markupsafe import Markup, escape

from erlen import current_app, has_app_context, has_request_context, request

from .base import messages_path

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from babel import Locale

__all__ = [
    "LazyText",
    "Translations",
    "add_catalogs",
    "get_locale",
    "gettext",
    "lazy_gettext",
    "translations",
]

#: Our own messages, a file for each language.
CATALOGS = Path(__file__).parent / "locale"

_folders = [CATALOGS]


def add_catalogs(folder: Path) -> None:
    """Have the messages of another package translated, which come after ours.

    :param folder: where it has a file for each language, such as ``de.po``.
    """
    if folder not in _folders:
        _folders.append(folder)
        _load.cache_clear()


class Translations:
    """Translates messages to the language of the current request."""

    def gettext(self, string: str) -> str:
        """Return a message in the language of the request.

        :param string: the message, in English.
        """
        return _get_catalog().gettext(string)

    def ngettext(self, singular: str, plural: str, n: int) -> str:
        """Return a message that depends on a number.

        :param singular: the message for one, in English.
        :param plural: the message for several.
        :param n: the number.
        """
        return _get_catalog().ngettext(singular, plural, n)


translations = Translations()


def gettext(string: str) -> str:
    """Return a message in the language of the request.

    :param string: the message, as it is in the source; where there is no translation, it is the
        result.
    """
    if not has_app_context() or not current_app.config.get("WTF_I18N_ENABLED", True):
        return string
    return _get_catalog().gettext(string)


def lazy_gettext(string: str) -> LazyText:
    """Return a message that is translated each time it is shown, for labels of a form's class.

    :param string: the message, as it is in the source.

    .. code-block:: python

        class BookForm(FlaskForm):
            title = StringField(lazy_gettext("Title"))
    """
    return LazyText(string)


class LazyText:
    """A message that is translated when it is turned into text.

    :param message: the message, as it is in the source.
    """

    def __init__(self, message: str) -> None:
        self.message = message

    def __str__(self) -> str:
        return gettext(self.message)

    def __repr__(self) -> str:
        return f"LazyText({self.message!r})"

    def __html__(self) -> Markup:
        return escape(str(self))

    def __mod__(self, values: t.Any) -> str:
        text: str = str(self) % values
        return text

    def __eq__(self, other: object) -> bool:
        return str(self) == other if isinstance(other, str) else self is other

    def __hash__(self) -> int:
        return hash(self.message)


# --- The language ---------------------------------------------------------------------------------


def has_languages() -> bool:
    """Say whether the application has anything that chooses a language."""
    config = current_app.config
    return (
        "babel" in current_app.extensions
        or config.get("WTF_LOCALES") is not None
        or config.get("WTF_LOCALE_SELECTOR") is not None
    )


def get_locale() -> Locale | None:
    """Return the locale of the current request; ``None`` where nothing says which."""
    if not has_request_context():
        return None
    app = current_app
    if "babel" in app.extensions:
        return t.cast("Locale | None", import_module("flask_babel").get_locale())
    config = app.config
    selector = config.get("WTF_LOCALE_SELECTOR")
    chosen = selector() if selector is not None else None
    if chosen is None:
        chosen = _negotiate(config.get("WTF_LOCALES"))
    return None if chosen is None else _parse(chosen)


def _negotiate(available: Sequence[str] | None) -> str | None:
    """Return the language that the browser likes best among some, or else the first of them."""
    if not available:
        return None
    from babel import negotiate_locale

    wanted = [tag.replace("-", "_") for tag in request.accept_languages.values()]
    names = [name.replace("-", "_") for name in available]
    return negotiate_locale(wanted, names) or names[0]


def _parse(locale: Locale | str) -> Locale | None:
    from babel import Locale, UnknownLocaleError

    if not isinstance(locale, str):
        return locale
    try:
        return Locale.parse(locale.replace("-", "_"))
    except (ValueError, UnknownLocaleError):
        # A selector may have taken it from the URL as it was.
        return None


# --- The catalogs ---------------------------------------------------------------------------------

_english = NullTranslations()


def _get_catalog() -> NullTranslations:
    """Return the messages in the language of the current request."""
    if not has_request_context():
        return _english
    # PERF: a form asks for each of its labels.
    kept: NullTranslations | None = request.__dict__.get("wtforms_translations")
    if kept is None:
        locale = get_locale()
        folder = current_app.config.get("WTF_TRANSLATIONS")
        if folder is not None:
            folder = os.path.join(current_app.root_path, folder)
        kept = _english if locale is None else _load(str(locale), folder)
        request.__dict__["wtforms_translations"] = kept
    return kept


@lru_cache(maxsize=256)
def _load(locale: str, folder: str | None) -> NullTranslations:
    """Return the messages of the application, then ours and added ones, then those of WTForms."""
    first = NullTranslations()
    for catalog in _find_catalogs(locale, folder):
        first.add_fallback(catalog)
    return first


def _find_catalogs(locale: str, folder: str | None) -> Iterator[NullTranslations]:
    from babel.support import Translations as Catalog

    names = _widen(locale)
    if folder is not None:
        yield Catalog.load(folder, names)
    yield from _read_own(names)
    available = sorted(os.listdir(messages_path()))
    # WTForms has Czech as that of the Czech Republic only.
    relatives = [name for name in available if name.startswith(f"{names[-1]}_")]
    # One name only: gettext would put a mere "zh" before "zh_TW".
    wanted = [name for name in (*names, *relatives) if name in available][:1]
    yield Catalog.load(messages_path(), wanted, domain="wtforms")


def _widen(locale: str) -> list[str]:
    """Return a locale and those it is a part of.

    For ``zh_Hant_TW`` these are ``zh_TW``, as catalogs without scripts have it, ``zh_Hant`` and
    ``zh``.
    """
    parts = locale.split("_")
    names = ["_".join(parts[:count]) for count in range(len(parts), 0, -1)]
    if len(parts) == 3:
        names.insert(1, f"{parts[0]}_{parts[2]}")
    return names


def _read_own(names: list[str]) -> Iterator[NullTranslations]:
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po
    from babel.support import Translations as Catalog

    paths = [folder / f"{name}.po" for name in names for folder in _folders]
    for path in paths:
        if path.exists():
            compiled = BytesIO()
            with path.open("rb") as file:
                write_mo(compiled, read_po(file))
            compiled.seek(0)
            yield Catalog(compiled)
