"""Sessions: what an application remembers of a browser from one request to the next.

The interface decides how; the default one keeps the session in a signed cookie, in the form that
Flask uses: each reads the other's.
"""

from __future__ import annotations

import hashlib
import hmac
import typing as t
import zlib
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache, partial

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import int_to_bytes, want_bytes
from werkzeug.datastructures import CallbackDict
from werkzeug.http import dump_cookie, http_date
from werkzeug.sansio.response import Response as ResponseBase
from werkzeug.utils import import_string

from .exceptions import CookieTooLarge
from .json.tag import TaggedJSONSerializer
from .local import _cv_request
from .wrappers import Response

if t.TYPE_CHECKING:
    from .typing import Application
    from .wrappers import Request


class SessionMixin(MutableMapping[str, t.Any]):
    """What a session has beyond a dictionary."""

    #: Whether the session was made for this request. Not every interface can tell; ``False``
    #: means nothing.
    new = False

    #: Whether the session was changed. An interface that cannot tell leaves it at ``True``.
    modified = True

    #: Whether the session was looked at, changed or not; then the response depends on the cookie
    #: and says so with ``Vary: Cookie``. The request context sets it when ``session`` is used.
    accessed = False

    @property
    def permanent(self) -> bool:
        """Whether the session outlives the browser's; kept in the session as ``_permanent``."""
        return bool(self.get("_permanent", False))

    @permanent.setter
    def permanent(self, value: bool) -> None:
        self["_permanent"] = bool(value)

    # Whose session it is, as far as this request has said.
    _owner: str | None = None

    @property
    def owner(self) -> str | None:
        """Whose session it is: text that stands for a user, or ``None``.

        An interface that keeps sessions on the server stores it and finds sessions by it, see
        :meth:`SessionInterface.sessions_of`. In a signed cookie it is not stored.
        """
        return self._owner

    @owner.setter
    def owner(self, value: str | None) -> None:
        self._owner = value

    def renew(self) -> None:
        """Give the session a new identifier and keep what is in it.

        Call it where a visitor's rights change: at login, at logout, when somebody becomes an
        administrator for a while. Whoever knew the identifier before then has nothing (OWASP
        ASVS 5.0, 7.2.4). A signed cookie has no identifier; it is only written anew.
        """
        self.modified = True


@dataclass(frozen=True)
class SessionRecord:
    """What is shown to a user of one of the sessions that are kept for them.

    :param id: a handle for :meth:`SessionInterface.revoke`. It is no secret: it opens no session.
    :param owner: whose session it is.
    :param created: when it began; for a renewed one, when the first of them did.
    :param last_seen: when it was last used, to within the interval at which that is noted.
    :param address: the address of the client that used it then.
    :param user_agent: what that client called itself in the header ``User-Agent``.
    :param device: the same in a few words, such as ``"Firefox on Windows"``.
    :param current: whether it is the session of the current request.
    """

    id: str
    owner: str
    created: datetime
    last_seen: datetime
    address: str | None
    user_agent: str
    device: str
    current: bool


def _note_change(session: SecureCookieSession) -> None:
    session.modified = True


class SecureCookieSession(  # pyright: ignore[reportIncompatibleMethodOverride]
    CallbackDict[str, t.Any], SessionMixin
):
    """A session for a signed cookie: a dictionary that notes when it is changed.

    It does not see changes inside a value, such as ``session["cart"].append(1)``. Set
    ``session.modified = True`` after one.

    :param initial: the first entries, which do not count as a change.
    """

    modified = False

    # Called with the session after each change.
    on_update = staticmethod(_note_change)

    # PERF: the initializer of CallbackDict sets the same function on each instance.
    def __init__(self, initial: Mapping[str, t.Any] | None = None) -> None:
        dict.__init__(self, () if initial is None else initial)


class NullSession(SecureCookieSession):
    """The session of an application that has none: it is empty, and changing it is an error."""

    def _fail(self, *args: t.Any, **kwargs: t.Any) -> t.NoReturn:
        raise RuntimeError(
            "The session is unavailable because no secret key was set. Set app.secret_key, or the"
            " config key SECRET_KEY, to a long random value that nobody else knows."
        )

    __setitem__ = __delitem__ = __ior__ = _fail
    clear = pop = popitem = update = setdefault = _fail
    del _fail


