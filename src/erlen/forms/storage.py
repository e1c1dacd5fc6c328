"""Where uploaded files are kept, and how they are sent back.

A storage is any object with ``save``, ``open`` and ``delete``; see :class:`Storage`. Two are here:
:class:`DiskStorage` for a folder, and :class:`S3Storage` for a bucket.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import typing as t
from contextlib import suppress
from pathlib import Path

from werkzeug.exceptions import NotFound

from erlen import Response, send_file

from .filenames import check_key, read_ending, safe_name
from .filetypes import FILE_TYPES

_CHUNK = 256 * 1024
# Where Linux has a process's open files by their numbers.
_DESCRIPTORS = "/proc/self/fd"
#: The types that browsers may show instead of saving them: none of them can run anything.
INLINE_TYPES = frozenset(
    {
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/avif",
        "image/bmp",
        "audio/mpeg",
        "audio/wav",
        "audio/ogg",
        "audio/flac",
        "video/mp4",
        "video/webm",
        "text/plain",
    }
)
_TYPES_BY_ENDING = {
    ending: type_.name for type_ in reversed(FILE_TYPES.values()) for ending in type_.extensions
}


class Storage(t.Protocol):
    """What can keep files."""

    def save(self, name: str, stream: t.IO[bytes], content_type: str) -> object:
        """Keep a file, whole or not at all.

        :param name: its name: letters, digits, dots, dashes and underscores.
        :param stream: the content, to be read from its position to the end.
        :param content_type: the media type.
        """

    def open(self, name: str) -> t.IO[bytes]:
        """Return the content of a file.

        :param name: its name.
        :raises FileNotFoundError: where there is none of that name.
        """
        ...

    def delete(self, name: str) -> object:
        """Remove a file, if it is there.

        :param name: its name.
        """


class DiskStorage:
    """Keeps files in a folder.

    A file appears under its name when all of it is written, and never before: it is written
    without a name where the system can do that (Linux), so that nothing is left of it even where
    the process is killed; elsewhere under a name that ends in ``.part``, which is removed if
    writing fails. No file is ever overwritten.

    :param folder: the folder; it is made when the first file is saved. It should not be one that a
        web server serves by itself: :func:`send_stored` sends the files with the headers they need.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def save(self, name: str, stream: t.IO[bytes], content_type: str = "") -> None:
        """Keep a file.

        :param name: its name.
        :param stream: the content.
        :param content_type: not used; the name's ending tells the type.
        :raises ValueError: for a name that is none.
        :raises FileExistsError: where there is a file of that name.
        :raises OSError: where it cannot be written, for example since the disk is full.
        """
        path = self.path(name)
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._save_nameless(path, stream):
            self._save_renamed(path, stream)

    def open(self, name: str) -> t.IO[bytes]:
        """Return the content of a file.

        :param name: its name.
        :raises FileNotFoundError: where there is none.
        """
        return self.path(name).open("rb")

    def delete(self, name: str) -> None:
        """Remove a file, if it is there.

        :param name: its name.
        """
        self.path(name).unlink(missing_ok=True)

    def path(self, name: str) -> Path:
        """Return where a file is, or would be.

        :param name: its name.
        :raises ValueError: for a name that is none.
        """
        return self.folder / check_key(name)

    def _save_nameless(self, path: Path, stream: t.IO[bytes]) -> bool:
        """Write a file that has no name until it is whole; return whether the system can."""
        if not (hasattr(os, "O_TMPFILE") and os.path.isdir(_DESCRIPTORS)):
            return False
        try:
            descriptor = os.open(self.folder, os.O_TMPFILE | os.O_WRONLY, 0o644)
        except OSError:
            # Some file systems have no files without names.
            return False
        with open(descriptor, "wb") as file:
            _copy(stream, file)
            # With a descriptor of a folder, which an absolute path leaves unused, Python calls
            # linkat(); plain link() would not follow the path to the file (man 2 open).
            os.link(f"{_DESCRIPTORS}/{descriptor}", path, src_dir_fd=descriptor)
        return True

    def _save_renamed(self, path: Path, stream: t.IO[bytes]) -> None:
        descriptor, part = tempfile.mkstemp(".part", "upload-", self.folder)
        try:
            with open(descriptor, "wb") as file:
                _copy(stream, file)
            os.chmod(part, 0o644)
            # A link fails where the name is taken; renaming would overwrite.
            os.link(part, path)
        finally:
            with suppress(OSError):
                os.unlink(part)


