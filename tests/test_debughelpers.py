"""What debug mode explains: the missing enctype, the redirect that loses a form, the loaders."""

from __future__ import annotations

import copy
import io
from pathlib import Path

import jinja2
import pytest
from werkzeug.exceptions import BadRequestKeyError
from werkzeug.routing import RequestRedirect

from erlen import Blueprint, Flask, render_template, request
from erlen.debughelpers import (
    DebugFilesKeyError,
    FormDataRoutingRedirect,
    TemplateNotFound,
    UnexpectedUnicodeError,
    _dump_loader_info,
    attach_enctype_error_multidict,
    explain_template_loading_attempts,
)
from erlen.testing import FlaskClient

# The missing enctype


@pytest.fixture
def upload_app(app: Flask) -> Flask:
    """An application whose only view reads an uploaded file."""

    @app.post("/upload")
    def upload() -> str:
        return request.files["photo"].filename or ""

    return app


def test_missing_enctype(upload_app: Flask, client: FlaskClient) -> None:
    """In debug mode a form that cannot carry the file raises an error that says what it lacks."""
    upload_app.debug = True
    with pytest.raises(DebugFilesKeyError) as info:
        client.post("/upload", data={"photo": "cat.jpg"})
    text = str(info.value)
    assert "request.files['photo']" in text
    assert "'application/x-www-form-urlencoded'" in text
    assert "no file contents were transmitted" in text
    assert 'enctype="multipart/form-data"' in text
    assert "This was submitted: 'cat.jpg'" in text
    assert isinstance(info.value, KeyError)
    assert isinstance(info.value, AssertionError)


def test_all_names_are_shown(upload_app: Flask, client: FlaskClient) -> None:
    """The message lists each file name that the browser sent."""
    upload_app.debug = True
    with pytest.raises(DebugFilesKeyError, match=r"submitted: 'a\.jpg', 'b\.jpg'"):
        client.post("/upload", data={"photo": ["a.jpg", "b.jpg"]})


def test_other_missing_file(upload_app: Flask, client: FlaskClient) -> None:
    """A name that the form does not have either is an ordinary bad request."""
    upload_app.debug = True
    with pytest.raises(BadRequestKeyError):
        client.post("/upload", data={"other": "cat.jpg"})


def test_no_explanation_without_debug_mode(upload_app: Flask, client: FlaskClient) -> None:
    """Outside debug mode the missing file is an ordinary bad request."""
    upload_app.config["TRAP_BAD_REQUEST_ERRORS"] = False
    assert client.post("/upload", data={"photo": "cat.jpg"}).status_code == 400


def test_uploads_work_in_debug_mode(upload_app: Flask, client: FlaskClient) -> None:
    """A form with the right enctype is not touched."""
    upload_app.debug = True
    response = client.post("/upload", data={"photo": (io.BytesIO(b"x"), "cat.jpg")})
    assert response.text == "cat.jpg"


def test_exchanged_class_of_files(app: Flask) -> None:
    """The dictionary of files is what it was, but for the error; the message names no form data
    where there is none."""
    with app.test_request_context("/", method="POST", data={"photo": ""}):
        before = type(request.files)
        attach_enctype_error_multidict(request)
        assert isinstance(request.files, before)
        assert type(request.files).__name__ == before.__name__
        assert type(request.files).__module__ == before.__module__
        assert request.files.get("photo") is None
        assert "submitted" not in str(DebugFilesKeyError(request, "absent"))


def test_unexpected_unicode_error() -> None:
    """The class can be caught as either of its bases."""
    assert issubclass(UnexpectedUnicodeError, AssertionError)
    assert issubclass(UnexpectedUnicodeError, UnicodeError)


# The redirect that loses a form


