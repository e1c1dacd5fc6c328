"""The sizes of images, read from their headers without decoding them.

A small file may describe an image that takes gigabytes when it is decoded. What it would take
stands in its header, and is found here before anything decodes it. Formats: PNG (W3C, third
edition), JPEG (ITU T.81), GIF89a, WebP (RFC 9649), BMP.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterator

#: How many bytes from the start of a file the header must be found in. JPEG files may have
#: pictures and profiles before it, in segments of up to 64 KiB.
HEADER_SIZE = 1024 * 1024

Size: t.TypeAlias = "tuple[int, int]"


class NotAnImage(ValueError):
    """The bytes are not an image of the format that they begin like."""


def read_size(type_name: str, head: bytes) -> Size | None:
    """Return the width and the height of an image, in pixels.

    :param type_name: its media type.
    :param head: its first bytes.
    :returns: the size; ``None`` where more bytes are needed.
    :raises NotAnImage: where the header is malformed.
    :raises KeyError: where the format's header cannot be read here.
    """
    size = _READERS[type_name](head)
    if size is not None and (size[0] < 1 or size[1] < 1):
        raise NotAnImage("The image has no pixels.")
    return size


def can_measure(type_name: str) -> bool:
    """Return whether the size of images of a type can be read.

    :param type_name: the media type.
    """
    return type_name in _READERS


def count_frames(type_name: str, file: t.IO[bytes]) -> int:
    """Return how many pictures an image has; an animation has several.

    :param type_name: its media type.
    :param file: the file, which is read from the start.
    :raises NotAnImage: where it does not end as its format demands, or goes on after its end.
    """
    file.seek(0)
    walk = _WALKERS.get(type_name)
    return 1 if walk is None else max(1, walk(file))


def _png_size(head: bytes) -> Size | None:
    if len(head) < 24:
        return None
    if head[12:16] != b"IHDR":
        raise NotAnImage("A PNG must begin with the chunk IHDR.")
    return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])


def _gif_size(head: bytes) -> Size | None:
    if len(head) < 10:
        return None
    return int.from_bytes(head[6:8], "little"), int.from_bytes(head[8:10], "little")


def _bmp_size(head: bytes) -> Size | None:
    if len(head) < 26:
        return None
    if int.from_bytes(head[14:18], "little") == 12:
        return int.from_bytes(head[18:20], "little"), int.from_bytes(head[20:22], "little")
    width = int.from_bytes(head[18:22], "little", signed=True)
    # Negative for an image that is stored from the top down.
    height = int.from_bytes(head[22:26], "little", signed=True)
    return width, abs(height)


def _webp_size(head: bytes) -> Size | None:
    if len(head) < 30:
        return None
    kind = head[12:16]
    if kind == b"VP8X":
        return int.from_bytes(head[24:27], "little") + 1, int.from_bytes(head[27:30], "little") + 1
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":
        width = int.from_bytes(head[26:28], "little") & 0x3FFF
        return width, int.from_bytes(head[28:30], "little") & 0x3FFF
    raise NotAnImage("A WebP must begin with a chunk VP8, VP8L or VP8X.")


# The markers that begin a frame, and so give its size (T.81, table B.1).
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def _jpeg_size(head: bytes) -> Size | None:
    position = 2
    while position + 9 <= len(head):
        if head[position] != 0xFF:
            raise NotAnImage("A JPEG must consist of segments.")
        marker = head[position + 1]
        if marker == 0xFF:
            # Any number of them may stand before a marker.
            position += 1
            continue
        if marker in _FRAMES:
            height = int.from_bytes(head[position + 5 : position + 7])
            return int.from_bytes(head[position + 7 : position + 9]), height
        if marker == 0xDA or marker == 0xD9:
            raise NotAnImage("The JPEG has no frame before its data.")
        length = int.from_bytes(head[position + 2 : position + 4])
        if length < 2:
            raise NotAnImage("A segment of the JPEG has no length.")
        position += 2 + length
    return None


_READERS = {
    "image/png": _png_size,
    "image/jpeg": _jpeg_size,
    "image/gif": _gif_size,
    "image/webp": _webp_size,
    "image/bmp": _bmp_size,
}


def _walk_png(file: t.IO[bytes]) -> int:
    """Go through the chunks; return the number of frames, which APNG gives in ``acTL``."""
    frames = 1
    file.seek(8)
    for kind, length in _chunks(file, size_first=True):
        if kind == b"acTL" and length >= 4:
            frames = int.from_bytes(_take(file, 4))
            length -= 4
        _skip(file, length + 4)
        if kind == b"IEND":
            _demand_end(file)
            return frames
    raise NotAnImage("The PNG has no end.")


def _walk_webp(file: t.IO[bytes]) -> int:
    """Go through the chunks; return the number of frames, each of which is a chunk ``ANMF``."""
    file.seek(4)
    length = int.from_bytes(_take(file, 4), "little")
    end = file.seek(0, 2)
    if end - 8 != length + length % 2 and end - 8 != length:
        raise NotAnImage("The WebP is longer or shorter than it says.")
    frames = 0
    file.seek(12)
    for kind, size in _chunks(file, size_first=False):
        frames += kind == b"ANMF"
        file.seek(size + size % 2, 1)
    return frames


def _walk_gif(file: t.IO[bytes]) -> int:
    """Go through the blocks (GIF89a, appendix B); return the number of images."""
    head = _take(file, 13)
    screen = int.from_bytes(head[6:8], "little") * int.from_bytes(head[8:10], "little")
    _skip_colours(file, head[10])
    frames = 0
    while True:
        kind = _take(file, 1)
        if kind == b";":
            _demand_end(file)
            return frames
        if kind == b",":
            frames += 1
            block = _take(file, 9)
            size = int.from_bytes(block[4:6], "little") * int.from_bytes(block[6:8], "little")
            if size > screen:
                raise NotAnImage("An image of the GIF is larger than its screen.")
            _skip_colours(file, block[8])
            _take(file, 1)
        elif kind == b"!":
            _take(file, 1)
        else:
            raise NotAnImage("The GIF has a block of an unknown kind.")
        while length := _take(file, 1)[0]:
            _skip(file, length)


def _skip_colours(file: t.IO[bytes], flags: int) -> None:
    if flags & 0x80:
        _skip(file, 3 * 2 ** ((flags & 7) + 1))


_WALKERS = {
    "image/png": _walk_png,
    "image/gif": _walk_gif,
    "image/webp": _walk_webp,
}


def _chunks(file: t.IO[bytes], size_first: bool) -> Iterator[tuple[bytes, int]]:
    """Yield the kind and the length of each chunk; who takes them moves on in the file."""
    while len(head := file.read(8)) == 8:
        if size_first:
            yield head[4:], int.from_bytes(head[:4])
        else:
            yield head[:4], int.from_bytes(head[4:], "little")


def _take(file: t.IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise NotAnImage("The image ends early.")
    return data


def _skip(file: t.IO[bytes], size: int) -> None:
    """Move on in the file, which must have so many bytes more."""
    if size:
        file.seek(size - 1, 1)
        _take(file, 1)


def _demand_end(file: t.IO[bytes]) -> None:
    if file.read(1):
        raise NotAnImage("Something follows the end of the image.")
