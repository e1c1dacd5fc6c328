"""Uploads: what they are taken for, and what they may be."""

from __future__ import annotations

import io
import typing as t

import pytest
from werkzeug.datastructures import FileStorage, MultiDict

from erlen import Erlen, request
from erlen.forms import CSRFProtect, FlaskForm
from erlen.forms.fields import FieldList, FormField, StringField
from erlen.forms.filenames import safe_name
from erlen.forms.filetypes import FileType, find_types
from erlen.forms.images import read_size
from erlen.forms.inspection import Inspection, Rules, format_size
from erlen.forms.uploads import MultipleUploadField, UploadField, Uploads, UploadStream
from erlen.forms.validators import InputRequired

from .samples import archive, gif, jpeg, png, webp


class CoverForm(FlaskForm):
    """A form with a picture."""

    title = StringField()
    cover = UploadField("Cover", types=["image/*"], max_size=50_000, max_pixels=1_000_000)


@pytest.fixture
def app() -> Erlen:
    """An application without tokens, which other tests are about."""
    app = Erlen(__name__)
    app.config.update(SECRET_KEY="for tests", WTF_CSRF_ENABLED=False, TESTING=True)
    return app


def send(app: Erlen, form_class: type[FlaskForm], *files: tuple[str, bytes, str]) -> t.Any:
    """Send files to a form: the name of the field, the content, the name of the file."""
    result: dict[str, t.Any] = {}

    def view() -> str:
        form = form_class()
        result["valid"] = form.validate_on_submit()
        result["errors"] = form.errors
        result["data"] = form.data
        for name, value in form.data.items():
            if hasattr(value, "read"):
                result[f"{name} read"] = value.read()
        return ""

    app.add_url_rule("/", "view", view, methods=["POST"])
    data = MultiDict([(name, (io.BytesIO(content), title)) for name, content, title in files])
    response = app.test_client().post("/", data=data, content_type="multipart/form-data")
    assert response.status_code == 200
    return result


def rules(*types: str, **more: t.Any) -> Rules:
    """Return rules for files up to 100 kB."""
    return Rules(find_types(types), more.pop("max_size", 100_000), **more)


def problem(content: bytes, name: str, given: Rules, piece: int = 1_000) -> str | None:
    """Return what is wrong with a file that comes in pieces."""
    inspection = Inspection(name, given)
    for start in range(0, len(content), piece):
        inspection.feed(content[start : start + piece])
    inspection.finish(io.BytesIO(content))
    return inspection.problem.code if inspection.problem else None


def test_a_good_picture_is_taken(app: Erlen) -> None:
    """What is sent is there with its type, size and a name that is safe."""
    result = send(app, CoverForm, ("cover", png(20, 30), "My Cover.PNG"))
    assert result["valid"], result["errors"]
    upload = result["data"]["cover"]
    assert upload.name == "My Cover.PNG"
    assert (upload.type, upload.extension, upload.dimensions) == ("image/png", "png", (20, 30))
    assert upload.size == len(png(20, 30))
    assert result["cover read"] == png(20, 30)


@pytest.mark.parametrize(
    ("content", "name"),
    [(png(), "a.png"), (jpeg(), "a.jpg"), (jpeg(), "a.jpeg"), (gif(), "a.gif"), (webp(), "a.webp")],
)
def test_pictures_of_the_web(content: bytes, name: str) -> None:
    """``image/*`` takes the pictures that browsers show, in pieces of any size."""
    for piece in (1, 7, 512, 100_000):
        assert problem(content, name, rules("image/*"), piece) is None


