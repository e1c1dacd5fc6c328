"""The application as far as it is set up before a request: configuration, rules, handlers."""

from __future__ import annotations

import logging
import os
import sys
import typing as t
from collections.abc import Callable, ValuesView
from datetime import timedelta
from urllib.parse import quote

from werkzeug.exceptions import Aborter, BadRequest, BadRequestKeyError, HTTPException
from werkzeug.utils import redirect as _wz_redirect

from . import local
from .config import Config, ConfigAttribute
from .ctx import _AppCtxGlobals
from .defaults import FLASK_DEFAULTS
from .headers import escape_controls
from .helpers import get_debug_flag, get_flashed_messages
from .json.provider import DefaultJSONProvider, JSONProvider
from .lazy import lazy
from .local import _cv_app, _cv_request
from .logging import create_logger
from .names import _endpoint_from_view_func
from .plan import (
    Plan,
    PlanTable,
    blueprint_names,
    collect,
    has_foreign_handlers,
    is_coroutine_function,
)
from .registry import HookList, Registry, handler_registry
from .routing import BuildError, EnvironAdapter, Map, RoutingException, Rule
from .routing.environ import decode
from .scaffold import Scaffold, find_package, setupmethod
from .sessions import ChosenInterface, SessionInterface
from .websockets import Websocket
from .wrappers import KNOWN_HOSTS, Request, Response

if t.TYPE_CHECKING:
    from werkzeug.wrappers import Response as BaseResponse

    from . import typing as ft
    from .blueprints import Blueprint
    from .ctx import RequestContext
    from .routing import MapAdapter
    from .templating import DispatchingJinjaLoader, Environment

T_serving = t.TypeVar("T_serving", bound="ft.ServingCallable")
T_while_serving = t.TypeVar("T_while_serving", bound="ft.WhileServingCallable")
T_shell_context_processor = t.TypeVar(
    "T_shell_context_processor", bound="ft.ShellContextProcessorCallable"
)
T_teardown = t.TypeVar("T_teardown", bound="ft.TeardownCallable")
T_template_filter = t.TypeVar("T_template_filter", bound="ft.TemplateFilterCallable")
T_template_global = t.TypeVar("T_template_global", bound="ft.TemplateGlobalCallable")
T_template_test = t.TypeVar("T_template_test", bound="ft.TemplateTestCallable")

# Attributes that plans are made from. Where one is replaced, the plans are made anew, and a plain
# dictionary becomes a registry.
_REGISTRIES: dict[str, Callable[[Callable[[], None]], Registry]] = {
    "view_functions": lambda changed: Registry(changed, None),
    "error_handler_spec": handler_registry,
    "before_request_funcs": Registry,
    "after_request_funcs": Registry,
    "teardown_request_funcs": Registry,
    "before_websocket_funcs": Registry,
    "after_websocket_funcs": Registry,
    "teardown_websocket_funcs": Registry,
    "template_context_processors": Registry,
    "url_value_preprocessors": Registry,
    "url_default_functions": Registry,
}
# RFC 3986, 3.5: what may stand in a fragment as it is; a percent sign begins an escape.
_ANCHOR_SAFE = "%!#$&'()*+,/:;=?@"
# Attributes that decide how requests are matched.
_MATCHING = {"create_url_adapter", "url_map", "subdomain_matching"}
_MAX_HANDLERS = 1024
_PLANNED = {*_REGISTRIES, "teardown_appcontext_funcs", "ensure_sync", "async_to_sync"}


def _make_timedelta(value: timedelta | int | None) -> timedelta | None:
    if value is None or isinstance(value, timedelta):
        return value
    return timedelta(seconds=value)


class _DefaultEnvironment:
    """Stands for the class of template environments until it is read.

    PERF: it stands on Jinja, whose import takes a sixth of the time that importing the framework
    would, and an application without templates never needs it.
    """

    def __get__(self, obj: t.Any, owner: type[t.Any]) -> type[Environment]:
        from .templating import Environment

        return Environment


