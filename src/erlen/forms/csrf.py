"""Protection from cross-site request forgery: changes are taken from our own pages only.

A browser sends a visitor's cookies with each request to a site, also with those that another site
made it send. Two ways of telling them apart are here, chosen by configuration values:

* the token: a signed copy of a secret in the visitor's session, which other sites cannot read. This
  is the scheme of Flask-WTF, and all that there is with the defaults of :class:`erlen.Flask`;
* what the browser itself says, in ``Sec-Fetch-Site`` or, the older ones, in ``Origin``
  (``WTF_CSRF_FETCH_METADATA``, a default of :class:`erlen.Erlen`). The token decides where the
  browser says neither. See the OWASP cheat sheet "Cross-Site Request Forgery Prevention" and
  https://www.w3.org/TR/fetch-metadata/.
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import secrets
import typing as t
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from itsdangerous import BadData, SignatureExpired, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import base64_encode
from itsdangerous.signer import SigningAlgorithm
from markupsafe import Markup, escape
from werkzeug.exceptions import BadRequest

from erlen import Blueprint, current_app, g, request, session

from .base import CSRF
from .validators import ValidationError

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

    from erlen import Flask

    from .base import BaseForm, CSRFTokenField

__all__ = [
    "CSRFError",
    "CSRFProtect",
    "csrf_meta_tag",
    "generate_csrf",
    "renew_csrf",
    "same_origin",
    "validate_csrf",
]

T = t.TypeVar("T")
Keys = tuple[str | bytes, ...]

# Flask-WTF documents this name; applications set the level of its messages by it.
logger = logging.getLogger("flask_wtf.csrf")

MISSING_KEY = (
    "A secret key is required to use CSRF. Set app.secret_key, or WTF_CSRF_SECRET_KEY, to random"
    " data that you keep to yourself."
)
MISSING_NAME = "A field name is required to use CSRF. Set WTF_CSRF_FIELD_NAME."


# --- Tokens ---------------------------------------------------------------------------------------


def generate_csrf(secret_key: str | bytes | None = None, token_key: str | None = None) -> str:
    """Return a token for the current visitor; the same one during a request.

    The token is signed and carries the time. What it is compared to is kept in the session, under
    ``token_key``. With ``WTF_CSRF_MASK_TOKENS`` it looks different in each response, so that the
    lengths of compressed pages tell nothing about it (BREACH, CVE-2013-3587).

    :param secret_key: the key to sign with; by default ``WTF_CSRF_SECRET_KEY`` or the
        application's.
    :param token_key: the name in the session and on ``g``; by default ``WTF_CSRF_FIELD_NAME``.
    :raises RuntimeError: where there is no key.

    .. code-block:: html+jinja

        <input type="hidden" name="csrf_token" value="{{ csrf_token() }}">
    """
    serializer = _make_serializer(_find_keys(secret_key)[-1:])
    name = _get_config(token_key, "WTF_CSRF_FIELD_NAME", "csrf_token", message=MISSING_NAME)
    token: str | None = g.get(name)
    if token is None:
        if name not in session:
            session[name] = secrets.token_hex(20)
        try:
            token = _sign(serializer, session[name])
        except TypeError:
            # What is in the session is no token of ours.
            session[name] = secrets.token_hex(20)
            token = _sign(serializer, session[name])
        setattr(g, name, token)
    return token


def validate_csrf(
    data: t.Any,
    secret_key: str | bytes | None = None,
    time_limit: int | None = None,
    token_key: str | None = None,
) -> None:
    """Compare a token that came with a request to the visitor's session.

    :param data: the token.
    :param secret_key: the key it is signed with; by default ``WTF_CSRF_SECRET_KEY`` or the
        application's, with ``SECRET_KEY_FALLBACKS``.
    :param time_limit: for how many seconds a token is good; by default ``WTF_CSRF_TIME_LIMIT``.
    :param token_key: the name in the session; by default ``WTF_CSRF_FIELD_NAME``.
    :raises ValidationError: where it is not a token of this visitor; its text says why.
    """
    serializer = _make_serializer(_find_keys(secret_key))
    name = _get_config(token_key, "WTF_CSRF_FIELD_NAME", "csrf_token", message=MISSING_NAME)
    limit = _get_config(time_limit, "WTF_CSRF_TIME_LIMIT", 3600, required=False)
    if not data:
        raise ValidationError("The CSRF token is missing.")
    if name not in session:
        raise ValidationError("The CSRF session token is missing.")
    try:
        token = serializer.loads(data, max_age=limit)
    except SignatureExpired as error:
        raise ValidationError("The CSRF token has expired.") from error
    except (BadData, TypeError, ValueError) as error:
        # The latter two for what JSON may hold besides text, lone surrogates for one.
        raise ValidationError("The CSRF token is invalid.") from error
    if not _is_same(token, session[name]):
        raise ValidationError("The CSRF tokens do not match.")


def renew_csrf(token_key: str | None = None) -> None:
    """Forget the current visitor's token, so that the next one made is a new one.

    Call it where somebody logs in or out: a token that was known before is worthless then.

    :param token_key: the name in the session; by default ``WTF_CSRF_FIELD_NAME``.

    .. code-block:: python

        session.clear()
        session["user_id"] = user.id
        renew_csrf()
    """
    name = _get_config(token_key, "WTF_CSRF_FIELD_NAME", "csrf_token", message=MISSING_NAME)
    session.pop(name, None)
    g.pop(name, None)


def csrf_meta_tag(
    name: str | None = None, secret_key: str | bytes | None = None, token_key: str | None = None
) -> Markup:
    """Return a ``<meta>`` element with the token, for scripts of the page.

    :param name: its name; by default ``WTF_CSRF_META_NAME``.
    :param secret_key: as for :func:`generate_csrf`.
    :param token_key: as for :func:`generate_csrf`.

    .. code-block:: html+jinja

        <head>{{ csrf_meta_tag() }}</head>
    """
    name = _get_config(name, "WTF_CSRF_META_NAME", "csrf-token")
    token = generate_csrf(secret_key, token_key)
    return Markup(f'<meta name="{escape(name)}" content="{escape(token)}">')


def _get_config(
    value: t.Any,
    config_name: str,
    default: t.Any = None,
    required: bool = True,
    message: str = "CSRF is not configured.",
) -> t.Any:
    """Return a value, or that of the configuration, or the default."""
    if value is None:
        value = current_app.config.get(config_name, default)
    if required and value is None:
        raise RuntimeError(message)
    return value


def _find_keys(secret_key: str | bytes | None) -> Keys:
    """Return the keys that signatures are checked with, the one to sign with last."""
    config = current_app.config
    fallbacks: Iterable[str | bytes] = ()
    if secret_key is None:
        secret_key = config.get("WTF_CSRF_SECRET_KEY")
    if secret_key is None:
        secret_key = current_app.secret_key
    if secret_key is None:
        raise RuntimeError(MISSING_KEY)
    if secret_key == current_app.secret_key:
        fallbacks = config.get("SECRET_KEY_FALLBACKS") or ()
    return (*fallbacks, secret_key)


class Hmac(SigningAlgorithm):
    """HMAC with SHA-1, as itsdangerous has it, in one call."""

    def get_signature(self, key: bytes, value: bytes) -> bytes:
        """Return the signature of a value.

        :param key: the key.
        :param value: the value.
        """
        return hmac.digest(key, value, "sha1")


class TokenSerializer(URLSafeTimedSerializer):
    """Makes and reads tokens; they are those of a plain ``URLSafeTimedSerializer``.

    PERF: that one makes a signer for each, and compresses what does not become any shorter; it
    took a fifth of the time of validating a form.

    :param keys: the keys, the one to sign with last.
    """

    def __init__(self, keys: Keys) -> None:
        encoded = [key.encode() if isinstance(key, str) else key for key in keys]
        super().__init__(encoded, salt="wtf-csrf-token", signer_kwargs={"algorithm": Hmac()})
        self._made = t.cast("TimestampSigner", super().make_signer())

    def make_signer(self, salt: str | bytes | None = None) -> TimestampSigner:
        """Return the signer.

        :param salt: not used.
        """
        return self._made

    def dump_payload(self, obj: t.Any) -> bytes:
        """Return a value as text for URLs.

        :param obj: the value.
        """
        return base64_encode(json.dumps(obj, separators=(",", ":")))


@lru_cache(maxsize=16)
def _make_serializer(keys: Keys) -> TokenSerializer:
    return TokenSerializer(keys)


def _sign(serializer: TokenSerializer, token: t.Any) -> str:
    if isinstance(token, str) and current_app.config.get("WTF_CSRF_MASK_TOKENS"):
        token = _mask(token)
    return serializer.dumps(token)


def _mask(token: str) -> str:
    """Return a token combined with random bytes, which stand before it."""
    data = _read_bytes(token)
    mask = secrets.token_bytes(len(data))
    return base64.urlsafe_b64encode(mask + _combine(mask, data)).decode()


def _read_bytes(token: str) -> bytes:
    try:
        return bytes.fromhex(token)
    except ValueError:
        # Not of our making.
        return token.encode()


def _combine(mask: bytes, data: bytes) -> bytes:
    combined = int.from_bytes(mask, "big") ^ int.from_bytes(data, "big")
    return combined.to_bytes(len(data), "big")


def _is_same(given: t.Any, token: t.Any) -> bool:
    """Return whether a signed token, masked or not, is the one of the session."""
    if not (isinstance(given, str) and isinstance(token, str)):
        return bool(given == token)
    if hmac.compare_digest(given.encode(), token.encode()):
        return True
    try:
        data = base64.urlsafe_b64decode(given)
    except ValueError:
        return False
    wanted = _read_bytes(token)
    half = len(data) // 2
    if len(data) % 2 or half != len(wanted):
        return False
    return hmac.compare_digest(_combine(data[:half], data[half:]), wanted)


# --- What the browser says ------------------------------------------------------------------------


def is_known_source() -> bool:
    """Say whether the headers of the current request show that it came from one of our pages.

    Which of them are looked at is a matter of configuration. With none, the answer is ``False``.

    :returns: ``False`` where the headers do not tell; the token decides then.
    :raises ValidationError: where they show that it came from elsewhere.
    """
    config = current_app.config
    headers = request.headers
    if "Authorization" in headers and config.get("WTF_CSRF_EXEMPT_BEARER") and _has_bearer():
        return True
    if not config.get("WTF_CSRF_FETCH_METADATA"):
        return False
    origin = headers.get("Origin")
    trusted = origin is not None and origin in (config.get("WTF_CSRF_TRUSTED_ORIGINS") or ())
    site = headers.get("Sec-Fetch-Site")
    if site in ("same-origin", "none") or trusted:
        return True
    # Other values, which are to come one day, are to be ignored (Fetch Metadata, section 2.3).
    if site in ("same-site", "cross-site"):
        raise ValidationError(f"The request came from another origin ({site}).")
    # Browsers hide the origin ("null") for reasons of privacy too: the token decides.
    if origin is not None and origin != "null":
        return _is_own(origin, "The origin does not match the host.")
    referrer = headers.get("Referer")
    if referrer:
        _is_own(referrer, "The referrer does not match the host.")
    return False


def _has_bearer() -> bool:
    # A foreign page cannot add this header, unless our answer to a preflight request lets it.
    authorization = request.authorization
    return (
        authorization is not None and authorization.type == "bearer" and bool(authorization.token)
    )


def _is_own(address: str, message: str) -> bool:
    """Say whether an address is one of ours; ``False`` where only its scheme is another.

    That is the case where TLS ends at a server in front that the application was not told of.
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        raise ValidationError(message) from None
    if parts.netloc.lower() != request.host.lower():
        raise ValidationError(message)
    return parts.scheme.lower() == request.scheme


