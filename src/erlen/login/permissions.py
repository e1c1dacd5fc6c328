"""Roles and permissions: who may do what, with which objects.

A permission is a name such as ``book:edit``. Roles are sets of permissions, users have roles, and
policies decide for single objects. What nobody grants is refused.
"""

from __future__ import annotations

import inspect
import logging
import typing as t
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps

from werkzeug.exceptions import NotFound

from erlen import Blueprint, abort, current_app, request
from erlen.exceptions import ConfigError
from erlen.views import View

from .permissions_access import find_accesses, is_static, mark_access
from .permissions_grants import Grants, check_name
from .policies import policy as policy
from .policies import shared, wait_for
from .utils import _get_user, find_manager

if t.TYPE_CHECKING:
    from erlen import Flask

__all__ = [
    "ANONYMOUS",
    "AUTHENTICATED",
    "Guard",
    "Permissions",
    "authorize",
    "can",
    "granted",
    "policy",
    "public",
    "requires",
]

P = t.ParamSpec("P")
R = t.TypeVar("R")
U = t.TypeVar("U")
B = t.TypeVar("B", bound=Blueprint)
V = t.TypeVar("V", bound=View)
F = t.TypeVar("F", bound="Callable[..., t.Any] | Blueprint")

logger = logging.getLogger("erlen.login.permissions")

#: The role of users who are not logged in.
ANONYMOUS = "anonymous"
#: The role that each user who is logged in has, beside others.
AUTHENTICATED = "authenticated"