class SessionInterface:
    """How an application opens and saves sessions.

    Subclasses write :meth:`open_session` and :meth:`save_session`; the other methods read the
    configuration for them. What :meth:`open_session` returns must be a dictionary with the
    attributes of :class:`SessionMixin`, at the simplest::

        class Session(dict, SessionMixin):
            pass

    Set ``app.session_interface`` to an instance.

    Several requests of one browser may run at a time, each with the session that it opened. An
    interface that stores sessions on the server has to see to it that they do not spoil each
    other's changes.
    """

    #: The class that :meth:`make_null_session` makes and :meth:`is_null_session` looks for.
    null_session_class = NullSession

    #: Whether sessions are stored with :mod:`pickle`; extensions may ask.
    pickle_based = False

    #: Whether sessions are kept where they can be listed and ended, so that :meth:`sessions_of`,
    #: :meth:`revoke` and :meth:`revoke_all` do something.
    keeps_sessions = False

    def make_null_session(self, app: Application) -> NullSession:
        """Return a stand-in for a session that could not be opened for want of configuration.

        It can be read, so that templates work, and says what is missing when it is changed.
        """
        return self.null_session_class()

    def is_null_session(self, obj: object) -> bool:
        """Tell whether *obj* is such a stand-in. It is never saved."""
        return isinstance(obj, self.null_session_class)

    def get_cookie_name(self, app: Application) -> str:
        """Return the cookie's name: ``SESSION_COOKIE_NAME``."""
        name: str = app.config["SESSION_COOKIE_NAME"]
        return name

    def get_cookie_domain(self, app: Application) -> str | None:
        """Return the domain whose hosts get the cookie: ``SESSION_COOKIE_DOMAIN``.

        ``None`` sends it to the very host that set it, and to no subdomain.
        """
        domain: str | None = app.config["SESSION_COOKIE_DOMAIN"]
        return domain

    def get_cookie_path(self, app: Application) -> str:
        """Return the path below which the cookie is sent.

        That is ``SESSION_COOKIE_PATH``, or where it is not set ``APPLICATION_ROOT``.
        """
        path: str = app.config["SESSION_COOKIE_PATH"] or app.config["APPLICATION_ROOT"]
        return path

    def get_cookie_httponly(self, app: Application) -> bool:
        """Tell whether the cookie is kept from scripts: ``SESSION_COOKIE_HTTPONLY``."""
        httponly: bool = app.config["SESSION_COOKIE_HTTPONLY"]
        return httponly

    def get_cookie_secure(self, app: Application) -> bool:
        """Tell whether the cookie is sent over HTTPS only: ``SESSION_COOKIE_SECURE``.

        The value ``"auto"`` means: if the current request came over HTTPS, or the application
        says that its users' requests do (``PREFERRED_URL_SCHEME``), as behind a proxy that does
        not forward the scheme.
        """
        secure: bool | str = app.config["SESSION_COOKIE_SECURE"]
        if secure != "auto":
            return secure  # type: ignore[return-value]
        ctx = _cv_request.get(None)
        if ctx is not None and ctx.request.is_secure:
            return True
        return bool(app.config["PREFERRED_URL_SCHEME"] == "https")

    def get_cookie_samesite(self, app: Application) -> str | None:
        """Return ``"Strict"``, ``"Lax"``, ``"None"`` or ``None``: ``SESSION_COOKIE_SAMESITE``."""
        samesite: str | None = app.config["SESSION_COOKIE_SAMESITE"]
        return samesite

    def get_cookie_partitioned(self, app: Application) -> bool:
        """Tell whether embedding sites get a cookie each: ``SESSION_COOKIE_PARTITIONED``."""
        partitioned: bool = app.config["SESSION_COOKIE_PARTITIONED"]
        return partitioned

    def get_expiration_time(self, app: Application, session: SessionMixin) -> datetime | None:
        """Return when the cookie ends; ``None`` for the end of the browser's own session.

        A permanent session lives for ``PERMANENT_SESSION_LIFETIME`` from now.
        """
        if not session.permanent:
            return None
        return t.cast(datetime, datetime.now(UTC) + app.permanent_session_lifetime)

    def should_set_cookie(self, app: Application, session: SessionMixin) -> bool:
        """Tell whether the response has to carry the cookie.

        It has if the session was changed, or is permanent and ``SESSION_REFRESH_EACH_REQUEST``
        says to move its end with each request. Static files alone do not move it: caches keep
        them, and must not keep a session with them.
        """
        if session.modified:
            return True
        if not (session.permanent and app.config["SESSION_REFRESH_EACH_REQUEST"]):
            return False
        ctx = _cv_request.get(None)
        return ctx is None or not _is_for_static_file(ctx.request)

    def open_session(self, app: Application, request: Request) -> SessionMixin | None:
        """Return the session of a request, or ``None`` where it cannot have one.

        :meth:`make_null_session` then makes a stand-in.

        :param app: the application.
        :param request: the request; its URL has not been matched yet.
        """
        raise NotImplementedError()

    def save_session(self, app: Application, session: SessionMixin, response: Response) -> None:
        """Save the session of a request, if it has to be, when the response is made.

        :param app: the application.
        :param session: what :meth:`open_session` returned.
        :param response: where a cookie is set.
        """
        raise NotImplementedError()

    def _cookie_options(self, app: Application) -> dict[str, t.Any]:
        return {
            "domain": self.get_cookie_domain(app),
            "path": self.get_cookie_path(app),
            "secure": self.get_cookie_secure(app),
            "httponly": self.get_cookie_httponly(app),
            "samesite": self.get_cookie_samesite(app),
            "partitioned": self.get_cookie_partitioned(app),
        }

    def send_cookie(
        self, app: Application, response: Response, value: str, expires: datetime | None
    ) -> None:
        """Set the session's cookie on a response, as the configuration says.

        The response is then also kept from shared caches, and varies with the cookie.

        :param app: the application.
        :param response: the response.
        :param value: the cookie's value: letters, digits and what else needs no quotes in it.
        :param expires: when the cookie ends; ``None`` for the end of the browser's own session.
        """
        name, options = self.get_cookie_name(app), self._cookie_options(app)
        if type(response).set_cookie in _PLAIN_SETTERS:
            response.headers.add("Set-Cookie", _cookie_line(name, value, expires, options))
        else:
            response.set_cookie(name, value, expires=expires, **options)
        _keep_from_shared_caches(app, response)
        _vary_on_cookie(response)

    def drop_cookie(self, app: Application, response: Response) -> None:
        """Take the session's cookie away from the browser.

        :param app: the application.
        :param response: the response.
        """
        response.delete_cookie(self.get_cookie_name(app), **self._cookie_options(app))
        _vary_on_cookie(response)

    def vary_on_cookie(self, response: Response) -> None:
        """Say in a response that it depends on the cookie, as one must that used the session.

        :param response: the response.
        """
        _vary_on_cookie(response)

    def sessions_of(self, app: Application, owner: str) -> list[SessionRecord]:
        """Return the sessions of a user, the last used first; none where none are kept.

        :param app: the application.
        :param owner: whose; what ``session.owner`` was set to.
        """
        return []

    def revoke(self, app: Application, owner: str, record_id: str) -> bool:
        """End one session of a user, at once and wherever it is open.

        :param app: the application.
        :param owner: whose session it must be.
        :param record_id: the ``id`` of its :class:`SessionRecord`.
        :returns: whether that user had such a session.
        """
        return False

    def revoke_all(self, app: Application, owner: str, except_current: bool = False) -> int:
        """End the sessions of a user.

        :param app: the application.
        :param owner: whose.
        :param except_current: keep the session of the current request.
        :returns: how many there were.
        """
        return 0

    def prune(self, app: Application) -> int:
        """Delete what is stored of sessions that have ended by themselves.

        :param app: the application.
        :returns: how many there were.
        """
        return 0


