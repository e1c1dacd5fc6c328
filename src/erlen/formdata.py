"""Reading forms, with their limits."""

from __future__ import annotations

import typing as t

from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from .datastructures import no_values, parse_values
from .multipart import Multipart

if t.TYPE_CHECKING:
    from .multipart import FileOpener

_CHUNK = 64 * 1024


class FormParser(FormDataParser):
    """Werkzeug's parser with quicker ways of taking apart both kinds of forms.

    It also limits the memory of forms that are not multipart: such a form is read whole, so
    ``MAX_FORM_MEMORY_SIZE`` limits all of it.
    """

    #: What :attr:`erlen.Request.file_opener` was when the parser was made.
    file_opener: FileOpener | None = None

    def _parse_multipart(
        self,
        stream: t.IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str],
    ) -> tuple[t.IO[bytes], t.Any, t.Any]:
        boundary = options.get("boundary", "").encode("ascii")
        if not boundary:
            raise ValueError("The content type of the form names no boundary.")
        form = Multipart(
            stream,
            boundary,
            self.stream_factory,
            content_length,
            self.max_form_memory_size,
            self.max_form_parts,
            self.file_opener,
        )
        form.read()
        return stream, self.cls(form.fields), self.cls(form.files)

    def _parse_urlencoded(
        self,
        stream: t.IO[bytes],
        mimetype: str,
        content_length: int | None,
        options: dict[str, str],
    ) -> tuple[t.IO[bytes], t.Any, t.Any]:
        limit = self.max_form_memory_size
        if limit is not None and (content_length or 0) > limit:
            raise RequestEntityTooLarge()
        return stream, parse_values(read_limited(stream, limit), self.cls), no_values(self.cls)


def read_limited(stream: t.IO[bytes], limit: int | None) -> bytes:
    """Return all of a stream.

    :param stream: the stream.
    :param limit: how many bytes it may have; ``None`` for any number.
    :raises RequestEntityTooLarge: (413) where it has more.
    """
    if limit is None:
        return stream.read()
    data = bytearray()
    while len(data) <= limit:
        part = stream.read(_CHUNK)
        if not part:
            return bytes(data)
        data += part
    raise RequestEntityTooLarge()
