"""Blueprints: parts of an application that are set up before the application exists."""

from __future__ import annotations

import os
import typing as t
from collections.abc import Callable
from functools import update_wrapper

from .names import _endpoint_from_view_func
from .scaffold import Scaffold, _sentinel, setupmethod

if t.TYPE_CHECKING:
    from . import typing as ft
    from .scaffold import (
        T_after_request,
        T_after_websocket,
        T_before_request,
        T_error_handler,
        T_teardown,
        T_template_context_processor,
        T_url_defaults,
        T_url_value_preprocessor,
    )

DeferredSetupFunction = Callable[["BlueprintSetupState"], None]
T_template_filter = t.TypeVar("T_template_filter", bound="ft.TemplateFilterCallable")
T_template_global = t.TypeVar("T_template_global", bound="ft.TemplateGlobalCallable")
T_template_test = t.TypeVar("T_template_test", bound="ft.TemplateTestCallable")


class BlueprintSetupState:
    """One registration of a blueprint: what its recorded functions are called with.

    :param blueprint: the blueprint.
    :param app: the application it is registered on.
    :param options: the arguments of :meth:`Flask.register_blueprint`.
    :param first_registration: whether the application did not have the blueprint before.
    """

    def __init__(
        self,
        blueprint: Blueprint,
        app: ft.Application,
        options: t.Any,
        first_registration: bool,
    ) -> None:
        self.app = app
        self.blueprint = blueprint
        self.options = options
        self.first_registration = first_registration
        #: The subdomain of its rules, unless a rule names its own.
        self.subdomain: str | None = _first(options.get("subdomain"), blueprint.subdomain)
        #: The prefix of its rules.
        self.url_prefix: str | None = _first(options.get("url_prefix"), blueprint.url_prefix)
        #: The name it is registered under, and the names of its parents.
        self.name: str = options.get("name", blueprint.name)
        self.name_prefix: str = options.get("name_prefix", "")
        #: Values that the views get in any case.
        self.url_defaults: dict[str, t.Any] = {
            **blueprint.url_values_defaults,
            **dict(options.get("url_defaults", ())),
        }

    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: ft.RouteCallable | None = None,
        **options: t.Any,
    ) -> None:
        """Add a rule to the application, with the blueprint's prefix, name and defaults.

        :param rule: the URL below the prefix.
        :param endpoint: the endpoint below the blueprint's name.
        :param view_func: the view.
        :param options: further arguments of :meth:`Flask.add_url_rule`.
        """
        if self.url_prefix is not None:
            rule = _join(self.url_prefix, rule) if rule else self.url_prefix
        options.setdefault("subdomain", self.subdomain)
        if endpoint is None:
            endpoint = _endpoint_from_view_func(view_func)
        defaults = self.url_defaults
        if "defaults" in options:
            defaults = {**defaults, **options.pop("defaults")}
        self.app.add_url_rule(
            rule,
            f"{self.name_prefix}.{self.name}.{endpoint}".lstrip("."),
            view_func,
            defaults=defaults,
            **options,
        )


def _first(*values: t.Any) -> t.Any:
    """Return the first value that is not ``None``."""
    return next((value for value in values if value is not None), None)


def _join(prefix: str, rule: str) -> str:
    return f"{prefix.rstrip('/')}/{rule.lstrip('/')}"


