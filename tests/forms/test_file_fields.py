"""Fields for files, and the validators of Flask-WTF for them."""

from __future__ import annotations

import typing as t
from functools import partial
from io import BytesIO
from tempfile import SpooledTemporaryFile

import pytest
from werkzeug.datastructures import FileStorage, MultiDict

from erlen import Flask
from erlen.forms import FlaskForm
from erlen.forms.fields import StringField
from erlen.forms.file import (
    FileAllowed,
    FileField,
    FileRequired,
    FileSize,
    MultipleFileField,
    file_allowed,
    file_required,
    file_size,
)
from erlen.forms.validators import Optional

if t.TYPE_CHECKING:
    from erlen.ctx import RequestContext

pytestmark = pytest.mark.usefixtures("req_ctx")


@pytest.fixture
def app() -> Flask:
    app = Flask("file_test")
    app.config.update(TESTING=True, WTF_CSRF_ENABLED=False)
    return app


def validate(validator: object, *files: FileStorage, several: bool = False) -> list[str]:
    """Return the errors that a validator has about files."""
    kind = MultipleFileField if several else FileField

    class UploadForm(FlaskForm):
        upload = kind(validators=[t.cast(t.Any, validator)])

    form = UploadForm(MultiDict([("upload", file) for file in files]))
    form.validate()
    return list(form.upload.errors)


def make(name: str = "a.txt", content: bytes = b"") -> FileStorage:
    return FileStorage(BytesIO(content), filename=name)


def test_first_file_is_taken() -> None:
    """A field for one file has the first that was chosen."""

    class UploadForm(FlaskForm):
        upload = FileField()

    files = [("upload", FileStorage()), ("upload", make("a")), ("upload", make("b"))]
    data = UploadForm(MultiDict(files)).upload.data
    assert data is not None and data.filename == "a"


def test_nothing_chosen() -> None:
    """A browser sends an empty part then; the field has nothing, and Optional() sees that."""

    class UploadForm(FlaskForm):
        one = FileField(validators=[Optional()])
        several = MultipleFileField(validators=[Optional()])
        text = StringField()

    form = UploadForm(MultiDict([("one", FileStorage()), ("several", FileStorage())]))
    assert form.one.data is None and form.several.data is None
    assert form.validate()


def test_text_is_no_file() -> None:
    assert UploadsOfText(MultiDict({"one": "x", "several": "x"})).one.data is None


class UploadsOfText(FlaskForm):
    one = FileField()
    several = MultipleFileField()


@pytest.mark.parametrize("several", [False, True])
def test_required(several: bool) -> None:
    assert validate(FileRequired(), several=several) == ["This field is required."]
    assert validate(file_required("Choose!"), FileStorage(), several=several) == ["Choose!"]
    assert validate(FileRequired(), make(), several=several) == []


@pytest.mark.parametrize(
    ("extensions", "name", "allowed"),
    [
        (["txt"], "a.txt", True),
        (["txt"], "A.TXT", True),
        (["TXT"], "a.txt", True),
        (["txt"], "a.txt.png", False),
        (["txt"], "txt", False),
        (["txt"], "atxt", False),
        (["tar.gz"], "a.tar.gz", True),
        ("txt", "a.t", False),
        ("txt", "a.txt", True),
        ({"png", "jpg"}, "a.jpg", True),
    ],
)
def test_allowed(extensions: t.Any, name: str, allowed: bool) -> None:
    """Extensions are compared as a whole, and by small letters."""
    assert (validate(FileAllowed(extensions), make(name)) == []) is allowed


def test_allowed_messages() -> None:
    assert validate(file_allowed(["a", "b"]), make("x.c")) == [
        "File does not have an approved extension: a, b"
    ]
    assert validate(FileAllowed(["a"], "No!"), make("x.c")) == ["No!"]
    assert validate(FileAllowed(["a"]), make("x.a"), make("x.b"), several=True) != []


def test_allowed_by_an_upload_set() -> None:
    """An object that knows the names it takes is asked."""

    class Texts:
        def file_allowed(self, storage: object, basename: str) -> bool:
            return basename == "a.txt"

    assert validate(FileAllowed(Texts()), make("A.txt")) == []
    assert validate(FileAllowed(Texts()), make("b.txt")) == [
        "File does not have an approved extension."
    ]


@pytest.mark.parametrize(
    ("size", "right"), [(0, False), (1, False), (2, True), (4, True), (5, False)]
)
@pytest.mark.parametrize("spooled", [False, True])
def test_size(size: int, right: bool, spooled: bool) -> None:
    """Both limits belong to what is allowed, and the file is at its beginning afterwards."""
    kind: t.Any = partial(SpooledTemporaryFile, max_size=1) if spooled else BytesIO
    with kind() as stream:
        stream.write(b"x" * size)
        errors = validate(FileSize(max_size=4, min_size=2), FileStorage(stream, filename="a"))
        assert errors == ([] if right else ["File must be between 2 and 4 bytes."])
        assert stream.tell() == 0


def test_size_of_several() -> None:
    files = make("a", b"xx"), make("b", b"xxx")
    assert validate(file_size(2, message="Big!"), *files, several=True) == ["Big!"]
    assert validate(file_size(3), *files, several=True) == []


def test_size_of_a_stream(req_ctx: RequestContext) -> None:
    """A stream that cannot be measured is the program's mistake."""

    class Stream(BytesIO):
        def seekable(self) -> bool:
            return False

    class UploadForm(FlaskForm):
        upload = FileField(validators=[FileSize(1)])

    form = UploadForm(upload=FileStorage(Stream(b"x"), filename="a"))
    with pytest.raises(TypeError, match="Stream is not seekable"):
        form.validate()
