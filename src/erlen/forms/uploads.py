"""Uploaded files: recognised by their content, limited while they arrive, and safe to keep.

.. code-block:: python

    from erlen.forms import FlaskForm
    from erlen.forms.storage import DiskStorage
    from erlen.forms.uploads import UploadField

    covers = DiskStorage("/srv/shelf/covers")

    class BookForm(FlaskForm):
        cover = UploadField("Cover", types=["image/png", "image/jpeg"], max_size=2_000_000)

    @app.post("/covers")
    def add_cover():
        form = BookForm()
        if form.validate_on_submit() and form.cover.data:
            return {"name": form.cover.data.save(covers)}
        return form.errors, 400
"""

from __future__ import annotations

import io
import re
import typing as t
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from tempfile import SpooledTemporaryFile

from werkzeug.datastructures import FileStorage

from erlen import current_app
from erlen import request as current_request

from .base import BaseForm, DefaultMeta, Field, UnboundField
from .filenames import make_key, safe_name
from .filetypes import FileType, find_types
from .inspection import Inspection, Problem, Rules
from .validators import StopValidation
from .widgets import FileInput

if t.TYPE_CHECKING:
    from erlen import Flask

    from .archives import ArchiveLimits
    from .base import _Text, _Validator
    from .storage import Storage

_F = t.TypeVar("_F", bound="Callable[..., t.Any]")

_CHUNK = 64 * 1024
# Files up to this size stay in memory; in bytes.
_IN_MEMORY = 64 * 1024


class UploadStream(io.RawIOBase):
    """What an uploaded file is written to while the form is read.

    It is inspected piece by piece. As soon as it breaks a rule, what was kept is thrown away, and
    so is all that follows. The temporary file has no name, so that nothing is left on the disk
    whatever happens to the process.

    :param inspection: what looks at the pieces; ``None`` throws everything away.
    """

    def __init__(self, inspection: Inspection | None) -> None:
        self.inspection = inspection
        self._file: t.IO[bytes] = SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 -- closed by us

    def write(self, data: t.Any) -> int:
        """Keep a piece of the file, unless the file is refused.

        :param data: the piece.
        """
        inspection = self.inspection
        if inspection is None:
            return len(data)
        inspection.feed(data)
        if inspection.problem is None:
            self._file.write(data)
        elif self._file.tell():
            # The space is needed by others as long as the rest comes in.
            self._file.close()
            self._file = io.BytesIO()
        return len(data)

    def read(self, size: int | None = -1) -> bytes:
        """Return the next bytes of the file.

        :param size: how many at most; by default all.
        """
        return self._file.read(-1 if size is None else size)

    def readinto(self, buffer: t.Any) -> int:
        """Read into a buffer and return how many bytes were read.

        :param buffer: the buffer.
        """
        data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position and return it.

        :param offset: the distance in bytes.
        :param whence: from where, as of :meth:`io.IOBase.seek`.
        """
        self._file.seek(offset, whence)
        return self._file.tell()

    def tell(self) -> int:
        """Return the position."""
        return self._file.tell()

    def readable(self) -> bool:
        """Return ``True``."""
        return True

    def writable(self) -> bool:
        """Return ``True``."""
        return True

    def seekable(self) -> bool:
        """Return ``True``."""
        return True

    def close(self) -> None:
        """Close the file, which removes it."""
        self._file.close()
        super().close()


class Upload:
    """An uploaded file that keeps the rules of its field.

    :param file: the file as the request has it.
    :param inspection: what was found out about it.
    """

    def __init__(self, file: FileStorage, inspection: Inspection) -> None:
        assert inspection.type is not None
        self._file = file
        #: The name that was sent, made safe to show and to store: one part, no control characters,
        #: no leading dots, at most 120 characters.
        self.name: str = safe_name(file.filename or "")
        #: The media type that the content is of, such as ``"image/png"``.
        self.type: str = inspection.type.name
        #: The usual ending of that type's names, without the dot.
        self.extension: str = inspection.type.extensions[0]
        #: The size in bytes.
        self.size: int = inspection.size
        #: Width and height of an image in pixels, where they could be read; else ``None``.
        self.dimensions: tuple[int, int] | None = inspection.dimensions

    @property
    def stream(self) -> t.IO[bytes]:
        """The content as a binary file."""
        return self._file.stream

    def read(self) -> bytes:
        """Return the content, all of it; it is as large as the field's ``max_size`` allows."""
        self.stream.seek(0)
        return self.stream.read()

    def save(self, storage: Storage, name: str | None = None) -> str:
        """Put the file into a storage.

        :param storage: the storage.
        :param name: the name to give it; by default a random one that ends as the type demands.
            What visitors call their files is never used.
        :returns: the name.
        """
        name = name or make_key(self.extension)
        self.stream.seek(0)
        storage.save(name, self.stream, self.type)
        return name

    @contextmanager
    def saved(self, storage: Storage, name: str | None = None) -> Iterator[str]:
        """Put the file into a storage, and take it out again if the block raises.

        .. code-block:: python

            with upload.saved(covers) as name:
                book.cover = name
                db.session.commit()

        :param storage: the storage.
        :param name: as for :meth:`save`.
        """
        name = self.save(storage, name)
        try:
            yield name
        except BaseException:
            storage.delete(name)
            raise

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r} {self.type} {self.size} bytes>"


