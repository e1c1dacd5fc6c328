"""The addresses of login pages, and where to go on to afterwards."""

from __future__ import annotations

import typing as t
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

from erlen import current_app, is_safe_target, request, session, url_for

if t.TYPE_CHECKING:
    from erlen import Blueprint


def make_next_param(login_url: str, current_url: str) -> str:
    """Return an address without its scheme and host, where the login page has the same.

    :param login_url: the address of the login page.
    :param current_url: the address to go on to.
    """
    login, current = urlsplit(login_url), urlsplit(current_url)
    if login.scheme not in ("", current.scheme) or login.netloc not in ("", current.netloc):
        return current_url
    # Two slashes at the beginning would make a host of what comes next.
    path = f"/{current.path.lstrip('/')}" if current.path.startswith("//") else current.path
    return urlunsplit(("", "", path, current.query, ""))


def expand_login_view(login_view: str) -> str:
    """Return the address of a login page.

    :param login_view: its endpoint, or its address.
    """
    if login_view.startswith(("https://", "http://", "/")):
        return login_view
    return url_for(login_view)


def login_url(login_view: str, next_url: str | None = None, next_field: str = "next") -> str:
    """Return the address of a login page, with the one to go on to in its query.

    ``FORCE_HOST_FOR_REDIRECTS`` names a host to use whatever the request says.

    :param login_view: the page's endpoint, or its address.
    :param next_url: the address to go on to, if any.
    :param next_field: the name that it gets in the query.
    """
    base = expand_login_view(login_view)
    if next_url is None:
        return base
    parts = urlsplit(base)
    query: dict[str, t.Any] = dict(parse_qs(parts.query, keep_blank_values=True))
    query[next_field] = make_next_param(base, next_url)
    host = current_app.config.get("FORCE_HOST_FOR_REDIRECTS") or parts.netloc
    return urlunsplit(parts._replace(netloc=host, query=urlencode(query, doseq=True)))


def safe_next_url(default: str | None = None, name: str = "next") -> str | None:
    """Return the address to go on to after a login, where it is one of this site.

    Whoever makes a link to a login page chooses that address. It may lead to a copy of the site
    that asks for the password again (CWE-601). An address in the session
    (``USE_SESSION_FOR_NEXT``) is taken out of it.

    :param default: what to return where there is none, or one that may leave the site.
    :param name: the name it has in the form, else in the query, else in the session.

    .. code-block:: python

        login_user(user)
        return redirect(safe_next_url() or url_for("index"))
    """
    target = request.form.get(name) or request.args.get(name)
    if not target and current_app.config.get("USE_SESSION_FOR_NEXT"):
        target = session.pop(name, None)
    return target if is_safe_target(target) else default


def set_login_view(login_view: str, blueprint: Blueprint | None = None) -> None:
    """Say where those go who must log in, in a blueprint or everywhere else.

    :param login_view: the endpoint of the page, or its address.
    :param blueprint: the blueprint that it is for.
    """
    manager = t.cast("t.Any", current_app).login_manager
    if blueprint is None:
        manager.login_view = login_view
    else:
        manager.blueprint_login_views[blueprint.name] = login_view
