"""What applications and blueprints have in common: routes, hooks, handlers, folders."""

from __future__ import annotations

import importlib.util
import os
import pathlib
import sys
import typing as t
import weakref
from collections.abc import Callable
from datetime import timedelta
from functools import update_wrapper

from werkzeug.exceptions import HTTPException, default_exceptions

from .commands import AppGroup
from .helpers import _default_template_ctx_processor, get_root_path, send_from_directory
from .lazy import lazy
from .local import active_app
from .names import _endpoint_from_view_func as _endpoint_from_view_func
from .registry import HookList, Registry, handler_registry

if t.TYPE_CHECKING:
    from jinja2 import BaseLoader

    from . import typing as ft
    from .wrappers import Response

_sentinel: t.Any = object()

F = t.TypeVar("F", bound=Callable[..., t.Any])
T_after_request = t.TypeVar("T_after_request", bound="ft.AfterRequestCallable[t.Any]")
T_before_request = t.TypeVar("T_before_request", bound="ft.BeforeRequestCallable")
T_error_handler = t.TypeVar("T_error_handler", bound="ft.ErrorHandlerCallable")
T_teardown = t.TypeVar("T_teardown", bound="ft.TeardownCallable")
T_template_context_processor = t.TypeVar(
    "T_template_context_processor", bound="ft.TemplateContextProcessorCallable"
)
T_url_defaults = t.TypeVar("T_url_defaults", bound="ft.URLDefaultCallable")
T_url_value_preprocessor = t.TypeVar(
    "T_url_value_preprocessor", bound="ft.URLValuePreprocessorCallable"
)
T_route = t.TypeVar("T_route", bound="ft.RouteCallable")
T_websocket = t.TypeVar("T_websocket", bound="ft.WebsocketCallable")
T_after_websocket = t.TypeVar("T_after_websocket", bound="ft.AfterWebsocketCallable")


def setupmethod(f: F) -> F:
    """Make a method raise where it is called too late to take effect everywhere."""
    name = f.__name__

    def wrapper(self: Scaffold, *args: t.Any, **kwargs: t.Any) -> t.Any:
        self._check_setup_finished(name)
        return f(self, *args, **kwargs)

    return t.cast(F, update_wrapper(wrapper, f))


