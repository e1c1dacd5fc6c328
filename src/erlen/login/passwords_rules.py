"""What a new password must be like: long enough, and not what everybody tries first.

The rules are those of NIST SP 800-63B, section 5.1.1.2, and of OWASP ASVS 5, section V6.2: there
are none for kinds of characters.
"""

from __future__ import annotations

import gzip
import re
import typing as t
import unicodedata
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files

from erlen import current_app, has_app_context

#: Characters, where ``PASSWORD_MIN_LENGTH`` says nothing.
MIN_LENGTH = 8
#: Characters, where ``PASSWORD_MAX_LENGTH`` says nothing.
MAX_LENGTH = 1024
#: Shorter parts of names are in many words.
_MIN_WORD_LENGTH = 3

Reason = t.Literal["empty", "too short", "too long", "not text", "common", "context", "extra"]


class PasswordRefused(ValueError):
    """A new password that must not be used; its text says why, for the person who chose it.

    :param message: the text.
    :param reason: the kind of reason, for programs and translations: ``"empty"``, ``"too short"``,
        ``"too long"``, ``"not text"``, ``"common"``, ``"context"``, or ``"extra"`` for a check of
        your own.
    """

    def __init__(self, message: str, reason: Reason = "extra") -> None:
        super().__init__(message)
        self.reason: Reason = reason


def get_setting(name: str, default: t.Any) -> t.Any:
    """Return a value of the current application's configuration, outside of one the default.

    :param name: the key.
    :param default: what holds where nothing is said.
    """
    return current_app.config.get(name, default) if has_app_context() else default


def spell(password: object) -> bytes:
    """Return what is hashed for a password: its form NFKC in UTF-8.

    The same letters come from different keyboards as different characters; NIST SP 800-63B asks for
    NFKC or NFKD. Nothing else is changed, and nothing is cut off.

    :param password: the password, or whatever JSON had in its place.
    :raises PasswordRefused: where it is empty, longer than ``PASSWORD_MAX_LENGTH``, or cannot be
        written in UTF-8.
    """
    if password is not None and not isinstance(password, str):
        raise PasswordRefused("Use characters that are text.", "not text")
    if not password:
        raise PasswordRefused("Enter a password.", "empty")
    limit: int = get_setting("PASSWORD_MAX_LENGTH", MAX_LENGTH)
    if len(password) > limit:
        raise PasswordRefused(f"Use at most {limit} characters.", "too long")
    try:
        return unicodedata.normalize("NFKC", password).encode()
    except UnicodeEncodeError:
        raise PasswordRefused("Use characters that are text.", "not text") from None


def check_new_password(password: str, *, context: Iterable[str] = ()) -> None:
    """Check a password that somebody wants to use from now on.

    It must have at least ``PASSWORD_MIN_LENGTH`` and at most ``PASSWORD_MAX_LENGTH`` characters,
    must not be among the most common ones, and must be long enough without the words that somebody
    would try for this user of this application. Kinds of characters do not matter. With
    ``PASSWORD_EXTRA_CHECK``, a function of the password, there can be more rules.

    :param password: the password.
    :param context: the user's name, address and the like; ``PASSWORD_CONTEXT_WORDS`` are added.
    :raises PasswordRefused: where it must not be used.

    .. code-block:: python

        try:
            check_new_password(form.password.data, context=[user.name, user.email])
        except PasswordRefused as error:
            form.password.errors.append(str(error))
    """
    text = spell(password).decode()
    minimum: int = get_setting("PASSWORD_MIN_LENGTH", MIN_LENGTH)
    # Composed and decomposed letters are counted alike.
    if min(len(password), len(text)) < minimum:
        raise PasswordRefused(f"Use at least {minimum} characters.", "too short")
    folded = text.casefold()
    if get_setting("PASSWORD_REFUSE_COMMON", True) and is_common(folded):
        raise PasswordRefused(
            "Many people use this password, so it is tried first. Choose another one.", "common"
        )
    words = [*context, *get_setting("PASSWORD_CONTEXT_WORDS", ())]
    if len(remove_words(folded, words)) < minimum:
        raise PasswordRefused(
            "Names, addresses and the name of this site are tried first. Choose a password that"
            " does not consist of them.",
            "context",
        )
    check: Callable[[str], object] | None = get_setting("PASSWORD_EXTRA_CHECK", None)
    if check is not None:
        check(password)


def is_common(folded: str) -> bool:
    """Tell whether a password is one of the most common ones, or a character again and again.

    :param folded: the password, without upper case.
    """
    return len(set(folded)) == 1 or f"\n{folded}\n" in _read_common()


@cache
def _read_common() -> str:
    """Return the common passwords, one a line.

    PERF: as one text they take 0.3 MB, as a set of words ten times that; a search takes 0.1 ms.
    """
    data = files("erlen.login").joinpath("common_passwords.txt.gz").read_bytes()
    return "\n" + gzip.decompress(data).decode()


def remove_words(folded: str, words: Iterable[str]) -> str:
    """Return what is left of a password without some words and their parts.

    :param folded: the password, without upper case.
    :param words: the words; an address of mail, for example, has several parts.
    """
    for word in sorted(_split_words(words), key=len, reverse=True):
        folded = folded.replace(word, "")
    return folded


def _split_words(words: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for word in words:
        folded = unicodedata.normalize("NFKC", word or "").casefold()
        parts = [folded, *re.split(r"[\W_]+", folded)]
        found.update(part for part in parts if len(part) >= _MIN_WORD_LENGTH)
    return found
