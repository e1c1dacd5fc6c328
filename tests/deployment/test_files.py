"""What is in the printed files, and that they fit together."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest

from erlen import Erlen
from erlen.db import SQLAlchemy
from erlen.forms import CSRFProtect
from erlen.migrate import Migrate
from erlen.server.deployment import KINDS, DeploymentError, write

from .conftest import run_erlen
from .reading import (
    read_command,
    read_dockerfile,
    read_path,
    read_site,
    read_unit,
    read_words,
    unescape,
    values_of,
)

if t.TYPE_CHECKING:
    from collections.abc import Callable

yaml = pytest.importorskip("yaml")

#: An argument of a factory with all that some kind of file would replace.
ODD_TARGET = "shop:create_app('$HOME ${HOME} %h %% \"a\" \\\\ #é; {x}')"


def make_app(folder: Path, **config: t.Any) -> Erlen:
    """Return an application that lies in a folder."""
    app = Erlen("shop", root_path=str(folder), instance_path=str(folder / "instance"))
    app.config.update(config)
    return app


def verify_unit(folder: Path, unit: str) -> None:
    """Let systemd check a unit, where it is installed."""
    program = shutil.which("systemd-analyze")
    if program is None:
        return
    path = folder / "shop.service"
    path.write_text(unit)
    done = subprocess.run(
        [program, "verify", "--man=no", str(path)], capture_output=True, text=True, check=False
    )
    # It may have something to say about other units of the machine.
    assert "shop.service" not in done.stderr, done.stderr
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_words_arrive_as_they_were(project: Path, kind: str) -> None:
    """What has a meaning in a kind of file, and stands in a name, is not read as that meaning."""
    app = make_app(project)
    text = write(kind, ODD_TARGET, {}, app)
    if kind == "systemd":
        service = dict(read_unit(text)["Service"])
        assert read_command(service["ExecStart"])[1:3] == ["--app", ODD_TARGET]
        assert read_path(service["WorkingDirectory"]) == str(project)
        verify_unit(project.parent, text)
    elif kind == "dockerfile":
        (command,) = values_of(read_dockerfile(text), "CMD")
        assert read_words(command)[:3] == ["erlen", "--app", ODD_TARGET]
    elif kind == "nginx":
        assert ["alias", f"{project}/static/"] in list(read_site(text))
    else:
        app.extensions["migrate"] = None
        services = unescape(yaml.safe_load(write(kind, ODD_TARGET, {}, app)))["services"]
        command = services["migrate"]["command"]
        assert command == ["erlen", "--app", ODD_TARGET, "db", "upgrade"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("target", ["shop:make('a\nb')", "shop:make('\x00')", "a\u2028"])
def test_line_breaks_are_refused(project: Path, kind: str, target: str) -> None:
    """No name can add a line to a file."""
    with pytest.raises(DeploymentError, match=r"^The application's name, .* Choose another\.$"):
        write(kind, target, {}, make_app(project))


def test_the_command_refuses_in_one_line(project: Path) -> None:
    """A mistake is told in a line, without a traceback."""
    for target, options, reason in (
        ("shop:app", ("--bind", "unix:/srv/shop.sock"), "below /run"),
        ("shop:app", ("--bind", "127.0.0.1:0"), "Port 0"),
        ("shop:app", ("--insecure-secret",), "for tests"),
    ):
        done = run_erlen(project, "--app", target, "serve", *options, "--print", "systemd")
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("Error: ")
        assert reason in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_no_secrets(project: Path, kind: str) -> None:
    """What the application keeps secret is in none of the files."""
    app = make_app(
        project,
        SECRET_KEY="swordfish-key",
        SECRET_KEY_FALLBACKS=["swordfish-old"],
        SQLALCHEMY_DATABASE_URI="postgresql://shop:swordfish@db/shop",
    )
    SQLAlchemy(app)
    assert "swordfish" not in write(kind, "shop:app", {}, app)


def test_the_files_fit_together(project: Path) -> None:
    """Ports, paths, health and names are the same in all four."""
    settings = {"bind": "127.0.0.1:8123", "workers": 3, "graceful_timeout": 20.0}
    app = make_app(project)
    unit, dockerfile, nginx, compose = (write(kind, "shop:app", settings, app) for kind in KINDS)

    command = read_command(dict(read_unit(unit)["Service"])["ExecStart"])
    common = ["--workers", "3", "--graceful-timeout", "20", "--health"]
    assert command[1:] == [
        *("--app", "shop:app", "serve", "--bind", "127.0.0.1:8123"),
        *common,
        *("--forwarded-allow-ips", "127.0.0.1"),
    ]
    assert int(dict(read_unit(unit)["Service"])["TimeoutStopSec"]) > 20

    instructions = read_dockerfile(dockerfile)
    assert values_of(instructions, "EXPOSE") == ["8123"]
    (started,) = values_of(instructions, "CMD")
    assert read_words(started) == [
        *("erlen", "--app", "shop:app", "serve", "--bind", "0.0.0.0:8123"),
        *common,
    ]
    (check,) = values_of(instructions, "HEALTHCHECK")
    assert "http://127.0.0.1:8123/readyz" in check
    assert [*values_of(instructions, "USER")] == ["10001"]

    site = list(read_site(nginx))
    assert ["server", "127.0.0.1:8123"] in site
    assert ["location", "=", "/readyz"] in site

    content = yaml.safe_load(compose)
    web = content["services"]["web"]
    assert web["ports"] == ["127.0.0.1:8123:8123"]
    assert int(web["stop_grace_period"].removesuffix("s")) > 20
    (network,) = content["networks"]["default"]["ipam"]["config"]
    believed = web["environment"]["ERLEN_SERVE_FORWARDED_ALLOW_IPS"]
    assert believed == network["gateway"]
    # All name the same file of secrets.
    assert web["env_file"] == "shop.env"
    assert "EnvironmentFile=/etc/shop.env\n" in unit
    assert "--env-file shop.env" in dockerfile


def test_named_proxies_are_the_only_ones(project: Path) -> None:
    """Who names proxies gets no others."""
    settings = {"forwarded_allow_ips": "10.0.0.7"}
    app = make_app(project)
    unit = write("systemd", "shop:app", settings, app)
    command = read_command(dict(read_unit(unit)["Service"])["ExecStart"])
    assert command[-2:] == ["--forwarded-allow-ips", "10.0.0.7"]
    dockerfile = read_dockerfile(write("dockerfile", "shop:app", settings, app))
    assert read_words(values_of(dockerfile, "CMD")[0])[-1] == "10.0.0.7"
    web = yaml.safe_load(write("compose", "shop:app", settings, app))["services"]["web"]
    assert "environment" not in web
    # Nobody is believed where others than those of this machine may connect.
    unit = write("systemd", "shop:app", {"bind": "0.0.0.0:80"}, app)
    assert "forwarded" not in unit
    assert "AmbientCapabilities=CAP_NET_BIND_SERVICE\n" in unit


def test_a_unix_socket(project: Path) -> None:
    """The unit makes its folder, which the web server's group may enter; nginx knows the path."""
    settings = {"bind": "unix:/run/shop/web.sock"}
    unit = write("systemd", "shop:app", settings, make_app(project))
    service = read_unit(unit)["Service"]
    assert ("RuntimeDirectory", "shop") in service
    assert ("Group", "www-data") in service
    assert read_command(dict(service)["ExecStart"])[-2:] == ["--forwarded-allow-ips", "unix"]
    site = read_site(write("nginx", "shop:app", settings, make_app(project)))
    assert ["server", "unix:/run/shop/web.sock"] in list(site)
    with pytest.raises(DeploymentError, match="below /run"):
        write("systemd", "shop:app", {"bind": "unix:/srv/web.sock"}, make_app(project))
    with pytest.raises(DeploymentError, match=r"'\$'"):
        write("nginx", "shop:app", {"bind": "unix:/run/$shop/web.sock"}, make_app(project))