#: Writes the sessions of :class:`SecureCookieSessionInterface`.
session_json_serializer = TaggedJSONSerializer()


def _lazy_sha1(string: bytes = b"") -> t.Any:
    # Looked up when called: a build of OpenSSL in FIPS mode may have no SHA-1, and an application
    # that chooses another hash must still be able to import this module.
    return hashlib.sha1(string)


class _SessionSigner(TimestampSigner):
    """Signs as its base class does, with the keys derived and hashed into the MAC once."""

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, **kwargs)
        newest_first = reversed(self.secret_keys)
        self._prepared = [
            _prepare_mac(self.derive_key(key), self.digest_method) for key in newest_first
        ]

    def sign(self, value: str | bytes) -> bytes:
        """Return *value* with the time and the signature of both."""
        stamped = b"%b.%b" % (want_bytes(value), _stamp(self.get_timestamp()))
        return b"%b.%b" % (stamped, _signature(self._prepared[0], stamped))

    def valid_payload(self, signed: bytes, max_age: int) -> bytes | None:
        """Return the payload in *signed*, or ``None`` where :meth:`unsign` may find a fault."""
        stamped, _, signature = signed.rpartition(b".")
        payload, _, stamp = stamped.rpartition(b".")
        for prepared in self._prepared:
            if hmac.compare_digest(signature, _signature(prepared, stamped)):
                break
        else:
            return None
        try:
            age = self.get_timestamp() - int.from_bytes(_decode64(stamp), "big")
        except ValueError:
            return None
        return payload if 0 <= age <= max_age else None


