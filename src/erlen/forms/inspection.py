"""The inspection of an uploaded file: what it is, and whether it keeps its field's rules."""

from __future__ import annotations

import codecs
import typing as t
from dataclasses import dataclass, field

from .archives import ArchiveLimits, BadArchive, check_gzip, check_zip, is_zip
from .filenames import has_active_ending, is_suspicious, read_ending
from .filetypes import ARCHIVES, HEAD_SIZE, TEXTS, FileType
from .images import HEADER_SIZE, NotAnImage, can_measure, count_frames, read_size

# What pages and programs contain, and no image does. Short ones would turn up by chance.
_MARKERS = (b"<script", b"<?php", b"<html", b"<!doctype", b"<iframe", b"<body")
_LONGEST = max(map(len, _MARKERS))
# Where programs look for the start of a PDF (ISO 32000-1, annex H, note 13).
_PDF_HEAD = 1024
_CHUNK = 64 * 1024


@dataclass(frozen=True)
class Problem:
    """Why a file is refused.

    :param code: a word for programs.
    :param text: the sentence for people, to be translated, with places for *values*.
    :param values: what to put into the places.
    """

    code: str
    text: str
    values: dict[str, object] = field(default_factory=dict)

    @classmethod
    def too_many(cls, count: int) -> Problem:
        """Return the problem of more files than allowed.

        :param count: how many are.
        """
        return cls("count", "Choose at most %(count)s files.", {"count": count})


@dataclass(frozen=True)
class Rules:
    """What the files of a field must keep to.

    :param types: the types that are accepted.
    :param max_size: how many bytes a file may have.
    :param max_count: how many files there may be.
    :param max_pixels: how many pixels an image may have, all frames together; ``None`` for any.
    :param archive: what an archive may unpack to; ``None`` for the defaults.
    """

    types: tuple[FileType, ...]
    max_size: int
    max_count: int = 1
    max_pixels: int | None = None
    archive: ArchiveLimits | None = None

    def __post_init__(self) -> None:
        if not self.types:
            raise ValueError("A field for uploads needs at least one type that it accepts.")
        if self.max_size < 1 or self.max_count < 1:
            raise ValueError("A field for uploads must take at least one file of one byte.")