class _UploadFieldBase(Field):
    """What the two kinds of upload fields share."""

    rules: Rules

    def __init__(
        self,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        *,
        types: Iterable[str | FileType],
        max_size: int = 5 * 1024 * 1024,
        max_count: int = 1,
        max_pixels: int | None = None,
        archive: ArchiveLimits | None = None,
        required: bool = False,
        render_kw: t.Mapping[str, t.Any] | None = None,
        **kwargs: t.Any,
    ) -> None:
        known = find_types(types)
        rules = Rules(known, max_size, max_count, max_pixels, archive)
        endings = ",".join(f".{ending}" for type_ in known for ending in type_.extensions)
        render_kw = {"accept": endings, **(render_kw or {})}
        super().__init__(label, validators, render_kw=render_kw, **kwargs)
        self.rules = rules
        self.required = required
        if required:
            t.cast(t.Any, self.flags).required = True

    def process_formdata(self, valuelist: list[t.Any]) -> None:
        """Take the files that were sent and inspect them.

        :param valuelist: what was sent under the field's name.
        """
        files = [value for value in valuelist if isinstance(value, FileStorage) and value]
        self.raw_data = files
        if not files:
            return
        problems: list[Problem] = []
        uploads: list[Upload] = []
        if len(files) > self.rules.max_count:
            problems.append(Problem.too_many(self.rules.max_count))
        for file in files[: self.rules.max_count]:
            inspection = inspect(file, self.rules)
            if inspection.problem is None:
                uploads.append(Upload(file, inspection))
            elif inspection.problem not in problems:
                problems.append(inspection.problem)
        self._take([] if problems else uploads)
        if problems:
            for file in files:
                file.close()
            self.process_errors = [
                *self.process_errors,
                *(self.gettext(problem.text) % problem.values for problem in problems),
            ]

    def _take(self, uploads: list[Upload]) -> None:
        raise NotImplementedError  # pragma: no cover -- each kind has its own

    def pre_validate(self, form: t.Any) -> None:
        """Note an error where a file is demanded and none was sent.

        :param form: the form.
        """
        if self.required and not self.raw_data and not self.object_data:
            raise StopValidation(self.gettext("This field is required."))


