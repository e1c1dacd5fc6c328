"""The signals that an application sends while it works.

Subscribe with ``connect``; the sender is the application::

    from erlen import request_started

    @request_started.connect_via(app)
    def announce(sender, **extra):
        sender.logger.info("a request begins")
"""

from __future__ import annotations

from blinker import Namespace

# Signals of applications and extensions belong in namespaces of their own.
_signals = Namespace()

#: Before a template is rendered. Carries ``template`` and ``context``.
before_render_template = _signals.signal("before-render-template")
#: After a template was rendered. Carries ``template`` and ``context``.
template_rendered = _signals.signal("template-rendered")

#: A request context is active and the request is about to be handled.
request_started = _signals.signal("request-started")
#: The response is made and about to be sent. Carries ``response``.
request_finished = _signals.signal("request-finished")
#: The request context goes away. Carries ``exc``, an exception or ``None``.
request_tearing_down = _signals.signal("request-tearing-down")
#: Handling a request raised an exception that no handler took. Carries ``exception``.
got_request_exception = _signals.signal("got-request-exception")
#: A background task raised an exception. Carries ``exception``.
got_background_exception = _signals.signal("got-background-exception")

#: An application context became active.
appcontext_pushed = _signals.signal("appcontext-pushed")
#: An application context is no longer active.
appcontext_popped = _signals.signal("appcontext-popped")
#: The application context goes away. Carries ``exc``, an exception or ``None``.
appcontext_tearing_down = _signals.signal("appcontext-tearing-down")

#: A message was flashed. Carries ``message`` and ``category``.
message_flashed = _signals.signal("message-flashed")

#: A WebSocket's context is active and its handler is about to be called.
websocket_started = _signals.signal("websocket-started")
#: A message has come on a WebSocket, and its handler is about to get it. Carries ``message``.
websocket_received = _signals.signal("websocket-received")
#: A message was sent on a WebSocket. Carries ``message``.
websocket_sent = _signals.signal("websocket-sent")
#: A WebSocket's handler has ended. Carries ``response``: the answer where the handshake was
#: refused, and ``None`` otherwise.
websocket_finished = _signals.signal("websocket-finished")
#: A WebSocket's context goes away. Carries ``exc``, an exception or ``None``.
websocket_tearing_down = _signals.signal("websocket-tearing-down")
#: A WebSocket's handler raised an exception that no handler took. Carries ``exception``.
got_websocket_exception = _signals.signal("got-websocket-exception")
