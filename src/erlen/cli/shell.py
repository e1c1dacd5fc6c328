"""The interactive session of ``erlen shell``."""

from __future__ import annotations

import os
import sys
import typing as t

from .errors import format_error, show_error

if t.TYPE_CHECKING:
    from ..typing import Application


def interact(app: Application) -> None:
    """Run an interactive Python session with an application's shell context as its names.

    :param app: the application, whose context is active.
    """
    names: dict[str, t.Any] = {}
    _run_startup_file(names)
    names.update(app.make_shell_context())
    _set_up_completion(names)
    # PERF: the interactive console is of no use to a server, which imports this module too.
    import code

    code.interact(banner=_banner(app), local=names)


def _banner(app: Application) -> str:
    return (
        f"Python {sys.version} on {sys.platform}\n"
        f"App: {app.import_name}\n"
        f"Instance: {app.instance_path}"
    )


def _run_startup_file(names: dict[str, t.Any]) -> None:
    """Run the file that PYTHONSTARTUP names, as ``python`` itself does before its first prompt."""
    path = os.environ.get("PYTHONSTARTUP")
    if not path or not os.path.isfile(path):
        return
    with open(path, "rb") as file:
        source = file.read()
    try:
        exec(compile(source, path, "exec"), names)
    except Exception as error:
        # Python shows the error and goes on to the prompt as well.
        show_error(format_error(error))


def _set_up_completion(names: dict[str, t.Any]) -> None:
    # Set by the site module, or by a startup file: it sets up history and the tab key.
    hook = getattr(sys, "__interactivehook__", None)
    if hook is None:
        return
    try:
        import readline
        from rlcompleter import Completer
    except ImportError:
        pass
    else:
        # The completer would offer the names of __main__, which here is the command line.
        readline.set_completer(Completer(names).complete)
    hook()
