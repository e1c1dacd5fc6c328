"""Uploads made to do harm: each is refused clearly, in little memory, with nothing left behind."""

from __future__ import annotations

import gzip
import io
import os
import struct
import tempfile
import tracemalloc
import typing as t
import zipfile
import zlib
from pathlib import Path

import pytest

from erlen import Erlen
from erlen.forms import FlaskForm
from erlen.forms.archives import ArchiveLimits, BadArchive, check_gzip, check_zip
from erlen.forms.fields import StringField
from erlen.forms.storage import DiskStorage
from erlen.forms.uploads import MultipleUploadField, UploadField

from .samples import archive, gif, jpeg, png, png_chunk, webp

MB = 1_000_000
#: How much memory a request may take, in bytes, whatever is sent.
MEMORY = 8 * MB


class UploadForm(FlaskForm):
    """A form that takes a picture, an archive, and a few documents."""

    title = StringField()
    picture = UploadField(types=["image/*"], max_size=2 * MB, max_pixels=20 * MB)
    packed = UploadField(types=["application/zip", "application/gzip"], max_size=2 * MB)
    papers = MultipleUploadField(types=["application/pdf", "text/plain"], max_count=3)


class Site:
    """An application with the form, whose temporary files and storage can be looked at."""

    def __init__(self, folder: Path, app_class: type[Erlen] = Erlen) -> None:
        self.storage = DiskStorage(folder / "stored")
        self.temporary = folder / "temporary"
        self.temporary.mkdir()
        self.app = app_class(__name__)
        self.app.config.update(SECRET_KEY="for tests", WTF_CSRF_ENABLED=False)
        self.app.add_url_rule("/", "upload", self.upload, methods=["POST"])
        self.client = self.app.test_client()

    def upload(self) -> tuple[dict[str, t.Any], int]:
        """Take the form and keep its files."""
        form = UploadForm()
        if not form.validate_on_submit():
            return {"errors": form.errors}, 422
        files = [form.picture.data, form.packed.data, *form.papers.data]
        return {"kept": [file.save(self.storage) for file in files if file]}, 200

    def send(self, field: str, content: bytes, name: str) -> t.Any:
        """Send a file and return the answer; nothing of it may be left."""
        return self.post(multipart((field, name, content)))

    def post(self, body: bytes) -> t.Any:
        """Send a body as it is."""
        response = self.client.post("/", data=body, content_type=f"multipart/form-data; {BOUNDARY}")
        assert self.left() == []
        return response

    def left(self) -> list[str]:
        """Return the names of what is on the disk."""
        return [*os.listdir(self.temporary), *(os.listdir(self.storage.folder) if
                self.storage.folder.exists() else [])]  # fmt: skip


BOUNDARY = "boundary=edge"


