"""Where a request runs when the server has an event loop: on the loop, or in a worker thread."""

from __future__ import annotations

import typing as t
from itertools import chain

from werkzeug.exceptions import HTTPException
from werkzeug.routing import RoutingException

from ..plan import is_coroutine_function
from ..routing import DEFAULT_CONVERTERS
from ..routing.environ import decode
from ..setup import App

if t.TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment


def runs_on_loop(app: App, environ: WSGIEnvironment) -> bool:
    """Return whether a request runs on the loop, in a fiber; if not, it takes a worker thread.

    It does where something that it calls is a coroutine function, or where its view is marked as
    cooperative. What matched, or why nothing did, is kept in the environment, for matching is not
    done twice.

    :param app: the application.
    :param environ: the request's environment.
    """
    table = app._plans
    loops = table.loops
    if loops is None:
        loops = table.loops = _find_loops(app)
    if loops == NEVER:
        return False
    if loops == UNKNOWN:
        # A converter of the application's own may need the context that is not there yet.
        return True
    path: str = environ["PATH_INFO"]
    method: str = environ["REQUEST_METHOD"]
    url_map = app.url_map
    endpoint = None
    try:
        found = url_map.lookup(
            path if path.isascii() else decode(path), method, url_map.default_subdomain
        )
    except HTTPException as error:
        if method == method.upper():
            environ["erlen.match"] = (url_map, path, method, error.with_traceback(None))
    except RoutingException:
        # A redirect, which takes more than the path to find.
        pass
    else:
        environ["erlen.match"] = (url_map, path, method, found)
        endpoint = found[0].endpoint
    plan = table.plans.get(endpoint)
    if plan is None or plan.watched:
        plan = app._plan_for(endpoint)
    return plan.on_loop


NEVER, UNKNOWN, BY_PLAN = range(3)


def _find_loops(app: App) -> int:
    """Return whether any request of an application runs on the loop, and how to tell which."""
    cooperative = app.config.get("COOPERATIVE_VIEWS") or any(app._cooperative.values())
    if not cooperative and not _has_coroutines(app):
        return NEVER
    url_map = app.url_map
    if (
        app._needs_adapter
        or type(app).create_url_adapter is not App.create_url_adapter
        or url_map.host_matching
        or not set(DEFAULT_CONVERTERS.values()).issuperset(url_map.converters.values())
    ):
        return UNKNOWN
    return BY_PLAN


def _has_coroutines(app: App) -> bool:
    registries: tuple[t.Mapping[t.Any, t.Any], ...] = (
        app.url_value_preprocessors,
        app.before_request_funcs,
        app.after_request_funcs,
        app.teardown_request_funcs,
    )
    return any(
        is_coroutine_function(function)
        for functions in (
            app.view_functions.values(),
            app.teardown_appcontext_funcs,
            *chain.from_iterable(registry.values() for registry in registries),
        )
        for function in functions
    )
