"""Running a program with ``flask`` answered by Erlen: ``python -m erlen.compat``."""

from __future__ import annotations

import os
import runpy
import sys
from collections.abc import Callable

from .alias import install

USAGE = """\
Usage: python -m erlen.compat [--legacy NAME]... PROGRAM [ARGS]...

Run a program in which 'import flask' gives Erlen, with Flask installed or not.

Programs:
  run [ARGS]...           the development server; takes --app too
  serve [ARGS]... APP     the application under Gunicorn, with Gunicorn's arguments
  pytest [ARGS]...        pytest, its xdist workers included
  flask [ARGS]...         the command line, as "flask" and "erlen"
  -m MODULE [ARGS]...     a module, as "python -m" does
  MODULE [ARGS]...        the same
  SCRIPT.py [ARGS]...     a script
  -c CODE [ARGS]...       a piece of code

Options:
  --legacy NAME           serve a name that Flask 3 removed, such as _request_ctx_stack
  --help                  show this text

Processes that the program starts do not inherit the names. In an environment prepared with
'erlen compat enable' all of them do.
"""


def main(args: list[str]) -> int | str | None:
    """Run the program that the arguments name.

    :param args: the command line without the interpreter's part.
    :returns: what to exit with.
    """
    try:
        legacy, args = _take_legacy(args)
        install(legacy)
    except (ValueError, RuntimeError) as error:
        return f"erlen.compat: {error}"
    if not args or args[0] in ("--help", "-h"):
        print(USAGE, end="")
        return 0 if args else 2
    program, *rest = args
    if program in _PROGRAMS:
        return _PROGRAMS[program](rest)
    return _run_program(program, rest)


def _take_legacy(args: list[str]) -> tuple[list[str], list[str]]:
    names = []
    rest = list(args)
    while rest and rest[0].partition("=")[0] == "--legacy":
        _, equals, value = rest.pop(0).partition("=")
        if not equals and not rest:
            raise ValueError("--legacy needs a name, for example --legacy _request_ctx_stack")
        names.append(value if equals else rest.pop(0))
    return names, rest


def _run_server(args: list[str]) -> int | str | None:
    return _run_command([*_take_group_options(args)])


def _take_group_options(args: list[str]) -> list[str]:
    """Put the options that belong before ``run`` there, so that they may be given after it."""
    before: list[str] = []
    after: list[str] = []
    rest = list(args)
    while rest:
        argument = rest.pop(0)
        name = argument.partition("=")[0]
        if name not in ("--app", "-A", "--env-file", "-e"):
            after.append(argument)
            continue
        before.append(argument)
        if name == argument and rest:
            before.append(rest.pop(0))
    return [*before, "run", *after]


def _run_command(args: list[str]) -> int | str | None:
    from ..cli import cli

    result: int | str | None = cli(args=args, prog_name="python -m erlen.compat")
    return result


def _serve(args: list[str]) -> int | str | None:
    try:
        from gunicorn.app.wsgiapp import WSGIApplication
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("gunicorn"):
            raise
        return "erlen.compat: 'serve' needs Gunicorn; install it with: pip install gunicorn"

    class Server(WSGIApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            # Gunicorn reads the command line again when it gets SIGHUP.
            sys.argv = ["gunicorn", *args]
            super().load_config()
            # On SIGUSR2 it starts itself anew from what it finds here.
            sys.argv = sys.orig_argv[1:]

    Server("%(prog)s [OPTIONS] [APP_MODULE]", prog="python -m erlen.compat serve").run()
    return None


def _run_pytest(args: list[str]) -> int | str | None:
    try:
        import pytest
    except ModuleNotFoundError as error:
        if error.name != "pytest":
            raise
        return "erlen.compat: 'pytest' needs pytest; install it with: pip install pytest"
    sys.argv = ["pytest", *args]
    # pytest wants to rewrite the assertions of distributions that bring a plugin, and warns that
    # Erlen is imported already. Its own assertions need no rewriting.
    quiet = "ignore:Module already imported so cannot be rewritten; erlen"
    return int(pytest.main(["-p", "erlen.compat.pytest_plugin", "-W", quiet, *args]))


def _run_module(args: list[str]) -> int | str | None:
    if not args:
        return "erlen.compat: -m needs the name of a module"
    # runpy puts the module's path into sys.argv[0].
    sys.argv = list(args)
    runpy.run_module(args[0], run_name="__main__", alter_sys=True)
    return None


def _run_code(args: list[str]) -> int | str | None:
    if not args:
        return "erlen.compat: -c needs a piece of code"
    sys.argv = ["-c", *args[1:]]
    exec(compile(args[0], "<string>", "exec"), {"__name__": "__main__"})
    return None


def _run_program(program: str, args: list[str]) -> int | str | None:
    if program.startswith("-"):
        return f"erlen.compat: unknown option {program!r}; see python -m erlen.compat --help"
    if not os.path.isfile(program):
        if program.endswith(".py"):
            return f"erlen.compat: there is no file {program!r}"
        return _run_module([program, *args])
    sys.argv = [program, *args]
    # Python puts the script's folder where `-m` has put the current one.
    sys.path[0] = os.path.dirname(os.path.abspath(program))
    runpy.run_path(program, run_name="__main__")
    return None


_PROGRAMS: dict[str, Callable[[list[str]], int | str | None]] = {
    "run": _run_server,
    "serve": _serve,
    "pytest": _run_pytest,
    "flask": _run_command,
    "-m": _run_module,
    "-c": _run_code,
}