def multipart(*parts: tuple[str, str, bytes]) -> bytes:
    """Return a form of files, whose names are sent as they are."""
    body = b""
    for field, name, content in parts:
        body += (
            (
                f'--edge\r\nContent-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
                "Content-Type: image/png\r\n\r\n"
            ).encode()
            + content
            + b"\r\n"
        )
    return body + b"--edge--\r\n"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A site with folders of its own."""
    site = Site(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(site.temporary))
    return site


def refused(response: t.Any, field: str = "picture") -> str:
    """Return why a file was refused: one sentence, with the status that forms answer with."""
    assert response.status_code == 422, response.data
    errors = response.json["errors"]
    assert list(errors) == [field]
    assert len(errors[field]) == 1
    return t.cast(str, errors[field][0])


# --- Names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "shell.php.jpg",
        "shell.PHP.JPG",
        "page.html.png",
        "a.asp.png",
        "a.phtml.gif",
        "a.php5.png",
        "a.jsp.b.png",
        "a.htaccess.png",
    ],
)
def test_double_extensions(site: Site, name: str) -> None:
    """Some servers run what has the ending of a program anywhere in its name."""
    message = refused(site.send("picture", png(), name))
    assert message == "The name of the file has more than one ending."


@pytest.mark.parametrize(
    "name", ["shell.php", "a.svg", "a.html", "a.png.exe", "png", "a.png.svg", ".htaccess", "a.pn g"]
)
def test_endings_that_are_not_accepted(site: Site, name: str) -> None:
    """Whatever the content is, the name must be one of the accepted types."""
    message = refused(site.send("picture", png(), name))
    assert message.startswith("Files of this kind are not accepted.")


def test_dots_are_no_endings(site: Site) -> None:
    """A name with dots that mean nothing is taken."""
    response = site.client.post("/", data={"picture": (io.BytesIO(png()), "2.1 final.version.png")})
    assert response.status_code == 200


@pytest.mark.parametrize(
    "name",
    [
        "a\0.png",
        "a.php\0.png",
        "../../../etc/cron.d/a.png",
        "/etc/a.png",
        "..\\..\\a.png",
        "C:\\a.png",
        "a\x1b[2J.png",
        "..",
        "a\x7f.png",
    ],
)
def test_nul_and_path_parts(site: Site, name: str) -> None:
    """No browser sends such a name."""
    escaped = name.replace("\\", "\\\\")
    message = refused(site.send("picture", png(), escaped))
    assert message == "The name of the file is not allowed."


# --- Content --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (b"<html><script>alert(1)</script></html>", "a.png"),
        (b"<?php system($_GET['c']);", "a.jpg"),
        (b"MZ\x90\0\x03\0\0\0", "a.png"),
        (b"\x7fELF\x02\x01\x01", "a.gif"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "a.png"),
        (b"#!/bin/sh\nrm -rf /\n", "a.webp"),
        (b"\x89PNG", "a.png"),
        (gif(), "a.jpg"),
    ],
)
def test_content_of_another_type(site: Site, content: bytes, name: str) -> None:
    """A name and a Content-Type of a picture do not make one."""
    assert "not what its name says" in refused(site.send("picture", content, name))


def pdf() -> bytes:
    return b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF"


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (jpeg(after=archive({"a.class": b"x" * 100})), "a.jpg"),
        (png(after=archive({"a.class": b"x" * 100})), "a.png"),
        (gif(after=archive({"a.class": b"x" * 100})), "a.gif"),
        (jpeg(comment=b"<?php system($_GET['c']); ?>"), "a.jpg"),
        (jpeg(comment=b"<ScRiPt>alert(1)</ScRiPt>"), "a.jpg"),
        (png(extra=png_chunk(b"tEXt", b"Comment\0<script>alert(1)</script>")), "a.png"),
        (png(extra=png_chunk(b"tEXt", b"a\0<!DOCTYPE html>")), "a.png"),
        (jpeg(after=b"\n<html><body onload=alert(1)>"), "a.jpg"),
        (jpeg(comment=pdf()), "a.jpg"),
        (gif(width=0x2A2F)[:13] + b"*/=alert(1);", "a.gif"),
    ],
    ids=[
        "jar",
        "jar in png",
        "jar in gif",
        "php",
        "script",
        "text",
        "doctype",
        "html",
        "pdf",
        "js",
    ],
)
def test_polyglots(site: Site, content: bytes, name: str) -> None:
    """A picture that is something else as well is refused."""
    assert refused(site.send("picture", content, name)) == (
        "The file holds something else than its name says."
    )


def test_a_polyglot_cut_by_the_pieces(site: Site) -> None:
    """A marker is found wherever the pieces of the body end."""
    for offset in range(0, 12, 3):
        filler = bytes(256 * 1024 - offset - 700)
        content = png(extra=png_chunk(b"prIv", filler + bytes(300) + b"<script>" + filler))
        refused(site.send("picture", content, "a.png"))


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (png(after=b"secret"), "a.png"),
        (gif(after=b"secret"), "a.gif"),
        (webp() + b"secret", "a.webp"),
        (png()[:-12], "a.png"),
        (gif()[:-1], "a.gif"),
        (gif()[:-5], "a.gif"),
        (jpeg()[:20], "a.jpg"),
        (b"\xff\xd8\xff\xe0\0\1" + bytes(600), "a.jpg"),
        (b"\xff\xd8\xff\xd9" + bytes(600), "a.jpg"),
        (b"\x89PNG\r\n\x1a\n" + bytes(600), "a.png"),
        (b"GIF89a\2\0\2\0\0\0\0?" + bytes(600), "a.gif"),
        (b"RIFF\0\0\0\0WEBPXXXX" + bytes(600), "a.webp"),
    ],
)
def test_damaged_pictures(site: Site, content: bytes, name: str) -> None:
    """A picture ends where its format says, and has the parts that it demands."""
    assert "damaged" in refused(site.send("picture", content, name))


# --- Bombs ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (png(100_000, 100_000), "a.png"),
        (png(2**31 - 1, 2**31 - 1), "a.png"),
        (gif(65_535, 65_535), "a.gif"),
        (jpeg(65_535, 65_535), "a.jpg"),
        (webp(16_384, 16_384), "a.webp"),
        (gif(1_000, 1_000, frames=1_000), "a.gif"),
        (webp(1_000, 1_000, frames=1_000), "a.webp"),
        (png(1_000, 1_000, extra=png_chunk(b"acTL", struct.pack(">II", 1_000, 0))), "a.png"),
    ],
)
def test_pixel_bombs(site: Site, content: bytes, name: str) -> None:
    """A small file may not promise more pixels than allowed, in one picture or in many."""
    assert len(content) < MB
    assert refused(site.send("picture", content, name)) == (
        "The image has more than 20 megapixels."
    )


def test_a_pixel_bomb_is_refused_by_its_first_bytes(site: Site) -> None:
    """What follows the header is not even kept."""
    body = multipart(("picture", "a.png", png(100_000, 100_000) + bytes(1_900_000)))
    assert peak(lambda: refused(site.post(body))) < MEMORY


def zip_bomb(unpacked: int) -> bytes:
    return archive({"zeros": bytes(unpacked)})


def overlapping() -> bytes:
    """Return an archive of which many entries are the same bytes."""
    made = archive({"a": bytes(50_000)})
    end = made.index(b"PK\x05\x06")
    start = made.index(b"PK\x01\x02")
    entry, count = made[start:end], 100
    tail = made[end : end + 8] + struct.pack("<HHII", count, count, len(entry) * count, start)
    return made[:start] + entry * count + tail + b"\0\0"


def lying(claimed: int) -> bytes:
    """Return an archive whose directory says that it unpacks to little."""
    made = bytearray(archive({"a": bytes(10 * MB)}))
    start = made.index(b"PK\x01\x02")
    made[start + 24 : start + 28] = struct.pack("<I", claimed)
    made[22:26] = struct.pack("<I", claimed)
    return bytes(made)


ZIPS = {
    "bomb": (zip_bomb(200 * MB), "unpacks to too much"),
    "ratio": (zip_bomb(50 * MB), "too much for its size"),
    "overlap": (overlapping(), "overlap"),
    "lie": (lying(1_000), "damaged"),
    "entries": (archive({f"{n}": b"" for n in range(1_001)}), "too many entries"),
    "path": (archive({"../../etc/passwd": b"x"}), "leads out"),
    "absolute": (archive({"/etc/passwd": b"x"}), "leads out"),
    "drive": (archive({"C:\\windows\\a": b"x"}), "leads out"),
    "cut": (archive({"a": b"x" * 100})[:-30], "damaged"),
    "noise": (b"PK\x03\x04" + bytes(600), "damaged"),
}


@pytest.mark.parametrize("kind", ZIPS)
def test_zip_bombs(site: Site, kind: str) -> None:
    """An archive is refused for what it would unpack to, and where."""
    content, reason = ZIPS[kind]
    body = multipart(("packed", "a.zip", content))
    message = ""

    def post() -> None:
        nonlocal message
        message = refused(site.post(body), "packed")

    assert peak(post) < MEMORY
    assert message.startswith("The archive is refused.")
    assert reason in message


def test_links_in_archives() -> None:
    """A link may lead anywhere once the archive is unpacked."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        entry = zipfile.ZipInfo("link")
        entry.external_attr = 0o120777 << 16
        made.writestr(entry, "/etc/passwd")
    with pytest.raises(BadArchive, match="link"):
        check_zip(file, ArchiveLimits())