_TO_URL_SAFE = bytes.maketrans(b"+/", b"-_")
_FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")


def _encode64(data: bytes) -> bytes:
    """Return bytes in the URL's alphabet of base 64, without padding (RFC 4648, section 5)."""
    return b2a_base64(data, newline=False).translate(_TO_URL_SAFE).rstrip(b"=")


def _decode64(code: bytes) -> bytes:
    """Return the bytes that were encoded; raise :exc:`ValueError` where it is no base 64."""
    return a2b_base64(code.translate(_FROM_URL_SAFE) + b"==")  # superfluous padding is skipped


@lru_cache(maxsize=4)
def _stamp(seconds: int) -> bytes:
    return _encode64(int_to_bytes(seconds))


def _prepare_mac(key: bytes, digest_method: t.Any) -> tuple[t.Any, t.Any]:
    """Return the two hashes of an HMAC (RFC 2104) that have taken in the key.

    PERF: copies of them give the MAC of a value in half the time that :mod:`hmac` takes.
    """
    if isinstance(digest_method, str):
        digest_method = partial(hashlib.new, digest_method)
    size = digest_method().block_size
    if len(key) > size:
        key = digest_method(key).digest()
    key = key.ljust(size, b"\0")
    return (
        digest_method(bytes(byte ^ 0x36 for byte in key)),
        digest_method(bytes(byte ^ 0x5C for byte in key)),
    )


def _signature(prepared: tuple[t.Any, t.Any], value: bytes) -> bytes:
    inner, outer = prepared
    inner, outer = inner.copy(), outer.copy()
    inner.update(value)
    outer.update(inner.digest())
    return _encode64(outer.digest())


# Payloads of up to so many bytes are not compressed: the cookie is small in any case.
_SMALL = 100


