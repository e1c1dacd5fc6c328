"""The request and response objects: Werkzeug's, made cheaply and with what applications add."""

from __future__ import annotations

import json
import re
import typing as t
from io import BytesIO

from werkzeug.datastructures import (
    Authorization,
    CharsetAccept,
    Headers,
    IfRange,
    MIMEAccept,
    MultiDict,
)
from werkzeug.exceptions import (
    BadRequest,
    HTTPException,
    RequestEntityTooLarge,
    SecurityError,
)
from werkzeug.http import HTTP_STATUS_CODES, parse_accept_header, parse_if_range_header
from werkzeug.sansio.http import parse_cookie
from werkzeug.wrappers import Request as RequestBase
from werkzeug.wrappers import Response as ResponseBase
from werkzeug.wsgi import ClosingIterator, get_host

from .body import open_body, start_body
from .datastructures import (
    ImmutableMultiDict,
    RequestHeaders,
    ResponseHeaders,
    no_values,
    parse_query,
    parse_values,
)
from .formdata import FormParser, read_limited
from .headers import (
    KNOWN_TYPES,
    LENGTH,
    LOCATION,
    TYPE_HEADERS,
    check_value,
    full_content_type,
    headers_shape,
    parseable,
    read_date,
    real_headers,
    refuse_bad_headers,
    type_header,
    without_bad_dates,
)
from .lazy import lazy
from .local import _cv_request, active_app, find_app
from .names import _split_blueprint_path
from .routing.environ import decode, encode_host
from .streams import AsyncParts, EncodedParts, encode_text, is_asynchronous

if t.TYPE_CHECKING:
    from datetime import datetime, timedelta
    from http import HTTPStatus

    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from werkzeug.datastructures import FileStorage
    from werkzeug.formparser import FormDataParser

    from .multipart import FileOpener
    from .routing import Rule


# Values of headers that were checked already; bounded, since clients choose them. Once full it
# starts over, so that they cannot keep the usual ones out for good.
_MAX_KNOWN = 1024
KNOWN_HOSTS: set[str | None] = set()
# A name, or an address in brackets; then, after a colon, the port. RFC 3986, 3.2.2, allows more
# characters in names, but no host has them; a comma is two headers that the server has joined.
# Names beyond ASCII pass: some clients send them.
# PERF: letters, digits and "._~-" by what they are not. To compile a class of characters that
# reaches beyond ASCII takes 5 ms.
_HOST = re.compile(r"(?:[^\x00-,/:-@\[-^`{-}\x7f]+|\[[0-9A-Fa-f:.]+\])(?::(?P<port>[0-9]{1,5}))?")
_MAX_PORT = 65535
_GAPS = re.compile(r"[ \t]+")
# What ends the name of a cookie, or one of its attributes (RFC 6265, section 5.2).
_BAD_COOKIE_NAME = re.compile(r"[\x00-\x20\x7f;=,]")
_BAD_ATTRIBUTE = re.compile(r"[\x00-\x1f\x7f;]")


_URLENCODED = "application/x-www-form-urlencoded"
_FORM_STEPS = (
    "content_type",
    "form_data_parser_class",
    "headers",
    "make_form_data_parser",
    "mimetype",
    "want_form_data_parsed",
)


def _date_header(name: str, doc: str) -> t.Any:
    """Return a property for a header that holds a date."""
    return property(lambda self: read_date(self.headers.get(name)), doc=doc)


def _limit(setting: str, doc: str) -> t.Any:
    """Return a property for a limit: a setting, unless the request itself was given a value."""
    name = setting.lower()
    own = f"_{name}"

    def get_limit(self: Request) -> int | None:
        value: int | None = self.__dict__.get(own)
        if value is not None:
            return value
        ctx = _cv_request.get(None)
        # PERF: without a call where the request itself says which application it is for.
        app = ctx.app if ctx is not None and ctx.request is self else find_app()
        value = getattr(RequestBase, name) if app is None else app.config[setting]
        return value

    def set_limit(self: Request, value: int | None) -> None:
        self.__dict__[own] = value

    return property(get_limit, set_limit, doc=doc)