def same_origin(current_uri: str, compare_uri: str) -> bool:
    """Say whether two addresses have the same scheme, host and port.

    :param current_uri: one address.
    :param compare_uri: the other.
    """
    return _split_origin(current_uri) == _split_origin(compare_uri) is not None


def _split_origin(uri: str) -> tuple[str, str | None, int | None] | None:
    try:
        parts = urlsplit(uri)
        return parts.scheme, parts.hostname, parts.port
    except ValueError:
        return None


# --- The form's own check -------------------------------------------------------------------------


class _FlaskFormCSRF(CSRF):
    """Gives forms their field with the token, and checks it."""

    meta: t.Any

    def setup_form(self, form: BaseForm) -> list[tuple[str, t.Any]]:
        self.meta = form.meta
        return super().setup_form(form)

    def generate_csrf_token(self, csrf_token_field: CSRFTokenField) -> str:
        return generate_csrf(self.meta.csrf_secret, self.meta.csrf_field_name)

    def validate_csrf_token(self, form: BaseForm, field: CSRFTokenField) -> None:
        if g.get("csrf_valid", False):
            # CSRFProtect has checked the request already.
            return
        meta = self.meta
        try:
            if not is_known_source():
                validate_csrf(
                    field.data, meta.csrf_secret, meta.csrf_time_limit, meta.csrf_field_name
                )
        except ValidationError as error:
            logger.info(error.args[0])
            raise


