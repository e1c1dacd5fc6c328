"""Cross-site request forgery: changes are taken only from our own pages.

Browsers say where a request comes from, in ``Sec-Fetch-Site`` or, the older ones, in ``Origin``.
What carries neither is no browser, so it holds no cookie that another site could misuse.
"""

from urllib.parse import urlsplit

from erlen import Erlen, abort, request

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}


def refuse_foreign() -> None:
    """Answer 403 to a request that another site made a browser send and that may change data."""
    if request.method not in SAFE_METHODS and not is_ours():
        abort(403, "This request came from another site. Please use the pages of this one.")


def is_ours() -> bool:
    """Return whether the request comes from a page of this site, or from no page at all."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get("Origin")
    return origin is None or _host(origin) == request.host


def _host(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def init_app(app: Erlen) -> None:
    """Guard every view of ``app``."""
    app.before_request(refuse_foreign)