class Scaffold:
    """The base of applications and blueprints.

    :param import_name: the import name of the module that defines the object, ``__name__``.
    :param static_folder: the folder with static files, relative to the root path.
    :param static_url_path: the URL prefix for them; by default the folder's name.
    :param template_folder: the folder with templates, relative to the root path.
    :param root_path: the directory that folders are relative to; by default the module's.
    """

    name: str
    _static_folder: str | None = None
    _static_url_path: str | None = None

    def __init__(
        self,
        import_name: str,
        static_folder: str | os.PathLike[str] | None = None,
        static_url_path: str | None = None,
        template_folder: str | os.PathLike[str] | None = None,
        root_path: str | None = None,
    ) -> None:
        self.import_name = import_name
        self.static_folder = static_folder
        self.static_url_path = static_url_path
        self.template_folder = template_folder
        self.root_path = get_root_path(import_name) if root_path is None else root_path
        #: The command group that ``erlen`` shows.
        self.cli = AppGroup()

        # The registries. Applications and extensions may edit them directly.
        changed = self._change_listener()
        #: Views by endpoint.
        self.view_functions: dict[str, ft.RouteCallable] = Registry(changed, None)
        #: Error handlers by scope, status code and exception class.
        self.error_handler_spec: dict[
            ft.AppOrBlueprintKey,
            dict[int | None, dict[type[Exception], ft.ErrorHandlerCallable]],
        ] = handler_registry(changed)
        #: Functions to call before each request, by scope.
        self.before_request_funcs: dict[ft.AppOrBlueprintKey, list[ft.BeforeRequestCallable]] = (
            Registry(changed)
        )
        #: Functions to call with each response, by scope.
        self.after_request_funcs: dict[
            ft.AppOrBlueprintKey, list[ft.AfterRequestCallable[t.Any]]
        ] = Registry(changed)
        #: Functions to call when a request's context goes, by scope.
        self.teardown_request_funcs: dict[ft.AppOrBlueprintKey, list[ft.TeardownCallable]] = (
            Registry(changed)
        )
        #: Functions to call before each WebSocket's handler, by scope.
        self.before_websocket_funcs: dict[ft.AppOrBlueprintKey, list[ft.BeforeRequestCallable]] = (
            Registry(changed)
        )
        #: Functions to call after each WebSocket's handler, by scope.
        self.after_websocket_funcs: dict[ft.AppOrBlueprintKey, list[ft.AfterWebsocketCallable]] = (
            Registry(changed)
        )
        #: Functions to call when a WebSocket's context goes, by scope.
        self.teardown_websocket_funcs: dict[ft.AppOrBlueprintKey, list[ft.TeardownCallable]] = (
            Registry(changed)
        )
        #: Functions that add to the variables of each template, by scope.
        self.template_context_processors: dict[
            ft.AppOrBlueprintKey, list[ft.TemplateContextProcessorCallable]
        ] = Registry(changed, items={None: HookList(changed, [_default_template_ctx_processor])})
        #: Functions that see the URL's values before the view, by scope.
        self.url_value_preprocessors: dict[
            ft.AppOrBlueprintKey, list[ft.URLValuePreprocessorCallable]
        ] = Registry(changed)
        #: Functions that add values for building URLs, by scope.
        self.url_default_functions: dict[ft.AppOrBlueprintKey, list[ft.URLDefaultCallable]] = (
            Registry(changed)
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def _change_listener(self) -> Callable[[], None]:
        """Return what registries call after an edit; it does not keep the object alive."""
        owner_ref = weakref.ref(self)

        def changed() -> None:
            owner = owner_ref()
            if owner is not None:
                owner._registry_changed()

        return changed

    def _registry_changed(self) -> None:
        """Called after each edit of a registry; an application drops its plans."""

    def _check_setup_finished(self, f_name: str) -> None:
        """Raise :exc:`AssertionError` where set-up is over; each subclass knows when it is."""

    @property
    def static_folder(self) -> str | None:
        """The absolute path of the folder with static files; ``None`` where there is none."""
        if self._static_folder is None:
            return None
        return os.path.join(self.root_path, self._static_folder)

    @static_folder.setter
    def static_folder(self, value: str | os.PathLike[str] | None) -> None:
        self._static_folder = None if value is None else os.fspath(value).rstrip(r"\/")

    @property
    def has_static_folder(self) -> bool:
        """Whether a folder for static files is set; it need not exist."""
        return self._static_folder is not None

    @property
    def static_url_path(self) -> str | None:
        """The URL prefix of static files; ``None`` where there is no folder."""
        if self._static_url_path is not None:
            return self._static_url_path
        if self.static_folder is None:
            return None
        return f"/{os.path.basename(self.static_folder)}".rstrip("/")

    @static_url_path.setter
    def static_url_path(self, value: str | None) -> None:
        self._static_url_path = None if value is None else value.rstrip("/")

    def get_send_file_max_age(self, filename: str | None) -> int | None:
        """Return for how many seconds clients may keep a file without asking again.

        :param filename: the path of the file below its folder.
        :returns: the setting ``SEND_FILE_MAX_AGE_DEFAULT``; ``None`` tells clients to ask.
        """
        value = active_app().config["SEND_FILE_MAX_AGE_DEFAULT"]
        if isinstance(value, timedelta):
            return int(value.total_seconds())
        return t.cast("int | None", value)

    def send_static_file(self, filename: str) -> Response:
        """Send a file of the static folder: the view of the endpoint ``static``.

        :param filename: the path of the file below the folder.
        :raises RuntimeError: where no folder is set.
        """
        folder = self.static_folder
        if folder is None:
            raise RuntimeError("'static_folder' must be set to serve static_files.")
        return send_from_directory(folder, filename, max_age=self.get_send_file_max_age(filename))

    def open_resource(
        self, resource: str, mode: str = "rb", encoding: str | None = "utf-8"
    ) -> t.IO[t.Any]:
        """Open a file that lies beside the module, for reading.

        :param resource: its path, relative to the root path.
        :param mode: ``"rb"``, ``"r"`` or ``"rt"``.
        :param encoding: the encoding in the text modes.
        :raises ValueError: for a mode that is not for reading.
        """
        if mode not in {"r", "rt", "rb"}:
            raise ValueError("Resources can only be opened for reading.")
        path = os.path.join(self.root_path, resource)
        if mode == "rb":
            return open(path, mode)
        return open(path, mode, encoding=encoding)

    @lazy
    def jinja_loader(self) -> BaseLoader | None:
        """The loader for the template folder; ``None`` where there is none."""
        if self.template_folder is None:
            return None
        # PERF: importing Jinja takes a sixth of the time that importing the framework would.
        from jinja2 import FileSystemLoader

        return FileSystemLoader(os.path.join(self.root_path, self.template_folder))

    def _method_route(
        self, method: str, rule: str, options: dict[str, t.Any]
    ) -> Callable[[T_route], T_route]:
        if "methods" in options:
            raise TypeError("Use the 'route' decorator to use the 'methods' argument.")
        return self.route(rule, methods=[method], **options)

    @setupmethod
    def get(self, rule: str, **options: t.Any) -> Callable[[T_route], T_route]:
        """Short for :meth:`route` with ``methods=["GET"]``."""
        return self._method_route("GET", rule, options)

    @setupmethod
    def post(self, rule: str, **options: t.Any) -> Callable[[T_route], T_route]:
        """Short for :meth:`route` with ``methods=["POST"]``."""
        return self._method_route("POST", rule, options)

    @setupmethod
    def put(self, rule: str, **options: t.Any) -> Callable[[T_route], T_route]:
        """Short for :meth:`route` with ``methods=["PUT"]``."""
        return self._method_route("PUT", rule, options)

    @setupmethod
    def delete(self, rule: str, **options: t.Any) -> Callable[[T_route], T_route]:
        """Short for :meth:`route` with ``methods=["DELETE"]``."""
        return self._method_route("DELETE", rule, options)

    @setupmethod
    def patch(self, rule: str, **options: t.Any) -> Callable[[T_route], T_route]:
        """Short for :meth:`route` with ``methods=["PATCH"]``."""
        return self._method_route("PATCH", rule, options)

    @setupmethod
    def route(self, rule: str, **options: t.Any) -> Callable[[T_route], T_route]:
        """Make the decorated function the view of a URL.

        :param rule: the URL, with variables such as ``<int:id>``.
        :param options: ``endpoint``, ``methods``, ``defaults`` and what else
            :meth:`add_url_rule` takes.

        .. code-block:: python

            @app.route("/posts/<int:id>", methods=["GET", "POST"])
            def post(id: int) -> str:
                ...
        """

        def decorator(f: T_route) -> T_route:
            endpoint = options.pop("endpoint", None)
            self.add_url_rule(rule, endpoint, f, **options)
            return f

        return decorator

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: ft.RouteCallable | None = None,
        provide_automatic_options: bool | None = None,
        **options: t.Any,
    ) -> None:
        """Add a URL rule; applications and blueprints say how."""
        raise TypeError(f"{type(self).__name__} does not define 'add_url_rule'.")

    @setupmethod
    def websocket(self, rule: str, **options: t.Any) -> Callable[[T_websocket], T_websocket]:
        """Make the decorated function the handler of the WebSockets of a URL.

        :param rule: the URL, with variables such as ``<room>``.
        :param options: ``endpoint``, ``defaults`` and what else :meth:`add_websocket` takes.

        .. code-block:: python

            @app.websocket("/echo")
            async def echo() -> None:
                async for message in websocket:
                    await websocket.send(message)
        """

        def decorator(f: T_websocket) -> T_websocket:
            endpoint = options.pop("endpoint", None)
            self.add_websocket(rule, endpoint, f, **options)
            return f

        return decorator

    @setupmethod
    def add_websocket(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: ft.WebsocketCallable | None = None,
        **options: t.Any,
    ) -> None:
        """Add a URL rule for WebSockets, and a handler for it.

        :param rule: the URL, with variables such as ``<room>``.
        :param endpoint: the name to build the URL by; by default the handler's.
        :param view_func: the handler, called with the values of the URL's variables.
        :param options: further arguments of :meth:`add_url_rule`.
        """
        options.setdefault("provide_automatic_options", False)
        handler: t.Any = view_func
        self.add_url_rule(rule, endpoint, handler, websocket=True, needs_gateway=True, **options)

    @setupmethod
    def endpoint(self, endpoint: str) -> Callable[[F], F]:
        """Make the decorated function the view of an endpoint whose rule was added without one.

        :param endpoint: the endpoint.
        """

        def decorator(f: F) -> F:
            self.view_functions[endpoint] = f
            return f

        return decorator

    @setupmethod
    def before_request(self, f: T_before_request) -> T_before_request:
        """Call a function before each request; what it returns, if not ``None``, is the answer.

        On a blueprint: before each request that its views handle.

        :param f: called without arguments.
        """
        self.before_request_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def after_request(self, f: T_after_request) -> T_after_request:
        """Call a function with each response; it returns that or another response.

        It is not called where an unhandled exception ended the request.

        :param f: called with the response.
        """
        self.after_request_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def teardown_request(self, f: T_teardown) -> T_teardown:
        """Call a function when a request's context goes, whatever happened before.

        :param f: called with the exception that ended the request, or ``None``. It should not
            raise; where it does, the other functions are called all the same.
        """
        self.teardown_request_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def before_websocket(self, f: T_before_request) -> T_before_request:
        """Call a function before each WebSocket's handler, and before the handshake.

        What it returns, if not ``None``, is sent as the answer in the place of the handshake.
        Functions of :meth:`before_request` are not called for WebSockets.

        :param f: called without arguments.
        """
        self.before_websocket_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def after_websocket(self, f: T_after_websocket) -> T_after_websocket:
        """Call a function when a WebSocket's handler has ended.

        :param f: called with the response where the handshake was refused with one, and with
            ``None`` where it was not; returns that or another response.
        """
        self.after_websocket_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def teardown_websocket(self, f: T_teardown) -> T_teardown:
        """Call a function when a WebSocket's context goes, whatever happened before.

        :param f: called with the exception that ended the handler, or ``None``.
        """
        self.teardown_websocket_funcs.setdefault(None, []).append(f)
        return f

    @setupmethod
    def context_processor(self, f: T_template_context_processor) -> T_template_context_processor:
        """Call a function before a template is rendered, for more variables.

        :param f: called without arguments; returns a dictionary.
        """
        self.template_context_processors.setdefault(None, []).append(f)
        return f

    @setupmethod
    def url_value_preprocessor(self, f: T_url_value_preprocessor) -> T_url_value_preprocessor:
        """Call a function before those of :meth:`before_request`; it may edit the URL's values.

        :param f: called with the endpoint and the dictionary of values.
        """
        self.url_value_preprocessors.setdefault(None, []).append(f)
        return f

    @setupmethod
    def url_defaults(self, f: T_url_defaults) -> T_url_defaults:
        """Call a function before a URL is built; it may add values.

        :param f: called with the endpoint and the dictionary of values.
        """
        self.url_default_functions.setdefault(None, []).append(f)
        return f

    @setupmethod
    def errorhandler(
        self, code_or_exception: type[Exception] | int
    ) -> Callable[[T_error_handler], T_error_handler]:
        """Make the decorated function answer where an exception ends a request.

        :param code_or_exception: a status code, or an exception class; subclasses count too.
        """

        def decorator(f: T_error_handler) -> T_error_handler:
            self.register_error_handler(code_or_exception, f)
            return f

        return decorator

    @setupmethod
    def register_error_handler(
        self, code_or_exception: type[Exception] | int, f: ft.ErrorHandlerCallable
    ) -> None:
        """Make a function answer where an exception ends a request.

        :param code_or_exception: a status code, or an exception class.
        :param f: called with the exception; returns what a view may return.
        """
        exc_class, code = self._get_exc_class_and_code(code_or_exception)
        self.error_handler_spec[None][code][exc_class] = f

    @staticmethod
    def _get_exc_class_and_code(
        exc_class_or_code: type[Exception] | int,
    ) -> tuple[type[Exception], int | None]:
        """Return the exception class that is meant, and its status code if it has one."""
        exc_class: t.Any = exc_class_or_code
        if isinstance(exc_class_or_code, int):
            exc_class = default_exceptions.get(exc_class_or_code)
            if exc_class is None:
                raise ValueError(
                    f"'{exc_class_or_code}' is not a recognized HTTP error code. Use a subclass of"
                    " HTTPException with that code instead."
                )
        if isinstance(exc_class, Exception):
            raise TypeError(
                f"{exc_class!r} is an instance, not a class. Handlers can only be registered for"
                " Exception classes or HTTP error codes."
            )
        if not issubclass(exc_class, Exception):
            raise ValueError(
                f"'{exc_class.__name__}' is not a subclass of Exception. Handlers can only be"
                " registered for Exception classes or HTTP error codes."
            )
        code = exc_class.code if issubclass(exc_class, HTTPException) else None
        return exc_class, code