# --- The whole application ------------------------------------------------------------------------


class CSRFProtect:
    """Protects each view of an application from forged requests.

    :param app: the application, or ``None`` to call :meth:`init_app` later.

    .. code-block:: python

        from erlen import Erlen
        from erlen.forms import CSRFProtect

        app = Erlen(__name__)
        csrf = CSRFProtect(app)
    """

    def __init__(self, app: Flask | None = None) -> None:
        self._exempt_views: set[str] = set()
        self._exempt_blueprints: set[Blueprint] = set()
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Protect an application, and offer ``csrf_token()`` to its templates.

        :param app: the application.
        """
        app.extensions["csrf"] = self
        config = app.config
        config.setdefault("WTF_CSRF_ENABLED", True)
        config.setdefault("WTF_CSRF_CHECK_DEFAULT", True)
        methods = config.get("WTF_CSRF_METHODS", ["POST", "PUT", "PATCH", "DELETE"])
        config["WTF_CSRF_METHODS"] = set(methods)
        config.setdefault("WTF_CSRF_FIELD_NAME", "csrf_token")
        config.setdefault("WTF_CSRF_HEADERS", ["X-CSRFToken", "X-CSRF-Token"])
        config.setdefault("WTF_CSRF_META_NAME", "csrf-token")
        config.setdefault("WTF_CSRF_TIME_LIMIT", 3600)
        config.setdefault("WTF_CSRF_SSL_STRICT", True)

        names = {"csrf_token": generate_csrf, "csrf_meta_tag": csrf_meta_tag}
        # Imported templates see the globals only, a template's own variables may hide them.
        app.jinja_env.globals.update(names)
        app.context_processor(lambda: dict(names))

        @app.before_request
        def csrf_protect() -> None:
            if config["WTF_CSRF_ENABLED"] and config["WTF_CSRF_CHECK_DEFAULT"]:
                self.protect(apply_exemptions=True)

    def protect(self, apply_exemptions: bool = False) -> None:
        """Check the current request, whose method is one of ``WTF_CSRF_METHODS``.

        :param apply_exemptions: let the views and blueprints through that are exempt, as the
            check before each request does.
        :raises CSRFError: where the request may be forged.
        """
        if request.method not in current_app.config["WTF_CSRF_METHODS"]:
            return
        if apply_exemptions and (not request.endpoint or self._is_exempt()):
            return
        try:
            if not is_known_source():
                validate_csrf(self._get_csrf_token())
                self._check_referrer()
        except ValidationError as error:
            logger.info(error.args[0])
            self._error_response(error.args[0])
        g.csrf_valid = True

    def exempt(self, view: T) -> T:
        """Let requests to a view or a blueprint through unchecked; also a decorator.

        A form that is validated there still checks its own token.

        :param view: the view, its name with that of its module (``"shop.views.hook"``), or a
            blueprint.
        :returns: what was given.

        .. code-block:: python

            @app.post("/hook")
            @csrf.exempt
            def hook() -> str: ...
        """
        if isinstance(view, Blueprint):
            self._exempt_blueprints.add(view)
        elif isinstance(view, str):
            self._exempt_views.add(view)
        else:
            location = _locate(view)
            if location is None:
                raise TypeError(
                    f"{view!r} has no name of its own, so it cannot be exempt from the CSRF check."
                    " Exempt a function with a name, or a blueprint."
                )
            self._exempt_views.add(location)
        return view

    def renew(self) -> None:
        """Forget the current visitor's token; see :func:`renew_csrf`."""
        renew_csrf()

    def _is_exempt(self) -> bool:
        if current_app.blueprints.get(request.blueprint or "") in self._exempt_blueprints:
            return True
        view = current_app.view_functions.get(request.endpoint or "")
        return view is not None and _locate(view) in self._exempt_views

    def _get_csrf_token(self) -> str | None:
        """Return the token that came with the request, from the form or else from a header."""
        config = current_app.config
        name: str = config["WTF_CSRF_FIELD_NAME"]
        form = request.form
        token: str | None = form.get(name)
        if token:
            return token
        # A form with a prefix puts that before the name.
        for key in form:
            if key.endswith(name) and form[key]:
                return form[key]
        for header in config["WTF_CSRF_HEADERS"]:
            token = request.headers.get(header)
            if token:
                return token
        return None

    def _check_referrer(self) -> None:
        """Demand a referrer of this site over HTTPS, as Flask-WTF does beside the token.

        What the browser says about the origin has taken its place where that is looked at.
        """
        config = current_app.config
        if config.get("WTF_CSRF_FETCH_METADATA") or not config["WTF_CSRF_SSL_STRICT"]:
            return
        if not request.is_secure:
            return
        if not request.referrer:
            raise ValidationError("The referrer header is missing.")
        if not same_origin(request.referrer, f"https://{request.host}/"):
            raise ValidationError("The referrer does not match the host.")

    def _error_response(self, reason: str) -> t.NoReturn:
        error = CSRFError(reason)
        error.as_json = bool(current_app.config.get("WTF_CSRF_JSON_ERRORS")) and _wants_json()
        raise error