class UploadField(_UploadFieldBase):
    """A field for one file, whose content, size and name are checked.

    ``data`` is an :class:`Upload`, or ``None`` where no file was sent or it was refused; why it
    was refused is in the field's errors. A refused file is closed already.

    :param label: the label.
    :param validators: further validators.
    :param types: the types to accept: names such as ``"image/png"``, ``"image/*"`` for the images
        that browsers show, or :class:`~erlen.forms.filetypes.FileType` of your own. The content
        must be of such a type, and the name must end as files of that type do.
    :param max_size: how many bytes the file may have.
    :param max_pixels: how many pixels an image may have, all its frames together; ``None`` for any
        number. The size is read from the header; nothing is decoded.
    :param archive: what an archive may unpack to; ZIP and office files are asked.
    :param required: whether a file must be sent, unless the form was given one to start from.
    :param kwargs: further arguments of :class:`wtforms.Field`.
    :raises ValueError: for a type that is not known.

    .. code-block:: python

        cover = UploadField(
            "Cover", types=["image/*"], max_size=2_000_000, max_pixels=20_000_000
        )
    """

    widget = FileInput()
    data: Upload | None

    def __init__(
        self,
        label: _Text | None = None,
        validators: Sequence[_Validator] | None = None,
        *,
        types: Iterable[str | FileType],
        max_size: int = 5 * 1024 * 1024,
        max_pixels: int | None = None,
        archive: ArchiveLimits | None = None,
        required: bool = False,
        **kwargs: t.Any,
    ) -> None:
        super().__init__(
            label,
            validators,
            types=types,
            max_size=max_size,
            max_pixels=max_pixels,
            archive=archive,
            required=required,
            **kwargs,
        )

    def _take(self, uploads: list[Upload]) -> None:
        self.data = uploads[0] if uploads else None

    def populate_obj(self, obj: object, name: str) -> None:
        """Leave the object alone: where the file goes, and under which name, is for you to say.

        :param obj: the object.
        :param name: the attribute.
        """


class MultipleUploadField(_UploadFieldBase):
    """A field for several files; ``data`` is a list of :class:`Upload`.

    One refused file refuses all. The arguments are those of :class:`UploadField`, and:

    :param max_count: how many files may be sent; those beyond are not kept.
    """

    widget = FileInput(multiple=True)
    data: list[Upload]

    def process_data(self, value: t.Any) -> None:
        """Take what the form starts from.

        :param value: the list, or ``None``.
        """
        self.data = list(value or [])

    def _take(self, uploads: list[Upload]) -> None:
        self.data = uploads

    def populate_obj(self, obj: object, name: str) -> None:
        """Leave the object alone, as :meth:`UploadField.populate_obj`.

        :param obj: the object.
        :param name: the attribute.
        """


def inspect(file: FileStorage, rules: Rules) -> Inspection:
    """Return what a file is and whether it keeps the rules; read what was not looked at yet.

    :param file: the file.
    :param rules: the rules.
    """
    stream = file.stream
    inspection = stream.inspection if isinstance(stream, UploadStream) else None
    if inspection is None or inspection.rules != rules:
        inspection = Inspection(file.filename or "", rules)
        stream.seek(0)
        while inspection.problem is None and (piece := stream.read(_CHUNK)):
            inspection.feed(piece)
    inspection.finish(stream)
    stream.seek(0)
    return inspection


def guard_form(form: BaseForm) -> None:
    """Let the upload fields of a form limit its files while they arrive.

    ``FlaskForm`` calls it before it reads the request. Where the body was read before, the files
    are inspected afterwards, with the same result; only the limit on the body held them back until
    then. :class:`Uploads` is for that case.

    :param form: the form, before it takes its data.
    """
    request = current_request
    content_type: str = request.environ.get("CONTENT_TYPE") or ""
    if request.file_opener is None and content_type.lower().startswith("multipart/"):
        fields = list(_find_rules(type(form), re.escape(form._prefix)))
        if fields:
            request.file_opener = FileOpener(fields)