def _find_package_path(import_name: str) -> str:
    """Return the directory that the top-level package or module of a name lies in."""
    root_name = import_name.partition(".")[0]
    try:
        spec = importlib.util.find_spec(root_name)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return os.getcwd()

    locations = spec.submodule_search_locations
    if not locations:
        return os.path.dirname(str(spec.origin))
    if spec.origin is not None and spec.origin != "namespace":
        return os.path.dirname(os.path.dirname(spec.origin))
    # A namespace package may lie in several places; the one with the package in it counts.
    return os.path.dirname(_namespace_location(import_name, list(locations)))


def _namespace_location(import_name: str, locations: list[str]) -> str:
    spec = importlib.util.find_spec(import_name)
    if spec is None or not spec.submodule_search_locations:
        return locations[0]
    package = pathlib.Path(os.path.commonpath(list(spec.submodule_search_locations)))
    return next(place for place in locations if package.is_relative_to(place))


def find_package(import_name: str) -> tuple[str | None, str]:
    """Return where a package is installed.

    :param import_name: its import name.
    :returns: the prefix of the installation, ``None`` where it is not installed but lies in a
        project's folder; and the folder that contains it.
    """
    package_path = _find_package_path(import_name)
    py_prefix = os.path.abspath(sys.prefix)
    if pathlib.PurePath(package_path).is_relative_to(py_prefix):
        return py_prefix, package_path

    site_parent, site_folder = os.path.split(package_path)
    if site_folder.lower() != "site-packages":
        return None, package_path
    # <prefix>/Lib/site-packages on Windows, <prefix>/lib/pythonX.Y/site-packages elsewhere.
    parent, folder = os.path.split(site_parent)
    if folder.lower() == "lib":
        return parent, package_path
    if os.path.basename(parent).lower() == "lib":
        return os.path.dirname(parent), package_path
    return site_parent, package_path
