"""Functions that views and templates use, and small services for the modules above."""

from __future__ import annotations

import importlib
import importlib.util
import os
import re
import sys
import typing as t
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from datetime import datetime
from functools import update_wrapper
from urllib.parse import urlsplit

from werkzeug.exceptions import abort as _wz_abort
from werkzeug.utils import redirect as _wz_redirect

from . import files
from .ctx import ContextStream
from .local import _cv_app, _cv_request, active_app, active_request_ctx, find_app, find_g
from .names import _split_blueprint_path as _split_blueprint_path
from .signals import message_flashed
from .streams import AsyncParts

if t.TYPE_CHECKING:
    from werkzeug.wrappers import Response as BaseResponse

    from .ctx import RequestContext
    from .wrappers import Response

_FALSE = frozenset({"0", "false", "no"})

# The most characters of an address to go on to.
_MAX_TARGET = 2000
# Browsers drop tabs and line breaks wherever they stand, and take a backslash for a slash
# (https://url.spec.whatwg.org/#url-parsing).
_MISREAD = r"[\x00-\x20\x7f\\\u0080-\u00a0\u2028\u2029\ud800-\udfff]"


def _setting(name: str) -> str | None:
    """Return an environment variable of the command line, ``ERLEN_…`` before ``FLASK_…``."""
    return os.environ.get(f"ERLEN_{name}") or os.environ.get(f"FLASK_{name}")


def get_debug_flag() -> bool:
    """Return whether the environment asks for debug mode, by ``FLASK_DEBUG``."""
    value = _setting("DEBUG")
    return bool(value) and value.lower() not in _FALSE  # type: ignore[union-attr]


def get_load_dotenv(default: bool = True) -> bool:
    """Return whether ``.env`` files are to be read.

    :param default: what to return where ``FLASK_SKIP_DOTENV`` is not set.
    """
    value = _setting("SKIP_DOTENV")
    return value.lower() in _FALSE if value else default


@t.overload
def stream_with_context(
    generator_or_function: Iterator[t.AnyStr],
) -> Iterator[t.AnyStr]: ...


@t.overload
def stream_with_context(
    generator_or_function: AsyncIterator[t.AnyStr],
) -> Iterator[t.AnyStr]: ...


@t.overload
def stream_with_context(
    generator_or_function: Callable[..., Iterator[t.AnyStr]],
) -> Callable[..., Iterator[t.AnyStr]]: ...


@t.overload
def stream_with_context(
    generator_or_function: Callable[..., AsyncIterator[t.AnyStr]],
) -> Callable[..., Iterator[t.AnyStr]]: ...


def stream_with_context(
    generator_or_function: Iterator[t.AnyStr]
    | AsyncIterator[t.AnyStr]
    | Callable[..., Iterator[t.AnyStr]]
    | Callable[..., AsyncIterator[t.AnyStr]],
) -> Iterator[t.AnyStr] | Callable[..., Iterator[t.AnyStr]]:
    """Keep the request context for a generator that makes the body of a response.

    Without it, a generator runs after the view has returned, when ``request``, ``session`` and
    ``g`` are gone. With it, the teardown functions run when the stream ends, also when it ends
    because the client went away.

    :param generator_or_function: an iterator, asynchronous or not, or a function that returns
        one, for use as a decorator.
    :returns: an iterator of the same parts, or a function that returns one.
    :raises RuntimeError: where no request is being handled.

    .. code-block:: python

        @app.get("/rows.csv")
        def rows():
            @stream_with_context
            def generate():
                for row in query(request.args["table"]):
                    yield ",".join(row) + "\\n"
            return generate(), {"Content-Type": "text/csv"}
    """
    if callable(generator_or_function) and not (
        hasattr(generator_or_function, "__iter__") or hasattr(generator_or_function, "__aiter__")
    ):
        function = generator_or_function

        def decorator(*args: t.Any, **kwargs: t.Any) -> Iterator[t.AnyStr]:
            return stream_with_context(function(*args, **kwargs))

        return update_wrapper(decorator, function)

    request_ctx = _cv_request.get(None)
    if request_ctx is None:
        raise RuntimeError(
            "'stream_with_context' can only be used when a request context is active,"
            " such as in a view function."
        )
    parts: t.Any = generator_or_function
    if hasattr(parts, "__aiter__"):
        steps: t.Any = AsyncParts(parts, request_ctx.app.async_to_sync)
    else:
        steps = iter(parts)
    return ContextStream(steps, request_ctx, _cv_app.get())