@pytest.fixture
def form_app(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An application in debug mode with one form, and redirects of the kind that lose data."""
    app.debug = True
    app.add_url_rule("/user/", view_func=lambda: "user", methods=["GET", "POST"], endpoint="user")
    monkeypatch.setattr(RequestRedirect, "code", 301)
    return app


def test_lossy_redirect(form_app: Flask, client: FlaskClient) -> None:
    """A POST to a URL without the slash raises an error that names both URLs and the remedy."""
    with pytest.raises(FormDataRoutingRedirect) as info:
        client.post("/user?a=1", data={"name": "ada"})
    text = str(info.value)
    assert "POST request went to 'http://localhost/user?a=1'" in text
    assert "canonical URL 'http://localhost/user/?a=1'" in text
    assert "ends with a slash" in text
    assert "308" in text


def test_other_lossy_redirect(form_app: Flask, client: FlaskClient) -> None:
    """Where the slash is not the difference, the message does not speak of it."""
    form_app.add_url_rule("/a/b", view_func=lambda: "b", methods=["POST"])
    with pytest.raises(FormDataRoutingRedirect) as info:
        client.post("/a//b", data={"name": "ada"})
    text = str(info.value)
    assert "Send the form to the canonical URL." in text
    assert "ends with a slash" not in text


def test_lossless_redirects(form_app: Flask, client: FlaskClient) -> None:
    """A GET, or a redirect that keeps the data, or one outside debug mode, is just sent."""
    assert client.get("/user").status_code == 301
    form_app.debug = False
    assert client.post("/user").status_code == 301


def test_redirect_that_keeps_the_data(app: Flask, client: FlaskClient) -> None:
    """The usual routing redirect is a 308, which is no mistake."""
    app.debug = True
    app.add_url_rule("/user/", view_func=lambda: request.form["name"], methods=["POST"])
    response = client.post("/user", data={"name": "ada"}, follow_redirects=True)
    assert response.text == "ada"


# The template that does not exist


@pytest.fixture
def shop(tmp_path: Path) -> Flask:
    """An application in debug mode, with a blueprint, and one template each."""
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "index.html").touch()
    (tmp_path / "admin").mkdir()
    (tmp_path / "admin" / "login.html").touch()
    app = Flask("shop", root_path=str(tmp_path))
    app.debug = True
    app.register_blueprint(
        Blueprint("admin", "shop.admin", root_path=str(tmp_path), template_folder="admin")
    )
    return app


def missing(app: Flask, name: str) -> str:
    """Return what the exception for a missing template says."""
    with app.app_context(), pytest.raises(jinja2.TemplateNotFound) as info:
        render_template(name)
    assert info.value.name == name
    assert info.value.message == name
    return str(info.value)


def test_missing_template(shop: Flask, tmp_path: Path) -> None:
    """In debug mode the folders are named, and names that are spelled alike."""
    assert missing(shop, "indx.html").splitlines() == [
        "indx.html",
        "",
        "There is no template of this name in:",
        f"  {tmp_path / 'templates'}, of application 'shop'",
        f"  {tmp_path / 'admin'}, of blueprint 'admin' (shop.admin)",
        "Did you mean 'index.html'?",
    ]
    assert "Did you mean" not in missing(shop, "something_else.txt")


def test_template_in_a_subfolder(shop: Flask, tmp_path: Path) -> None:
    """The same file in a subfolder is likely to be meant."""
    (tmp_path / "admin" / "admin").mkdir()
    (tmp_path / "admin" / "admin" / "users.html").touch()
    assert missing(shop, "users.html").endswith("Did you mean 'admin/users.html'?")


def test_missing_folder(shop: Flask, tmp_path: Path) -> None:
    """A folder that is spelled differently is the commonest reason, and is pointed out."""
    (tmp_path / "templates").rename(tmp_path / "template")
    assert f"{tmp_path / 'templates'} (which does not exist), of app" in missing(shop, "index.html")


def test_other_loaders(shop: Flask) -> None:
    """A loader that has no folder is named by its class, whether it can list its templates or
    not."""
    shop.jinja_loader = jinja2.FunctionLoader(lambda name: None)
    text = missing(shop, "logn.html")
    assert "  jinja2.loaders.FunctionLoader, of application 'shop'" in text
    assert "Did you mean 'login.html'?" in text


def test_no_template_folder() -> None:
    """An application whose module has no folder of templates says so."""
    app = Flask("shop", root_path="/", template_folder=None)
    app.debug = True
    assert "neither the application nor a blueprint has a template folder" in missing(app, "x")


def test_no_details_outside_debug_mode(shop: Flask) -> None:
    """Folders are nobody's business in production, where an error page may show the text."""
    shop.debug = False
    assert missing(shop, "indx.html") == "indx.html"


def test_exception_can_be_copied(shop: Flask) -> None:
    """The exception travels between processes as any other, without its details."""
    with shop.app_context(), pytest.raises(jinja2.TemplateNotFound) as info:
        render_template("indx.html")
    assert str(copy.copy(TemplateNotFound("indx.html"))) == "indx.html"
    assert info.value.args == ("indx.html",)


# Template loaders


def test_loader_description() -> None:
    """A loader is described by its class and its plain public attributes, sorted."""

    class Loader(jinja2.BaseLoader):
        def __init__(self) -> None:
            self.searchpath = ["/a", "/b"]
            self.followlinks = False
            self.encoding = "utf-8"
            self.mixed = ["/a", 1]
            self.mapping: dict[str, str] = {}
            self._hidden = "x"

    assert list(_dump_loader_info(Loader())) == [
        f"class: {__name__}.Loader",
        "encoding: 'utf-8'",
        "followlinks: False",
        "searchpath:",
        "  - /a",
        "  - /b",
    ]


def test_unknown_owner(app: Flask, caplog: pytest.LogCaptureFixture) -> None:
    """A loader of something that is neither application nor blueprint is described by that."""
    app.logger.setLevel("INFO")
    explain_template_loading_attempts(app, "page.html", [(jinja2.BaseLoader(), {}, None)])
    assert "1: trying loader of {}" in caplog.text
    assert "blueprint" not in caplog.text