@pytest.mark.parametrize(
    ("type_", "content", "size"),
    [
        ("image/png", png(300, 200), (300, 200)),
        ("image/gif", gif(30, 20), (30, 20)),
        ("image/jpeg", jpeg(31, 21), (31, 21)),
        ("image/jpeg", jpeg(31, 21, comment=bytes(60_000)), (31, 21)),
        ("image/webp", webp(32, 22), (32, 22)),
        ("image/webp", b"RIFF\0\0\0\0WEBPVP8 \0\0\0\0\0\0\0\x9d\x01\x2a\x0a\0\x0b\0", (10, 11)),
        ("image/webp", b"RIFF\0\0\0\0WEBPVP8L\0\0\0\0\x2f\x09\x80\x02\x00" + bytes(5), (10, 11)),
        ("image/bmp", b"BM" + bytes(12) + b"\x28\0\0\0\x05\0\0\0\xfa\xff\xff\xff", (5, 6)),
        ("image/bmp", b"BM" + bytes(12) + b"\x0c\0\0\0\x05\0\x06\0" + bytes(4), (5, 6)),
    ],
)
def test_sizes_of_pictures(type_: str, content: bytes, size: tuple[int, int]) -> None:
    """Width and height stand in the header of each format."""
    assert read_size(type_, content) == size


@pytest.mark.parametrize("type_", ["image/png", "image/gif", "image/jpeg", "image/webp"])
def test_a_header_that_is_not_there_yet(type_: str) -> None:
    """With too few bytes there is no answer, and no error."""
    assert read_size(type_, b"\xff\xd8\xff") is None


def test_a_file_too_large(app: Erlen) -> None:
    """The message says what is allowed, and there are no data."""
    result = send(app, CoverForm, ("cover", png(after=bytes(60_000)), "a.png"))
    assert not result["valid"]
    assert result["errors"] == {"cover": ["The file is larger than 50 kB."]}
    assert result["data"]["cover"] is None


def test_a_file_of_another_type(app: Erlen) -> None:
    """A name that no accepted type has is refused by name."""
    result = send(app, CoverForm, ("cover", b"%PDF-1.7", "a.pdf"))
    assert result["errors"]["cover"][0].startswith("Files of this kind are not accepted.")


def test_the_content_must_be_what_the_name_says() -> None:
    """A GIF called .png is refused, though GIFs are accepted."""
    assert problem(gif(), "a.png", rules("image/*")) == "content"


def test_an_empty_file() -> None:
    """There is nothing to recognise in it."""
    assert problem(b"", "a.png", rules("image/*")) == "empty"


def test_no_file_is_no_error(app: Erlen) -> None:
    """Browsers send an empty file without a name where none was chosen."""
    result = send(app, CoverForm, ("cover", b"", ""))
    assert result["valid"]
    assert result["data"]["cover"] is None


class StrictForm(FlaskForm):
    """A form that demands its files."""

    one = UploadField(types=["image/png"], required=True)
    two = UploadField(types=["image/png"], validators=[InputRequired()])


def test_required(app: Erlen) -> None:
    """A file can be demanded, by an argument or by the usual validator."""
    result = send(app, StrictForm, ("one", b"", ""))
    assert result["errors"] == {
        "one": ["This field is required."],
        "two": ["This field is required."],
    }


def test_a_refused_file_has_one_error_only(app: Erlen) -> None:
    """A demanded file that was refused is not called missing too."""
    result = send(app, StrictForm, ("one", b"no picture", "a.png"), ("two", png(), "b.png"))
    assert result["errors"] == {
        "one": ["The content of the file is not what its name says (.png)."]
    }


class AlbumForm(FlaskForm):
    """A form with several pictures."""

    pictures = MultipleUploadField(types=["image/png"], max_size=5_000, max_count=2)


def test_several_files(app: Erlen) -> None:
    """They come as a list, in order."""
    files = [("pictures", png(n), f"{n}.png") for n in (1, 2)]
    result = send(app, AlbumForm, *files)
    assert [upload.name for upload in result["data"]["pictures"]] == ["1.png", "2.png"]


def test_too_many_files(app: Erlen) -> None:
    """One more than allowed refuses all."""
    files = [("pictures", png(), f"{n}.png") for n in range(3)]
    result = send(app, AlbumForm, *files)
    assert result["errors"] == {"pictures": ["Choose at most 2 files."]}
    assert result["data"]["pictures"] == []