def make_response(*args: t.Any) -> Response:
    """Turn what a view may return into a response object, to set headers on it.

    :param args: nothing for an empty response, one value, or the items of a tuple: body, status,
        headers.

    .. code-block:: python

        response = make_response(render_template("index.html"), 200)
        response.headers["X-Parachutes"] = "parachutes are cool"
        return response
    """
    app = active_app()
    if not args:
        return t.cast("Response", app.response_class())
    return t.cast("Response", app.make_response(args[0] if len(args) == 1 else args))


def url_for(
    endpoint: str,
    *,
    _anchor: str | None = None,
    _method: str | None = None,
    _scheme: str | None = None,
    _external: bool | None = None,
    **values: t.Any,
) -> str:
    """Build the URL of an endpoint; see :meth:`Flask.url_for`.

    :param endpoint: the name of the endpoint; with a dot at its start, one of the blueprint that
        the current request is on.
    :param _anchor: what to add behind ``#``.
    :param _method: the method the URL is for, where rules differ by it.
    :param _scheme: the scheme of the URL; it makes the URL external.
    :param _external: whether to add scheme and host; by default only outside a request.
    :param values: values for the rule's variables; others go to the query string.
    :raises werkzeug.routing.BuildError: where no rule fits.
    """
    return t.cast(
        str,
        active_app().url_for(
            endpoint,
            _anchor=_anchor,
            _method=_method,
            _scheme=_scheme,
            _external=_external,
            **values,
        ),
    )


def redirect(
    location: str, code: int = 302, Response: type[BaseResponse] | None = None
) -> BaseResponse:
    """Return a response that sends the client to another URL.

    :param location: the URL.
    :param code: the status: 301, 302, 303, 305, 307 or 308.
    :param Response: the response's class where no application is active; otherwise the
        application's :meth:`~Flask.redirect` decides.
    """
    app = find_app()
    if app is not None:
        return t.cast("BaseResponse", app.redirect(location, code=code))
    return _wz_redirect(location, code=code, Response=Response)


def is_safe_target(target: object) -> bool:
    """Say whether an address surely is one of this site: an absolute path, or this origin's.

    Redirect to nothing else that came with a request (CWE-601, OWASP "Unvalidated Redirects and
    Forwards").

    :param target: the address, for example from the query of the request.
    :raises RuntimeError: for an address with a host, outside a request.

    .. code-block:: python

        is_safe_target("/orders?page=2")  # True
        is_safe_target("//evil.example/")  # False
    """
    if not isinstance(target, str) or not 0 < len(target) <= _MAX_TARGET:
        return False
    # PERF: compiled when it is first needed; with characters beyond ASCII that takes long.
    if re.search(_MISREAD, target):
        return False
    if target.startswith("/"):
        return not target.startswith("//")
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    request = active_request_ctx().request
    # Without "://" browsers may take what follows for a path or for a host ("http:evil.example").
    return target.lower().startswith(("http://", "https://")) and (
        (parts.scheme, parts.netloc.lower()) == (request.scheme, request.host.lower())
    )


def abort(code: int | BaseResponse, *args: t.Any, **kwargs: t.Any) -> t.NoReturn:
    """Raise the HTTP exception for a status, or one that answers with a response.

    :param code: the status, or a response to answer with.
    :param args: passed to the exception, for example a description.
    :param kwargs: passed to the exception.
    :raises werkzeug.exceptions.HTTPException: always, where the status is known.
    :raises LookupError: where it is not.
    """
    app = find_app()
    if app is not None:
        app.aborter(code, *args, **kwargs)
    _wz_abort(code, *args, **kwargs)


def get_template_attribute(template_name: str, attribute: str) -> t.Any:
    """Return a macro or variable of a template, to use it from Python.

    :param template_name: the template's name.
    :param attribute: the macro's or variable's name.
    :raises AttributeError: where the template has none of that name.
    """
    template = active_app().jinja_env.get_template(template_name)
    return getattr(template.module, attribute)


def flash(message: str, category: str = "message") -> None:
    """Keep a message in the session for the next page that shows messages.

    :param message: the text.
    :param category: what kind it is; ``"message"``, ``"error"``, ``"info"`` and ``"warning"`` are
        customary.
    """
    session = active_request_ctx().session
    # The list is put back, since a session that keeps its data as text does not see the append.
    flashes = session.get("_flashes", [])
    flashes.append((category, message))
    session["_flashes"] = flashes
    if message_flashed.receivers:
        app = active_app()
        message_flashed.send(
            app, _async_wrapper=app.ensure_sync, message=message, category=category
        )


def get_flashed_messages(
    with_categories: bool = False, category_filter: Iterable[str] = ()
) -> list[str] | list[tuple[str, str]]:
    """Take the flashed messages out of the session and return them.

    Further calls during the same request return the same messages.

    :param with_categories: return pairs of category and text instead of texts.
    :param category_filter: only messages of these categories; all where it is empty.
    """
    ctx: RequestContext = active_request_ctx()
    if ctx.flashes is None:
        session = ctx.session
        ctx.flashes = session.pop("_flashes") if "_flashes" in session else []
    flashes = t.cast("list[tuple[str, str]]", ctx.flashes)
    if category_filter:
        flashes = [flash for flash in flashes if flash[0] in category_filter]
    if with_categories:
        return flashes
    return [text for _, text in flashes]


