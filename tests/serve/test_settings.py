"""Where settings come from, and what is said where they cannot be."""

from __future__ import annotations

import re
import typing as t
from pathlib import Path

import pytest

from erlen.server.production.job import pack, unpack
from erlen.server.production.settings import (
    DEFAULT,
    SETTINGS,
    Origins,
    SettingError,
    Settings,
    collect,
    show,
)

from .process import run

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "serve.md"


def _collect(folder: Path, pyproject: str = "", **environ: str) -> Origins:
    (folder / "pyproject.toml").write_text(pyproject)
    return collect({}, environ, folder)


def test_the_command_line_counts_most(tmp_path: Path) -> None:
    """An option goes before a variable, and that before pyproject.toml; each is named."""
    (tmp_path / "pyproject.toml").write_text(
        "[tool.erlen.serve]\nworkers = 2\nbacklog = 2\nthreads = 2\n"
    )
    environ = {"ERLEN_SERVE_BACKLOG": "3", "ERLEN_SERVE_THREADS": "3"}
    settings, origins = collect({"threads": "4", "bind": None}, environ, tmp_path)
    assert (settings.workers, settings.backlog, settings.threads) == (2, 3, 4)
    assert "pyproject.toml [tool.erlen.serve]" in origins["workers"]
    assert origins["backlog"] == "ERLEN_SERVE_BACKLOG"
    assert origins["threads"] == "--threads"
    assert origins["bind"] == DEFAULT


def test_the_file_is_found_from_a_folder_below(tmp_path: Path) -> None:
    """The nearest pyproject.toml counts, and keys may have dashes."""
    (tmp_path / "pyproject.toml").write_text('[tool.erlen.serve]\naccess-log = "json"\n')
    below = tmp_path / "src"
    below.mkdir()
    assert collect({}, {}, below).settings.access_log == "json"


@pytest.mark.parametrize(
    ("pyproject", "variable", "value", "message"),
    [
        ("", "WORKRS", "2", "ERLEN_SERVE_WORKRS: there is no setting 'workrs'. Did you mean"),
        ("", "WORKERS", "many", "ERLEN_SERVE_WORKERS: 'many' is not a whole number. Give"),
        ("", "WORKERS", "0", "0 is out of bounds. Give a whole number of at least 1"),
        ("", "INTERFACE", "cgi", "'cgi' is not known. Use rsgi, asgi or wsgi."),
        ("", "HEALTH", "maybe", "'maybe' is neither yes nor no. Use true or false."),
        ("", "MAX_BODY", "much", "'much' is no number of bytes. Give one such as 65536"),
        ("", "MAX_HEAD", "1K", "'1K' is too small. Give at least 8192."),
        ("", "BODY_TIMEOUT", "soon", "'soon' is no time. Give seconds, or a time such as"),
        ("", "HEADER_TIMEOUT", "1h", "'1h' is out of bounds. Give at least 0.001 and at most 600"),
        ("", "SOCKET_MODE", "rw", "'rw' are no permissions. Give them in octal, such as 660."),
        ("", "BIND", "8000", "'8000' is no address. Give 'host:port'"),
        ("", "BIND", "::1:8000", "is no address. Give 'host:port', '[IPv6 address]:port'"),
        ("", "BIND", "x:70000", "'70000' in 'x:70000' is no port. Give a number from 0 to 65535."),
        ("", "BIND", "unix:", "names no socket. Give its path"),
        ("", "TLS_CERT", "/nowhere", "there is no file '/nowhere'. Give the path of one."),
        ("", "TLS_CERT", __file__, "TLS needs both files. Give --tls-key as well."),
        ("", "TLS_CLIENT_CA", __file__, "need TLS. Give --tls-cert and --tls-key as well."),
        ("", "PID_FILE", "/nowhere/x", "there is no folder '/nowhere'. Make it first."),
        ("", "FORWARDED_ALLOW_IPS", "here", "'here' is neither an address nor a network."),
        ("[tool.erlen]\nserve = 1\n", "BIND", ":1", "[tool.erlen.serve] must be a table"),
        ("[tool.erlen.serve]\nwhat = 1\n", "BIND", ":1", "there is no setting 'what'."),
        ("[tool.erlen.serve]\nworkers = true\n", "BIND", ":1", "True is not a whole number."),
        ("][", "BIND", ":1", "cannot be read"),
    ],
)
def test_mistakes_name_the_source_and_the_remedy(
    tmp_path: Path, pyproject: str, variable: str, value: str, message: str
) -> None:
    """One line says where the value is from, what is wrong with it, and what to write."""
    with pytest.raises(SettingError, match=re.escape(message)) as caught:
        _collect(tmp_path, pyproject, **{f"ERLEN_SERVE_{variable}": value})
    assert "\n" not in str(caught.value)


