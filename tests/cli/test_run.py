"""The ``run`` command and the development server behind it."""

from __future__ import annotations

import errno
import os
import re
import socket
import ssl
import sys
import time
import types
import typing as t
import urllib.error
import urllib.request
from threading import Timer

import click
import pytest

import erlen.cli
from erlen.cli import run_command
from erlen.server import develop, ports

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from subprocess import Popen

    from tests.cli.conftest import Project


@pytest.fixture
def run_simple(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[t.Any, ...], dict[str, t.Any]]]:
    """The calls of the server, which is not started."""
    calls: list[tuple[tuple[t.Any, ...], dict[str, t.Any]]] = []
    monkeypatch.setattr(erlen.cli, "run_simple", lambda *a, **kw: calls.append((a, kw)))
    return calls


def test_options(app_project: Project, run_simple: list[t.Any]) -> None:
    """The options reach the server."""
    (app_project.path / "x.txt").touch()
    result = app_project.invoke(
        *("run", "--host", "localhost", "--port", "0", "--reload", "--no-debugger"),
        *("--without-threads", "--extra-files", f"x.txt{os.pathsep}y"),
        *("--exclude-patterns", "*.tmp"),
    )
    assert result.exit_code == 0, result.output
    ((host, port, app), options) = run_simple[0]
    assert (host, port, app.name) == ("localhost", 0, "app")
    assert options == {
        "use_reloader": True,
        "use_debugger": False,
        "threaded": False,
        "ssl_context": None,
        "extra_files": ["x.txt", "y"],
        "exclude_patterns": ["*.tmp"],
    }


@pytest.mark.parametrize("debug", [True, False])
def test_debug_decides(app_project: Project, run_simple: list[t.Any], debug: bool) -> None:
    """Without options of their own, the reloader and the debugger follow debug mode."""
    flag = "--debug" if debug else "--no-debug"
    result = app_project.invoke("run", "-p", "0", flag)
    assert f" * Debug mode: {'on' if debug else 'off'}" in result.output
    assert run_simple[0][1]["use_reloader"] is debug
    assert run_simple[0][1]["use_debugger"] is debug
    assert run_simple[0][1]["threaded"] is True


def test_banner_names_the_application(app_project: Project, run_simple: list[t.Any]) -> None:
    """The banner shows the application as it was named."""
    result = app_project.invoke("--app", "app:app", "run", "-p", "0")
    assert " * Serving Erlen app 'app:app'" in result.output