def _prepare_send_file_kwargs(**kwargs: t.Any) -> dict[str, t.Any]:
    app = active_app()
    if kwargs.get("max_age") is None:
        kwargs["max_age"] = app.get_send_file_max_age
    name = kwargs.get("download_name")
    if name and not name.isprintable():
        # Names come from uploads; no header can hold a control character, and no file needs one.
        kwargs["download_name"] = "".join(char if char.isprintable() else "_" for char in name)
    kwargs.update(
        environ=active_request_ctx().request.environ,
        use_x_sendfile=app.config["USE_X_SENDFILE"],
        response_class=app.response_class,
        _root_path=app.root_path,
    )
    return kwargs


def send_file(
    path_or_file: os.PathLike[t.AnyStr] | str | t.IO[bytes],
    mimetype: str | None = None,
    as_attachment: bool = False,
    download_name: str | None = None,
    conditional: bool = True,
    etag: bool | str = True,
    last_modified: datetime | int | float | None = None,
    max_age: int | Callable[[str | None], int | None] | None = None,
) -> Response:
    """Send the contents of a file; never pass it a path that came from a client.

    For that there is :func:`send_from_directory`.

    :param path_or_file: a path, relative to the application's root path, or a file opened in
        binary mode, at the position to start from.
    :param mimetype: the media type; by default guessed from the name.
    :param as_attachment: tell browsers to save the file instead of showing it.
    :param download_name: the name that browsers save it under.
    :param conditional: answer conditional and range requests.
    :param etag: whether to make an ETag, or the ETag itself.
    :param last_modified: when the file was changed; by default its own time.
    :param max_age: for how many seconds clients may keep the file, or a function that tells by
        the path; by default :meth:`Flask.get_send_file_max_age`.
    """
    return files.send_file(
        **_prepare_send_file_kwargs(
            path_or_file=path_or_file,
            mimetype=mimetype,
            as_attachment=as_attachment,
            download_name=download_name,
            conditional=conditional,
            etag=etag,
            last_modified=last_modified,
            max_age=max_age,
        )
    )


def send_from_directory(
    directory: os.PathLike[str] | str, path: os.PathLike[str] | str, **kwargs: t.Any
) -> Response:
    """Send a file from within a directory; a path that leads out of it is answered with 404.

    :param directory: the directory, relative to the application's root path; it must be trusted.
    :param path: the path of the file below it, as a client may have sent it.
    :param kwargs: further arguments of :func:`send_file`.
    :raises werkzeug.exceptions.NotFound: where there is no such file.
    """
    return files.send_from_directory(directory, path, **_prepare_send_file_kwargs(**kwargs))


def get_root_path(import_name: str) -> str:
    """Return the directory that a module or package lies in.

    :param import_name: its import name.
    :returns: the directory; the working directory where the module has no file of its own, as in
        an interactive session.
    :raises RuntimeError: where an import hook tells of no file.
    """
    module = sys.modules.get(import_name)
    filename: str | None = getattr(module, "__file__", None)
    if filename is not None:
        return os.path.dirname(os.path.abspath(filename))

    try:
        spec = importlib.util.find_spec(import_name)
    except (ImportError, ValueError):
        return os.getcwd()
    if spec is None or spec.loader is None:
        return os.getcwd()

    get_filename = getattr(spec.loader, "get_filename", None)
    if get_filename is not None:
        filename = get_filename(import_name)
    else:
        # Loaders such as those of zip files tell the name only on the module itself.
        filename = getattr(importlib.import_module(import_name), "__file__", None)
    if filename is None:
        raise RuntimeError(
            f"No root path can be found for the provided module {import_name!r}: it is a"
            " namespace package, or its import hook gives no file name. Pass 'root_path' to say"
            " where its files are."
        )
    return os.path.dirname(os.path.abspath(filename))


def _default_template_ctx_processor() -> dict[str, t.Any]:
    """Give templates ``g`` and ``request``, the objects in place of the proxies.

    Not ``session``: to read it from the context here would open it, and note it as accessed, for
    every template that is rendered. It is among the globals of the environment, as a proxy, which
    does so when the template uses it.
    """
    values: dict[str, t.Any] = {}
    namespace = find_g()
    if namespace is not None:
        values["g"] = namespace
    request_context = _cv_request.get(None)
    if request_context is not None:
        values["request"] = request_context.request
    return values