class App(Scaffold):
    """The part of an application that does not depend on how requests come in.

    :class:`erlen.Flask` adds the steps of a request; the parameters are described there.
    """

    #: The class of :attr:`aborter`.
    aborter_class = Aborter
    #: The class of :attr:`jinja_env`; :class:`erlen.templating.Environment`.
    jinja_environment: type[Environment] = t.cast(t.Any, _DefaultEnvironment())
    #: The class of ``g``.
    app_ctx_globals_class = _AppCtxGlobals
    #: The class of :attr:`config`.
    config_class = Config
    #: The class of :attr:`json`.
    json_provider_class: type[JSONProvider] = DefaultJSONProvider
    #: Further arguments of the template environment.
    jinja_options: dict[str, t.Any] = {}
    #: The class of URL rules.
    url_rule_class = Rule
    #: The class of :attr:`url_map`.
    url_map_class = Map
    #: The class of ``request``.
    request_class: type[Request] = Request
    #: The class of ``websocket``, which is ``request`` too while a WebSocket is handled.
    websocket_class: type[Websocket] = Websocket
    #: The class of responses.
    response_class: type[Response] = Response
    #: How sessions are opened and saved; until it is set, as ``SESSION_BACKEND`` says.
    session_interface: SessionInterface = t.cast(t.Any, ChosenInterface())
    #: What the configuration starts with.
    default_config: t.Mapping[str, t.Any] = FLASK_DEFAULTS

    #: The setting ``TESTING``: exceptions are raised instead of answered.
    testing = ConfigAttribute[bool]("TESTING")
    #: The setting ``SECRET_KEY``, which signs the session.
    secret_key = ConfigAttribute[str | bytes | None]("SECRET_KEY")
    #: The setting ``PERMANENT_SESSION_LIFETIME``; a number counts seconds.
    permanent_session_lifetime = ConfigAttribute[timedelta](
        "PERMANENT_SESSION_LIFETIME",
        get_converter=_make_timedelta,  # type: ignore[arg-type]
    )

    #: Whether rules match on subdomains of ``SERVER_NAME``.
    subdomain_matching = False
    # Whether matching takes a URL adapter; worked out when one of _MATCHING is set.
    _needs_adapter = True
    _plans: PlanTable
    _is_to_start: bool

    def __init__(
        self,
        import_name: str,
        static_url_path: str | None = None,
        static_folder: str | os.PathLike[str] | None = "static",
        static_host: str | None = None,
        host_matching: bool = False,
        subdomain_matching: bool = False,
        template_folder: str | os.PathLike[str] | None = "templates",
        instance_path: str | None = None,
        instance_relative_config: bool = False,
        root_path: str | None = None,
    ) -> None:
        super().__init__(
            import_name=import_name,
            static_folder=static_folder,
            static_url_path=static_url_path,
            template_folder=template_folder,
            root_path=root_path,
        )
        if instance_path is None:
            instance_path = self.auto_find_instance_path()
        elif not os.path.isabs(instance_path):
            raise ValueError(
                "If an instance path is provided it must be absolute. A relative path was given"
                " instead."
            )
        #: The folder for files that belong to one deployment.
        self.instance_path = instance_path
        #: The configuration.
        self.config = self.make_config(instance_relative_config)
        #: Raises HTTP exceptions for ``abort``.
        self.aborter = self.make_aborter()
        #: Turns objects into JSON and back.
        self.json: JSONProvider = self.json_provider_class(self)
        #: Functions that may build a URL where ``url_for`` fails: called with the error, the
        #: endpoint and the values, they return a URL, or ``None``.
        self.url_build_error_handlers: list[
            Callable[[Exception, str, dict[str, t.Any]], str | None]
        ] = []
        #: Functions to call when an application context goes.
        self.teardown_appcontext_funcs: list[ft.TeardownCallable] = HookList(
            self._change_listener()
        )
        #: Functions that add names to the shell.
        self.shell_context_processors: list[ft.ShellContextProcessorCallable] = []
        #: The registered blueprints by name.
        self.blueprints: dict[str, Blueprint] = {}
        #: A place for the data of extensions, by their names.
        self.extensions: dict[str, t.Any] = {}
        #: The URL rules.
        self.url_map = self.url_map_class(host_matching=host_matching)
        self.subdomain_matching = subdomain_matching
        self._got_first_request = False
        #: Functions to call before a worker serves its first request.
        self.before_serving_funcs: list[ft.ServingCallable] = []
        #: Generator functions that run around the time in which a worker serves.
        self.while_serving_gens: list[ft.WhileServingCallable] = []
        #: Functions to call when a worker has served its last request.
        self.after_serving_funcs: list[ft.ServingCallable] = []
        # Whether functions wait to be called before the first request of this worker.
        self._is_to_start = False
        # Which endpoints are marked as cooperative, or as not cooperative.
        self._cooperative: dict[str, bool] = {}
        # The prefixes that blueprints own, longest first, with the blueprint's name and subdomain.
        self._owned_prefixes: list[tuple[str, str, str | None]] = []
        self.cli.name = self.name
        self._add_static_route(static_host)

    def _add_static_route(self, static_host: str | None) -> None:
        """Route the static files; a class that serves requests does, and Quart has its own."""

    def __setattr__(self, name: str, value: t.Any) -> None:
        if name in _PLANNED:
            if name in _REGISTRIES and not isinstance(value, Registry):
                registry = _REGISTRIES[name](self._change_listener())
                registry.update(value)
                value = registry
            self._registry_changed()
        object.__setattr__(self, name, value)
        if name in _MATCHING:
            self._matching_changed()

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        if name in _PLANNED:
            self._registry_changed()
        if name in _MATCHING:
            self._matching_changed()

    def _matching_changed(self) -> None:
        self._needs_adapter = (
            "create_url_adapter" in self.__dict__
            or type(self.__dict__.get("url_map")) is not Map
            or self.subdomain_matching
        )

    def _registry_changed(self) -> None:
        self._plans = PlanTable()

    def _check_setup_finished(self, f_name: str) -> None:
        if self._got_first_request:
            raise AssertionError(
                f"The setup method '{f_name}' can no longer be called on the application. It has"
                " already handled its first request, any changes will not be applied"
                " consistently.\n"
                "Make sure all imports, decorators, functions, etc. needed to set up the"
                " application are done before running it."
            )

    @lazy
    def name(self) -> str:
        """The application's name: its import name, or the name of the file that was run."""
        if self.import_name != "__main__":
            return self.import_name
        filename: str | None = getattr(sys.modules["__main__"], "__file__", None)
        if filename is None:
            return "__main__"
        return os.path.splitext(os.path.basename(filename))[0]

    @lazy
    def logger(self) -> logging.Logger:
        """The application's logger, named as the application is."""
        return create_logger(self)

    @lazy
    def jinja_env(self) -> Environment:
        """The template environment, made when it is first used."""
        return self.create_jinja_environment()

    @property
    def got_first_request(self) -> bool:
        """Whether a request was handled, after which set-up is over."""
        return self._got_first_request

    def make_config(self, instance_relative: bool = False) -> Config:
        """Return the configuration to start with.

        :param instance_relative: look for files in the instance folder, not in the root path.
        """
        defaults = {**self.default_config, "DEBUG": get_debug_flag()}
        root_path = self.instance_path if instance_relative else self.root_path
        return self.config_class(root_path, defaults)

    def make_aborter(self) -> Aborter:
        """Return the object that raises HTTP exceptions for ``abort``."""
        return self.aborter_class()

    def auto_find_instance_path(self) -> str:
        """Return the instance folder: beside the package, or below the installation's prefix."""
        prefix, package_path = find_package(self.import_name)
        if prefix is None:
            return os.path.join(package_path, "instance")
        return os.path.join(prefix, "var", f"{self.name}-instance")

    def create_jinja_environment(self) -> Environment:
        """Return a template environment with the application's options and globals."""
        options = dict(self.jinja_options)
        options.setdefault("autoescape", self.select_jinja_autoescape)
        if "auto_reload" not in options:
            auto_reload = self.config["TEMPLATES_AUTO_RELOAD"]
            options["auto_reload"] = self.debug if auto_reload is None else auto_reload
        environment = self.jinja_environment(self, **options)
        environment.globals.update(
            url_for=self.url_for,
            get_flashed_messages=get_flashed_messages,
            config=self.config,
            # Imported templates do not get the context, so these stand among the globals too.
            request=local.request,
            session=local.session,
            g=local.g,
        )
        environment.policies["json.dumps_function"] = self.json.dumps
        return environment

    def create_global_jinja_loader(self) -> DispatchingJinjaLoader:
        """Return the loader that looks in the application's folder, then in the blueprints'."""
        from .templating import DispatchingJinjaLoader

        return DispatchingJinjaLoader(self)

    def select_jinja_autoescape(self, filename: str | None) -> bool:
        """Return whether values in a template are escaped.

        :param filename: the template's name; ``None`` for one from a string.
        """
        if filename is None:
            return True
        return filename.endswith((".html", ".htm", ".xml", ".xhtml", ".svg"))

    @property
    def debug(self) -> bool:
        """The setting ``DEBUG``: errors show in the browser, templates reload."""
        debug: bool = self.config["DEBUG"]
        return debug

    @debug.setter
    def debug(self, value: bool) -> None:
        self.config["DEBUG"] = value
        if self.config["TEMPLATES_AUTO_RELOAD"] is None:
            self.jinja_env.auto_reload = value

    @setupmethod
    def register_blueprint(self, blueprint: Blueprint, **options: t.Any) -> None:
        """Put the routes, hooks and handlers of a blueprint on the application.

        :param blueprint: the blueprint.
        :param options: ``url_prefix``, ``subdomain``, ``url_defaults``, ``name``, ``cli_group``:
            they take the place of what the blueprint says itself.
        :raises ValueError: where the name is taken.
        """
        blueprint.register(self, options)

    def iter_blueprints(self) -> ValuesView[Blueprint]:
        """Return the registered blueprints in their order."""
        return self.blueprints.values()

    def own_prefix(self, name: str, prefix: str, subdomain: str | None = None) -> None:
        """Let a blueprint's handlers answer for URLs below a prefix that no rule matches.

        :param name: the name that the blueprint is registered under.
        :param prefix: the prefix, without variables.
        :param subdomain: the subdomain it is on, without variables; ``None`` for any.
        """
        self._owned_prefixes.append((prefix.rstrip("/"), name, subdomain))
        self._owned_prefixes.sort(key=lambda owned: len(owned[0]), reverse=True)

    def _owners(self, ctx: RequestContext) -> list[str]:
        """Return the names of the blueprints that own a request's path, innermost first."""
        path = ctx.request.path
        for prefix, name, subdomain in self._owned_prefixes:
            if not (path == prefix or path.startswith(f"{prefix}/")):
                continue
            if subdomain is not None:
                adapter = ctx.url_adapter
                if adapter is None or adapter.subdomain != subdomain:
                    continue
            return list(blueprint_names(f"{name}."))
        return []

    @setupmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: ft.RouteCallable | None = None,
        provide_automatic_options: bool | None = None,
        **options: t.Any,
    ) -> None:
        """Add a URL rule, and a view for it.

        :param rule: the URL, with variables such as ``<int:id>``.
        :param endpoint: the name to build the URL by; by default the view's.
        :param view_func: the view; it may be added later with :meth:`endpoint`.
        :param provide_automatic_options: whether ``OPTIONS`` is answered without the view.
        :param options: ``methods``, ``defaults``, ``subdomain``, ``host``, ``strict_slashes`` and
            what else :class:`~erlen.routing.Rule` takes; ``cooperative=True`` runs a synchronous
            view on the event loop, where there is one, instead of in a worker thread.
        :raises AssertionError: where the endpoint has another view already.
        """
        if endpoint is None:
            endpoint = _endpoint_from_view_func(view_func)
        cooperative = options.pop("cooperative", None)
        # Extensions add rules for WebSockets that they serve themselves, on a WSGI server's socket.
        needs_gateway = options.pop("needs_gateway", False)
        methods = options.pop("methods", None)
        if methods is None:
            methods = getattr(view_func, "methods", None) or ("GET",)
        if isinstance(methods, str):
            raise TypeError(
                "Allowed methods must be a list of strings, for example:"
                ' @app.route(..., methods=["POST"])'
            )
        methods = {method.upper() for method in methods}
        required: set[str] = set(getattr(view_func, "required_methods", ()))

        if provide_automatic_options is None:
            provide_automatic_options = getattr(view_func, "provide_automatic_options", None)
        if provide_automatic_options is None:
            provide_automatic_options = (
                "OPTIONS" not in methods and self.config["PROVIDE_AUTOMATIC_OPTIONS"]
            )
            if provide_automatic_options:
                required.add("OPTIONS")

        rule_object: t.Any = self.url_rule_class(
            rule, methods=methods | required, endpoint=endpoint, **options
        )
        rule_object.provide_automatic_options = provide_automatic_options
        rule_object.needs_gateway = needs_gateway
        self.url_map.add(rule_object)
        if cooperative is not None:
            self._cooperative[endpoint] = bool(cooperative)
            self._registry_changed()
        if view_func is not None:
            self._add_view(endpoint, view_func)

    def _add_view(self, endpoint: str, view_func: ft.RouteCallable) -> None:
        old = self.view_functions.get(endpoint)
        if old is None:
            self.view_functions[endpoint] = view_func
        elif old != view_func:
            raise AssertionError(
                f"View function mapping is overwriting an existing endpoint function: {endpoint}"
            )

    def _plan_for(self, endpoint: str | None) -> Plan:
        """Return the plan of an endpoint, making it where there is none that is valid."""
        table = self._plans
        plan = table.plans.get(endpoint)
        if plan is None or (plan.watched and plan.is_stale()):
            plan = table.plans[endpoint] = Plan(self, table, endpoint)
        return plan

    def _runs_on_loop(self, endpoint: str | None, blueprints: t.Sequence[str]) -> bool:
        """Return whether a request to an endpoint runs on the event loop, where there is one."""
        scopes = (*blueprints, None)
        functions = [
            *self.teardown_appcontext_funcs,
            *collect(self.url_value_preprocessors, scopes),
            *collect(self.before_request_funcs, scopes),
            *collect(self.after_request_funcs, scopes),
            *collect(self.teardown_request_funcs, scopes),
        ]
        view = self.view_functions.get(endpoint)  # type: ignore[arg-type]
        if any(map(is_coroutine_function, (view, *functions))):
            return True
        if view is None or endpoint is None:
            # No code of the application runs, so none can block the loop.
            return not functions and not any(map(len, self.error_handler_spec.values()))
        cooperative = self._cooperative.get(endpoint)
        if cooperative is None:
            cooperative = bool(self.config.get("COOPERATIVE_VIEWS"))
        return cooperative

    @setupmethod
    def template_filter(
        self, name: str | None = None
    ) -> Callable[[T_template_filter], T_template_filter]:
        """Make the decorated function a filter in templates.

        :param name: the filter's name; by default the function's.
        """

        def decorator(f: T_template_filter) -> T_template_filter:
            self.add_template_filter(f, name=name)
            return f

        return decorator

    @setupmethod
    def add_template_filter(self, f: ft.TemplateFilterCallable, name: str | None = None) -> None:
        """Make a function a filter in templates."""
        self.jinja_env.filters[name or f.__name__] = f

    @setupmethod
    def template_test(
        self, name: str | None = None
    ) -> Callable[[T_template_test], T_template_test]:
        """Make the decorated function a test in templates.

        :param name: the test's name; by default the function's.
        """

        def decorator(f: T_template_test) -> T_template_test:
            self.add_template_test(f, name=name)
            return f

        return decorator

    @setupmethod
    def add_template_test(self, f: ft.TemplateTestCallable, name: str | None = None) -> None:
        """Make a function a test in templates."""
        self.jinja_env.tests[name or f.__name__] = f

    @setupmethod
    def template_global(
        self, name: str | None = None
    ) -> Callable[[T_template_global], T_template_global]:
        """Make the decorated function a global in templates.

        :param name: the global's name; by default the function's.
        """

        def decorator(f: T_template_global) -> T_template_global:
            self.add_template_global(f, name=name)
            return f

        return decorator

    @setupmethod
    def add_template_global(self, f: ft.TemplateGlobalCallable, name: str | None = None) -> None:
        """Make a function a global in templates."""
        self.jinja_env.globals[name or f.__name__] = f

    @setupmethod
    def teardown_appcontext(self, f: T_teardown) -> T_teardown:
        """Call a function when an application context goes, at the end of each request too.

        :param f: called with the exception that ended the work, or ``None``.
        """
        self.teardown_appcontext_funcs.append(f)
        return f

    @setupmethod
    def before_serving(self, f: T_serving) -> T_serving:
        """Call the decorated function once in each worker, before its first request.

        It runs in an application context. A coroutine function runs on the loop that requests'
        coroutines run on, so that a client or a pool made here can be used in all of them.

        :param f: the function, called without arguments. What it raises keeps the worker from
            serving.
        """
        self.before_serving_funcs.append(f)
        self._is_to_start = True
        return f

    @setupmethod
    def after_serving(self, f: T_serving) -> T_serving:
        """Call the decorated function once in each worker, after its last request.

        :param f: the function, called without arguments in an application context.
        """
        self.after_serving_funcs.append(f)
        self._is_to_start = True
        return f

    @setupmethod
    def while_serving(self, f: T_while_serving) -> T_while_serving:
        """Run the decorated generator around the time in which a worker serves.

        :param f: a generator function, asynchronous or not, that yields once: what stands before
            runs before the first request, what stands after it when the worker ends.

        .. code-block:: python

            @app.while_serving
            async def client():
                async with httpx.AsyncClient() as app.http:
                    yield
        """
        self.while_serving_gens.append(f)
        self._is_to_start = True
        return f

    @property
    def _has_service(self) -> bool:
        return bool(
            self.before_serving_funcs or self.while_serving_gens or self.after_serving_funcs
        )

    @setupmethod
    def shell_context_processor(self, f: T_shell_context_processor) -> T_shell_context_processor:
        """Call a function for more names in the shell.

        :param f: called without arguments; returns a dictionary.
        """
        self.shell_context_processors.append(f)
        return f

    def _find_error_handler(
        self, e: Exception, blueprints: t.Sequence[str]
    ) -> ft.ErrorHandlerCallable | None:
        """Return the handler for an exception.

        A handler for a code comes before one for a class, a blueprint's before the application's,
        a class before its bases.
        """
        table = self._plans
        key = (type(e), *blueprints)
        try:
            return table.handlers[key]
        except KeyError:
            handler = self._search_error_handler(type(e), blueprints)
            # Programs can make classes without end.
            if len(table.handlers) < _MAX_HANDLERS and not has_foreign_handlers(
                self.error_handler_spec
            ):
                table.handlers[key] = handler
            return handler

    def _search_error_handler(
        self, exc_type: type[Exception], blueprints: t.Sequence[str]
    ) -> ft.ErrorHandlerCallable | None:
        exc_class, code = self._get_exc_class_and_code(exc_type)
        spec = self.error_handler_spec
        for c in (code, None) if code is not None else (None,):
            for name in (*blueprints, None):
                handlers = spec.get(name, {}).get(c)
                if not handlers:
                    continue
                for cls in exc_class.__mro__:
                    handler = handlers.get(t.cast("type[Exception]", cls))
                    if handler is not None:
                        return handler
        return None

    def trap_http_exception(self, e: Exception) -> bool:
        """Return whether an HTTP exception is to be treated as an error of the program.

        The settings ``TRAP_HTTP_EXCEPTIONS`` and ``TRAP_BAD_REQUEST_ERRORS`` decide.

        :param e: the exception.
        """
        if self.config["TRAP_HTTP_EXCEPTIONS"]:
            return True
        trap_bad_request = self.config["TRAP_BAD_REQUEST_ERRORS"]
        if trap_bad_request is None:
            # In debug mode a missing key of a form is most likely a mistake in the program.
            return isinstance(e, BadRequestKeyError) and self.debug
        return bool(trap_bad_request) and isinstance(e, BadRequest)

    def _propagates_exceptions(self) -> bool:
        """Return whether unhandled exceptions go to the server (``PROPAGATE_EXCEPTIONS``)."""
        setting: bool | None = self.config["PROPAGATE_EXCEPTIONS"]
        return self.testing or self.debug if setting is None else setting

    def should_ignore_error(self, error: BaseException | None) -> bool:
        """Return whether teardown functions get ``None`` instead of an error.

        :param error: the exception that ended the request.
        """
        return False

    def redirect(self, location: str, code: int = 302) -> BaseResponse:
        """Return a response that sends the client to another URL.

        :param location: the URL.
        :param code: the status.
        """
        location = escape_controls(location)
        return _wz_redirect(location, code=code, Response=self.response_class)

    def inject_url_defaults(self, endpoint: str, values: dict[str, t.Any]) -> None:
        """Let the functions of :meth:`url_defaults` add to the values for a URL.

        :param endpoint: the endpoint that the URL is built for.
        :param values: the dictionary to edit.
        """
        functions = self.url_default_functions
        if not functions:
            return
        scopes = (None, *reversed(blueprint_names(endpoint)))
        for function in collect(functions, scopes):
            function(endpoint, values)

    def handle_url_build_error(
        self, error: BuildError, endpoint: str, values: dict[str, t.Any]
    ) -> str:
        """Let :attr:`url_build_error_handlers` build a URL that ``url_for`` could not build.

        :param error: why it could not.
        :param endpoint: the endpoint.
        :param values: the values, with ``_anchor``, ``_method``, ``_scheme`` and ``_external``.
        :raises werkzeug.routing.BuildError: where none of them can.
        """
        for handler in self.url_build_error_handlers:
            try:
                url = handler(error, endpoint, values)
            except BuildError as newer:
                error = newer
            else:
                if url is not None:
                    return url
        raise error

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        """Return what matches and builds URLs for a request, or outside of one.

        :param request: the request; ``None`` outside of one.
        :returns: the adapter; outside a request ``None`` where ``SERVER_NAME`` is not configured.
        :raises werkzeug.exceptions.SecurityError: (400) where the request's host is not one of
            ``TRUSTED_HOSTS``, or is no host at all.
        """
        config = self.config
        if request is None:
            if config["SERVER_NAME"] is None:
                return None
            return self.url_map.bind(
                config["SERVER_NAME"],
                script_name=config["APPLICATION_ROOT"],
                url_scheme=config["PREFERRED_URL_SCHEME"],
            )

        self._check_host(request)
        environ = request.environ
        url_map = self.url_map
        server_name, subdomain = config["SERVER_NAME"], None
        if url_map.host_matching:
            server_name = None
        elif not self.subdomain_matching:
            subdomain = url_map.default_subdomain or ""
        if type(url_map) is Map:
            return EnvironAdapter(url_map, environ, server_name, subdomain)
        # A map of another class may have a bind_to_environ of its own.
        return url_map.bind_to_environ(environ, server_name, subdomain)

    def match_directly(self, request: Request) -> tuple[t.Any, dict[str, t.Any]] | None:
        """Match a request without an adapter, where an adapter could change nothing.

        PERF: most requests never build a URL, so they never need an adapter.

        :param request: the request.
        :returns: the rule and the values of its variables; ``None`` where the adapter of
            :meth:`create_url_adapter` must be asked: that method is overridden, rules have hosts
            or subdomains, or the answer is a redirect.
        :raises werkzeug.exceptions.HTTPException: where the host is refused or nothing matches.
        """
        url_map = self.url_map
        environ = request.environ
        if (
            type(self).create_url_adapter is not App.create_url_adapter
            or self._needs_adapter
            or url_map.host_matching
            or "HTTP_UPGRADE" in environ
        ):
            return None
        if (
            # PERF: nearly every request is for a host that was seen before.
            environ.get("HTTP_HOST") not in KNOWN_HOSTS
            or request.trusted_hosts
            or self.config["TRUSTED_HOSTS"] is not None
        ):
            self._check_host(request)
        path: str = environ.get("PATH_INFO", "/")
        early = environ.pop("erlen.match") if "erlen.match" in environ else None
        if (
            early is not None
            and early[0] is url_map
            and early[1] is path
            and early[2] is environ["REQUEST_METHOD"]
        ):
            found: tuple[t.Any, dict[str, t.Any]] | HTTPException = early[3]
            if type(found) is tuple:
                return found
            raise t.cast(HTTPException, found)
        if not path.isascii():
            path = decode(path)
        try:
            return url_map.lookup(
                path, environ["REQUEST_METHOD"].upper(), url_map.default_subdomain
            )
        except HTTPException:
            raise
        except RoutingException:
            return None

    def _check_host(self, request: Request) -> None:
        trusted_hosts = self.config["TRUSTED_HOSTS"]
        if trusted_hosts is not None:
            request.trusted_hosts = trusted_hosts
        request.check_host()

    def url_for(
        self,
        /,
        endpoint: str,
        *,
        _anchor: str | None = None,
        _method: str | None = None,
        _scheme: str | None = None,
        _external: bool | None = None,
        **values: t.Any,
    ) -> str:
        """Build the URL of an endpoint.

        During a request, a URL of the same site is relative; outside of one it needs the setting
        ``SERVER_NAME`` and is absolute.

        :param endpoint: the endpoint. With a dot at its start, one of the blueprint that the
            current request is on.
        :param _anchor: what to add behind ``#``.
        :param _method: the method the URL is for, where rules differ by it.
        :param _scheme: the scheme of the URL; the URL must be external.
        :param _external: whether the URL gets a scheme and a host.
        :param values: values for the rule's variables; others go to the query string.
        :raises werkzeug.routing.BuildError: where no rule fits.
        :raises RuntimeError: outside a request, where ``SERVER_NAME`` is not set.

        .. code-block:: python

            app.url_for("post", id=7, _anchor="comments")  # /posts/7#comments
        """
        request_ctx = _cv_request.get(None)
        if request_ctx is not None:
            adapter = request_ctx.url_adapter
            if endpoint[:1] == ".":
                blueprint = request_ctx.request.blueprint
                endpoint = endpoint[1:] if blueprint is None else f"{blueprint}{endpoint}"
            if _external is None:
                _external = _scheme is not None
        else:
            adapter = self._adapter_outside_request()
            if _external is None:
                _external = True
        if _scheme is not None and not _external:
            raise ValueError("When specifying '_scheme', '_external' must be True.")

        self.inject_url_defaults(endpoint, values)
        try:
            url: str = adapter.build(
                endpoint,
                values,
                method=_method,
                url_scheme=_scheme,
                force_external=_external,
            )
        except BuildError as error:
            values.update(_anchor=_anchor, _method=_method, _scheme=_scheme, _external=_external)
            return self.handle_url_build_error(error, endpoint, values)
        if _anchor is None:
            return url
        return f"{url}#{quote(_anchor, safe=_ANCHOR_SAFE)}"

    def _adapter_outside_request(self) -> MapAdapter:
        app_ctx = _cv_app.get(None)
        if app_ctx is not None:
            adapter = t.cast("MapAdapter | None", app_ctx.url_adapter)
        else:
            adapter = self.create_url_adapter(None)
        if adapter is None:
            raise RuntimeError(
                "Unable to build URLs outside an active request without 'SERVER_NAME' configured."
                " Also configure 'APPLICATION_ROOT' and 'PREFERRED_URL_SCHEME' as needed."
            )
        return adapter