class Permissions(t.Generic[U]):
    """Knows what roles grant, and which roles users have.

    :param app: the application, or ``None`` to call :meth:`init_app` later.
    :param roles: for each role the permissions that it grants: names, and patterns such as
        ``"book:*"`` and ``"*"``. The roles ``"anonymous"`` and ``"authenticated"`` are those of all
        who are not, and who are logged in.

    .. code-block:: python

        permissions = Permissions(
            app,
            roles={
                "anonymous": {"book:view"},
                "reader": {"book:view", "loan:create"},
                "librarian": {"book:*", "loan:*"},
            },
        )
    """

    def __init__(
        self, app: Flask | None = None, roles: Mapping[str, Iterable[str]] | None = None
    ) -> None:
        self._roles: dict[str, Grants] = {}
        self._find_roles: Callable[[U], Iterable[str]] = find_roles
        for name, granted_by_it in (roles or {}).items():
            self.define_role(name, granted_by_it)
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Use these roles in an application, and offer ``can()`` to its templates.

        With the setting ``PERMISSIONS_DENY_BY_DEFAULT``, each endpoint must say who may use it. A
        worker with one that does not, refuses to start.

        :param app: the application.
        """
        app.extensions["permissions"] = self
        app.context_processor(lambda: {"can": can})
        if app.config.get("PERMISSIONS_DENY_BY_DEFAULT"):
            app.before_serving(lambda: self.check(app))
            app.before_request(_deny_unguarded)
            app.before_websocket(_deny_unguarded)

    def define_role(self, name: str, permissions: Iterable[str]) -> None:
        """Add a role, or replace one.

        :param name: its name.
        :param permissions: the permissions that it grants, as for the class.
        :raises ConfigError: where one of them is no name and no pattern.
        """
        self._roles[name] = Grants(name, permissions)

    def role_loader(self, function: Callable[[U], Iterable[str]]) -> Callable[[U], Iterable[str]]:
        """Find the roles of users by the decorated function.

        Without one they are those of the attribute ``roles``, or that of ``role``; a role is a
        name, or an object with the attribute ``name``.

        :param function: takes a user, and returns names of roles.

        .. code-block:: python

            @permissions.role_loader
            def roles_of(user: User) -> list[str]:
                return [membership.role for membership in user.memberships]
        """
        self._find_roles = function
        return function

    def grants(self, user: U | None, permission: str) -> bool:
        """Tell whether a role of a user grants a permission; policies are not asked.

        :param user: the user; ``None`` stands for somebody who is not logged in.
        :param permission: the name of the permission.
        """
        check_name(permission)
        return any(
            name in self._roles and self._roles[name].cover(permission)
            for name in self._list_roles(user)
        )

    def _list_roles(self, user: U | None) -> Iterable[str]:
        if user is None or not is_authenticated(user):
            return (ANONYMOUS,)
        return (AUTHENTICATED, *self._find_roles(user))

    def allows(self, user: U | None, permission: str, *objects: t.Any) -> bool:
        """Tell whether a user has a permission.

        :param user: the user, as for :meth:`grants`.
        :param permission: the name of the permission.
        :param objects: the object that it is for, if any.
        """
        decider = shared.find(check_name(permission), objects)
        if decider is None:
            return self.grants(user, permission)
        if not decider.anonymous and (user is None or not is_authenticated(user)):
            return False
        return decider.allows(current_app._get_current_object(), user, objects)

    def find_unguarded(self, app: Flask) -> list[str]:
        """Return the endpoints that do not say who may use them. Static files are for everybody.

        :param app: the application.
        """
        return sorted(name for name in app.view_functions if _is_unguarded(app, name))

    def check(self, app: Flask) -> None:
        """Check that each endpoint says who may use it; also for a test of yours.

        :param app: the application.
        :raises ConfigError: where one does not; the message names all of them.
        """
        unguarded = self.find_unguarded(app)
        if unguarded:
            raise ConfigError(
                f"These endpoints do not say who may use them: {', '.join(unguarded)}. Decorate"
                " each view with @requires(...), @login_required or @public, below the decorator of"
                " its route. PERMISSIONS_DENY_BY_DEFAULT wants that."
            )

    def find_gaps(self, app: Flask) -> Iterator[str]:
        """Yield a sentence for each gap, for ``erlen doctor``: what is wrong, and the remedy.

        :param app: the application.
        """
        if not app.config.get("PERMISSIONS_DENY_BY_DEFAULT"):
            yield (
                "PERMISSIONS_DENY_BY_DEFAULT is not set: a view whose decorator was forgotten is"
                " open to everybody. Set it to True."
            )
        else:
            for endpoint in self.find_unguarded(app):
                yield (
                    f"The endpoint {endpoint!r} does not say who may use it. Decorate its view with"
                    " @requires(...), @login_required or @public."
                )
        for endpoint, permission in self._find_unknown(app):
            yield (
                f"The endpoint {endpoint!r} needs {permission!r}, which no role grants and no"
                " policy decides on: nobody can use it. Look for a slip of the pen."
            )

    def _find_unknown(self, app: Flask) -> Iterator[tuple[str, str]]:
        for endpoint in sorted(app.view_functions):
            for access in find_accesses(app, endpoint):
                for permission in access.permissions:
                    if not self._is_known(permission):
                        yield endpoint, permission

    def _is_known(self, permission: str) -> bool:
        return shared.has(permission) or any(
            role.cover(permission) for role in self._roles.values()
        )


def find_permissions(app: Flask) -> Permissions[t.Any]:
    """Return the permissions of an application.

    :param app: the application.
    :raises RuntimeError: where it has none.
    """
    found = app.extensions.get("permissions")
    if not isinstance(found, Permissions):
        raise RuntimeError(
            f"The application {app.name!r} has no permissions, so nobody knows what its users may"
            " do. Make them: Permissions(app, roles={...})."
        )
    return found


def find_roles(user: t.Any) -> list[str]:
    """Return the names of the roles that a user's attribute ``roles``, or ``role``, holds.

    :param user: the user.
    """
    roles = getattr(user, "roles", None)
    if roles is None:
        role = getattr(user, "role", None)
        roles = () if role is None else (role,)
    if isinstance(roles, str):
        roles = (roles,)
    return [role if isinstance(role, str) else str(role.name) for role in roles]


def is_authenticated(user: t.Any) -> bool:
    """Tell whether a user is somebody who is logged in.

    :param user: the user.
    """
    return bool(user.is_authenticated)


#: Stands for the current user; ``None`` stands for nobody, such as a user who was not found.
_CURRENT: t.Any = object()


def can(permission: str, obj: t.Any = None, *, user: t.Any = _CURRENT) -> bool:
    """Tell whether the current user has a permission. Templates have this function, too.

    A policy for the permission and the class of the object decides. Where there is none, the roles
    do.

    :param permission: the name of the permission.
    :param obj: the object that it is for, if any.
    :param user: another user than the current one; ``None`` for somebody who is not logged in.
    :raises ConfigError: where it is no name of a permission.
    :raises RuntimeError: where the application has no :class:`Permissions`.

    .. code-block:: html+jinja

        {% if can("book:edit", book) %}
          <a href="{{ url_for('edit', book_id=book.id) }}">Edit</a>
        {% endif %}
    """
    permissions = find_permissions(current_app._get_current_object())
    objects = () if obj is None else (obj,)
    return permissions.allows(_get_user() if user is _CURRENT else user, permission, *objects)


def granted(permission: str, *, user: t.Any = _CURRENT) -> bool:
    """Tell whether a role of the current user grants a permission; policies are not asked.

    :param permission: the name of the permission.
    :param user: another user than the current one, as for :func:`can`.
    """
    permissions = find_permissions(current_app._get_current_object())
    return permissions.grants(_get_user() if user is _CURRENT else user, permission)


def authorize(permission: str, obj: t.Any = None, *, hide: bool = False) -> None:
    """Go on only if the current user has a permission.

    Otherwise who is not logged in is sent to the login page (``LoginManager.unauthorized``), and
    others get 403.

    :param permission: the name of the permission.
    :param obj: the object that it is for, if any.
    :param hide: answer with 404 in both cases, so that nobody learns that there is such an object.
    :raises werkzeug.exceptions.HTTPException: where the user has not got it.

    .. code-block:: python

        @app.post("/books/<int:book_id>")
        @login_required
        def edit(book_id: int) -> str:
            book = db.get_or_404(Book, book_id)
            authorize("book:edit", book)
            ...
    """
    if not can(permission, obj):
        refuse(permission, hide=hide)


def refuse(permission: str, *, hide: bool = False) -> t.NoReturn:
    """End the request for want of a permission, as :func:`authorize` does.

    :param permission: the name of the permission.
    :param hide: answer with 404.
    """
    app = current_app._get_current_object()
    user = _get_user()
    is_somebody = user is not None and is_authenticated(user)
    logger.info(
        "Refused %s for user %r at %s %r",
        permission,
        user.get_id() if user is not None and is_somebody else None,
        request.method,
        request.path,
    )
    if hide:
        abort(404)
    if is_somebody:
        abort(403)
    abort(app.make_response(find_manager(app).unauthorized()))


def requires(
    *permissions: str, obj: str | Callable[..., t.Any] | None = None, hide: bool = False
) -> Guard:
    """Let only users in who have permissions; a decorator for what answers requests.

    It stands below the decorator of the route. It is for views and handlers of WebSockets,
    coroutine functions or not, for classes of views, and for blueprints, where it guards all that
    is on them. Who is refused gets what :func:`authorize` says.

    :param permissions: the names of the permissions; all of them are needed.
    :param obj: the object that they are for: the name of a variable of the URL that is one, or a
        function, asynchronous or not, that takes variables of the URL by their names and returns
        it. Where it returns ``None`` or raises :exc:`~werkzeug.exceptions.NotFound`, the answer
        is 404.
    :param hide: answer with 404 instead of 403, and to who is not logged in, too.
    :raises ConfigError: where one of the permissions is no name.

    .. code-block:: python

        @app.post("/books")
        @requires("book:create")
        def create() -> str: ...

        @app.post("/books/<int:book_id>")
        @requires("book:edit", obj=lambda book_id: db.session.get(Book, book_id))
        def edit(book_id: int) -> str: ...
    """
    if not permissions:
        raise ConfigError("@requires needs the name of a permission: @requires('book:edit').")
    return Guard(tuple(map(check_name, permissions)), obj, hide)


class Guard:
    """What :func:`requires` returns: puts a check of permissions before a view.

    :param permissions: the names of the permissions.
    :param obj: as for :func:`requires`.
    :param hide: as for :func:`requires`.
    """

    def __init__(
        self, permissions: tuple[str, ...], obj: str | Callable[..., t.Any] | None, hide: bool
    ) -> None:
        self.permissions = permissions
        self.hide = hide
        self._obj = obj
        #: The variables of the URL that *obj* needs; ``None`` for all of them.
        self._names = _list_parameters(obj) if callable(obj) else (obj,) if obj else ()

    @t.overload
    def __call__(self, target: B) -> B: ...

    @t.overload
    def __call__(self, target: type[V]) -> type[V]: ...

    @t.overload
    def __call__(self, target: Callable[P, R]) -> Callable[P, R]: ...

    def __call__(self, target: t.Any) -> t.Any:
        if isinstance(target, Blueprint):
            return self._guard_blueprint(target)
        if isinstance(target, type) and issubclass(target, View):
            target.decorators = [*target.decorators, self]
            return target
        return self._guard_view(target)

    def _guard_view(self, view: Callable[..., t.Any]) -> Callable[..., t.Any]:
        self._check_names(view)
        is_async = inspect.iscoroutinefunction(view)

        @wraps(view)
        def guarded(*args: t.Any, **kwargs: t.Any) -> t.Any:
            self.check(kwargs)
            call = current_app.ensure_sync(view) if is_async else view
            return call(*args, **kwargs)

        mark_access(guarded, "permission", self.permissions)
        return guarded

    def _check_names(self, view: Callable[..., t.Any]) -> None:
        """Check that the view gets the variables that *obj* takes, and so the URL has them."""
        names = _list_parameters(view)
        for name in self._names or ():
            if names is not None and name not in names and not self._has_default(name):
                raise ConfigError(
                    f"@requires(..., obj=...) wants the variable {name!r} of the URL, and the view"
                    f" {getattr(view, '__name__', view)!r} takes none of that name, but"
                    f" {', '.join(names) or 'none at all'}."
                )

    def _has_default(self, name: str) -> bool:
        if not callable(self._obj):
            return False
        parameter = inspect.signature(self._obj).parameters[name]
        return parameter.default is not parameter.empty

    def _guard_blueprint(self, blueprint: Blueprint) -> Blueprint:
        def check() -> None:
            rule = request.url_rule
            # Browsers ask with OPTIONS before they send what the visitor is logged in with.
            if request.method != "OPTIONS" or not getattr(rule, "provide_automatic_options", None):
                self.check({})

        blueprint.before_request(check)
        blueprint.before_websocket(check)
        mark_access(blueprint, "permission", self.permissions)
        return blueprint

    def check(self, arguments: Mapping[str, t.Any]) -> None:
        """Go on only if the current user has the permissions.

        :param arguments: the arguments of the view, beside the variables of the URL.
        :raises werkzeug.exceptions.HTTPException: where the user has not got them.
        """
        obj = None
        if self._obj is not None:
            obj = self._find_object({**(request.view_args or {}), **arguments})
            if obj is None:
                user = _get_user()
                # Who is not logged in learns nothing about what there is.
                hide = self.hide or (user is not None and is_authenticated(user))
                refuse(self.permissions[0], hide=hide)
        for permission in self.permissions:
            authorize(permission, obj, hide=self.hide)

    def _find_object(self, arguments: Mapping[str, t.Any]) -> t.Any:
        if not callable(self._obj):
            return arguments[t.cast(str, self._obj)]
        names = arguments if self._names is None else self._names
        wanted = {name: arguments[name] for name in names if name in arguments}
        try:
            return wait_for(current_app._get_current_object(), self._obj(**wanted))
        except NotFound:
            return None


def _list_parameters(function: Callable[..., t.Any]) -> tuple[str, ...] | None:
    """Return the names of the parameters of a function, or ``None`` where it takes any."""
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return None
    return tuple(parameters)


def public(target: F) -> F:
    """Say that a view, or all views of a blueprint, are for everybody; a decorator.

    It changes nothing but what ``PERMISSIONS_DENY_BY_DEFAULT`` lets through.

    :param target: the view, the class of views, or the blueprint. Classes that are derived from it
        and blueprints inside of it are not meant.

    .. code-block:: python

        @app.get("/")
        @public
        def index() -> str: ...
    """
    mark_access(target, "public")
    return target


def _is_unguarded(app: Flask, endpoint: str) -> bool:
    return not is_static(app, endpoint) and not find_accesses(app, endpoint)


def _deny_unguarded() -> None:
    """Refuse requests to views that say nothing; also to those that came after the start."""
    app = current_app._get_current_object()
    endpoint = request.endpoint
    if endpoint is None or not _is_unguarded(app, endpoint):
        return
    logger.error(
        "Refused a request: the endpoint %r does not say who may use it. Decorate its view with"
        " @requires(...), @login_required or @public, below the decorator of its route.",
        endpoint,
    )
    abort(403)
