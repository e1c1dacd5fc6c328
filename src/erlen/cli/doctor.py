"""What ``erlen doctor`` looks at: settings that are weaker than they should be in production."""

from __future__ import annotations

import typing as t
from urllib.parse import urlsplit

from ..defaults import ERLEN_DEFAULTS
from ..server.secret_keys import MAKE_ONE, MIN_KEY_BYTES, is_known

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from ..typing import Application

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
#: The same for applications with logins.
WEAKER_LOGINS: dict[str, str] = {
    "LOGIN_RENEW_SESSION": "who knew a session before its login can use it afterwards",
    "REMEMBER_COOKIE_HTTPONLY": "scripts in a page can read the cookie that remembers a login",
    "REMEMBER_COOKIE_SECURE": "that cookie also goes over unencrypted connections",
    "REMEMBER_COOKIE_SAMESITE": "that cookie goes with forms that other sites send",
    "REMEMBER_COOKIE_ENDED": "a copy of that cookie is good after the logout",
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
    if getattr(app, "login_manager", None) is not None:
        yield from _login_gaps(config)
    yield from _session_gaps(config)
    for extension in app.extensions.values():
        # Extensions know best what is weak of theirs.
        find: Callable[[Application], Iterable[str]] | None
        find = getattr(extension, "find_gaps", None)
        if find is not None:
            yield from find(app)
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


def _login_gaps(config: Mapping[str, t.Any]) -> Iterator[str]:
    for name, problem in WEAKER_LOGINS.items():
        # Flask-Login's own default for this one is safe.
        if not config.get(name, name == "REMEMBER_COOKIE_HTTPONLY"):
            yield f"{name} is {config.get(name)!r}: {problem}. Set it to {ERLEN_DEFAULTS[name]!r}."
    if config.get("LOGIN_TRUST_FORWARDED_FOR", True):
        yield (
            "LOGIN_TRUST_FORWARDED_FOR is not False: anybody can say which address a session is"
            " used from. Set it to False, and name your proxies with ProxyFix."
        )
    if config.get("REMEMBER_COOKIE_FORMAT") != "token":
        yield (
            "REMEMBER_COOKIE_FORMAT is not 'token': the cookie that remembers a login is good for"
            " ever, also after a logout. Set it to 'token'; remembered users log in once more."
        )


def _key_gaps(config: Mapping[str, t.Any]) -> Iterator[str]:
    key = config.get("SECRET_KEY")
    remedy = f"Set it to the output of: {MAKE_ONE}"
    if not key:
        yield f"SECRET_KEY is not set: there are no sessions. {remedy}"
        return
    text = key.decode(errors="replace") if isinstance(key, bytes) else str(key)
    if is_known(text):
        yield f"SECRET_KEY is known to everybody: sessions can be forged. {remedy}"
    elif len(text.encode()) < MIN_KEY_BYTES:
        yield f"SECRET_KEY is shorter than {MIN_KEY_BYTES} bytes: it can be guessed. {remedy}"


def _development_gaps(config: Mapping[str, t.Any]) -> Iterator[str]:
    if config.get("DEBUG"):
        yield "DEBUG is on: errors show the program to visitors. Switch it off."
    if config.get("TESTING"):
        yield "TESTING is on: errors end the request without an answer. Switch it off."


def _session_gaps(config: Mapping[str, t.Any]) -> Iterator[str]:
    backend = config.get("SESSION_BACKEND", "cookie")
    if backend in ("cookie", "encrypted"):
        return
    if not config.get("SESSION_LIFETIME"):
        yield (
            "SESSION_LIFETIME is not set: a session that is used never ends, a stolen one too. Set"
            f" it to {ERLEN_DEFAULTS['SESSION_LIFETIME']!r}."
        )
    store = config.get("SESSION_OVERFLOW") if backend == "auto" else backend
    if store == "memory":
        yield (
            "Sessions are kept in the memory of each process: workers do not see each other's, and"
            ' a restart ends all of them. Set SESSION_BACKEND to "database", "redis" or'
            ' "filesystem".'
        )
    client = config.get("SESSION_REDIS")
    if client is not None and not _has_timeout(client):
        yield (
            "SESSION_REDIS is a client without socket_timeout: a server that hangs holds requests"
            " for ever. Give it a timeout of half a second, or set SESSION_REDIS_URL."
        )
    url = str(config.get("SESSION_REDIS_URL") or "")
    if url.startswith("redis://") and not _is_local(url):
        yield (
            "SESSION_REDIS_URL is a plain connection to another machine: whoever can listen reads"
            " sessions. Use a URL with rediss://, or a network that is yours alone."
        )


def _has_timeout(client: t.Any) -> bool:
    pool = getattr(client, "connection_pool", None)
    return bool(getattr(pool, "connection_kwargs", {}).get("socket_timeout"))


def _is_local(url: str) -> bool:
    host = urlsplit(url).hostname or "localhost"
    return host in ("localhost", "::1") or host.startswith("127.")


def _header_gaps(config: Mapping[str, t.Any]) -> Iterator[str]:
    wanted: Mapping[str, str] = ERLEN_DEFAULTS["DEFAULT_RESPONSE_HEADERS"]
    present = {name.lower() for name in config.get("DEFAULT_RESPONSE_HEADERS") or {}}
    missing = [name for name in wanted if name.lower() not in present]
    if missing:
        headers = ", ".join(f"{name}: {wanted[name]}" for name in missing)
        yield f"DEFAULT_RESPONSE_HEADERS lacks headers that browsers act on. Add {headers}."
