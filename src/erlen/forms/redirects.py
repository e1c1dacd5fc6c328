"""Going back to where a visitor came from, without leaving the site.

A login page gets the address to go on to in its own URL (``/login?next=/orders``). Whoever makes
a link to it chooses that address, so it may lead to a copy of the site that asks for the password
again (CWE-601, OWASP "Unvalidated Redirects and Forwards").
"""

from __future__ import annotations

import typing as t

from erlen import is_safe_target, redirect, request

if t.TYPE_CHECKING:
    from werkzeug.wrappers import Response

__all__ = ["find_next", "is_safe_target", "redirect_to_next"]


def find_next(name: str = "next") -> str | None:
    """Return the address that the current request asks to go on to, where it is safe.

    :param name: the name it has in the form or else in the query.
    """
    target = request.form.get(name) or request.args.get(name)
    return target if is_safe_target(target) else None


def redirect_to_next(default: str = "/", name: str = "next", code: int = 303) -> Response:
    """Redirect to the address that the request asks to go on to, or elsewhere.

    :param default: where to, when there is none or when it could leave the site.
    :param name: the name it has in the form or else in the query.
    :param code: the status, by default 303, which makes a GET of each request.

    .. code-block:: python

        @app.post("/login")
        def login() -> Response:
            ...
            return redirect_to_next(url_for("index"))
    """
    return redirect(find_next(name) or default, code)
