"""What archives would unpack to, found without unpacking them to memory or disk."""

from __future__ import annotations

import stat
import typing as t
import zipfile
import zlib
from dataclasses import dataclass

_CHUNK = 64 * 1024


class BadArchive(ValueError):
    """The archive is damaged, or would unpack to more than is allowed; the text says what."""


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may unpack to.

    :param max_entries: how many files and folders it may have.
    :param max_unpacked: how many bytes they may have together.
    :param max_ratio: how many times as large as the archive they may be. Archives below 64 KiB
        unpacked are not asked.
    """

    max_entries: int = 1_000
    max_unpacked: int = 100 * 1024 * 1024
    max_ratio: int = 200


def check_zip(file: t.IO[bytes], limits: ArchiveLimits) -> None:
    """Refuse a ZIP archive that unpacks to too much, or to places outside its folder.

    The directory at its end is read first; then the data are unpacked piece by piece and counted,
    since a directory may lie.

    :param file: the archive.
    :param limits: what it may unpack to.
    :raises BadArchive: where it is over a limit, damaged, encrypted, or has a name that leads out.
    """
    size = file.seek(0, 2)
    # The number of entries is known before objects are made of them.
    if _count_entries(file, size) > limits.max_entries:
        raise BadArchive("It has too many entries.")
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
            if len(entries) > limits.max_entries:
                raise BadArchive("It has too many entries.")
            for entry in entries:
                _check_entry(entry)
            _check_overlap(entries, size)
            total = sum(entry.file_size for entry in entries)
            _check_total(total, size, limits)
            unpacked = 0
            for entry in entries:
                unpacked += _unpack(archive, entry)
                _check_total(unpacked, size, limits)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadArchive("It is damaged or encrypted.") from error
    except (OSError, ValueError, OverflowError) as error:
        if isinstance(error, BadArchive):
            raise
        raise BadArchive("It is damaged.") from error


def check_gzip(file: t.IO[bytes], limits: ArchiveLimits) -> None:
    """Refuse a gzip file that unpacks to too much.

    :param file: the file.
    :param limits: what it may unpack to.
    :raises BadArchive: where it is over a limit or damaged.
    """
    size = file.seek(0, 2)
    file.seek(0)
    unpacked = 0
    decoder = zlib.decompressobj(31)
    data = file.read(_CHUNK)
    try:
        while data:
            unpacked += len(decoder.decompress(data, _CHUNK))
            _check_total(unpacked, size, limits)
            data = decoder.unconsumed_tail
            if decoder.eof:
                # Another member may follow (RFC 1952, section 2.2).
                data = decoder.unused_data or file.read(_CHUNK)
                if data:
                    decoder = zlib.decompressobj(31)
            elif not data:
                data = file.read(_CHUNK)
    except zlib.error as error:
        raise BadArchive("It is damaged.") from error
    if not decoder.eof:
        raise BadArchive("It is damaged.")


def is_zip(file: t.IO[bytes]) -> bool:
    """Return whether programs would take a file for a ZIP archive, whatever it begins with.

    :param file: the file.
    """
    file.seek(0)
    return zipfile.is_zipfile(file)


def _count_entries(file: t.IO[bytes], size: int) -> int:
    """Return how many entries the directory has (APPNOTE 4.3.12), at least that many."""
    start = max(0, size - 22 - 0xFFFF)
    file.seek(start)
    tail = file.read()
    end = tail.rfind(b"PK\x05\x06")
    if end < 0 or len(tail) < end + 22:
        raise BadArchive("It is damaged.")
    length = int.from_bytes(tail[end + 12 : end + 16], "little")
    file.seek(max(0, start + end - length))
    left, count, kept = length, 0, b""
    while left > 0 and (data := file.read(min(left, _CHUNK))):
        left -= len(data)
        count += (kept + data).count(b"PK\x01\x02")
        kept = data[-3:]
    return count


def _check_entry(entry: zipfile.ZipInfo) -> None:
    name = entry.orig_filename.replace("\\", "/")
    if "\0" in name or name.startswith("/") or ".." in name.split("/") or name[1:2] == ":":
        raise BadArchive("An entry has a name that leads out of its folder.")
    if stat.S_ISLNK(entry.external_attr >> 16):
        raise BadArchive("An entry is a link.")


def _check_overlap(entries: list[zipfile.ZipInfo], size: int) -> None:
    """Refuse entries that share their data: that is how a ZIP bomb packs most."""
    end = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            raise BadArchive("Entries overlap.")
        end = entry.header_offset + 30 + entry.compress_size
    if end > size:
        raise BadArchive("It is damaged.")


def _check_total(unpacked: int, size: int, limits: ArchiveLimits) -> None:
    if unpacked > limits.max_unpacked:
        raise BadArchive("It unpacks to too much.")
    if unpacked > _CHUNK and unpacked > size * limits.max_ratio:
        raise BadArchive("It unpacks to too much for its size.")


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> int:
    """Return how many bytes an entry really has; one more than it says ends the count."""
    if entry.is_dir():
        return 0
    count = 0
    with archive.open(entry) as data:
        while piece := data.read(_CHUNK):
            count += len(piece)
            if count > entry.file_size:
                raise BadArchive("An entry is larger than the directory says.")
    return count