def test_encrypted_archives() -> None:
    """What cannot be looked into is refused."""
    made = bytearray(archive({"a": b"hello"}))
    for start in (6, made.index(b"PK\x01\x02") + 8):
        made[start] |= 1
    with pytest.raises(BadArchive, match="encrypted"):
        check_zip(io.BytesIO(bytes(made)), ArchiveLimits())


def gzip_bomb(unpacked: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    return b"".join(packer.compress(bytes(MB)) for _ in range(unpacked // MB)) + packer.flush()


def test_gzip_bombs(site: Site) -> None:
    """It is unpacked piece by piece, until it is too much."""
    body = multipart(("packed", "a.gz", gzip_bomb(150 * MB)))
    assert peak(lambda: refused(site.post(body), "packed")) < MEMORY
    two = gzip.compress(b"one") + gzip.compress(b"two")
    check_gzip(io.BytesIO(two), ArchiveLimits())
    for bad in (two[:-3], two + b"more"):
        with pytest.raises(BadArchive):
            check_gzip(io.BytesIO(bad), ArchiveLimits())


# --- Quantities -----------------------------------------------------------------------------------


def peak(action: t.Callable[[], object]) -> int:
    """Return how many bytes of memory an action takes at most."""
    tracemalloc.start()
    try:
        action()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class Body(io.RawIOBase):
    """A body of any size that takes no memory: what comes first, then zeros."""

    def __init__(self, start: bytes, size: int) -> None:
        self.start = start
        self.size = size
        self.sent = 0

    def readable(self) -> bool:
        """Return ``True``."""
        return True

    def seekable(self) -> bool:
        """Return ``False``: it can be read once."""
        return False

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes."""
        count = min(64 * 1024 if size is None or size < 0 else size, self.size - self.sent)
        data = (self.start[self.sent : self.sent + count] + bytes(count))[:count]
        self.sent += count
        return data


def test_an_endless_file_is_not_kept(site: Site) -> None:
    """100 MB for a field of 2 MB: neither memory nor disk holds more than that."""
    site.app.config["MAX_CONTENT_LENGTH"] = None
    start = multipart(("picture", "a.png", png()[:-12])).removesuffix(b"\r\n--edge--\r\n")
    body = Body(start, 100 * MB)

    def post() -> None:
        response = site.client.post(
            "/",
            environ_overrides={"wsgi.input": body, "CONTENT_LENGTH": str(body.size)},
            content_type=f"multipart/form-data; {BOUNDARY}",
        )
        # It has no end, so it is no form, and the form that the view sees is empty.
        assert response.status_code == 200
        assert response.json == {"kept": []}

    assert peak(post) < MEMORY
    assert site.left() == []


def test_a_body_over_the_limit(site: Site) -> None:
    """The limit on the whole body answers 413 before any of it is read."""
    site.app.config["MAX_CONTENT_LENGTH"] = MB
    assert site.send("picture", bytes(2 * MB), "a.png").status_code == 413


def test_ten_thousand_files(site: Site) -> None:
    """The limit on parts answers 413, and what came before is gone."""
    body = multipart(*[("papers", f"{n}.txt", b"hello") for n in range(10_000)])
    response = None

    def post() -> None:
        nonlocal response
        response = site.post(body)

    assert peak(post) < MEMORY
    assert response is not None
    assert response.status_code == 413


def test_ten_thousand_fields(site: Site) -> None:
    """Parts that are no files count too."""
    part = b'--edge\r\nContent-Disposition: form-data; name="title"\r\n\r\nx\r\n'
    assert site.post(part * 10_000 + b"--edge--\r\n").status_code == 413


def test_many_files_below_the_limit_on_parts(site: Site) -> None:
    """Of 900 files for a field of three, three are kept until the form is refused."""
    body = multipart(*[("papers", f"{n}.txt", b"hello" * 100) for n in range(900)])
    assert refused(site.post(body), "papers") == "Choose at most 3 files."


@pytest.mark.parametrize("size", [20_000, 5 * MB])
def test_a_part_header_without_end(site: Site, size: int) -> None:
    """The headers of a part have a limit of their own."""
    body = b'--edge\r\nContent-Disposition: form-data; name="picture"; filename="' + b"a" * size
    response = None

    def post() -> None:
        nonlocal response
        response = site.post(body)

    assert peak(post) < MEMORY
    assert response is not None
    assert response.status_code == 413


def test_a_body_cut_in_the_middle_of_a_file(site: Site) -> None:
    """A client that went away leaves nothing, and its file is not taken for whole."""
    whole = multipart(("picture", "a.png", png(extra=png_chunk(b"prIv", bytes(MB)))))
    environ = {
        "wsgi.input": io.BytesIO(whole[: len(whole) // 2]),
        "CONTENT_LENGTH": str(len(whole)),
    }
    response = site.client.post(
        "/", environ_overrides=environ, content_type=f"multipart/form-data; {BOUNDARY}"
    )
    assert response.status_code == 400
    assert site.left() == []


def test_the_disk_is_full(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """That is an error of the server, and no half of the file is left."""

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    response = site.client.post("/", data={"picture": (io.BytesIO(png()), "a.png")})
    assert response.status_code == 500
    assert site.left() == []