def test_banner_can_be_replaced(
    app_project: Project, run_simple: list[t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Programs silence the banner by replacing its function in the module of the commands."""
    monkeypatch.setattr(erlen.cli, "show_server_banner", lambda *args: click.echo("banner"))
    assert app_project.invoke("run", "-p", "0").output == "banner\n"


def test_banner_after_reload(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The process of the reloader shows no banner."""
    monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
    develop.show_banner(True, "app")
    assert capsys.readouterr().out == ""


def test_taken_port(app_project: Project) -> None:
    """A port in use is an error of one line."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        result = app_project.invoke("run", "-p", str(port))
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: Port {port} is in use by ")
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("no-such-host.invalid", "this machine knows no such name or address"),
        ("192.0.2.1", "this machine has no such address"),
    ],
)
def test_wrong_host(app_project: Project, host: str, message: str) -> None:
    """An address that is not this machine's is an error of one line."""
    result = app_project.invoke("run", "-h", host, "-p", "0")
    assert result.exit_code == 1
    assert message in result.output
    assert result.output.count("\n") == 1


@pytest.mark.parametrize(
    ("number", "system", "message"),
    [
        (errno.EADDRINUSE, "Darwin", "'AirPlay Receiver'"),
        (errno.EACCES, "Linux", "not permitted to this user"),
        (errno.EIO, "Linux", "Cannot listen on '127.0.0.1', port 5000: odd."),
    ],
)
def test_other_problems(
    monkeypatch: pytest.MonkeyPatch, number: int, system: str, message: str
) -> None:
    """Each way in which listening can fail has its sentence."""

    def bind(self: socket.socket, address: object) -> None:
        raise OSError(number, "odd")

    monkeypatch.setattr(socket.socket, "bind", bind)
    monkeypatch.setattr("platform.system", lambda: system)
    with pytest.raises(ports.AddressError) as caught:
        ports.bind("127.0.0.1", 5000)
    assert message in f"{caught.value} {ports.what_to_do(5000)}"


def test_banner_without_debug(capsys: pytest.CaptureFixture[str]) -> None:
    """What is not known is not shown."""
    develop.show_banner(None, None)
    assert capsys.readouterr().out == ""


def test_server_where_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server is found when it is started, so that tests can replace it."""
    calls: list[dict[str, t.Any]] = []
    monkeypatch.setattr("werkzeug.serving.run_simple", lambda *a, **kw: calls.append(kw))
    develop.run(lambda environ, start_response: [], debug=True, use_debugger=False, processes=1)
    assert calls[0]["use_reloader"] is True
    assert calls[0]["use_debugger"] is False
    assert calls[0]["processes"] == 1


def test_wrong_port(app_project: Project) -> None:
    """A number that is no port is refused."""
    assert app_project.invoke("run", "-p", "65536").exit_code == 2


def test_certificate_files(app_project: Project) -> None:
    """Files that hold no certificate are named before the server starts."""
    result = app_project.invoke("run", "-p", "0", "--cert", "app.py", "--key", "app.py")
    assert result.exit_code == 2
    assert "Invalid value for '--cert': The files hold no certificate" in result.output


def cert_of(*args: str) -> t.Any:
    return run_command.make_context("run", list(args)).params["cert"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--cert", __file__], "Required when using '--cert'."),
        (["--key", __file__], "'--cert' must also be specified."),
        (["--cert", "adhoc", "--key", __file__], "When '--cert' is 'adhoc', '--key' is not used."),
        (["--cert", "own_context", "--key", __file__], "an SSLContext object, '--key' is not"),
        (["--cert", "missing"], "File 'missing' does not exist."),
    ],
)
def test_certificate_mistakes(
    monkeypatch: pytest.MonkeyPatch, args: list[str], message: str
) -> None:
    """--cert and --key have to fit each other."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    monkeypatch.setitem(sys.modules, "own_context", t.cast(t.Any, context))
    monkeypatch.setitem(sys.modules, "cryptography", types.ModuleType("cryptography"))
    with pytest.raises(click.BadParameter, match=re.escape(message)):
        cert_of(*args)


def test_certificate_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate is a pair of files, made up, or an SSL context."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    monkeypatch.setitem(sys.modules, "own_context", t.cast(t.Any, context))
    monkeypatch.setitem(sys.modules, "cryptography", types.ModuleType("cryptography"))
    assert cert_of("--key", __file__, "--cert", __file__) == (__file__, __file__)
    assert cert_of("--cert", "adhoc") == "adhoc"
    assert cert_of("--cert", "own_context") is context
    assert cert_of() is None


@pytest.mark.parametrize(
    ("module", "value", "message"),
    [("cryptography", "adhoc", "require the package"), ("ssl", "x", "compiled with SSL support")],
)
def test_certificate_needs(
    monkeypatch: pytest.MonkeyPatch, module: str, value: str, message: str
) -> None:
    """What is missing for a certificate is named."""
    monkeypatch.setitem(sys.modules, module, t.cast(t.Any, None))
    with pytest.raises(click.BadParameter, match=message):
        cert_of("--cert", value)


def test_broken_application(project: Project, run_simple: list[t.Any]) -> None:
    """The command fails when the application cannot be loaded at its start."""
    project.write(app="import missing_x")
    result = project.invoke("run", "-p", "0")
    assert result.exit_code == 2
    assert "No module named 'missing_x'" in result.output
    assert run_simple == []


def test_broken_after_reload(
    project: Project, run_simple: list[t.Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """When it breaks while the server runs, the server goes on and answers with the error."""
    monkeypatch.setenv("WERKZEUG_RUN_MAIN", "true")
    project.write(app="1 / 0")
    result = project.invoke("run", "-p", "0")
    assert result.exit_code == 0
    assert "ZeroDivisionError" in result.output
    app = run_simple[0][0][2]
    depths = []
    for _ in range(2):
        with pytest.raises(ZeroDivisionError) as caught:
            app({}, lambda *args: None)
        depths.append(len(caught.traceback))
    assert depths[0] == depths[1]


@pytest.fixture
def server(app_project: Project) -> Iterator[tuple[Popen[str], str]]:
    """A development server with the reloader, and its address."""
    with app_project.start("run", "-p", "0", "--reload", ERLEN_DEBUG="0") as process:
        # Whatever happens, reading from the process must come to an end.
        watchdog = Timer(180, process.kill)
        watchdog.start()
        try:
            yield process, read_until(process, r"Running on (http://\S+)")
        finally:
            process.terminate()
            process.communicate(timeout=60)
            watchdog.cancel()


def read_until(process: Popen[str], pattern: str) -> str:
    """Read lines of a process up to one with a pattern; return its group."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(pattern, line):
            return found[1]
    raise AssertionError(f"the process ended without printing {pattern}")


def get(url: str) -> tuple[int, bytes]:
    """Return the status and body of an answer; (0, b"") if the server went away meanwhile."""
    try:
        with urllib.request.urlopen(url, timeout=20) as response:
            return response.status, response.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, b""
    except OSError:
        return 0, b""


def eventually(url: str, expected: bytes) -> bool:
    """Whether an address comes to answer something within a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if get(url) == (200, expected):
            return True
        time.sleep(0.1)
    return False


def test_reloading(app_project: Project, server: tuple[Popen[str], str]) -> None:
    """The server survives a mistake in the application, and serves it again when it is mended."""
    process, url = server
    assert get(url) == (200, b"hello")

    path = app_project.path / "app.py"
    good = path.read_text("utf-8")
    path.write_text("import missing_x", "utf-8")
    read_until(process, r"(No module named 'missing_x')")
    assert get(url)[0] == 500

    time.sleep(1)  # The reloader compares times of change, which on some systems are of seconds.
    path.write_text(good.replace("hello", "mended"), "utf-8")
    assert eventually(url, b"mended")
