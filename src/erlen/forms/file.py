"""Fields for uploaded files, and what checks them."""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Sequence
from io import SEEK_END

from werkzeug.datastructures import FileStorage

from .base import PlainFileField, PlainMultipleFileField
from .validators import DataRequired, StopValidation, ValidationError

if t.TYPE_CHECKING:
    from .base import _Text

__all__ = [
    "FileAllowed",
    "FileField",
    "FileRequired",
    "FileSize",
    "MultipleFileField",
    "file_allowed",
    "file_required",
    "file_size",
]


class FileField(PlainFileField):
    """A field for one uploaded file.

    ``data`` is the file, or ``None`` where none was chosen.
    """

    data: FileStorage | None

    def process_formdata(self, valuelist: list[t.Any]) -> None:
        """Take the first file that was sent.

        :param valuelist: what was sent under the field's name.
        """
        for value in valuelist:
            if isinstance(value, FileStorage) and value:
                self.data = value
                return
        # What the field had before stays; Optional() sees that nothing was sent.
        self.raw_data = ()


class MultipleFileField(PlainMultipleFileField):
    """A field for several uploaded files.

    ``data`` is the list of files, or ``None`` where none was chosen.
    """

    data: list[FileStorage] | None

    def process_formdata(self, valuelist: list[t.Any]) -> None:
        """Take the files that were sent.

        :param valuelist: what was sent under the field's name.
        """
        files = [value for value in valuelist if isinstance(value, FileStorage) and value]
        if files:
            self.data = files
        else:
            self.raw_data = ()


def _uploaded(field: t.Any) -> list[FileStorage]:
    """Return a field's files; none where anything in it is not an uploaded file."""
    data = field.data
    values = data if isinstance(data, list) else [data]
    if all(isinstance(value, FileStorage) and value for value in values):
        return values
    return []


class FileRequired(DataRequired):
    """Demands that a file was uploaded; also called ``file_required``.

    :param message: the error, by default "This field is required."
    """

    def __call__(self, form: t.Any, field: t.Any) -> None:
        """Stop the field's validation with an error where there is no file.

        :param form: the form.
        :param field: the field.
        :raises StopValidation: where there is none.
        """
        if not _uploaded(field):
            raise StopValidation(self.message or field.gettext("This field is required."))


class UploadSet(t.Protocol):
    """A set of Flask-Uploads, or another object that knows which names it takes."""

    def file_allowed(self, storage: t.Any, basename: str, /) -> bool:
        """Say whether the set takes a file.

        :param storage: the files of the field.
        :param basename: the name of the file.
        """
        ...


class FileAllowed:
    """Demands that the names of uploaded files have certain extensions; also ``file_allowed``.

    A name says nothing about the content. ``erlen.forms.uploads`` looks at that.

    :param upload_set: the extensions, without the dot, or an upload set of Flask-Uploads.
    :param message: the error.
    """

    def __init__(self, upload_set: Iterable[str] | UploadSet, message: _Text | None = None) -> None:
        # A single extension would otherwise be taken for its letters.
        self.upload_set = (upload_set,) if isinstance(upload_set, str) else upload_set
        self.message = message

    def __call__(self, form: t.Any, field: t.Any) -> None:
        """Stop the field's validation with an error where a file has another extension.

        :param form: the form.
        :param field: the field.
        :raises StopValidation: where one has.
        """
        files = _uploaded(field)
        for file in files:
            name = (file.filename or "").lower()
            if isinstance(self.upload_set, Iterable):
                extensions: Sequence[str] = tuple(self.upload_set)
                if not name.endswith(tuple(f".{extension.lower()}" for extension in extensions)):
                    text = field.gettext("File does not have an approved extension: {extensions}")
                    raise StopValidation(
                        self.message or text.format(extensions=", ".join(extensions))
                    )
            elif not self.upload_set.file_allowed(files, name):
                text = field.gettext("File does not have an approved extension.")
                raise StopValidation(self.message or text)


class FileSize:
    """Demands that the sizes of uploaded files are within limits; also ``file_size``.

    :param max_size: the most bytes of a file.
    :param min_size: the fewest bytes of a file.
    :param message: the error.
    """

    def __init__(self, max_size: int, min_size: int = 0, message: _Text | None = None) -> None:
        self.min_size = min_size
        self.max_size = max_size
        self.message = message

    def __call__(self, form: t.Any, field: t.Any) -> None:
        """Note an error where a file is too small or too large.

        :param form: the form.
        :param field: the field.
        :raises ValidationError: where one is.
        :raises TypeError: where a file cannot be measured without reading it.
        """
        for file in _uploaded(field):
            if not self.min_size <= _measure(file) <= self.max_size:
                text = field.gettext("File must be between {min_size} and {max_size} bytes.")
                raise ValidationError(
                    self.message or text.format(min_size=self.min_size, max_size=self.max_size)
                )


def _measure(file: FileStorage) -> int:
    stream = file.stream
    if not stream.seekable():
        raise TypeError(
            f"File stream {type(stream).__name__} is not seekable. FileSize validator requires"
            " seekable streams: it measures a file by going to its end."
        )
    stream.seek(0, SEEK_END)
    size = stream.tell()
    stream.seek(0)
    return size


file_required = FileRequired
file_allowed = FileAllowed
file_size = FileSize
