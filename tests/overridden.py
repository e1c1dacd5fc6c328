"""An application that overrides every step of a request and changes nothing.

The steps are overridden twice, on a subclass and on the instance, so that nothing may pass them
by; what they are called with and what they return stays as it is.
"""

from __future__ import annotations

import typing as t

from erlen import Flask

#: The methods that a request may come through, in the order in which they are first called.
STEPS = (
    "asgi_app",
    "wsgi_app",
    "request_context",
    "create_url_adapter",
    "full_dispatch_request",
    "preprocess_request",
    "dispatch_request",
    "raise_routing_exception",
    "make_default_options_response",
    "handle_user_exception",
    "handle_http_exception",
    "handle_exception",
    "log_exception",
    "finalize_request",
    "make_response",
    "process_response",
    "do_teardown_request",
    "do_teardown_appcontext",
)
#: Methods that these and users' code call.
TOOLS = (
    "app_context",
    "async_to_sync",
    "ensure_sync",
    "get_send_file_max_age",
    "handle_url_build_error",
    "inject_url_defaults",
    "redirect",
    "select_jinja_autoescape",
    "send_static_file",
    "should_ignore_error",
    "test_request_context",
    "trap_http_exception",
    "update_template_context",
    "url_for",
)


def _on_class(name: str) -> t.Any:
    def override(self: OverriddenFlask, *args: t.Any, **kwargs: t.Any) -> t.Any:
        self.calls.append(f"class {name}")
        return getattr(super(OverriddenFlask, self), name)(*args, **kwargs)

    override.__name__ = name
    return override


class OverriddenFlask(Flask):
    """An application whose steps are overridden, on the class and on the instance.

    :param args: as for :class:`Flask`.
    :param kwargs: likewise.
    """

    def __init__(self, *args: t.Any, **kwargs: t.Any) -> None:
        #: Which overrides were called, in order.
        self.calls: list[str] = []
        super().__init__(*args, **kwargs)
        for name in (*STEPS, *TOOLS):
            setattr(self, name, self._on_instance(name, getattr(self, name)))

    def _on_instance(self, name: str, method: t.Any) -> t.Any:
        def override(*args: t.Any, **kwargs: t.Any) -> t.Any:
            self.calls.append(f"instance {name}")
            return method(*args, **kwargs)

        return override


for _name in (*STEPS, *TOOLS):
    setattr(OverriddenFlask, _name, _on_class(_name))
