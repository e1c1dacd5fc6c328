"""Storing uploads: whole or not at all, never over another, and sent back without harm."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import typing as t
from pathlib import Path

import pytest
from tests.environments import make_environment
from werkzeug.datastructures import FileStorage

from erlen import Erlen
from erlen.forms.filenames import make_key
from erlen.forms.filetypes import find_types
from erlen.forms.inspection import Inspection, Rules
from erlen.forms.storage import DiskStorage, S3Storage, Storage, send_stored
from erlen.forms.uploads import Upload

from .samples import png


@pytest.fixture
def disk(tmp_path: Path) -> DiskStorage:
    """A storage in a folder that is not there yet."""
    return DiskStorage(tmp_path / "uploads" / "covers")


@pytest.fixture
def upload() -> Upload:
    """A picture that was accepted."""
    inspection = Inspection("Cover.png", Rules(find_types(["image/png"]), 10_000))
    inspection.feed(png())
    file = io.BytesIO(png())
    inspection.finish(file)
    assert inspection.problem is None
    return Upload(FileStorage(file, "Cover.png"), inspection)


def names(disk: DiskStorage) -> list[str]:
    """Return what is in the folder."""
    return sorted(os.listdir(disk.folder))


def test_a_file_is_kept(disk: DiskStorage, upload: Upload) -> None:
    """It gets a random name with the ending of its type, and can be read and removed."""
    name = upload.save(disk)
    assert len(name) == 36
    assert name.endswith(".png")
    assert names(disk) == [name]
    with disk.open(name) as file:
        assert file.read() == png()
    disk.delete(name)
    disk.delete(name)
    assert names(disk) == []


def test_a_file_is_never_overwritten(disk: DiskStorage, upload: Upload) -> None:
    """A name that is taken is an error, and what was there stays."""
    upload.save(disk, "a.png")
    with pytest.raises(FileExistsError):
        disk.save("a.png", io.BytesIO(b"other"))
    assert disk.path("a.png").read_bytes() == png()
    assert names(disk) == ["a.png"]


@pytest.mark.parametrize("name", ["", "..", "../a", "a/b", ".hidden", "a\0", "a b", "x" * 300])
def test_names_that_lead_elsewhere(disk: DiskStorage, name: str) -> None:
    """A storage takes plain names only, for all it does."""
    for act in (disk.open, disk.delete, disk.path):
        with pytest.raises(ValueError, match="cannot be the name of a stored file"):
            act(name)
    with pytest.raises(ValueError, match="cannot be the name"):
        disk.save(name, io.BytesIO(b""))


class Broken(io.BytesIO):
    """A stream that fails after its first piece."""

    def read(self, size: int | None = -1) -> bytes:
        """Return some bytes once."""
        if self.tell():
            raise OSError("the network is gone")
        return super().read(10)


@pytest.mark.parametrize("nameless", [True, False])
def test_a_half_written_file_is_removed(
    disk: DiskStorage, monkeypatch: pytest.MonkeyPatch, nameless: bool
) -> None:
    """Where writing fails, nothing is left, with files that have no name and with others."""
    if not nameless:
        monkeypatch.delattr(os, "O_TMPFILE")
    with pytest.raises(OSError, match="the network is gone"):
        disk.save("a.png", Broken(bytes(100)))
    assert names(disk) == []


def test_a_file_system_without_nameless_files(
    disk: DiskStorage, monkeypatch: pytest.MonkeyPatch, upload: Upload
) -> None:
    """There, a file is written under another name and appears whole, never over another."""
    monkeypatch.delattr(os, "O_TMPFILE")
    upload.save(disk, "a.png")
    with pytest.raises(FileExistsError):
        upload.save(disk, "a.png")
    assert names(disk) == ["a.png"]
    assert disk.path("a.png").stat().st_mode & 0o777 == 0o644


KILLED = """
import io, os, signal, sys
from erlen.forms.storage import DiskStorage

