"""What tests of an application use: a client, a builder of requests, a runner for commands."""

from __future__ import annotations

from .client import FlaskClient as FlaskClient
from .client import _get_werkzeug_version as _get_werkzeug_version
from .environ import EnvironBuilder as EnvironBuilder
from .runner import FlaskCliRunner as FlaskCliRunner