def test_the_unit_is_hardened(project: Path) -> None:
    """systemd takes it, and the service may do what a server needs, and no more."""
    unit = write("systemd", "shop:app", {}, make_app(project))
    verify_unit(project.parent, unit)
    service = dict(read_unit(unit)["Service"])
    assert service["Type"] == "notify"
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    for key, value in (
        ("DynamicUser", "yes"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("CapabilityBoundingSet", ""),
    ):
        assert service[key] == value
    assert "User" not in service
    # Python itself may be in somebody's home.
    assert service["ProtectHome"] in {"yes", "read-only"}
    program = Path(read_command(service["ExecStart"])[0])
    assert program == Path(sys.prefix, "bin", "erlen")


def test_tls(tmp_path: Path, project: Path) -> None:
    """systemd reads the files as root; the others leave TLS to a proxy."""
    settings = {"tls_cert": tmp_path / "cert.pem", "tls_key": tmp_path / "key.pem"}
    unit = write("systemd", "shop:app", settings, make_app(project))
    service = read_unit(unit)["Service"]
    command = read_command(dict(service)["ExecStart"], {"d": "/run/credentials"})
    assert command[-4:] == [
        *("--tls-cert", "/run/credentials/tls_cert"),
        *("--tls-key", "/run/credentials/tls_key"),
    ]
    assert ("LoadCredential", f"tls_key:{tmp_path}/key.pem") in service
    verify_unit(tmp_path, unit)
    for kind in ("nginx", "dockerfile", "compose"):
        with pytest.raises(DeploymentError, match="Leave out 'tls-cert'"):
            write(kind, "shop:app", settings, make_app(project))


def test_migrations_come_first(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is brought up to date before the new code serves, and it has a place."""
    project /= "$HOME"
    project.mkdir()
    monkeypatch.chdir(project)
    app = make_app(project, SQLALCHEMY_DATABASE_URI="sqlite:///shop.db")
    Migrate(app, SQLAlchemy(app))
    unit = write("systemd", "shop:app", {}, app)
    service = dict(read_unit(unit)["Service"])
    assert read_command(service["ExecStartPre"])[1:] == ["--app", "shop:app", "db", "upgrade"]
    assert service["StateDirectory"] == "shop"
    bound = read_command(service["BindPaths"])[0]
    assert bound == f"/var/lib/private/shop:{app.instance_path}"
    verify_unit(project.parent, unit)

    content = yaml.safe_load(write("compose", "shop:app", {}, app))
    web, migrate = content["services"]["web"], content["services"]["migrate"]
    assert web["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert migrate["command"] == ["erlen", "--app", "shop:app", "db", "upgrade"]
    assert web["volumes"] == migrate["volumes"] == ["data:/app/instance"]
    assert content["volumes"] == {"data": None}

    dockerfile = read_dockerfile(write("dockerfile", "shop:app", {}, app))
    runs = values_of(dockerfile, "RUN")
    assert '["install", "-d", "-o", "10001", "-g", "10001", "instance"]' in runs
    assert re.search(r"erlen\[[a-z,]*db,[a-z,]*server,sqlite\]", "".join(runs))


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("requests\n", "-r requirements.txt 'erlen["),
        ("erlen[db]>=0.1\nrequests\n", "-r requirements.txt 'erlen["),
    ],
)
def test_requirements(project: Path, text: str, arguments: str) -> None:
    """The project's own are installed; where they have no Erlen, it is the one of here."""
    (project / "requirements.txt").write_text(text)
    dockerfile = read_dockerfile(write("dockerfile", "shop:app", {}, make_app(project)))
    install = next(run for run in values_of(dockerfile, "RUN") if run.startswith("pip "))
    assert arguments in install
    assert ("==" in install) is ("erlen" not in text)
    assert "requirements.txt ./" in values_of(dockerfile, "COPY")


def _hook() -> None:
    """Look at each request."""


@pytest.mark.parametrize(
    ("change", "is_served"),
    [
        (lambda app: None, True),
        (CSRFProtect, True),
        (lambda app: app.before_request(_hook), False),
        (lambda app: app.after_request(lambda response: response), False),
        (lambda app: setattr(app, "wsgi_app", app.wsgi_app), False),
    ],
)
def test_static_files_of_nginx(
    project: Path, change: Callable[[Erlen], t.Any], is_served: bool
) -> None:
    """nginx serves them where the application has no say in who gets them."""
    app = make_app(project, SECRET_KEY="x", SEND_FILE_MAX_AGE_DEFAULT=60)
    change(app)
    site = list(read_site(write("nginx", "shop:app", {}, app)))
    assert (["location", "^~", "/static/"] in site) is is_served
    header = ["add_header", "Cache-Control", "public, max-age=60", "always"]
    assert (header in site) is is_served


def test_what_the_site_goes_by(project: Path) -> None:
    """The names, the length of bodies, and WebSockets are those of the application."""
    app = make_app(project, TRUSTED_HOSTS=["shop.example", ".shop.example:443", "a b; }"])
    site = list(read_site(write("nginx", "shop:app", {}, app)))
    assert ["server_name", "shop.example", ".shop.example"] in site
    assert ["client_max_body_size", str(16 * 1024 * 1024)] in site
    assert ["proxy_set_header", "Connection", ""] in site

    app = make_app(project, MAX_CONTENT_LENGTH=None)
    app.websocket("/ws")(_hook)
    site = list(read_site(write("nginx", "shop:app", {}, app)))
    assert ["server_name", "_"] in site
    assert ["client_max_body_size", "0"] in site
    assert ["proxy_set_header", "Upgrade", "$http_upgrade"] in site
    site = list(read_site(write("nginx", "shop:app", {"max_body": 5000}, app)))
    assert ["client_max_body_size", "5000"] in site


def test_an_own_health_page_stays(project: Path) -> None:
    """An application that has one keeps it, unless it is told otherwise."""
    app = make_app(project)
    app.get("/healthz")(lambda: "fine")
    assert "--health" not in write("systemd", "shop:app", {}, app)
    assert "healthz" not in write("nginx", "shop:app", {}, app)
    assert "readyz" not in write("dockerfile", "shop:app", {}, app)
    assert "--health" in write("systemd", "shop:app", {"health": True}, app)


@pytest.mark.parametrize(
    ("target", "name"),
    [
        ("shop:app", "shop"),
        ("my.web_shop:create_app()", "my-web-shop"),
        ("web/shop.py", "shop"),
        ("123:app", "app-123"),
        (None, "shop"),
        ("Üñ:app", "app"),
    ],
)
def test_names(project: Path, target: str | None, name: str) -> None:
    """The service is called after the application, in letters that all programs take."""
    unit = write("systemd", target, {}, make_app(project))
    assert f"Description={name}, served by Erlen\n" in unit


def test_a_file_elsewhere(project: Path) -> None:
    """An application named by a whole path is named from its folder; from outside it cannot be."""
    dockerfile = read_dockerfile(write("dockerfile", f"{project}/shop.py:app", {}, None))
    assert read_words(values_of(dockerfile, "CMD")[0])[1:3] == ["--app", "shop.py:app"]
    with pytest.raises(DeploymentError, match="is not in the current folder"):
        write("dockerfile", f"{os.sep}srv/shop.py:app", {}, None)