class Blueprint(Scaffold):
    """A set of routes, hooks, handlers, templates and static files that applications register.

    :param name: its name, put before the endpoints of its views.
    :param import_name: the import name of the module that defines it, ``__name__``.
    :param static_folder: the folder with its static files, relative to the root path.
    :param static_url_path: the URL prefix for them, below *url_prefix*.
    :param template_folder: the folder with its templates; the application's come first.
    :param url_prefix: what to put before the URLs of its rules.
    :param subdomain: the subdomain its rules match on.
    :param url_defaults: values that its views get in any case.
    :param root_path: the directory that folders are relative to; by default the module's.
    :param cli_group: the name of its command group; ``None`` puts its commands at the top.
    :param owns_prefix: let the blueprint's handlers for 404 and 405 also answer for URLs below
        *url_prefix* that no rule matches. Where several blueprints own a URL, the longest prefix
        wins.

    .. code-block:: python

        api = Blueprint("api", __name__, url_prefix="/api", owns_prefix=True)

        @api.errorhandler(404)
        def not_found(error):
            return {"error": "not found"}, 404
    """

    _got_registered_once = False

    def __init__(
        self,
        name: str,
        import_name: str,
        static_folder: str | os.PathLike[str] | None = None,
        static_url_path: str | None = None,
        template_folder: str | os.PathLike[str] | None = None,
        url_prefix: str | None = None,
        subdomain: str | None = None,
        url_defaults: dict[str, t.Any] | None = None,
        root_path: str | None = None,
        cli_group: str | None = _sentinel,
        *,
        owns_prefix: bool = False,
    ) -> None:
        super().__init__(
            import_name=import_name,
            static_folder=static_folder,
            static_url_path=static_url_path,
            template_folder=template_folder,
            root_path=root_path,
        )
        if not name:
            raise ValueError("'name' may not be empty.")
        if "." in name:
            raise ValueError("'name' may not contain a dot '.' character.")
        self.name = name
        self.cli.name = name
        self.url_prefix = url_prefix
        self.subdomain = subdomain
        self.deferred_functions: list[DeferredSetupFunction] = []
        self.url_values_defaults = {} if url_defaults is None else url_defaults
        self.cli_group = cli_group
        self.owns_prefix = owns_prefix
        self._blueprints: list[tuple[Blueprint, dict[str, t.Any]]] = []

    def _check_setup_finished(self, f_name: str) -> None:
        if self._got_registered_once:
            raise AssertionError(
                f"The setup method '{f_name}' can no longer be called on the blueprint"
                f" '{self.name}'. It has already been registered at least once, any changes will"
                " not be applied consistently.\n"
                "Make sure all imports, decorators, functions, etc. needed to set up the blueprint"
                " are done before registering it."
            )

    @setupmethod
    def record(self, func: DeferredSetupFunction) -> None:
        """Call a function whenever the blueprint is registered.

        :param func: called with the :class:`BlueprintSetupState`.
        """
        self.deferred_functions.append(func)

    @setupmethod
    def record_once(self, func: DeferredSetupFunction) -> None:
        """Call a function when an application registers the blueprint for the first time.

        :param func: called with the :class:`BlueprintSetupState`.
        """

        def wrapper(state: BlueprintSetupState) -> None:
            if state.first_registration:
                func(state)

        self.record(update_wrapper(wrapper, func))

    def make_setup_state(
        self, app: ft.Application, options: dict[str, t.Any], first_registration: bool = False
    ) -> BlueprintSetupState:
        """Return the state for one registration; override it to use another class."""
        return BlueprintSetupState(self, app, options, first_registration)

    @setupmethod
    def register_blueprint(self, blueprint: Blueprint, **options: t.Any) -> None:
        """Register another blueprint below this one.

        :param blueprint: the inner blueprint.
        :param options: as for :meth:`Flask.register_blueprint`.
        """
        if blueprint is self:
            raise ValueError("Cannot register a blueprint on itself")
        self._blueprints.append((blueprint, options))

    def register(self, app: ft.Application, options: dict[str, t.Any]) -> None:
        """Put everything of the blueprint, and the blueprints below it, on an application.

        :meth:`Flask.register_blueprint` calls this.

        :param app: the application.
        :param options: the arguments of the registration.
        :raises ValueError: where the name is taken.
        """
        own_name = options.get("name", self.name)
        name = f"{options.get('name_prefix', '')}.{own_name}".lstrip(".")
        self._check_name_is_free(app, name, own_name)
        first = not any(blueprint is self for blueprint in app.blueprints.values())

        app.blueprints[name] = self
        self._got_registered_once = True
        state = self.make_setup_state(app, options, first)
        if self.has_static_folder:
            state.add_url_rule(
                f"{self.static_url_path}/<path:filename>",
                view_func=self.send_static_file,
                endpoint="static",
            )
        self._merge_blueprint_funcs(app, name)
        for deferred in self.deferred_functions:
            deferred(state)
        if self.owns_prefix:
            self._claim_prefix(app, name, state)
        self._register_commands(app, name, options)
        for blueprint, bp_options in self._blueprints:
            blueprint.register(app, self._nested_options(state, name, blueprint, bp_options))

    def _check_name_is_free(self, app: ft.Application, name: str, own_name: str) -> None:
        if name not in app.blueprints:
            return
        which = "this" if app.blueprints[name] is self else "a different"
        existing_at = f" '{name}'" if own_name != name else ""
        raise ValueError(
            f"The name '{own_name}' is already registered for {which} blueprint{existing_at}. Use"
            " 'name=' to provide a unique name."
        )

    def _claim_prefix(self, app: ft.Application, name: str, state: BlueprintSetupState) -> None:
        prefix, subdomain = state.url_prefix or "/", state.subdomain
        for option, value in (("url_prefix", prefix), ("subdomain", subdomain)):
            if value is not None and "<" in value:
                raise ValueError(
                    f"The blueprint '{name}' cannot own the prefix '{prefix}': '{value}' contains a"
                    f" variable. Register it with a fixed '{option}', or without 'owns_prefix'."
                )
        app.own_prefix(name, prefix, subdomain)

    def _register_commands(self, app: ft.Application, name: str, options: dict[str, t.Any]) -> None:
        if not self.cli.commands:
            return
        group = options.get("cli_group", self.cli_group)
        if group is None:
            app.cli.commands.update(self.cli.commands)
            return
        self.cli.name = name if group is _sentinel else group
        app.cli.add_command(self.cli)

    @staticmethod
    def _nested_options(
        state: BlueprintSetupState, name: str, blueprint: Blueprint, options: dict[str, t.Any]
    ) -> dict[str, t.Any]:
        """Return the options of an inner blueprint with this one's prefix and subdomain added."""
        options = {**options, "name_prefix": name}
        subdomain = _first(options.get("subdomain"), blueprint.subdomain)
        if state.subdomain is not None:
            subdomain = f"{subdomain}.{state.subdomain}" if subdomain else state.subdomain
        if subdomain is not None:
            options["subdomain"] = subdomain
        prefix = _first(options.get("url_prefix"), blueprint.url_prefix)
        if state.url_prefix is not None:
            prefix = state.url_prefix if prefix is None else _join(state.url_prefix, prefix)
        if prefix is not None:
            options["url_prefix"] = prefix
        return options

    def _merge_blueprint_funcs(self, app: ft.Application, name: str) -> None:
        """Copy the blueprint's registries into the application's, under its name there."""

        def scope(key: str | None) -> str:
            return name if key is None else f"{name}.{key}"

        for attribute in (
            "before_request_funcs",
            "after_request_funcs",
            "teardown_request_funcs",
            "before_websocket_funcs",
            "after_websocket_funcs",
            "teardown_websocket_funcs",
            "url_default_functions",
            "url_value_preprocessors",
            "template_context_processors",
        ):
            registry = getattr(app, attribute)
            for key, functions in getattr(self, attribute).items():
                registry.setdefault(scope(key), []).extend(functions)

        for key, by_code in self.error_handler_spec.items():
            # Registered again under the same name, the blueprint's handlers replace the old.
            app.error_handler_spec.pop(scope(key), None)
            spec = app.error_handler_spec[scope(key)]
            for code, by_class in by_code.items():
                spec[code].update(by_class)
        app.view_functions.update(self.view_functions)

    @setupmethod
    def add_url_rule(
        self,
        rule: str,
        endpoint: str | None = None,
        view_func: ft.RouteCallable | None = None,
        provide_automatic_options: bool | None = None,
        **options: t.Any,
    ) -> None:
        """Add a rule when the blueprint is registered; see :meth:`Flask.add_url_rule`.

        :raises ValueError: for a dot in the endpoint or in the view's name.
        """
        if endpoint and "." in endpoint:
            raise ValueError("'endpoint' may not contain a dot '.' character.")
        if view_func and "." in getattr(view_func, "__name__", ""):
            raise ValueError("'view_func' name may not contain a dot '.' character.")
        self.record(
            lambda state: state.add_url_rule(
                rule,
                endpoint,
                view_func,
                provide_automatic_options=provide_automatic_options,
                **options,
            )
        )

    @setupmethod
    def app_template_filter(
        self, name: str | None = None
    ) -> Callable[[T_template_filter], T_template_filter]:
        """Make the decorated function a filter in all templates of the application.

        :param name: the filter's name; by default the function's.
        """

        def decorator(f: T_template_filter) -> T_template_filter:
            self.add_app_template_filter(f, name=name)
            return f

        return decorator

    @setupmethod
    def add_app_template_filter(
        self, f: ft.TemplateFilterCallable, name: str | None = None
    ) -> None:
        """Make a function a filter in all templates of the application."""
        self.record_once(
            lambda state: state.app.jinja_env.filters.__setitem__(name or f.__name__, f)
        )

    @setupmethod
    def app_template_test(
        self, name: str | None = None
    ) -> Callable[[T_template_test], T_template_test]:
        """Make the decorated function a test in all templates of the application.

        :param name: the test's name; by default the function's.
        """

        def decorator(f: T_template_test) -> T_template_test:
            self.add_app_template_test(f, name=name)
            return f

        return decorator

    @setupmethod
    def add_app_template_test(self, f: ft.TemplateTestCallable, name: str | None = None) -> None:
        """Make a function a test in all templates of the application."""
        self.record_once(lambda state: state.app.jinja_env.tests.__setitem__(name or f.__name__, f))

    @setupmethod
    def app_template_global(
        self, name: str | None = None
    ) -> Callable[[T_template_global], T_template_global]:
        """Make the decorated function a global in all templates of the application.

        :param name: the global's name; by default the function's.
        """

        def decorator(f: T_template_global) -> T_template_global:
            self.add_app_template_global(f, name=name)
            return f

        return decorator

    @setupmethod
    def add_app_template_global(
        self, f: ft.TemplateGlobalCallable, name: str | None = None
    ) -> None:
        """Make a function a global in all templates of the application."""
        self.record_once(
            lambda state: state.app.jinja_env.globals.__setitem__(name or f.__name__, f)
        )

    def _record_app_hook(self, registry: str, f: Callable[..., t.Any]) -> None:
        self.record_once(lambda state: getattr(state.app, registry).setdefault(None, []).append(f))

    @setupmethod
    def before_app_request(self, f: T_before_request) -> T_before_request:
        """As :meth:`before_request`, for each request of the application."""
        self._record_app_hook("before_request_funcs", f)
        return f

    @setupmethod
    def after_app_request(self, f: T_after_request) -> T_after_request:
        """As :meth:`after_request`, for each request of the application."""
        self._record_app_hook("after_request_funcs", f)
        return f

    @setupmethod
    def teardown_app_request(self, f: T_teardown) -> T_teardown:
        """As :meth:`teardown_request`, for each request of the application."""
        self._record_app_hook("teardown_request_funcs", f)
        return f

    @setupmethod
    def before_app_websocket(self, f: T_before_request) -> T_before_request:
        """As :meth:`before_websocket`, for each WebSocket of the application."""
        self._record_app_hook("before_websocket_funcs", f)
        return f

    @setupmethod
    def after_app_websocket(self, f: T_after_websocket) -> T_after_websocket:
        """As :meth:`after_websocket`, for each WebSocket of the application."""
        self._record_app_hook("after_websocket_funcs", f)
        return f

    @setupmethod
    def teardown_app_websocket(self, f: T_teardown) -> T_teardown:
        """As :meth:`teardown_websocket`, for each WebSocket of the application."""
        self._record_app_hook("teardown_websocket_funcs", f)
        return f

    @setupmethod
    def app_context_processor(
        self, f: T_template_context_processor
    ) -> T_template_context_processor:
        """As :meth:`context_processor`, for the templates of all views."""
        self._record_app_hook("template_context_processors", f)
        return f

    @setupmethod
    def app_errorhandler(
        self, code: type[Exception] | int
    ) -> Callable[[T_error_handler], T_error_handler]:
        """As :meth:`errorhandler`, for the whole application."""

        def decorator(f: T_error_handler) -> T_error_handler:
            self.record_once(lambda state: state.app.register_error_handler(code, f))
            return f

        return decorator

    @setupmethod
    def app_url_value_preprocessor(self, f: T_url_value_preprocessor) -> T_url_value_preprocessor:
        """As :meth:`url_value_preprocessor`, for each request of the application."""
        self._record_app_hook("url_value_preprocessors", f)
        return f

    @setupmethod
    def app_url_defaults(self, f: T_url_defaults) -> T_url_defaults:
        """As :meth:`url_defaults`, for all URLs of the application."""
        self._record_app_hook("url_default_functions", f)
        return f
