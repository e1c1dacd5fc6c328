"""Erlen: a web framework with Flask's API.

.. code-block:: python

    from erlen import Erlen

    app = Erlen(__name__)

    @app.get("/")
    def index() -> str:
        return "Hello, World!"
"""

from __future__ import annotations

import typing as _t

from . import json as json
from .app import Erlen as Erlen
from .app import Flask as Flask
from .blueprints import Blueprint as Blueprint
from .config import Config as Config
from .ctx import after_this_request as after_this_request
from .ctx import after_this_response as after_this_response
from .ctx import copy_current_request_context as copy_current_request_context
from .ctx import copy_current_websocket_context as copy_current_websocket_context
from .ctx import has_app_context as has_app_context
from .ctx import has_request_context as has_request_context
from .ctx import has_websocket_context as has_websocket_context
from .globals import current_app as current_app
from .globals import g as g
from .globals import request as request
from .globals import session as session
from .globals import sync_websocket as sync_websocket
from .globals import websocket as websocket
from .helpers import abort as abort
from .helpers import flash as flash
from .helpers import get_flashed_messages as get_flashed_messages
from .helpers import get_template_attribute as get_template_attribute
from .helpers import is_safe_target as is_safe_target
from .helpers import make_response as make_response
from .helpers import redirect as redirect
from .helpers import send_file as send_file
from .helpers import send_from_directory as send_from_directory
from .helpers import stream_with_context as stream_with_context
from .helpers import url_for as url_for
from .json import jsonify as jsonify
from .signals import appcontext_popped as appcontext_popped
from .signals import appcontext_pushed as appcontext_pushed
from .signals import appcontext_tearing_down as appcontext_tearing_down
from .signals import before_render_template as before_render_template
from .signals import got_background_exception as got_background_exception
from .signals import got_request_exception as got_request_exception
from .signals import got_websocket_exception as got_websocket_exception
from .signals import message_flashed as message_flashed
from .signals import request_finished as request_finished
from .signals import request_started as request_started
from .signals import request_tearing_down as request_tearing_down
from .signals import template_rendered as template_rendered
from .signals import websocket_finished as websocket_finished
from .signals import websocket_received as websocket_received
from .signals import websocket_sent as websocket_sent
from .signals import websocket_started as websocket_started
from .signals import websocket_tearing_down as websocket_tearing_down
from .websockets import Websocket as Websocket
from .wrappers import Request as Request
from .wrappers import Response as Response

if _t.TYPE_CHECKING:
    from .event_stream import EventStream as EventStream
    from .event_stream import ServerSentEvent as ServerSentEvent
    from .event_stream import last_event_id as last_event_id
    from .gateway.waiting import await_ as await_
    from .gateway.waiting import in_fiber as in_fiber
    from .templating import render_template as render_template
    from .templating import render_template_string as render_template_string
    from .templating import stream_template as stream_template
    from .templating import stream_template_string as stream_template_string

# PERF: what stands on asyncio, whose import takes as long as a tenth of the framework's own, and
# on Jinja, which takes more.
_LATER = {
    "EventStream": "erlen.event_stream",
    "ServerSentEvent": "erlen.event_stream",
    "await_": "erlen.gateway.waiting",
    "in_fiber": "erlen.gateway.waiting",
    "last_event_id": "erlen.event_stream",
    "render_template": "erlen.templating",
    "render_template_string": "erlen.templating",
    "stream_template": "erlen.templating",
    "stream_template_string": "erlen.templating",
}


def __getattr__(name: str) -> _t.Any:
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(module), name)
    # The submodule of that name hides the builtin function globals().
    vars(import_module(__name__))[name] = value
    return value


if not _t.TYPE_CHECKING:
    # 'import *' would not find what is imported later.
    __all__ = [*(name for name in dir() if not name.startswith("_")), *_LATER]
