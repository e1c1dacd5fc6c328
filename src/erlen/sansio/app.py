"""The part of the application class that is configured: see :mod:`erlen.setup`."""

from ..setup import App as App
