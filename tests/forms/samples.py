"""Files to upload, good and bad, made of bytes as their formats say."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int = 2, height: int = 3, extra: bytes = b"", after: bytes = b"") -> bytes:
    """Return a grey PNG; its header may promise more than its data hold."""
    rows = b"".join(b"\0" + bytes(min(width, 64)) for _ in range(min(height, 64)))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + extra
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
        + after
    )


def gif(width: int = 2, height: int = 2, frames: int = 1, after: bytes = b"") -> bytes:
    """Return a GIF of black frames."""
    colours = bytes(6)
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00"
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0)
    return head + colours + frame * frames + b";" + after


def jpeg(width: int = 4, height: int = 5, comment: bytes = b"", after: bytes = b"") -> bytes:
    """Return what has the structure of a JPEG; its data are nothing."""
    frame = struct.pack(">BHHB", 8, height, width, 1) + b"\x01\x11\x00"
    segments = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0\1\1\0\0\1\0\1\0\0"
    if comment:
        segments += b"\xff\xfe" + struct.pack(">H", len(comment) + 2) + comment
    segments += b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame
    segments += b"\xff\xda\0\x08\x01\x01\0\0\x3f\0"
    return b"\xff\xd8" + segments + bytes(600) + b"\xff\xd9" + after


def webp(width: int = 6, height: int = 7, frames: int = 0) -> bytes:
    """Return an extended WebP with empty frames."""
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + b"\2\0\0\0" + size
    body += (b"ANMF" + struct.pack("<I", 16) + bytes(16)) * frames
    return b"RIFF" + struct.pack("<I", len(body)) + body


def archive(entries: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a ZIP archive."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as made:
        for name, data in entries.items():
            made.writestr(zipfile.ZipInfo(name), data, compression)
    return file.getvalue()