def _copy(stream: t.IO[bytes], file: t.IO[bytes]) -> None:
    shutil.copyfileobj(stream, file, _CHUNK)
    file.flush()
    os.fsync(file.fileno())


class S3Client(t.Protocol):
    """What is needed of a client for S3; those of boto3 have it."""

    def put_object(self, **kwargs: t.Any) -> t.Any:
        """Keep an object."""

    def get_object(self, **kwargs: t.Any) -> t.Any:
        """Return an object."""

    def delete_object(self, **kwargs: t.Any) -> t.Any:
        """Remove an object."""


class S3Storage:
    """Keeps files in a bucket of Amazon S3, or of a service with the same interface.

    The store itself shows an object when all of it is there.

    :param client: a client, as ``boto3.client("s3")`` returns.
    :param bucket: the name of the bucket. It should not be public.
    :param prefix: what the names of the objects begin with, such as ``"covers/"``.

    .. code-block:: python

        import boto3

        covers = S3Storage(boto3.client("s3"), "shelf-uploads", "covers/")
    """

    def __init__(self, client: S3Client, bucket: str, prefix: str = "") -> None:
        self.client = client
        self.bucket = bucket
        self.prefix = prefix

    def save(self, name: str, stream: t.IO[bytes], content_type: str) -> None:
        """Keep a file.

        :param name: its name.
        :param stream: the content.
        :param content_type: the media type.
        :raises ValueError: for a name that is none.
        """
        self.client.put_object(
            Bucket=self.bucket,
            Key=self._key(name),
            Body=stream,
            ContentType=content_type,
            ContentDisposition="attachment",
        )

    def open(self, name: str) -> t.IO[bytes]:
        """Return the content of a file.

        :param name: its name.
        :raises FileNotFoundError: where there is none.
        """
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=self._key(name))
        except Exception as error:
            # The library's exceptions are classes that each client makes for itself.
            response: dict[str, t.Any] = getattr(error, "response", {})
            if response.get("Error", {}).get("Code") in {"NoSuchKey", "404"}:
                raise FileNotFoundError(name) from error
            raise
        return t.cast("t.IO[bytes]", answer["Body"])

    def delete(self, name: str) -> None:
        """Remove a file, if it is there.

        :param name: its name.
        """
        self.client.delete_object(Bucket=self.bucket, Key=self._key(name))

    def _key(self, name: str) -> str:
        return self.prefix + check_key(name)


def send_stored(
    storage: Storage,
    name: str,
    *,
    download_name: str | None = None,
    inline: bool = False,
    max_age: int | None = None,
) -> Response:
    """Return a response with a stored file, which browsers neither guess at nor run.

    It has the type that the name's ending stands for, ``X-Content-Type-Options: nosniff``, a
    policy that lets nothing in it run, and, unless *inline*, is saved instead of shown (OWASP,
    File Upload Cheat Sheet).

    :param storage: the storage.
    :param name: the name of the file there, as a client may have sent it.
    :param download_name: the name that browsers save it under; it is made safe.
    :param inline: let browsers show it, if it is an image, sound, film or plain text.
    :param max_age: for how many seconds clients may keep it.
    :raises werkzeug.exceptions.NotFound: (404) where there is no such file.

    .. code-block:: python

        @app.get("/covers/<name>")
        def cover(name: str) -> Response:
            return send_stored(covers, name, inline=True, max_age=3600)
    """
    content_type = _TYPES_BY_ENDING.get(read_ending(name), "application/octet-stream")
    shown = inline and content_type in INLINE_TYPES
    try:
        source: t.Any
        if isinstance(storage, DiskStorage):
            # A path, so that parts of it can be asked for, and is known when it was changed.
            source = storage.path(name).absolute()
        else:
            source = storage.open(check_key(name))
        response = send_file(
            source,
            mimetype=content_type,
            as_attachment=not shown,
            download_name=safe_name(download_name or name),
            max_age=max_age,
        )
    except (FileNotFoundError, ValueError):
        raise NotFound() from None
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return response
