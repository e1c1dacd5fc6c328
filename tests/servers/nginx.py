"""nginx as a process of its own, with files in a folder of the test."""

from __future__ import annotations

import os
import shutil
import subprocess
import typing as t
from pathlib import Path

import pytest

if t.TYPE_CHECKING:
    from types import TracebackType


#: What the distribution's nginx.conf has around a site, with each path inside of a folder.
_MAIN = """\
{user}daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr notice;
events {{
    worker_connections 1024;
}}
http {{
    types {{
        text/html html;
        text/css css;
        text/plain txt;
    }}
    default_type application/octet-stream;
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/site.conf;
}}
"""

#: How a location hands on to a server on a Unix socket, by the protocol between the two.
LOCATIONS = {
    "http": """\
        proxy_pass http://unix:{socket}:;
        proxy_http_version 1.1;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Proto https;
        proxy_set_header X-Forwarded-Host $http_host;
        proxy_set_header Upgrade $http_upgrade;
        proxy_set_header Connection $connection_upgrade;
""",
    "uwsgi": """\
        uwsgi_pass unix:{socket};
        include {parameters};
        # nginx has read the chunks, and says how long the body is.
        uwsgi_param HTTP_TRANSFER_ENCODING '';
        uwsgi_param HTTP_X_FORWARDED_FOR $remote_addr;
        uwsgi_param HTTP_X_FORWARDED_PROTO https;
        uwsgi_param HTTP_X_FORWARDED_HOST $http_host;
""",
}

_SITE = """\
map $http_upgrade $connection_upgrade {{
    default upgrade;
    '' '';
}}
server {{
    listen 127.0.0.1:{port};
    client_max_body_size 2m;
    location / {{
{location}    }}
}}
"""

#: The distribution's parameters of the uwsgi protocol.
_PARAMETERS = """\
uwsgi_param QUERY_STRING $query_string;
uwsgi_param REQUEST_METHOD $request_method;
uwsgi_param CONTENT_TYPE $content_type;
uwsgi_param CONTENT_LENGTH $content_length;
uwsgi_param REQUEST_URI $request_uri;
uwsgi_param PATH_INFO $document_uri;
uwsgi_param DOCUMENT_ROOT $document_root;
uwsgi_param SERVER_PROTOCOL $server_protocol;
uwsgi_param REQUEST_SCHEME $scheme;
uwsgi_param REMOTE_ADDR $remote_addr;
uwsgi_param REMOTE_PORT $remote_port;
uwsgi_param SERVER_PORT $server_port;
uwsgi_param SERVER_NAME $server_name;
"""


def require_nginx() -> str:
    """Return nginx's path; skip where it is missing, and with ``CI=true`` fail."""
    # Debian has it where only root looks.
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail("nginx is not installed: apt-get install nginx-light")
        pytest.skip("nginx is not installed.")
    return found


def write_site(folder: Path, protocol: str, socket: Path, port: str) -> str:
    """Return a site that hands all requests on to a server on a Unix socket.

    :param folder: a folder for what the site includes.
    :param protocol: ``http`` or ``uwsgi``.
    :param socket: the path of the socket.
    :param port: where nginx listens.
    """
    parameters = folder / "uwsgi_params"
    parameters.write_text(_PARAMETERS)
    location = LOCATIONS[protocol].format(socket=socket, parameters=parameters)
    return _SITE.format(port=port, location=location)


class Nginx:
    """nginx with one site, ended with the block.

    :param folder: an empty folder for its files.
    :param site: what would lie in ``/etc/nginx/conf.d``.
    :raises AssertionError: where nginx refuses the site.
    """

    def __init__(self, folder: Path, site: str) -> None:
        program = require_nginx()
        # A user nobody could not reach what is in a folder of root's.
        user = "user root;\n" if os.geteuid() == 0 else ""
        (folder / "site.conf").write_text(site)
        (folder / "nginx.conf").write_text(_MAIN.format(folder=folder, user=user))
        self._output_path = folder / "output"
        command = [program, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
        checked = subprocess.run([*command, "-t"], capture_output=True, text=True, check=False)
        assert checked.returncode == 0, checked.stderr
        with self._output_path.open("wb") as output:
            self.process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)

    @property
    def output(self) -> str:
        """What nginx has printed."""
        return self._output_path.read_text(errors="replace")

    def stop(self) -> None:
        """End nginx at once."""
        self.process.terminate()
        self.process.wait(20)

    def __enter__(self) -> t.Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.stop()