def _locate(view: object) -> str | None:
    """Return the name of a view with that of its module."""
    module, name = getattr(view, "__module__", None), getattr(view, "__name__", None)
    return None if module is None or name is None else f"{module}.{name}"


def _wants_json() -> bool:
    """Say whether the client speaks JSON: by what it sent, or by what it prefers to get."""
    accepted = request.accept_mimetypes
    return request.is_json or accepted["application/json"] > accepted["text/html"]


class CSRFError(BadRequest):
    """A request that may be forged; answered with 400 and the reason.

    With ``WTF_CSRF_JSON_ERRORS``, clients that speak JSON get the reason as problem details
    (RFC 9457). Register an error handler to answer in another way.

    .. code-block:: python

        @app.errorhandler(CSRFError)
        def refuse(error: CSRFError) -> tuple[str, int]:
            return render_template("refused.html", reason=error.description), 400
    """

    description = "CSRF validation failed."
    #: Whether the answer is JSON.
    as_json = False

    def get_body(
        self, environ: WSGIEnvironment | None = None, scope: dict[str, t.Any] | None = None
    ) -> str:
        """Return the body of the answer.

        :param environ: the WSGI environment.
        :param scope: the ASGI scope.
        """
        if not self.as_json:
            return super().get_body(environ, scope)
        return json.dumps(
            {"type": "about:blank", "title": self.name, "status": 400, "detail": self.description}
        )

    def get_headers(
        self, environ: WSGIEnvironment | None = None, scope: dict[str, t.Any] | None = None
    ) -> list[tuple[str, str]]:
        """Return the headers of the answer.

        :param environ: the WSGI environment.
        :param scope: the ASGI scope.
        """
        if not self.as_json:
            return super().get_headers(environ, scope)
        return [("Content-Type", "application/problem+json")]
