"""What ``erlen doctor`` looks at: settings that are weaker than they should be in production."""

from __future__ import annotations

import typing as t

from ..defaults import ERLEN_DEFAULTS

if t.TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ..typing import Application

#: How many bytes a secret key should have (OWASP: at least 128 bits of randomness).
MIN_KEY_BYTES = 16
#: Keys that stand in examples and tutorials, so that anybody can sign sessions with them.
KNOWN_KEYS = frozenset(
    {
        "dev",
        "development",
        "secret",
        "secret key",
        "changeme",
        "change me",
        "key",
        "test",
        "password",
    }
)
#: For each setting that may only be tightened: what is wrong where it is off, in words.
WEAKER: dict[str, str] = {
    "SESSION_COOKIE_HTTPONLY": "scripts in a page can read the session cookie",
    "SESSION_COOKIE_SECURE": "the session cookie also goes over unencrypted connections",
    "SESSION_COOKIE_SAMESITE": "the session cookie goes with forms that other sites send",
    "SESSION_CACHE_CONTROL": "a shared cache may hand one visitor's session cookie to another",
    "MAX_CONTENT_LENGTH": "a request may have a body of any size",
    "MAX_FORM_MEMORY_SIZE": "a field of a form may fill the memory",
    "MAX_FORM_PARTS": "a form may have any number of parts",
}


def find_gaps(app: Application) -> Iterator[str]:
    """Yield a sentence for each gap in an application's settings: what is wrong, and the remedy.

    The measure is the table of today's defaults, with what no default can know: the secret key,
    the hosts, and whether the application runs as in development.

    :param app: the application.
    """
    config: Mapping[str, t.Any] = app.config
    yield from _key_gaps(config)
    yield from _development_gaps(config)
    for name, problem in WEAKER.items():
        if not config.get(name):
            yield f"{name} is {config.get(name)!r}: {problem}. Set it to {ERLEN_DEFAULTS[name]!r}."
    if "csrf" in app.extensions:
        yield from _forms_gaps(config)
    yield from _header_gaps(config)
    if not config.get("TRUSTED_HOSTS"):
        yield (
            "TRUSTED_HOSTS is not set: absolute URLs are made with any host that a client names."
            " Set it to a list of your host names."
        )


def _forms_gaps(config: Mapping[str, t.Any]) -> Iterator[str]:
    if not config.get("WTF_CSRF_FETCH_METADATA"):
        yield (
            "WTF_CSRF_FETCH_METADATA is not set: forged requests are told by the token alone, which"
            " a page that leaks it, or another host of the site, can have. Set it to True."
        )
    if not config.get("WTF_CSRF_MASK_TOKENS"):
        yield (
            "WTF_CSRF_MASK_TOKENS is not set: a visitor's token may be guessed from the lengths of"
            " compressed pages. Set it to True."
        )


def _key_gaps(config: Mapping[str, t.Any]) -> Iterator[str]:
    key = config.get("SECRET_KEY")
    remedy = "Set it to the output of: python -c 'import secrets; print(secrets.token_hex())'"
    if not key:
        yield f"SECRET_KEY is not set: there are no sessions. {remedy}"
        return
    text = key.decode(errors="replace") if isinstance(key, bytes) else str(key)
    if text.lower() in KNOWN_KEYS:
        yield f"SECRET_KEY is known to everybody: sessions can be forged. {remedy}"
    elif len(text.encode()) < MIN_KEY_BYTES:
        yield f"SECRET_KEY is shorter than {MIN_KEY_BYTES} bytes: it can be guessed. {remedy}"


def _development_gaps(config: Mapping[str, t.Any]) -> Iterator[str]:
    if config.get("DEBUG"):
        yield "DEBUG is on: errors show the program to visitors. Switch it off."
    if config.get("TESTING"):
        yield "TESTING is on: errors end the request without an answer. Switch it off."


def _header_gaps(config: Mapping[str, t.Any]) -> Iterator[str]:
    wanted: Mapping[str, str] = ERLEN_DEFAULTS["DEFAULT_RESPONSE_HEADERS"]
    present = {name.lower() for name in config.get("DEFAULT_RESPONSE_HEADERS") or {}}
    missing = [name for name in wanted if name.lower() not in present]
    if missing:
        headers = ", ".join(f"{name}: {wanted[name]}" for name in missing)
        yield f"DEFAULT_RESPONSE_HEADERS lacks headers that browsers act on. Add {headers}."
