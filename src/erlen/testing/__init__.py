"""What tests of an application use: a client, a builder of requests, a runner for commands."""

from __future__ import annotations

from .client import FlaskClient as FlaskClient
from .client import _get_werkzeug_version as _get_werkzeug_version
from .conformance import ASGIValidator as ASGIValidator
from .conformance import ConformanceError as ConformanceError
from .environ import EnvironBuilder as EnvironBuilder
from .gateways import ASGIGateway as ASGIGateway
from .gateways import RSGIGateway as RSGIGateway
from .runner import FlaskCliRunner as FlaskCliRunner
from .websocket import AsyncTestWebsocket as AsyncTestWebsocket
from .websocket import TestWebsocket as TestWebsocket
from .websocket import WebsocketResponseError as WebsocketResponseError
