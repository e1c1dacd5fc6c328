"""The files that ``erlen serve --print`` writes, for the application at hand."""

from __future__ import annotations

import typing as t

from .compose import write_compose
from .dockerfile import write_dockerfile
from .facts import gather
from .nginx import write_nginx
from .quoting import DeploymentError as DeploymentError
from .systemd import write_systemd

if t.TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from ...typing import Application
    from .facts import Facts

_WRITERS: dict[str, Callable[[Facts], str]] = {
    "systemd": write_systemd,
    "dockerfile": write_dockerfile,
    "nginx": write_nginx,
    "compose": write_compose,
}

#: The kinds of files.
KINDS = tuple(_WRITERS)


def write(
    kind: str,
    app_import_path: str | None,
    settings: Mapping[str, object],
    app: Application | None,
) -> str:
    """Return a file that deploys an application with ``erlen serve``.

    The files of all kinds fit together: nginx hands on to where the unit or the containers listen,
    and its address is the only one whose ``X-Forwarded`` headers are believed. No secret is in
    any of them; they name a file of environment variables.

    .. code-block:: python

        print(write("nginx", "shop:app", {"bind": "unix:/run/shop/shop.sock"}, app))

    :param kind: one of :data:`KINDS`.
    :param app_import_path: the application, as for ``--app``; ``None`` for the one that
        ``wsgi.py`` or ``app.py`` in the current folder has.
    :param settings: the settings of ``erlen serve``, by name. What is left out has its default.
    :param app: the application, to look at its configuration and its extensions; without it the
        files go by the defaults.
    :returns: the text of the file.
    :raises DeploymentError: for what such a file cannot say; the text names the remedy.
    :raises KeyError: for another kind.
    """
    return _WRITERS[kind](gather(app_import_path, settings, app))
