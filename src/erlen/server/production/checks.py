"""What keeps an application from being served in production."""

from __future__ import annotations

import typing as t

from ..secret_keys import MAKE_ONE, problem_of

if t.TYPE_CHECKING:
    from ...typing import Application
    from .settings import Settings


class InsecureError(Exception):
    """Raised for an application that must not be served; the text names the remedy."""


def refuse_insecure(app: Application, settings: Settings) -> None:
    """Refuse debug mode and secrets of development.

    :param app: the application.
    :param settings: the settings; ``insecure_secret`` lets any secret through.
    :raises InsecureError: with the reason.
    """
    if app.debug:
        raise InsecureError(
            "Debug mode is on: errors would show the program to visitors. Leave out '--debug',"
            " unset ERLEN_DEBUG and FLASK_DEBUG, and set no app.debug; 'erlen run' is for"
            " development."
        )
    if settings.insecure_secret:
        return
    keys = [("SECRET_KEY", app.config.get("SECRET_KEY"))]
    fallbacks = app.config.get("SECRET_KEY_FALLBACKS") or []
    keys += [("SECRET_KEY_FALLBACKS", key) for key in fallbacks]
    for name, key in keys:
        problem = problem_of(key)
        if problem is not None:
            raise InsecureError(
                f"{name} {problem}. Make one with: {MAKE_ONE} and give it to the application,"
                " as by ERLEN_SECRET_KEY and app.config.from_prefixed_env('ERLEN'). For tests"
                " alone there is '--insecure-secret'."
            )
