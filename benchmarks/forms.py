"""A form of ten fields and a token: made, rendered and validated, beside Flask-WTF.

Once within one request, so that the form alone counts, and once as whole requests.
"""

from __future__ import annotations

import typing as t
from importlib import import_module
from time import process_time
from urllib.parse import urlencode

from benchmarks.content import FORM_TYPE, SECRET_KEY
from benchmarks.environs import Request, send
from benchmarks.timing import Cost, contest, requests_to

if t.TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.frameworks import Framework
    from benchmarks.timing import Contestant, Effort

RENDERED = "form of 10 fields, rendered"
VALIDATED = "form of 10 fields, validated"
SHOWN = "GET of its page"
SUBMITTED = "POST of its data"

DATA = {
    "title": "Middlemarch",
    "author": "George Eliot",
    "mail": "eliot@example.org",
    "year": "1871",
    "pages": "880",
    "price": "12.50",
    "printed": "1994-05-01",
    "language": "en",
    "lent": "y",
    "about": "A study of provincial life.",
}
#: Where the forms of each framework come from.
PACKAGES = {"flask": "flask_wtf", "erlen": "erlen.forms", "erlen-flask": "erlen.forms"}


def measure_forms(frameworks: Iterable[Framework], effort: Effort) -> dict[str, dict[str, Cost]]:
    """Time the form of each framework that has one.

    :returns: what each step cost, by the framework's name.
    """
    chosen = {item.name: Bench(item) for item in frameworks if item.name in PACKAGES}
    steps: dict[str, dict[str, Contestant]] = {
        RENDERED: {name: bench.rendering for name, bench in chosen.items()},
        VALIDATED: {name: bench.validating for name, bench in chosen.items()},
        SHOWN: {name: bench.showing() for name, bench in chosen.items()},
        SUBMITTED: {name: bench.submitting() for name, bench in chosen.items()},
    }
    return {title: contest(contestants, effort) for title, contestants in steps.items()}


class Bench:
    """An application of a framework, with a page for the form.

    :param framework: the framework.
    """

    def __init__(self, framework: Framework) -> None:
        assert framework.api is not None
        self.api = framework.api
        self.form_class = make_form(import_module(PACKAGES[framework.name]).FlaskForm)
        self.app = self._make_app()
        self.cookie, self.token = self._visit()

    def _make_app(self) -> t.Any:
        app: t.Any = self.api.app()
        app.secret_key = SECRET_KEY
        request = self.api.module.request

        def page() -> str:
            form = self.form_class()
            if request.method == "POST":
                return str(form.validate_on_submit())
            return render(form)

        app.add_url_rule("/", view_func=page, methods=["GET", "POST"])
        return app

    def _visit(self) -> tuple[str, str]:
        """Return a visitor's cookie and token, once the page has been found right."""
        answer = send(self.app, Request("/"))
        assert answer.body.count(b"<input") == 9 and answer.body.count(b"<select") == 1
        cookie = (answer.header("Set-Cookie") or "").partition(";")[0]
        token = answer.body.partition(b'value="')[2].partition(b'"')[0].decode()
        self.cookie, self.token = cookie, token
        answer = send(self.app, self._submission())
        assert answer.body == b"True", answer.body
        return cookie, token

    def _submission(self) -> Request:
        body = urlencode(DATA | {"csrf_token": self.token}).encode()
        return Request("/", method="POST", body=body, content_type=FORM_TYPE, cookie=self.cookie)

    def rendering(self, count: int) -> float:
        """Make and render the form so many times, each with a token of its own."""
        g = self.api.module.g
        with self.app.test_request_context("/", headers={"Cookie": self.cookie}):
            start = process_time()
            for _ in range(count):
                g.pop("csrf_token", None)
                render(self.form_class())
            return process_time() - start

    def validating(self, count: int) -> float:
        """Make and validate the form so many times, each with a token of its own."""
        g = self.api.module.g
        request = self._submission()
        with self.app.test_request_context(
            "/",
            method="POST",
            data=request.body,
            content_type=FORM_TYPE,
            headers={"Cookie": self.cookie},
        ):
            start = process_time()
            for _ in range(count):
                g.pop("csrf_token", None)
                self.form_class().validate_on_submit()
            return process_time() - start

    def showing(self) -> Contestant:
        """Return a contestant that asks for the page."""
        return requests_to(self.app, Request("/", cookie=self.cookie))

    def submitting(self) -> Contestant:
        """Return a contestant that submits the form."""
        return requests_to(self.app, self._submission())


def make_form(base: t.Any) -> t.Any:
    """Return the form's class.

    :param base: ``FlaskForm`` of a framework.
    """
    fields = import_module("wtforms.fields")
    check = import_module("wtforms.validators")

    class BookForm(base):  # type: ignore[misc]
        title = fields.StringField(validators=[check.DataRequired(), check.Length(max=100)])
        author = fields.StringField(validators=[check.DataRequired(), check.Length(max=100)])
        mail = fields.EmailField(validators=[check.Regexp(r"[^@\s]+@[^@\s]+$")])
        year = fields.IntegerField(validators=[check.NumberRange(1000, 2100)])
        pages = fields.IntegerField(validators=[check.Optional(), check.NumberRange(min=1)])
        price = fields.DecimalField(validators=[check.Optional()])
        printed = fields.DateField(validators=[check.Optional()])
        language = fields.SelectField(choices=["de", "en", "fr"])
        lent = fields.BooleanField()
        about = fields.TextAreaField(validators=[check.Length(max=1000)])

    return BookForm


def render(form: t.Any) -> str:
    """Return the fields of a form with their labels, as a template would write them."""
    rows = [f"{field.label} {field}" for field in form if field.name != "csrf_token"]
    return "\n".join([str(form.hidden_tag()), *rows])