class _SessionSerializer(URLSafeTimedSerializer):
    """A serializer that keeps its signer, for many sessions signed with the same keys."""

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        super().__init__(*args, signer=_SessionSigner, **kwargs)
        self._own_signer = t.cast(_SessionSigner, super().make_signer())

    def make_signer(self, salt: str | bytes | None = None) -> TimestampSigner:
        if salt is None or salt == self.salt:
            return self._own_signer
        return t.cast(TimestampSigner, super().make_signer(salt))

    def loads(  # type: ignore[override]  # itsdangerous puts max_age first here, too
        self,
        s: str | bytes,
        max_age: int | None = None,
        return_timestamp: bool = False,
        salt: str | bytes | None = None,
    ) -> t.Any:
        """Return the data in a signed text that is not older than *max_age* seconds.

        :raises itsdangerous.BadData: if it was not signed here, is too old or is malformed.
        """
        if max_age is not None and not return_timestamp and salt is None:
            payload = self._own_signer.valid_payload(want_bytes(s), max_age)
            if payload is not None:
                return self.load_payload(payload)
        # Says exactly what is wrong.
        return super().loads(s, max_age, return_timestamp, salt)

    def dumps(self, obj: t.Any, salt: str | bytes | None = None) -> str:
        """Return *obj* as signed text."""
        if salt is not None:
            return super().dumps(obj, salt)
        return self._own_signer.sign(self.dump_payload(obj)).decode("ascii")

    def load_payload(self, payload: bytes, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Return the data in the bytes that :meth:`dump_payload` made.

        :raises itsdangerous.BadPayload: if they are malformed.
        """
        if not (args or kwargs or payload.startswith(b".")) and self.is_text_serializer:
            try:
                return self.serializer.loads(_decode64(payload).decode())
            except Exception:  # the same again says exactly what is wrong
                pass
        return super().load_payload(payload, *args, **kwargs)

    def dump_payload(self, obj: t.Any) -> bytes:
        """Return *obj* as bytes for a URL, compressed where that makes it shorter."""
        plain = want_bytes(self.serializer.dumps(obj, **self.serializer_kwargs))
        packed = plain if len(plain) <= _SMALL else _compress(plain)
        if len(packed) < len(plain) - 1:
            return b"." + _encode64(packed)
        return _encode64(plain)


def _compress(data: bytes) -> bytes:
    # PERF: with its default window of 32 KiB zlib spends 30 µs on memory alone. For what fits in a
    # cookie a window of 4 KiB finds the same; any zlib reads it.
    packer = zlib.compressobj(wbits=12, memLevel=5)
    return packer.compress(data) + packer.flush()


def _make_serializer(
    keys: tuple[str | bytes, ...],
    salt: str | bytes,
    serializer: t.Any,
    key_derivation: str,
    digest_method: t.Any,
) -> URLSafeTimedSerializer:
    return _SessionSerializer(
        list(keys),
        salt=salt,
        serializer=serializer,
        signer_kwargs={"key_derivation": key_derivation, "digest_method": digest_method},
    )


# PERF: making one takes longer than signing with it. Bounded for programs that make many
# applications, each with a key of its own.
_kept_serializer = lru_cache(maxsize=64)(_make_serializer)


class SecureCookieSessionInterface(SessionInterface):
    """Keeps the session in a signed cookie: the browser can read it but not change it."""

    #: Sets the signatures of sessions apart from others made with the same secret key.
    salt = "cookie-session"
    #: The hash function of the signature.
    digest_method: t.Any = staticmethod(_lazy_sha1)
    #: How the signing key follows from the secret key, by the names of itsdangerous.
    key_derivation = "hmac"
    #: Writes the session as text. The default is JSON with tags for more types.
    serializer: t.Any = session_json_serializer
    #: The class of the sessions.
    session_class = SecureCookieSession

    #: Says of the :meth:`open_session` in the same class body that it only reads the cookie, so
    #: that it may wait until the session is used, if ever. A class that overrides the method has
    #: it called at the start of each request, unless it says the same.
    opens_lazily = True

    def get_signing_serializer(self, app: Application) -> URLSafeTimedSerializer | None:
        """Return what signs and checks cookies; ``None`` if the application has no secret key.

        Cookies are signed with ``SECRET_KEY``, and accepted with any of ``SECRET_KEY_FALLBACKS``
        too.
        """
        secret_key = app.secret_key
        if not secret_key:
            return None
        fallbacks = app.config["SECRET_KEY_FALLBACKS"]
        # itsdangerous signs with the last key.
        keys = (*fallbacks, secret_key) if fallbacks else (secret_key,)
        settings = (keys, self.salt, self.serializer, self.key_derivation, self.digest_method)
        try:
            return _kept_serializer(*settings)
        except TypeError:  # something in it has no hash
            return _make_serializer(*settings)

    def open_session(self, app: Application, request: Request) -> SecureCookieSession | None:
        """Return the session in the request's cookie; an empty one if it has no valid cookie."""
        signing = self.get_signing_serializer(app)
        if signing is None:
            return None
        cookie = request.cookies.get(self.get_cookie_name(app))
        if not cookie:
            return self.session_class()
        max_age = int(app.permanent_session_lifetime.total_seconds())
        try:
            data = signing.loads(cookie, max_age=max_age)
        except BadData:
            return self.session_class()
        if isinstance(data, dict):
            return self.session_class(data)
        return self._session_of_odd_data(data)

    def _session_of_odd_data(self, data: t.Any) -> SecureCookieSession:
        """Return a session of what another program with the same key has signed, if it can be."""
        try:
            return self.session_class(data)
        except (TypeError, ValueError):
            return self.session_class()

    def save_session(self, app: Application, session: SessionMixin, response: Response) -> None:
        """Set the cookie if the session was changed, delete it if all was taken out of it.

        :raises CookieTooLarge: if browsers would not keep the cookie.
        """
        varies = session.accessed
        if not session:
            if session.modified:
                varies = True
                response.delete_cookie(self.get_cookie_name(app), **self._cookie_options(app))
        elif self.should_set_cookie(app, session):
            varies = True
            self._set_cookie(app, session, response)
        if varies:
            _vary_on_cookie(response)

    def _set_cookie(self, app: Application, session: SessionMixin, response: Response) -> None:
        signing = self.get_signing_serializer(app)
        assert signing is not None, "a session without a secret key is a null session"
        name = self.get_cookie_name(app)
        options = self._cookie_options(app)
        expires = self.get_expiration_time(app, session)
        value = signing.dumps(dict(session))
        # What itsdangerous writes for URLs needs no quotes.
        plain = isinstance(signing, _SessionSerializer)
        write = _cookie_line if plain else _quoted_cookie_line
        line = write(name, value, expires, options)
        limit = app.config["MAX_COOKIE_SIZE"]
        if limit and len(line) > limit:
            raise CookieTooLarge(name, len(line), limit, self._entry_sizes(session))
        if plain and type(response).set_cookie in _PLAIN_SETTERS:
            response.headers.add("Set-Cookie", line)
        else:
            response.set_cookie(name, value, expires=expires, **options)
        _keep_from_shared_caches(app, response)

    def _entry_sizes(self, session: SessionMixin) -> dict[str, int]:
        return {key: len(self.serializer.dumps({key: session[key]})) for key in session}


# The interface for SESSION_BACKEND = "cookie". It has no state, so applications share it.
_SIGNED_COOKIE = SecureCookieSessionInterface()
# What makes an interface for each other value.
_CHOOSER = "erlen.serversessions.backends:choose_interface"


class ChosenInterface:
    """What ``app.session_interface`` is until it is set: the one that ``SESSION_BACKEND`` names.

    The setting is looked at when the attribute is read, and no more once a request has come. Then
    the application has the interface in the attribute itself.
    """

    def __get__(self, app: Application, owner: t.Any = None) -> t.Any:
        if app is None:
            return _SIGNED_COOKIE
        interface: SessionInterface = _SIGNED_COOKIE
        backend = app.config.get("SESSION_BACKEND", "cookie")
        if backend != "cookie":
            interface = import_string(_CHOOSER)(app, backend)
        if app.got_first_request:
            app.__dict__["session_interface"] = interface
        return interface


# What sets cookies in the usual way.
_PLAIN_SETTERS = (ResponseBase.set_cookie, Response.set_cookie)

# Stands in for the value and the end of a cookie; no name, domain or path can hold it.
_GAP = "\0"


# PERF: writing a cookie's attributes takes as long as signing the session, and they are the same
# each time. (typed: True and 1 are equal, but are not written alike.)
@lru_cache(maxsize=64, typed=True)
def _cookie_frame(name: str, ends: bool, *options: t.Any) -> list[str]:
    """Return what is written around the value, and around the end if there is one."""
    attributes = dict(zip(_OPTIONS, options, strict=True))
    line = dump_cookie(name, max_size=0, expires=_GAP if ends else None, **attributes)
    head, _, rest = line.partition("=")
    return [f"{head}=", *rest.split(_GAP)]


_OPTIONS = ("domain", "path", "secure", "httponly", "samesite", "partitioned")

_http_date = lru_cache(maxsize=8)(http_date)


def _cookie_line(name: str, value: str, expires: datetime | None, options: dict[str, t.Any]) -> str:
    """Return the value of ``Set-Cookie`` for a value that needs no quotes."""
    frame = _cookie_frame(name, expires is not None, *options.values())
    if expires is None:
        head, tail = frame
        return f"{head}{value}{tail}"
    head, middle, tail = frame
    # PERF: whole seconds are all that is written; without the rest the text is made once a second.
    return f"{head}{value}{middle}{_http_date(expires.replace(microsecond=0))}{tail}"


def _quoted_cookie_line(
    name: str, value: str, expires: datetime | None, options: dict[str, t.Any]
) -> str:
    return dump_cookie(name, value, max_size=0, expires=expires, **options)


def _vary_on_cookie(response: Response) -> None:
    headers = response.headers
    if "Vary" in headers:
        response.vary.add("Cookie")
    else:
        # PERF: response.vary parses the header and writes it back at each addition.
        headers.add("Vary", "Cookie")


def _keep_from_shared_caches(app: Application, response: Response) -> None:
    """Mark a response that sets the cookie as private, if SESSION_CACHE_CONTROL says so."""
    directive = app.config.get("SESSION_CACHE_CONTROL")
    if not directive:
        return
    if "Cache-Control" not in response.headers:
        response.headers["Cache-Control"] = directive
    elif response.cache_control.public:
        response.cache_control.public = False
        response.cache_control.private = True


def opens_lazily(interface: object) -> bool:
    """Tell whether a session interface lets its sessions be opened when they are first used.

    It does if the class that defines its ``open_session`` says so with ``opens_lazily = True`` in
    its own body; an override is called at the start of each request, as in Flask.

    :param interface: an application's session interface.
    """
    return _says_beside(interface, "open_session", "opens_lazily")


def _says_beside(interface: object, method: str, attribute: str) -> bool:
    """Tell whether the class that defines a method says ``True`` to something in its own body."""
    if method in getattr(interface, "__dict__", ()):
        return False
    for cls in type(interface).__mro__:
        if method in cls.__dict__:
            return cls.__dict__.get(attribute) is True
    return False


def must_be_saved_unused(interface: SessionInterface, app: Application, request: Request) -> bool:
    """Tell whether a session that nobody used must be opened for ``save_session`` all the same.

    That is so for an interface with a ``save_session`` or ``should_set_cookie`` of its own, which
    may do anything, unless it says ``saves_used_only = True`` beside the former; and for a
    permanent session whose end moves with each request.

    :param interface: an application's session interface, one that opens lazily.
    :param app: the application.
    :param request: the request at whose end the session has not been opened.
    """
    cls = type(interface)
    if (
        getattr(interface, "__dict__", None)
        or cls.save_session is not SecureCookieSessionInterface.save_session
        or cls.should_set_cookie is not SessionInterface.should_set_cookie
        or getattr(cls, "session_class", None) is not SecureCookieSession
    ):
        return not _says_beside(interface, "save_session", "saves_used_only")
    if not app.config["SESSION_REFRESH_EACH_REQUEST"]:
        return False
    cookies = request.environ.get("HTTP_COOKIE")
    if not cookies or _is_for_static_file(request):
        return False
    return not _writes_plainly(interface) or _may_be_permanent(cookies)


def _is_for_static_file(request: Request) -> bool:
    endpoint = request.endpoint
    return endpoint is not None and (endpoint == "static" or endpoint.endswith(".static"))


def _writes_plainly(interface: SessionInterface) -> bool:
    """Tell whether permanent sessions show in their cookies as :func:`_may_be_permanent` knows."""
    cls = t.cast("type[t.Any]", type(interface))
    return (
        not interface.__dict__
        and cls.get_signing_serializer is SecureCookieSessionInterface.get_signing_serializer
        and type(cls.serializer) is TaggedJSONSerializer
        and cls.session_class is SecureCookieSession
    )


def _marks(text: bytes) -> tuple[str, ...]:
    """Return what base 64 makes of *text*, for each way in which it may be aligned."""
    marks = []
    for before in range(3):
        code = _encode64(b" " * before + text)
        # The first letters depend on what comes before, the last one on what comes after.
        marks.append(code[(before * 8 + 5) // 6 : -1].decode("ascii"))
    return tuple(marks)


def _compressed_mark(compress: Callable[[bytes], bytes]) -> str:
    """Return how the cookie's value begins where *compress* made its payload."""
    return "." + _encode64(compress(b""))[:2].decode("ascii")


# How a cookie that holds a permanent session shows it: by the key, or by being compressed, in
# Flask's way or in ours.
_PERMANENT_MARKS = (
    *_marks(b'"_permanent"'),
    _compressed_mark(zlib.compress),
    _compressed_mark(_compress),
)


def _may_be_permanent(cookies: str) -> bool:
    """Tell whether a header ``Cookie`` may hold a permanent session; it may be forged, too.

    PERF: most sessions are not permanent, and this takes a twentieth of opening one.
    """
    return any(mark in cookies for mark in _PERMANENT_MARKS)