class FileOpener:
    """Opens what the files of a request are written to, by the rules of their fields.

    :param fields: regular expressions for the names of fields, with the rules of each.
    :param keep_others: whether files of other fields are taken as ever; else they are thrown away.
    """

    def __init__(self, fields: Iterable[tuple[str, Rules]], keep_others: bool = True) -> None:
        self._fields = [(re.compile(pattern), rules) for pattern, rules in fields]
        self._keep_others = keep_others
        self._counts: dict[str, int] = {}

    def __call__(self, name: str, filename: str, content_type: str | None) -> t.IO[bytes] | None:
        """Return a stream for a file; ``None`` for a temporary file without rules.

        :param name: the name of the field.
        :param filename: the name of the file.
        :param content_type: what the client says it is; not believed.
        """
        rules = self._find(name or "")
        if rules is None:
            return None if self._keep_others else _open(None)
        if filename:
            self._counts[name] = self._counts.get(name, 0) + 1
        is_wanted = filename and self._counts[name] <= rules.max_count
        return _open(Inspection(filename, rules) if is_wanted else None)

    def _find(self, name: str) -> Rules | None:
        for pattern, rules in self._fields:
            if pattern.fullmatch(name):
                return rules
        return None


def _open(inspection: Inspection | None) -> t.IO[bytes]:
    return t.cast("t.IO[bytes]", UploadStream(inspection))


def _find_rules(form_class: type[t.Any], prefix: str = "") -> Iterator[tuple[str, Rules]]:
    """Yield the names of the upload fields that a form class declares, as patterns, with rules."""
    # WTForms keeps this list, once a form of the class was made.
    declared: list[tuple[str, t.Any]] = getattr(form_class, "_unbound_fields", None) or [
        (attribute, getattr(form_class, attribute, None)) for attribute in dir(form_class)
    ]
    for attribute, unbound in declared:
        if isinstance(unbound, UnboundField):
            yield from _find_inner(unbound, prefix + re.escape(unbound.name or attribute))


def _find_inner(unbound: UnboundField, name: str) -> Iterator[tuple[str, Rules]]:
    if issubclass(unbound.field_class, _UploadFieldBase):
        field = unbound.bind(t.cast(t.Any, None), "file", _meta=DefaultMeta())
        yield name, t.cast(_UploadFieldBase, field).rules
        return
    separator = re.escape(unbound.kwargs.get("separator", "-"))
    for given in (*unbound.args, *unbound.kwargs.values()):
        if isinstance(given, UnboundField):
            yield from _find_inner(given, f"{name}{separator}[0-9]{{1,9}}")
        elif isinstance(given, type) and issubclass(given, BaseForm):
            yield from _find_rules(given, name + separator)


class Uploads:
    """Limits the files of views that expect some, whoever reads the form first.

    A form limits its files by itself, if it is what reads the body. Where something else does so
    before the view, such as a hook that looks for a token in the form, this extension knows the
    limits in time. Files that the view does not expect are thrown away while they arrive.

    :param app: the application; or call :meth:`init_app` later.

    .. code-block:: python

        uploads = Uploads(app)

        @app.post("/books")
        @uploads.expect(BookForm)
        def add_book():
            form = BookForm()
    """

    def __init__(self, app: Flask | None = None) -> None:
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Let an application limit the files of its views.

        :param app: the application.
        """
        # These functions run before all other hooks.
        app.url_value_preprocessor(self._prepare)
        app.extensions["erlen.forms.uploads"] = self

    def expect(self, *forms: type[t.Any]) -> Callable[[_F], _F]:
        """Mark a view with the forms whose files it takes.

        :param forms: the classes of the forms; none for a view that takes no files.
        """

        def mark(view: _F) -> _F:
            t.cast(t.Any, view).expected_uploads = forms
            return view

        return mark

    def _prepare(self, endpoint: str | None, values: object) -> None:
        view = current_app.view_functions.get(endpoint or "")
        forms: tuple[type[t.Any], ...] | None = getattr(view, "expected_uploads", None)
        if forms is None:
            return
        fields = [pair for form_class in forms for pair in _find_rules(form_class)]
        current_request.file_opener = FileOpener(fields, keep_others=False)