def test_values_have_units(tmp_path: Path) -> None:
    """Bytes, times and permissions are written as people write them."""
    environ = {
        "MAX_BODY": "10M",
        "BODY_TIMEOUT": "2m",
        "DRAIN_DELAY": "500ms",
        "SOCKET_MODE": "0o600",
        "BIND": "unix:///run/app.sock",
        "HEALTH": "yes",
        "FORWARDED_ALLOW_IPS": " 10.0.0.0/8 , unix",
    }
    variables = {f"ERLEN_SERVE_{name}": value for name, value in environ.items()}
    settings = _collect(tmp_path, **variables).settings
    assert (settings.max_body, settings.body_timeout) == (10 * 1024 * 1024, 120.0)
    assert (settings.drain_delay, settings.socket_mode) == (0.5, 0o600)
    assert (settings.bind, settings.health) == ("unix:/run/app.sock", True)
    assert settings.forwarded_allow_ips == "10.0.0.0/8,unix"


def test_a_list_of_proxies_in_toml(tmp_path: Path) -> None:
    """In pyproject.toml, what is a list is written as one, and octal as TOML has it."""
    settings = _collect(
        tmp_path,
        '[tool.erlen.serve]\nforwarded-allow-ips = ["10.0.0.1", "::1"]\nsocket-mode = 0o640\n',
    ).settings
    assert settings.forwarded_allow_ips == "10.0.0.1,::1"
    assert settings.socket_mode == 0o640


def test_workers_get_the_same_settings(tmp_path: Path) -> None:
    """What is handed to a worker's process comes out as it went in."""
    settings = Settings(tls_cert=tmp_path, max_body=5, health=True)
    assert unpack(pack(settings)) == settings


def test_show_settings_tells_all(tmp_path: Path) -> None:
    """There is a line for each setting, with its origin."""
    lines = list(show(_collect(tmp_path, ERLEN_SERVE_WORKERS="3")))
    assert len(lines) == len(SETTINGS)
    assert re.fullmatch(r"workers +3 +ERLEN_SERVE_WORKERS", lines[2])
    assert re.fullmatch(r"bind +127\.0\.0\.1:8000 +default", lines[0])


def test_show_settings_at_the_command_line(tmp_path: Path) -> None:
    """It needs no application; a wrong setting ends the command with one line."""
    shown = run("serve", "--show-settings", "--workers=2", cwd=tmp_path)
    assert re.search(r"^workers +2 +--workers$", shown.stdout, re.MULTILINE)
    wrong = run("serve", "--show-settings", cwd=tmp_path, ERLEN_SERVE_WORKERS="x")
    assert wrong.returncode == 2
    assert wrong.stderr.startswith("Error: ERLEN_SERVE_WORKERS: 'x' is not a whole number.")
    assert wrong.stderr.count("\n") == 1


def _rows(page: str) -> dict[str, tuple[str, str]]:
    rows: dict[str, tuple[str, str]] = {}
    for match in re.finditer(r"^\| `([a-z-]+)` \| ([^|]*) \| ([^|]*) \|$", page, re.MULTILINE):
        rows[match[1]] = (match[2].strip(), match[3].strip())
    return rows


def test_the_reference_has_all_settings() -> None:
    """The page has a row for each setting, with its default, in the order of the table."""
    rows = _rows(PAGE.read_text())
    names = [name.replace("_", "-") for name in SETTINGS]
    assert list(rows) == names
    shown_lines = show(Origins(Settings(), dict.fromkeys(SETTINGS, DEFAULT)))
    for name, line in zip(SETTINGS, shown_lines, strict=True):
        shown: t.Any = line.split()[1]
        default = rows[name.replace("_", "-")][0]
        assert default == ("" if shown == "-" else f"`{shown}`"), name