class Endless(io.RawIOBase):
    def read(self, size=-1):
        if os.path.exists(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        open(sys.argv[2], "w").close()
        return bytes(1000)

DiskStorage(sys.argv[1]).save("a.png", Endless())
"""


@pytest.mark.skipif(not hasattr(os, "O_TMPFILE"), reason="The system has no nameless files.")
def test_a_killed_process_leaves_nothing(disk: DiskStorage, tmp_path: Path) -> None:
    """A file that has no name goes with the process that writes it."""
    command = [sys.executable, "-c", KILLED, str(disk.folder), str(tmp_path / "begun")]
    assert subprocess.run(command, timeout=60, check=False).returncode == -9
    assert names(disk) == []


def test_a_file_goes_with_the_change_that_failed(disk: DiskStorage, upload: Upload) -> None:
    """``saved()`` takes the file out again where its block raises."""
    seen: list[str] = []

    def fail() -> None:
        with upload.saved(disk) as name:
            seen.extend([name, *names(disk)])
            raise RuntimeError("the database refused")

    with pytest.raises(RuntimeError, match="the database refused"):
        fail()
    assert seen[0] == seen[1]
    assert names(disk) == []
    with upload.saved(disk, "kept.png"):
        pass
    assert names(disk) == ["kept.png"]


@pytest.fixture
def client(disk: DiskStorage) -> t.Any:
    """A browser of a site that sends what is stored."""
    app = Erlen(__name__)

    @app.get("/files/<path:name>")
    def download(name: str) -> t.Any:
        return send_stored(disk, name, download_name="My né.png")

    @app.get("/pictures/<path:name>")
    def show(name: str) -> t.Any:
        return send_stored(disk, name, inline=True, max_age=60)

    return app.test_client()


def test_a_download_is_saved_and_not_guessed_at(disk: DiskStorage, client: t.Any) -> None:
    """The headers keep browsers from showing or running what somebody uploaded."""
    disk.save("a.png", io.BytesIO(png()))
    with client.get("/files/a.png") as response:
        assert response.data == png()
        headers = response.headers
    assert headers["Content-Type"] == "image/png"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert headers["Content-Disposition"].startswith("attachment; filename")
    assert "filename*=UTF-8''My%20n%C3%A9.png" in headers["Content-Disposition"]


@pytest.mark.parametrize(
    ("name", "type_", "disposition"),
    [
        ("a.png", "image/png", "inline"),
        ("a.txt", "text/plain; charset=utf-8", "inline"),
        ("a.pdf", "application/pdf", "attachment"),
        ("a.html", "application/octet-stream", "attachment"),
        ("a.svg", "application/octet-stream", "attachment"),
        ("a", "application/octet-stream", "attachment"),
    ],
)
def test_only_what_cannot_run_is_shown(
    disk: DiskStorage, client: t.Any, name: str, type_: str, disposition: str
) -> None:
    """``inline`` is for pictures, sound, film and plain text; the rest is saved all the same."""
    disk.save(name, io.BytesIO(b"content"))
    with client.get(f"/pictures/{name}") as response:
        assert response.content_type == type_
        assert response.headers["Content-Disposition"].partition(";")[0] == disposition
        assert response.cache_control.max_age == 60


@pytest.mark.parametrize("name", ["missing.png", "..%2f..%2fetc%2fpasswd", "%00", "a/b", ".env"])
def test_what_is_not_there(client: t.Any, name: str) -> None:
    """Names that lead out of the folder are not found, like any other."""
    assert client.get(f"/files/{name}").status_code == 404


def test_parts_of_a_file(disk: DiskStorage, client: t.Any) -> None:
    """Players ask for parts."""
    disk.save("a.mp4", io.BytesIO(b"0123456789"))
    with client.get("/pictures/a.mp4", headers={"Range": "bytes=2-4"}) as response:
        assert response.status_code == 206
        assert response.data == b"234"


class Memory:
    """The least that a storage is."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def save(self, name: str, stream: t.IO[bytes], content_type: str) -> None:
        """Keep a file."""
        self.files[name] = stream.read()

    def open(self, name: str) -> t.IO[bytes]:
        """Return a file."""
        try:
            return io.BytesIO(self.files[name])
        except KeyError:
            raise FileNotFoundError(name) from None

    def delete(self, name: str) -> None:
        """Remove a file."""
        self.files.pop(name, None)


def test_any_object_can_be_a_storage(upload: Upload) -> None:
    """Three methods are enough, for keeping and for sending."""
    memory = Memory()
    storage: Storage = memory
    name = upload.save(storage)
    assert memory.files == {name: png()}
    with Erlen(__name__).test_request_context():
        response = send_stored(storage, name, inline=True)
        response.direct_passthrough = False
        assert response.data == png()
        assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_random_names() -> None:
    """They cannot be guessed, and end as asked."""
    assert make_key("png") != make_key("png")
    assert len(make_key()) == 32


S3 = """
import io, sys
import boto3
from moto.server import ThreadedMotoServer
from erlen import Erlen
from erlen.forms.storage import S3Storage, send_stored

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
client = boto3.client(
    "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
    aws_access_key_id="test", aws_secret_access_key="test",
)
client.create_bucket(Bucket="shelf")
storage = S3Storage(client, "shelf", "covers/")
storage.save("a.png", io.BytesIO(b"content"), "image/png")
assert storage.open("a.png").read() == b"content"
head = client.head_object(Bucket="shelf", Key="covers/a.png")
assert head["ContentType"] == "image/png", head
with Erlen("site").test_request_context():
    response = send_stored(storage, "a.png", inline=True)
    response.direct_passthrough = False
    assert response.data == b"content"
    assert response.headers["Content-Disposition"].startswith("inline")
storage.delete("a.png")
storage.delete("a.png")
for name in ("a.png", "missing"):
    try:
        storage.open(name)
    except FileNotFoundError:
        continue
    raise AssertionError(name)
try:
    S3Storage(client, "nowhere").open("a.png")
except FileNotFoundError:
    raise AssertionError("a missing bucket is not a missing file")
except Exception as error:
    assert "NoSuchBucket" in str(error), error
server.stop()
print("all is well")
"""


@pytest.mark.slow
def test_a_server_of_the_s3_kind() -> None:
    """``S3Storage`` works with the client of boto3, against a server of the same interface."""
    python = make_environment("s3", "moto[server,s3]>=5,<6", "boto3>=1.40", "wtforms>=3.3")
    done = subprocess.run(
        [str(python), "-c", S3], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.endswith("all is well\n"), done.stdout + done.stderr


class Client:
    """A client whose bucket is out of reach."""

    def get_object(self, **kwargs: t.Any) -> t.Any:
        """Fail."""
        raise ConnectionError("no route")

    def put_object(self, **kwargs: t.Any) -> t.Any:
        """Keep what was sent."""
        self.put = kwargs

    def delete_object(self, **kwargs: t.Any) -> t.Any:
        """Fail."""
        raise ConnectionError("no route")


def test_a_bucket_out_of_reach(upload: Upload) -> None:
    """An error of the network is none of a missing file."""
    client = Client()
    storage = S3Storage(client, "shelf", "covers/")
    name = upload.save(storage)
    assert client.put["Key"] == f"covers/{name}"
    assert client.put["ContentDisposition"] == "attachment"
    with pytest.raises(ConnectionError):
        storage.open(name)