class _CurrentJSON:
    """JSON by the rules of the current application, or of Python where there is none.

    The functions of erlen.json would do, but return responses, so that they stand above them.
    """

    def loads(self, s: str | bytes, **kwargs: t.Any) -> t.Any:
        return self._provider().loads(s, **kwargs)

    def dumps(self, obj: t.Any, **kwargs: t.Any) -> str:
        return t.cast(str, self._provider().dumps(obj, **kwargs))

    def _provider(self) -> t.Any:
        app = find_app()
        return json if app is None else app.json


class Request(RequestBase):
    """The request that ``request`` stands for in a view.

    It is :class:`werkzeug.wrappers.Request` with the result of routing added. Each attribute is
    worked out when it is first read. To change it, subclass it and set
    :attr:`Flask.request_class`.
    """

    json_module: t.Any = _CurrentJSON()
    form_data_parser_class = FormParser
    #: The class of the query, and of the fields and files of a form.
    parameter_storage_class: type[MultiDict[str, t.Any]] = ImmutableMultiDict

    #: The rule that matched the URL; ``None`` before matching and where nothing matched.
    url_rule: Rule | None = None
    #: The values of the URL's variables; ``None`` where nothing matched.
    view_args: dict[str, t.Any] | None = None
    #: Where matching failed, the exception to raise: 404, 405 or a redirect.
    routing_exception: HTTPException | None = None

    #: Decides where the files of a form are written while it is read. It is called for each file,
    #: with the name of the field, the name of the file as it was sent, and the content type that
    #: was sent, if any; it returns what to write to, a binary file opened for writing and reading,
    #: or ``None`` for a temporary file. What writing raises ends the reading of the form: an
    #: exception of :mod:`werkzeug.exceptions` answers the request. Set it before the form is read.
    file_opener: FileOpener | None = None

    shallow = False
    #: Whether a subclass leaves alone what says how forms are read.
    _has_plain_forms = True
    #: Whether it leaves the stream of the body alone.
    _has_plain_stream = True
    #: Whether it leaves the query string alone.
    _has_plain_query = True

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._has_plain_forms = all(
            getattr(cls, name) is getattr(Request, name) for name in _FORM_STEPS
        )
        cls._has_plain_stream = (
            cls.stream is Request.stream
            and cls._get_stream_for_parsing is Request._get_stream_for_parsing
        )
        cls._has_plain_query = cls.query_string is Request.query_string

    def __init__(
        self, environ: WSGIEnvironment, populate_request: bool = True, shallow: bool = False
    ) -> None:
        # PERF: Werkzeug's initializer works out eight values; here each is made when it is read.
        self.environ = environ
        self.method = environ.get("REQUEST_METHOD", "GET").upper()
        # Until Python 3.12 reading a default from the class takes five times as long.
        self.url_rule = self.view_args = self.routing_exception = None
        if shallow:
            self.shallow = True
        elif populate_request:
            environ["werkzeug.request"] = self

    @lazy
    def scheme(self) -> str:
        """The scheme of the URL, ``"http"`` or ``"https"``."""
        scheme: str = self.environ.get("wsgi.url_scheme", "http")
        return scheme

    @lazy
    def server(self) -> tuple[str, int | None] | None:
        """The address of the server: host and port, or the path of a socket and ``None``."""
        name = self.environ.get("SERVER_NAME")
        if name is None:
            return None
        try:
            port: int | None = int(self.environ["SERVER_PORT"])
        except (KeyError, ValueError):
            port = None
        return name, port

    @lazy
    def root_path(self) -> str:
        """The prefix that the application is mounted under, without a slash at its end."""
        return decode(self.environ.get("SCRIPT_NAME") or "").rstrip("/")

    @lazy
    def path(self) -> str:
        """The path of the URL below :attr:`root_path`, with a slash at its start."""
        return "/" + decode(self.environ.get("PATH_INFO") or "").lstrip("/")

    @lazy
    def query_string(self) -> bytes:
        """The part of the URL after the question mark, as it was sent."""
        query: str = self.environ.get("QUERY_STRING", "")
        return query.encode("latin1")

    @lazy
    def args(self) -> MultiDict[str, str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The values in the query string."""
        storage: type[MultiDict[str, str]] = self.parameter_storage_class
        if self._has_plain_query and "query_string" not in self.__dict__:
            return parse_query(self.environ.get("QUERY_STRING", ""), storage)
        return parse_values(self.query_string, storage)

    @lazy
    def full_path(self) -> str:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The path with the query string; a question mark stands between them in any case."""
        return f"{self.path}?{self.query_string.decode(errors='werkzeug.url_quote')}"

    @lazy
    def authorization(self) -> Authorization | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """What the header ``Authorization`` says; ``None`` where it is missing or malformed."""
        try:
            return Authorization.from_header(self.headers.get("Authorization"))
        except ValueError:
            return None

    @lazy
    def headers(self) -> Headers:
        """The headers of the request."""
        return RequestHeaders(self.environ)

    @lazy
    def accept_mimetypes(self) -> MIMEAccept:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The media types that the client accepts, the best first."""
        header = self.headers.get("Accept")
        if header:
            # Werkzeug's parser takes time in the square of a row of spaces.
            header = _GAPS.sub(" ", header)
        return parse_accept_header(header, MIMEAccept)

    @lazy
    def accept_charsets(self) -> CharsetAccept:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The encodings of text that the client accepts, the best first."""
        header = self.headers.get("Accept-Charset")
        if header and "\0" in header:
            # Names are looked up among Python's, and that fails for NUL in a way of its own.
            header = None
        return parse_accept_header(header, CharsetAccept)

    date: datetime | None = _date_header("Date", "When the client made the request.")
    if_modified_since: datetime | None = _date_header(  # pyright: ignore[reportIncompatibleMethodOverride]
        "If-Modified-Since", "Answer with the body only if it was changed after this."
    )
    if_unmodified_since: datetime | None = _date_header(  # pyright: ignore[reportIncompatibleMethodOverride]
        "If-Unmodified-Since", "Do what is asked only if nothing was changed after this."
    )

    @lazy
    def if_range(self) -> IfRange:  # pyright: ignore[reportIncompatibleMethodOverride]
        """What must be unchanged for a part of the body to be of use: an ETag or a date."""
        try:
            condition = parse_if_range_header(self.headers.get("If-Range"))
        except OverflowError:
            return IfRange()
        # An ETag with a quote inside is none, and could not be written back.
        return IfRange() if '"' in (condition.etag or "") else condition

    @lazy
    def cookies(self) -> ImmutableMultiDict[str, str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The cookies that came with the request."""
        # PERF: Werkzeug looks through all headers; a WSGI server has put them into one.
        found = parse_cookie(self.environ.get("HTTP_COOKIE"), self.dict_storage_class)
        return found  # type: ignore[return-value]

    @lazy
    def remote_addr(self) -> str | None:
        """The address of the client, as the server saw it."""
        return self.environ.get("REMOTE_ADDR")

    def check_host(self) -> None:
        """Refuse a request for what is no host, or for a host that is not trusted.

        :raises werkzeug.exceptions.BadRequest: (400) where the header ``Host`` cannot be a host,
            is missing from an HTTP/1.1 request, or is not among :attr:`trusted_hosts`, if set.
        """
        if self.trusted_hosts:
            get_host(self.environ, self.trusted_hosts)
            return
        host = self.environ.get("HTTP_HOST")
        if host in KNOWN_HOSTS:
            return
        if not host:
            if self.environ.get("SERVER_PROTOCOL") == "HTTP/1.1":
                # RFC 9112, section 3.2
                raise BadRequest("The request has no header 'Host'.")
            return
        match = _HOST.fullmatch(host)
        if match is None:
            raise SecurityError(f"The host {host!r} has characters that no host has.")
        if int(match["port"] or 1) > _MAX_PORT:
            raise SecurityError(f"The host {host!r} has a port that does not exist.")
        encode_host(host)
        if len(KNOWN_HOSTS) >= _MAX_KNOWN:
            KNOWN_HOSTS.clear()
        KNOWN_HOSTS.add(host)

    @lazy
    def stream(self) -> t.IO[bytes]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The body as a stream, which can be read once.

        It ends where the body ends. Reading raises
        :exc:`~werkzeug.exceptions.ClientDisconnected` where the client sent less than it
        announced, and :exc:`~werkzeug.exceptions.RequestEntityTooLarge` over
        :attr:`max_content_length`.
        """
        if self.shallow:
            raise RuntimeError(
                "This request was created with 'shallow=True', so its body cannot be read."
            )
        return open_body(self.environ, self.max_content_length)

    max_content_length: int | None = _limit(
        "MAX_CONTENT_LENGTH",
        """How many bytes the body may have; ``None`` for any number.

        More are answered with 413. The default is the setting ``MAX_CONTENT_LENGTH``; set it on
        the request to change it for one request, before the body is read.
        """,
    )
    max_form_memory_size: int | None = _limit(
        "MAX_FORM_MEMORY_SIZE",
        """How many bytes a field of a form that is no file may have; ``None`` for any number.

        A form that is not multipart counts as one field. The default is the setting
        ``MAX_FORM_MEMORY_SIZE``.
        """,
    )
    max_form_parts: int | None = _limit(  # type: ignore[assignment]
        "MAX_FORM_PARTS",
        """How many fields and files a form may have; ``None`` for any number.

        The default is the setting ``MAX_FORM_PARTS``.
        """,
    )

    @property
    def endpoint(self) -> str | None:
        """The endpoint of the rule that matched; ``None`` where none did."""
        rule = self.url_rule
        if rule is None:
            return None
        endpoint: str = rule.endpoint
        return endpoint

    @property
    def blueprint(self) -> str | None:
        """The name of the blueprint that the view is on; ``None`` for the application itself."""
        endpoint = self.endpoint
        if endpoint is None or "." not in endpoint:
            return None
        return endpoint.rpartition(".")[0]

    @property
    def blueprints(self) -> list[str]:
        """The name of the blueprint that the view is on and those of its parents, inside out."""
        name = self.blueprint
        return [] if name is None else _split_blueprint_path(name)

    def close(self) -> None:
        """Close the uploaded files."""
        if "files" in self.__dict__ and self.files:
            super().close()

    @lazy
    def form(self) -> ImmutableMultiDict[str, str]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The fields of the form in the body; empty where the body is no form."""
        self._load_form_data()
        form: ImmutableMultiDict[str, str] = self.__dict__["form"]
        return form

    @lazy
    def files(self) -> ImmutableMultiDict[str, FileStorage]:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The files of the form in the body."""
        self._load_form_data()
        files: ImmutableMultiDict[str, FileStorage] = self.__dict__["files"]
        return files

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON by its media type."""
        # PERF: the usual header, without taking it apart.
        return self.environ.get("CONTENT_TYPE") == "application/json" or super().is_json

    def make_form_data_parser(self) -> FormDataParser:
        """Return the parser for this request's form."""
        parser = super().make_form_data_parser()
        if isinstance(parser, FormParser):
            parser.file_opener = self.file_opener
        return parser

    def _load_form_data(self) -> None:
        if "form" in self.__dict__:
            return
        content_type = self.environ.get("CONTENT_TYPE") or ""
        if (
            self._has_plain_forms
            and (
                content_type == _URLENCODED or content_type.partition(";")[0].lower() == _URLENCODED
            )
            and self.form_data_parser_class is FormParser
        ):
            # PERF: the same as the parser does, without making one.
            storage: t.Any = self.parameter_storage_class
            attributes = self.__dict__
            attributes["form"] = parse_values(self._read_form(), storage)
            attributes["files"] = no_values(storage)
        else:
            super()._load_form_data()
        app = find_app()
        if app is None or not app.config["DEBUG"]:
            return
        if self.mimetype != "multipart/form-data" and not self.files:
            app._explain_missing_enctype(self)

    def _read_form(self) -> bytes:
        """Return the body, as a form that is not multipart."""
        limit = self.max_form_memory_size
        body = self._read_small()
        if body is None:
            stream = self.__dict__["stream"] = self._get_stream_for_parsing()
            return read_limited(stream, limit)
        if limit is not None and len(body) > limit:
            raise RequestEntityTooLarge()
        return body

    def _read_small(self) -> bytes | None:
        """Return the whole body where nobody has begun to read it and it is small.

        PERF: most bodies are, and need no stream to be read from.
        """
        attributes = self.__dict__
        if (
            "stream" in attributes
            or "_cached_data" in attributes
            or not self._has_plain_stream
            or self.shallow
        ):
            return None
        body = start_body(self.environ, self.max_content_length)
        if type(body) is not bytes:
            attributes["stream"] = body
            return None
        attributes["stream"] = BytesIO()
        return body

    @t.overload
    def get_data(  # pyright: ignore[reportOverlappingOverload]  (the first one is the default)
        self,
        cache: bool = True,
        as_text: t.Literal[False] = False,
        parse_form_data: bool = False,
    ) -> bytes: ...

    @t.overload
    def get_data(
        self, cache: bool = True, as_text: t.Literal[True] = ..., parse_form_data: bool = False
    ) -> str: ...

    def get_data(
        self, cache: bool = True, as_text: bool = False, parse_form_data: bool = False
    ) -> bytes | str:
        """Return the body.

        :param cache: keep it, so that it can be asked for again.
        :param as_text: return it as text, with U+FFFD for what is no UTF-8.
        :param parse_form_data: read the form first; where there is one, nothing is left here.
        """
        if cache and not parse_form_data:
            body = self._read_small()
            if body is not None:
                self._cached_data = body
                return body.decode(errors="replace") if as_text else body
        return super().get_data(cache, as_text, parse_form_data)  # type: ignore[call-overload,no-any-return]

    def on_json_loading_failed(self, e: ValueError | None) -> t.Any:
        """Raise 415 where the body is no JSON by its type, 400 where it cannot be parsed.

        What is wrong with it is told in debug mode only.
        """
        try:
            return super().on_json_loading_failed(e)
        except BadRequest as error:
            app = find_app()
            if app is not None and app.debug:
                raise
            raise BadRequest() from error


def _max_cookie_size(response: Response) -> int:
    """Over how many bytes setting a cookie warns: the setting ``MAX_COOKIE_SIZE``."""
    app = find_app()
    size: int = ResponseBase.max_cookie_size if app is None else app.config["MAX_COOKIE_SIZE"]
    return size


class Response(ResponseBase):
    """The response that a view's result is turned into.

    It is :class:`werkzeug.wrappers.Response` with HTML as its default type. Its headers object is
    made when it is first used. To change it, subclass it and set :attr:`Flask.response_class`.

    :param response: the body: text, bytes, or an iterable of either.
    :param status: the status, as a number or as a line such as ``"404 NOT FOUND"``.
    :param headers: headers to start from.
    :param mimetype: the media type; for text a charset is added.
    :param content_type: the whole value of the header ``Content-Type``, instead of *mimetype*.
    :param direct_passthrough: hand the body to the server as it is, without encoding it.
    """

    default_mimetype: str | None = "text/html"
    json_module: t.Any = _CurrentJSON()
    autocorrect_location_header = False

    # PERF: what Werkzeug's initializer sets on each response stands here once.
    direct_passthrough = False
    #: Whether a subclass leaves alone all that :meth:`get_wsgi_response` may do in one step.
    _is_plain = True
    #: How many headers were found right already and have the length among them, as long as there
    #: is no headers object.
    _checked_headers = -1
    #: Whether a subclass leaves alone how responses are made, and made of other ones.
    _is_made_plainly = True
    #: Whether it leaves :meth:`set_data` alone, which the initializer may then do itself.
    _sets_data_plainly = True

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._is_plain = all(getattr(cls, name) is getattr(Response, name) for name in _STEPS)
        cls._is_made_plainly = cls.__init__ is Response.__init__ and (
            t.cast(t.Any, cls.force_type).__func__ is t.cast(t.Any, Response.force_type).__func__
        )
        cls._sets_data_plainly = (
            cls.set_data is Response.set_data and cls.automatically_set_content_length
        )

    def __init__(
        self,
        response: t.Iterable[bytes] | t.Iterable[str] | bytes | bytearray | str | None = None,
        status: int | str | HTTPStatus | None = None,
        headers: t.Mapping[str, str | t.Iterable[str]] | t.Iterable[tuple[str, str]] | None = None,
        mimetype: str | None = None,
        content_type: str | None = None,
        direct_passthrough: bool = False,
    ) -> None:
        # PERF: no headers object where none is given; most responses never need one.
        header: tuple[str, str] | None = None
        if headers is None:
            if content_type is None:
                if mimetype is None:
                    mimetype = self.default_mimetype
                try:
                    header = TYPE_HEADERS[mimetype]
                except KeyError:
                    header = type_header(mimetype)
            else:
                if content_type not in KNOWN_TYPES:
                    check_value("Content-Type", content_type)
                header = ("Content-Type", content_type)
            self._header_list = [] if header is None else [header]
        else:
            self.headers = headers if isinstance(headers, Headers) else Headers(headers)
            has_type = "Content-Type" in self.headers
            if content_type is None and (mimetype is not None or not has_type):
                content_type = full_content_type(mimetype or self.default_mimetype)
            if content_type is not None:
                self.headers["Content-Type"] = content_type

        if status is None:
            status = self.default_status
        if status == 200:
            self._status, self._status_code = "200 OK", 200
        else:
            line = _STATUS_LINES.get(status)
            if line is None or not self._is_plain:
                self.status = status
            else:
                self._status, self._status_code = line
        if direct_passthrough:
            self.direct_passthrough = True

        if type(response) is str and header is not None and self._sets_data_plainly:
            # PERF: set_data, for the most frequent kind of body.
            try:
                data = response.encode()
            except UnicodeEncodeError:
                data = encode_text(response)
            self.response = [data]
            self._header_list = [header, ("Content-Length", str(len(data)))]
            self._checked_headers = 2
        elif response is None:
            self.response = []
        elif isinstance(response, (str, bytes, bytearray)):
            self.set_data(response)
        else:
            self.response = response

    @lazy
    def headers(self) -> Headers:
        """The headers of the response."""
        # The object edits this list in place, so both always hold the same headers.
        return ResponseHeaders(self._header_list)

    @lazy
    def _on_close(self) -> list[t.Callable[[], t.Any]]:
        # It is not sent in one step then.
        self._checked_headers = -1
        return []

    max_cookie_size: int = t.cast(t.Any, property(_max_cookie_size))

    def set_data(self, value: bytes | bytearray | str) -> None:
        """Replace the body, and the header ``Content-Length`` with it.

        :param value: the new body; text is encoded as UTF-8.
        """
        data = encode_text(value) if isinstance(value, str) else bytes(value)
        self.response = [data]
        if not self.automatically_set_content_length:
            return
        if "headers" in self.__dict__:
            self.headers["Content-Length"] = str(len(data))
            return
        length = ("Content-Length", str(len(data)))
        for index, (name, _) in enumerate(self._header_list):
            if name == "Content-Length":
                self._header_list[index] = length
                return
        self._header_list.append(length)

    data = property(ResponseBase.get_data, set_data, doc="The body as bytes.")

    def set_cookie(
        self,
        key: str,
        value: str = "",
        max_age: timedelta | int | None = None,
        expires: str | datetime | int | float | None = None,
        path: str | None = "/",
        domain: str | None = None,
        secure: bool = False,
        httponly: bool = False,
        samesite: str | None = None,
        partitioned: bool = False,
    ) -> None:
        """Set a cookie.

        :param key: its name.
        :param value: its value; what a cookie cannot hold is escaped.
        :param max_age: after how many seconds it ends; by default with the browser's session.
        :param expires: when it ends, as a date or a Unix timestamp.
        :param path: below which path it is sent.
        :param domain: for the hosts of which domain it is; by default for this host alone.
        :param secure: send it over HTTPS only.
        :param httponly: keep it from scripts.
        :param samesite: ``"Strict"``, ``"Lax"`` or ``"None"``: with which requests of other sites
            it is sent.
        :param partitioned: give each site that embeds this one a cookie of its own.
        :raises ValueError: for a name, a domain or a date that would end early and add
            attributes to the cookie.
        """
        if _BAD_COOKIE_NAME.search(key) or not key:
            raise ValueError(f"{key!r} cannot be the name of a cookie.")
        for text in (domain, expires):
            if isinstance(text, str) and _BAD_ATTRIBUTE.search(text):
                raise ValueError(f"{text!r} cannot be in an attribute of a cookie.")
        super().set_cookie(
            key, value, max_age, expires, path, domain, secure, httponly, samesite, partitioned
        )

    def _clean_status(self, value: str | int | HTTPStatus) -> tuple[str, int]:
        status, code = super()._clean_status(value)
        if not status.isprintable():
            raise ValueError(f"The status {status!r} must not contain control characters.")
        return status, code

    def get_wsgi_response(
        self, environ: WSGIEnvironment
    ) -> tuple[t.Iterable[bytes], str, list[tuple[str, str]]]:
        """Return the body, the status line and the headers as the server takes them.

        :param environ: the WSGI environment of the request.
        """
        body, status = self.response, self._status
        if self._is_plain and type(body) is list and self._status_code in _PLAIN_CODES:
            checked = self._checked_headers
            if (
                checked > 0
                and len(self._header_list) == checked
                and "headers" not in self.__dict__
                and len(body) == 1
                and type(body[0]) is bytes
            ):
                # PERF: what the initializer put there, and default headers.
                headers: list[tuple[str, str]] | None = self._header_list
            else:
                headers = self._plain_headers(body)
            if headers is not None:
                if environ["REQUEST_METHOD"] == "HEAD":
                    body = []
                return body, status, headers
        refuse_bad_headers(real_headers(self))
        return super().get_wsgi_response(environ)

    def __call__(
        self, environ: WSGIEnvironment, start_response: StartResponse
    ) -> t.Iterable[bytes]:
        """Send the response as a WSGI application does.

        :param environ: the WSGI environment of the request.
        :param start_response: the server's function for status and headers.
        :returns: the body.
        """
        body, status, headers = self.get_wsgi_response(environ)
        start_response(status, headers)
        return body

    def get_app_iter(self, environ: WSGIEnvironment) -> t.Iterable[bytes]:
        """Return the body as the server takes it; an asynchronous one is waited for part by part.

        :param environ: the WSGI environment of the request.
        """
        body: t.Any = self.response
        if hasattr(body, "__aiter__"):
            body = self.response = AsyncParts(body, active_app().async_to_sync)
        elif not is_asynchronous(body):
            return super().get_app_iter(environ)
        if environ["REQUEST_METHOD"] == "HEAD" or self._status_code in {204, 304}:
            return ClosingIterator((), self.close)
        return EncodedParts(body, self.close)

    def get_wsgi_headers(self, environ: WSGIEnvironment) -> Headers:
        """Return the headers as they are sent: with a length where it is known, URLs in ASCII.

        :param environ: the WSGI environment of the request.
        """
        for name in ("Location", "Content-Location"):
            location = self.headers.get(name)
            if location is not None:
                self.headers[name] = parseable(location)
        headers = super().get_wsgi_headers(environ)
        if self._status_code == 204:
            # There is no content, so it has no type either; the standard validator insists.
            headers.remove("Content-Type")
        return headers

    def make_conditional(
        self,
        request_or_environ: WSGIEnvironment | RequestBase,
        accept_ranges: bool | str = False,
        complete_length: int | None = None,
    ) -> t.Self:
        """Answer a conditional request with 304 or 412, or one for a part of the body with 206.

        :param request_or_environ: the request, or its WSGI environment.
        :param accept_ranges: whether parts of the body may be asked for: a unit, or ``True`` for
            bytes.
        :param complete_length: how many bytes the whole body has; without it none are left out.
        :returns: the response itself.
        :raises werkzeug.exceptions.RequestedRangeNotSatisfiable: (416) for a part that is not
            there.
        """
        given = request_or_environ
        environ = given.environ if isinstance(given, RequestBase) else given
        super().make_conditional(without_bad_dates(environ), accept_ranges, complete_length)
        return self

    def _plain_headers(self, body: list[t.Any]) -> list[tuple[str, str]] | None:
        """Return the headers as they are, where they and the body need no more work."""
        for part in body:
            if type(part) is not bytes:
                return None
        attributes = self.__dict__
        if attributes.get("_on_close"):
            return None
        headers = real_headers(self)._list if "headers" in attributes else self._header_list
        # PERF: all at once; which of them is bad is asked only where one is.
        names, texts = zip(*headers) if headers else ((), ())  # noqa: B905 (they are pairs)
        shape = headers_shape(names)
        if shape == LOCATION:
            return None
        values = "".join(texts)
        if not (values.isascii() and values.isprintable()):
            for name, value in headers:
                check_value(name, value)
        if shape != LENGTH and self.automatically_set_content_length:
            headers = [*headers, ("Content-Length", str(sum(map(len, body))))]
        return headers


# What a subclass may override and must then be asked, one by one.
_STEPS = (
    "get_wsgi_headers",
    "get_app_iter",
    "iter_encoded",
    "is_sequence",
    "close",
    "headers",
    "status",
)

# The line of each status and its code, by the code.
_STATUS_LINES: dict[t.Any, tuple[str, int]] = {
    code: (f"{code} {phrase.upper()}", code) for code, phrase in HTTP_STATUS_CODES.items()
}

# The statuses whose headers and body need no change on their way out.
_PLAIN_CODES = frozenset(range(200, 600)) - {204, 304}
