"""Static files that a proxy may serve by itself."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import timedelta

from .quoting import check_text

if t.TYPE_CHECKING:
    from collections.abc import Mapping

    from ...typing import Application


@dataclass(frozen=True)
class StaticFiles:
    """A folder, where it is on the site, and the headers that the application would send."""

    url_path: str
    folder: str
    headers: Mapping[str, str]


def find_static_files(app: Application | None) -> StaticFiles | None:
    """Return an application's static files, where no code of it has a say in them.

    :param app: the application.
    """
    if app is None or not app.static_folder or not app.static_url_path or not _is_plain(app):
        return None
    headers = dict(app.config.get("DEFAULT_RESPONSE_HEADERS") or {})
    age = app.config.get("SEND_FILE_MAX_AGE_DEFAULT")
    seconds = int(age.total_seconds()) if isinstance(age, timedelta) else age
    headers["Cache-Control"] = "no-cache" if seconds is None else f"public, max-age={seconds}"
    for name, value in headers.items():
        check_text(f"{name}: {value}", "A header of DEFAULT_RESPONSE_HEADERS")
    check_text(app.static_folder, "The folder of static files")
    return StaticFiles(app.static_url_path.rstrip("/"), app.static_folder.rstrip("/"), headers)


def _is_plain(app: Application) -> bool:
    """Tell whether a static file is answered without a hook, which may refuse it or change it."""
    if "wsgi_app" in vars(app) or app.url_map.host_matching or "static" not in app.view_functions:
        return False
    registries = (app.before_request_funcs, app.after_request_funcs)
    hooks = [hook for registry in registries for hook in registry.get(None, ())]
    # The protection from forged requests lets all GETs through.
    return all((hook.__module__ or "").startswith("erlen.forms.") for hook in hooks)
