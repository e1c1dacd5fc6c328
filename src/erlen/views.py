"""Views written as classes."""

from __future__ import annotations

import typing as t
from collections.abc import Awaitable, Callable, Collection

from .local import active_app, active_request_ctx

if t.TYPE_CHECKING:
    from .typing import ResponseReturnValue, RouteCallable

http_method_funcs = frozenset({"get", "post", "head", "options", "delete", "put", "trace", "patch"})


class View:
    """A view as a class: :meth:`as_view` makes a function of it that a route can have.

    Subclasses write :meth:`dispatch_request`, which gets the variables of the URL as keyword
    arguments.

    .. code-block:: python

        class Hello(View):
            init_every_request = False

            def dispatch_request(self, name):
                return f"Hello, {name}!"

        app.add_url_rule("/hello/<name>", view_func=Hello.as_view("hello"))
    """

    #: The HTTP methods that the view is for; ``None`` for those that a function would get.
    methods: t.ClassVar[Collection[str] | None] = None

    #: Whether ``OPTIONS`` is answered without the view; ``None`` for what a function would get.
    provide_automatic_options: t.ClassVar[bool | None] = None

    #: Decorators for the function that :meth:`as_view` makes. The first is applied first, so it is
    #: the lowest in the usual notation. Decorators of the class itself do not reach the function.
    decorators: t.ClassVar[list[Callable[..., t.Any]]] = []

    #: Whether each request gets an instance of its own. ``False`` saves the time to make it; data
    #: of a request must then not be kept on ``self``, but on :data:`~erlen.g`.
    init_every_request: t.ClassVar[bool] = True

    # With these parameters type checkers accept any others in an override.
    def dispatch_request(
        self, *args: t.Any, **kwargs: t.Any
    ) -> ResponseReturnValue | Awaitable[ResponseReturnValue]:
        """Answer a request. The variables of the URL come as keyword arguments."""
        raise NotImplementedError(f"{type(self).__name__} does not define 'dispatch_request'.")

    @classmethod
    def as_view(cls, name: str, *class_args: t.Any, **class_kwargs: t.Any) -> RouteCallable:
        """Return a view function that answers with an instance of this class.

        :param name: the function's name, which is also the endpoint unless the route names one.
        :param class_args: arguments for the class when an instance is made.
        :param class_kwargs: keyword arguments for the class when an instance is made.
        :return: a function with the class as its attribute ``view_class``, which may be replaced.
        """
        make: Callable[[], t.Any]
        if cls.init_every_request:

            def make() -> t.Any:
                return view.view_class(*class_args, **class_kwargs)

        else:
            shared = cls(*class_args, **class_kwargs)

            def make() -> t.Any:
                return shared

        def answer(**kwargs: t.Any) -> t.Any:
            return _call_synchronously(make().dispatch_request, kwargs)

        view = cls._finish_view(answer, name)
        return t.cast("RouteCallable", view)

    @classmethod
    def _finish_view(cls, view: t.Any, name: str) -> t.Any:
        """Decorate the view function and hang on it what routes and tools look for."""
        if cls.decorators:
            # Decorators see the final name, and copy it if they use functools.wraps.
            view.__name__ = name
            view.__module__ = cls.__module__
            for decorator in cls.decorators:
                view = decorator(view)

        view.view_class = cls
        view.methods = cls.methods
        view.provide_automatic_options = cls.provide_automatic_options
        view.__name__ = name
        view.__doc__ = cls.__doc__
        view.__module__ = cls.__module__
        return view


class MethodView(View):
    """A view with a method of its own for each HTTP method: ``get``, ``post`` and so on.

    :attr:`methods` follows from those that the class and its bases have. ``HEAD`` is answered by
    ``get`` where there is no ``head``.

    .. code-block:: python

        class Counter(MethodView):
            def get(self):
                return str(session.get("count", 0))

            def post(self):
                session["count"] = session.get("count", 0) + 1
                return redirect(url_for("counter"))

        app.add_url_rule("/counter", view_func=Counter.as_view("counter"))
    """

    def __init_subclass__(cls, **kwargs: t.Any) -> None:
        super().__init_subclass__(**kwargs)
        if "methods" in cls.__dict__:
            return
        methods = {name.upper() for name in http_method_funcs if hasattr(cls, name)}
        for base in cls.__bases__:
            methods.update(getattr(base, "methods", None) or ())
        if methods:
            cls.methods = methods

    def dispatch_request(self, *args: t.Any, **kwargs: t.Any) -> ResponseReturnValue:
        """Answer a request with the method named like the request's."""
        method = _current_method()
        handler = getattr(self, method.lower(), None)
        if handler is None and method == "HEAD":
            handler = getattr(self, "get", None)
        assert handler is not None, f"Unimplemented method {method!r}"
        return t.cast("ResponseReturnValue", _call_synchronously(handler, kwargs))


def _current_method() -> str:
    method: str = active_request_ctx().request.method
    return method


def _call_synchronously(function: Callable[..., t.Any], kwargs: dict[str, t.Any]) -> t.Any:
    """Call a function that may be a coroutine function, by way of the current application."""
    return active_app().ensure_sync(function)(**kwargs)