class Inspection:
    """Looks at a file piece by piece, then at the whole.

    The first rule that it breaks is its :attr:`problem`. Memory: the head of an image, at most
    1 MiB, until its size is known.

    :param filename: the name as it was sent.
    :param rules: the rules.
    """

    def __init__(self, filename: str, rules: Rules) -> None:
        self.rules = rules
        self.size = 0
        self.type: FileType | None = None
        self.dimensions: tuple[int, int] | None = None
        self.problem: Problem | None = None
        self._head = bytearray()
        # How long the head must be for another look at it to be worth while.
        self._enough = HEAD_SIZE
        self._tail = b""
        self._finished = False
        self._decoder: codecs.IncrementalDecoder | None = None
        self._ending = read_ending(filename)
        self._check_name(filename)

    def feed(self, data: bytes) -> None:
        """Look at the next piece of the file.

        :param data: the piece.
        """
        if self.problem is not None:
            return
        self.size += len(data)
        if self.size > self.rules.max_size:
            self._refuse(
                "size", "The file is larger than %(size)s.", size=format_size(self.rules.max_size)
            )
            return
        if self.type is None:
            self._head += data
            if len(self._head) < HEAD_SIZE:
                return
            data = bytes(self._head)
            self._find_type()
        elif self.dimensions is None and self._head:
            self._head += data
        self._look(data)

    def finish(self, file: t.IO[bytes]) -> None:
        """Look at the whole of the file, which was fed to its end.

        :param file: the file; it is read, and its position moves.
        """
        if self._finished or self.problem is not None:
            return
        self._finished = True
        if self.size == 0:
            self._refuse("empty", "The file is empty.")
            return
        if self.type is None:
            data = bytes(self._head)
            self._find_type()
            self._look(data)
        if self.dimensions is None and self._head:
            self._enough = 0
            self._look(b"")
        if self.problem is None:
            self._finish(file)
        self._head.clear()

    def _finish(self, file: t.IO[bytes]) -> None:
        name = self.type.name if self.type else ""
        if name in TEXTS:
            self._check_text(b"", final=True)
        elif name in ARCHIVES or name == "application/gzip":
            check = check_gzip if name == "application/gzip" else check_zip
            try:
                check(file, self.rules.archive or ArchiveLimits())
            except BadArchive as error:
                self._refuse("archive", "The archive is refused. %(reason)s", reason=str(error))
        elif is_zip(file):
            self._refuse_disguise()
        elif name.startswith("image/"):
            self._check_image(name, file)

    def _check_image(self, name: str, file: t.IO[bytes]) -> None:
        if self.dimensions is None and can_measure(name):
            self._refuse_damaged()
            return
        try:
            frames = count_frames(name, file)
        except NotAnImage:
            self._refuse_damaged()
            return
        self._check_pixels(frames)

    def _check_name(self, filename: str) -> None:
        endings = [ending for type_ in self.rules.types for ending in type_.extensions]
        if is_suspicious(filename):
            self._refuse("name", "The name of the file is not allowed.")
        elif has_active_ending(filename):
            self._refuse("name", "The name of the file has more than one ending.")
        elif self._ending not in endings:
            self._refuse(
                "type", "Files of this kind are not accepted. Accepted are: %(types)s.",
                types=", ".join(dict.fromkeys(endings)),
            )  # fmt: skip

    def _find_type(self) -> None:
        """Find the type that both the name and the content are of."""
        for type_ in self.rules.types:
            if self._ending in type_.extensions and type_.matches(bytes(self._head[:HEAD_SIZE])):
                self.type = type_
                break
        else:
            self._refuse(
                "content", "The content of the file is not what its name says (.%(ending)s).",
                ending=self._ending,
            )  # fmt: skip
            return
        if self.type.name == "image/gif" and self._head[6:8] == b"/*":
            # A width of 10,799 pixels that also begins a comment in JavaScript.
            self._refuse_disguise()
        if not can_measure(self.type.name):
            self._head.clear()

    def _look(self, data: bytes) -> None:
        if self.problem is not None or self.type is None:
            return
        name = self.type.name
        if name in TEXTS:
            self._check_text(data)
        elif name.startswith("image/"):
            self._check_markers(data)
            self._measure(name)

    def _measure(self, name: str) -> None:
        if self.problem is not None or len(self._head) < max(1, self._enough):
            return
        # Headers may come in many small pieces; the time for them all must not be their square.
        self._enough = len(self._head) * 2
        try:
            self.dimensions = read_size(name, bytes(self._head))
        except NotAnImage:
            self._refuse_damaged()
            return
        if self.dimensions is not None:
            self._head.clear()
            self._check_pixels(1)
        elif len(self._head) > HEADER_SIZE:
            self._refuse_damaged()

    def _check_pixels(self, frames: int) -> None:
        limit = self.rules.max_pixels
        if limit is None:
            return
        if self.dimensions is None:
            # What cannot be measured cannot be limited.
            self._refuse_damaged()
        elif self.dimensions[0] * self.dimensions[1] * frames > limit:
            self._refuse(
                "pixels", "The image has more than %(pixels)s megapixels.",
                pixels=f"{limit / 1_000_000:.3g}",
            )  # fmt: skip

    def _check_markers(self, data: bytes) -> None:
        """Refuse what is an image and a page or a program at the same time."""
        if self.size == len(data) and b"%PDF-" in data[:_PDF_HEAD]:
            self._refuse_disguise()
        text = (self._tail + data).lower()
        if any(marker in text for marker in _MARKERS):
            self._refuse_disguise()
        self._tail = data[-_LONGEST + 1 :]

    def _check_text(self, data: bytes, final: bool = False) -> None:
        if self._decoder is None:
            self._decoder = codecs.getincrementaldecoder("utf-8-sig")()
        try:
            text = self._decoder.decode(data, final)
        except UnicodeDecodeError:
            self._refuse("text", "The file is not text in UTF-8.")
            return
        if "\0" in text:
            self._refuse("text", "The file is not text in UTF-8.")

    def _refuse_damaged(self) -> None:
        self._refuse("damaged", "The image is damaged, or not of the kind that its name says.")

    def _refuse_disguise(self) -> None:
        self._refuse("disguise", "The file holds something else than its name says.")

    def _refuse(self, code: str, text: str, **values: object) -> None:
        if self.problem is None:
            self.problem = Problem(code, text, values)
            self._head.clear()
            self._tail = b""


def format_size(size: int) -> str:
    """Return a number of bytes as people write it.

    :param size: the number.

    >>> format_size(2_000_000), format_size(5 * 1024 * 1024), format_size(900)
    ('2 MB', '5 MiB', '900 bytes')
    """
    for unit, factor in (("MB", 1_000_000), ("MiB", 1024**2), ("kB", 1_000), ("KiB", 1024)):
        if size >= factor and size % factor == 0:
            return f"{size // factor} {unit}"
    if size >= 1_000_000:
        return f"{size / 1_000_000:.3g} MB"
    return f"{size} bytes"