def test_one_bad_file_refuses_all(app: Erlen) -> None:
    """The others are not kept behind the visitor's back."""
    result = send(app, AlbumForm, ("pictures", png(), "a.png"), ("pictures", b"x", "b.png"))
    assert len(result["errors"]["pictures"]) == 1
    assert result["data"]["pictures"] == []


class PageForm(FlaskForm):
    """A form inside of another."""

    scan = UploadField(types=["image/png"], max_size=1_000)


class BookForm(FlaskForm):
    """A form with files in lists and in other forms."""

    pages = FieldList(FormField(PageForm))
    extras = FieldList(UploadField(types=["image/png"], max_size=1_000))


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[UploadStream]:
    """The streams that were opened for files."""
    streams: list[UploadStream] = []
    init = UploadStream.__init__

    def remember(self: UploadStream, inspection: Inspection | None) -> None:
        init(self, inspection)
        streams.append(self)

    monkeypatch.setattr(UploadStream, "__init__", remember)
    return streams


def test_fields_in_lists_and_forms_are_limited_too(app: Erlen, opened: list[UploadStream]) -> None:
    """While the form is read, the names tell which rules a file has."""
    result = send(
        app,
        BookForm,
        ("pages-0-scan", png(), "a.png"),
        ("pages-1-scan", bytes(5_000), "b.png"),
        ("extras-0", bytes(5_000), "c.png"),
    )
    assert [stream.inspection is not None for stream in opened] == [True, True, True]
    too_large = "The file is larger than 1 kB."
    assert result["errors"]["pages"][1] == {"scan": [too_large]}
    assert result["errors"]["extras"] == [[too_large]]


def test_files_of_other_fields_are_as_ever(app: Erlen) -> None:
    """A form limits its own upload fields, and nothing else of the request."""

    @app.post("/")
    def view() -> dict[str, t.Any]:
        form = CoverForm()
        assert form.validate_on_submit()
        return {"other": request.files["other"].read().decode()}

    data = {"other": (io.BytesIO(b"text"), "a.txt"), "cover": (io.BytesIO(png()), "a.png")}
    assert app.test_client().post("/", data=data).json == {"other": "text"}


def test_a_body_that_was_read_before(app: Erlen, opened: list[UploadStream]) -> None:
    """Files are inspected afterwards where a hook has read the form, with the same result."""
    app.before_request(lambda: request.form.get("token") and None)
    result = send(app, CoverForm, ("cover", bytes(60_000), "a.png"))
    assert result["errors"] == {"cover": ["The file is larger than 50 kB."]}
    assert opened == []


def test_the_extension_limits_before_hooks(app: Erlen, opened: list[UploadStream]) -> None:
    """What a view expects is known before a hook reads the form; all else is thrown away."""
    uploads = Uploads(app)
    app.before_request(lambda: request.form.get("token") and None)

    @app.post("/")
    @uploads.expect(CoverForm)
    def view() -> dict[str, t.Any]:
        form = CoverForm()
        form.validate_on_submit()
        return {"errors": form.errors, "other": request.files["other"].read().decode()}

    data = {"other": (io.BytesIO(b"text"), "a.txt"), "cover": (io.BytesIO(bytes(60_000)), "a.png")}
    answer = app.test_client().post("/", data=data).json
    assert answer == {"errors": {"cover": ["The file is larger than 50 kB."]}, "other": ""}
    assert len(opened) == 2


def test_it_works_beside_csrf_protection(app: Erlen) -> None:
    """With tokens in the form, which are read first, a file is taken all the same."""
    app.config["WTF_CSRF_ENABLED"] = True
    CSRFProtect(app)
    uploads = Uploads(app)

    @app.route("/", methods=["GET", "POST"])
    @uploads.expect(CoverForm)
    def view() -> str:
        form = CoverForm()
        if form.validate_on_submit() and form.cover.data:
            return form.cover.data.type
        return str(form.csrf_token.current_token)  # type: ignore[attr-defined]

    client = app.test_client()
    token = client.get("/").text
    data = {"csrf_token": token, "cover": (io.BytesIO(png()), "a.png")}
    assert client.post("/", data=data).text == "image/png"


