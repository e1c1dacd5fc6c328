"""The types of files that uploads are recognised as: by their first bytes, and by their names.

The table holds what people commonly upload. Types that run or show themselves with rights of the
site, such as HTML, SVG and scripts, are left out on purpose.
"""

from __future__ import annotations

import typing as t
from collections.abc import Callable
from dataclasses import dataclass

#: How many bytes of a file are needed to tell its type.
HEAD_SIZE = 512

#: Endings that servers or systems run, or that browsers show as pages. A name may not have one of
#: them in front of its last: some servers take "photo.php.jpg" for a program (OWASP, File Upload
#: Cheat Sheet).
ACTIVE_ENDINGS = frozenset({
    "asa", "asax", "asp", "aspx", "bat", "cer", "cgi", "cmd", "cpl", "dll", "exe", "fcgi", "hta",
    "htm", "html", "htaccess", "htpasswd", "jar", "js", "jse", "jsp", "jspx", "lnk", "mht",
    "mhtml", "mjs", "msi", "msp", "phar", "php", "php3", "php4", "php5", "php7", "php8", "phps",
    "pht", "phtm", "phtml", "pif", "pl", "pm", "ps1", "py", "pyc", "rb", "scr", "sh", "shtm",
    "shtml", "sht", "so", "svg", "svgz", "swf", "url", "vb", "vbe", "vbs", "war", "wasm", "wsf",
    "wsh", "xht", "xhtml", "xml", "xsl", "xslt",
})  # fmt: skip


@dataclass(frozen=True)
class FileType:
    """A type of files.

    :param name: its media type, such as ``"image/png"``.
    :param extensions: the endings of its names, without the dot; the first is the one to give.
    :param matches: tells from the first 512 bytes whether a file is of this type.

    .. code-block:: python

        STL = FileType("model/stl", ("stl",), lambda head: head.startswith(b"solid "))
    """

    name: str
    extensions: tuple[str, ...]
    matches: Callable[[bytes], bool]


def _starts(*signatures: bytes) -> Callable[[bytes], bool]:
    return lambda head: head.startswith(signatures)


def _riff(kind: bytes) -> Callable[[bytes], bool]:
    return lambda head: head[:4] == b"RIFF" and head[8:12] == kind


def _brand(*brands: bytes) -> Callable[[bytes], bool]:
    """Recognise files of the ISO base media format by their brand (ISO/IEC 14496-12, 4.3)."""
    return lambda head: head[4:8] == b"ftyp" and head[8:12] in brands


def _is_mp3(head: bytes) -> bool:
    return head.startswith(b"ID3") or (
        len(head) > 2 and head[0] == 0xFF and head[1] & 0xE6 == 0xE2 and head[2] & 0xF0 != 0xF0
    )


def _is_zip(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def _is_office(head: bytes) -> bool:
    # The names of the first entries differ from program to program; the type by content is ZIP,
    # and which kind of document it is, the name says.
    return head.startswith(b"PK\x03\x04")


def _open_document(kind: str) -> Callable[[bytes], bool]:
    # OpenDocument 1.3, part 2, 3.3: the first entry is called "mimetype" and is not compressed.
    mimetype = f"mimetypeapplication/vnd.oasis.opendocument.{kind}".encode()
    return lambda head: _is_zip(head) and mimetype in head[:128]


def is_text(head: bytes) -> bool:
    """Return whether bytes may be the start of a text in UTF-8.

    :param head: the bytes.
    """
    try:
        text = head[:HEAD_SIZE].decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The last character may be cut.
        if error.start < len(head) - 3 or "unexpected end" not in error.reason:
            return False
        text = head[: error.start].decode("utf-8-sig", "replace")
    return not any(character < " " and character not in "\t\n\r\f\x1b" for character in text)


_OFFICE = "application/vnd.openxmlformats-officedocument."

#: The types that :class:`~erlen.forms.uploads.UploadField` knows by their names.
FILE_TYPES: dict[str, FileType] = {
    type_.name: type_
    for type_ in (
        FileType("image/png", ("png",), _starts(b"\x89PNG\r\n\x1a\n")),
        FileType("image/jpeg", ("jpg", "jpeg", "jpe", "jfif"), _starts(b"\xff\xd8\xff")),
        FileType("image/gif", ("gif",), _starts(b"GIF87a", b"GIF89a")),
        FileType("image/webp", ("webp",), _riff(b"WEBP")),
        FileType("image/bmp", ("bmp",), _starts(b"BM")),
        FileType("image/avif", ("avif",), _brand(b"avif", b"avis")),
        FileType("image/heic", ("heic", "heif"), _brand(b"heic", b"heix", b"mif1", b"msf1")),
        FileType("image/tiff", ("tif", "tiff"), _starts(b"II*\0", b"MM\0*")),
        FileType("application/pdf", ("pdf",), _starts(b"%PDF-")),
        FileType("application/zip", ("zip",), _is_zip),
        FileType("application/gzip", ("gz", "gzip"), _starts(b"\x1f\x8b\x08")),
        FileType(f"{_OFFICE}wordprocessingml.document", ("docx",), _is_office),
        FileType(f"{_OFFICE}spreadsheetml.sheet", ("xlsx",), _is_office),
        FileType(f"{_OFFICE}presentationml.presentation", ("pptx",), _is_office),
        FileType("application/vnd.oasis.opendocument.text", ("odt",), _open_document("text")),
        FileType(
            "application/vnd.oasis.opendocument.spreadsheet",
            ("ods",),
            _open_document("spreadsheet"),
        ),
        FileType("audio/mpeg", ("mp3",), _is_mp3),
        FileType("audio/wav", ("wav",), _riff(b"WAVE")),
        FileType("audio/ogg", ("ogg", "oga", "opus"), _starts(b"OggS")),
        FileType("audio/flac", ("flac",), _starts(b"fLaC")),
        FileType(
            "video/mp4",
            ("mp4", "m4v"),
            _brand(b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"M4V "),
        ),
        FileType("video/webm", ("webm",), _starts(b"\x1a\x45\xdf\xa3")),
        FileType("text/plain", ("txt", "text", "log"), is_text),
        FileType("text/csv", ("csv",), is_text),
        FileType("text/markdown", ("md",), is_text),
        FileType("application/json", ("json",), is_text),
    )
}

#: The images that browsers show.
WEB_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")

#: The types that are ZIP archives inside.
ARCHIVES = frozenset(
    name for name, type_ in FILE_TYPES.items() if type_.matches(b"PK\x03\x04" + bytes(60))
) | {
    "application/vnd.oasis.opendocument.text",
    "application/vnd.oasis.opendocument.spreadsheet",
}

#: The types that are text.
TEXTS = frozenset(name for name, type_ in FILE_TYPES.items() if type_.matches is is_text)


def find_types(types: t.Iterable[str | FileType]) -> tuple[FileType, ...]:
    """Return types by their names.

    :param types: names such as ``"image/png"``, ``"image/*"`` for the images that browsers show,
        or types of your own.
    :raises ValueError: for a name that is not in the table.
    """
    found: list[FileType] = []
    for given in types:
        if isinstance(given, FileType):
            found.append(given)
        elif given == "image/*":
            found += [FILE_TYPES[name] for name in WEB_IMAGES]
        elif given in FILE_TYPES:
            found.append(FILE_TYPES[given])
        else:
            raise ValueError(
                f"Uploads of the type {given!r} are not known. Known are: {', '.join(FILE_TYPES)}."
                " For another, pass a FileType that recognises it by its content."
            )
    return tuple(found)
