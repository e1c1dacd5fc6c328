"""Going back to where a visitor came from, without leaving the site.

A login page gets the address to go on to in its own URL (``/login?next=/orders``). Whoever makes
a link to it chooses that address, so it may lead to a copy of the site that asks for the password
again (CWE-601, OWASP "Unvalidated Redirects and Forwards").
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit

from erlen import redirect, request

if t.TYPE_CHECKING:
    from werkzeug.wrappers import Response

__all__ = ["find_next", "is_safe_target", "redirect_to_next"]

#: The most characters of an address to go on to.
MAX_LENGTH = 2000

# Browsers drop tabs and line breaks wherever they stand, and take a backslash for a slash
# (https://url.spec.whatwg.org/#url-parsing).
_misread = re.compile(r"[\x00-\x20\x7f\\\u0080-\u00a0\u2028\u2029\ud800-\udfff]")


def is_safe_target(target: str | None) -> bool:
    """Say whether an address surely is one of this site: an absolute path, or this origin's.

    :param target: the address, for example from the query of the request.

    .. code-block:: python

        is_safe_target("/orders?page=2")  # True
        is_safe_target("//evil.example/")  # False
    """
    if not target or len(target) > MAX_LENGTH or _misread.search(target):
        return False
    if target.startswith("/"):
        return not target.startswith("//")
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    own = (request.scheme, request.host.lower())
    # Without "://" browsers may take what follows for a path or for a host ("http:evil.example").
    return target.lower().startswith(("http://", "https://")) and own == (
        parts.scheme,
        parts.netloc.lower(),
    )


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