def test_texts() -> None:
    """A text is UTF-8 without NUL; a character may be cut between two pieces."""
    given = rules("text/plain")
    assert problem("né".encode() * 600, "a.txt", given, 513) is None
    assert problem(b"\xef\xbb\xbfwith a mark", "a.txt", given) is None
    assert problem(b"a" * 600 + b"\xff", "a.txt", given) == "text"
    assert problem(b"a" * 600 + b"\0", "a.txt", given) == "text"
    assert problem("a".encode("utf-16"), "a.txt", given) == "content"
    assert problem(b"a" * 600 + "é".encode()[:1], "a.txt", given) == "text"


def test_archives() -> None:
    """A ZIP archive, and a document that is one, are taken where they unpack to little."""
    good = archive({"a.txt": b"hello", "folder/b.txt": b"you"})
    assert problem(good, "a.zip", rules("application/zip")) is None
    word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    assert problem(good, "a.docx", rules(word)) is None


def test_types_of_your_own() -> None:
    """A type is a name, endings and a function."""
    stl = FileType("model/stl", ("stl",), lambda head: head.startswith(b"solid"))
    given = Rules((stl,), 1_000)
    assert problem(b"solid cube", "a.stl", given) is None
    assert problem(b"liquid", "a.stl", given) == "content"


def test_an_unknown_type_is_refused_at_once() -> None:
    """The error names the types that are known."""
    with pytest.raises(ValueError, match=r"'image/svg\+xml' are not known. Known are: image/png"):
        find_types(["image/svg+xml"])


@pytest.mark.parametrize("wrong", [{"types": ()}, {"max_size": 0}, {"max_count": 0}])
def test_rules_that_refuse_everything(wrong: dict[str, t.Any]) -> None:
    """A mistake in the limits shows when the form is made."""
    with pytest.raises(ValueError, match="A field for uploads"):
        Rules(**{"types": find_types(["image/png"]), "max_size": 1, **wrong})


@pytest.mark.parametrize(
    ("given", "safe"),
    [
        ("photo.jpg", "photo.jpg"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ada\\photo.jpg", "photo.jpg"),
        (".htaccess", "htaccess"),
        ("nul.txt", "_nul.txt"),
        ("a\0b\x1b\u202egpj.exe", "abgpj.exe"),
        ("what?.png", "what_.png"),
        ("x" * 300 + ".png", "x" * 116 + ".png"),
        ("..", "file"),
        ("", "file"),
    ],
)
def test_names_are_made_safe(given: str, safe: str) -> None:
    """A name to show and to save under is one plain part, whatever was sent."""
    assert safe_name(given) == safe


@pytest.mark.parametrize(
    ("size", "text"), [(2_500_001, "2.5 MB"), (10_240, "10 KiB"), (1_001, "1001 bytes")]
)
def test_sizes_are_written_as_people_do(size: int, text: str) -> None:
    """Round numbers have a unit."""
    assert format_size(size) == text


def test_the_browser_is_told_what_is_accepted(app: Erlen) -> None:
    """The control lists the endings."""
    with app.test_request_context():
        assert 'accept=".png"' in StrictForm().one()
        assert "multiple" in AlbumForm().pictures()


def test_an_object_is_left_alone(app: Erlen) -> None:
    """``populate_obj`` does not put an upload where a name belongs."""

    class Book:
        cover = "old.png"
        title = ""

    book = Book()
    with app.test_request_context(
        "/", method="POST", data={"title": "Emma", "cover": (io.BytesIO(png()), "a.png")}
    ):
        form = CoverForm()
        assert form.validate()
        form.populate_obj(book)
    assert (book.title, book.cover) == ("Emma", "old.png")


def test_a_file_from_elsewhere_is_inspected() -> None:
    """A file that came another way, such as in a test, keeps the same rules."""
    from erlen.forms.uploads import inspect

    file = FileStorage(io.BytesIO(gif()), "a.png")
    found = inspect(file, rules("image/*"))
    assert found.problem is not None
    assert found.problem.code == "content"
