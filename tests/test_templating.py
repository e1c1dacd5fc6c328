"""Templates: what they see, where they are found, and how they are rendered."""

from __future__ import annotations

import logging
import typing as t
from pathlib import Path

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.ext import Extension
from jinja2.nativetypes import NativeEnvironment
from jinja2.sandbox import SandboxedEnvironment

import erlen
from erlen import (
    Blueprint,
    Flask,
    g,
    render_template,
    render_template_string,
    session,
    stream_template,
    stream_template_string,
)
from erlen.signals import before_render_template, template_rendered
from erlen.templating import (
    DispatchingJinjaLoader,
    Environment,
    StringTemplates,
    _default_template_ctx_processor,
)

if t.TYPE_CHECKING:
    from collections.abc import Iterator

    from erlen.testing import FlaskClient


def use_templates(app: Flask, **sources: str) -> None:
    """Give an application templates; each name gets the ending ".html"."""
    app.jinja_loader = jinja2.DictLoader(
        {f"{name}.html": source for name, source in sources.items()}
    )


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The sources that Jinja generated code for, in order, as they come."""
    generated: list[str] = []
    generate = jinja2.Environment._generate

    def counting(self: t.Any, source: t.Any, *args: t.Any, **kwargs: t.Any) -> str:
        generated.append(source)
        return generate(self, source, *args, **kwargs)

    monkeypatch.setattr(jinja2.Environment, "_generate", counting)
    return generated


# What a template sees


def test_values_are_passed(app: Flask, app_ctx: object) -> None:
    """Keyword arguments are the variables of the template."""
    use_templates(app, page="{{ greeting }}, {{ name }}!")
    assert render_template("page.html", greeting="Hello", name="Ada") == "Hello, Ada!"


def test_standard_names(app: Flask, client: FlaskClient) -> None:
    """Templates can use the request, the session, g, the configuration, and URLs."""
    use_templates(
        app,
        page="{{ request.args.q }} {{ session.user }} {{ g.colour }} {{ config.TESTING }}"
        " {{ url_for('index') }} {{ get_flashed_messages() }}",
    )

    @app.route("/page")
    def index() -> str:
        session["user"] = "ada"
        g.colour = "red"
        erlen.flash("Hi")
        return render_template("page.html")

    text = client.get("/page?q=1").text
    assert text == "1 ada red True /page [&#39;Hi&#39;]"


def test_imported_templates_see_the_standard_names(app: Flask, client: FlaskClient) -> None:
    """A macro that is imported without context reads the request and the session too."""
    use_templates(
        app,
        macros="{% macro who() %}{{ request.path }} {{ session.user }} {{ g.x }}{% endmacro %}",
        page="{% from 'macros.html' import who %}{{ who() }}",
    )

    @app.route("/")
    def index() -> str:
        session["user"] = "ada"
        g.x = 1
        return render_template("page.html")

    assert client.get("/").text == "/ ada 1"


def test_given_values_go_first(app: Flask, app_ctx: object) -> None:
    """A context processor, even the standard one, does not replace a value given by the view."""

    @app.context_processor
    def inject() -> dict[str, t.Any]:
        return {"a": "processor", "b": "processor"}

    text = render_template_string("{{ a }} {{ b }} {{ g }}", a="view", g="mine")
    assert text == "view processor mine"


def test_processors_of_blueprints(app: Flask, client: FlaskClient) -> None:
    """A blueprint's context processor works for its own requests; app_ ones for all."""
    blueprint = Blueprint("shop", __name__, url_prefix="/shop")

    @blueprint.context_processor
    def inject() -> dict[str, str]:
        return {"own": "shop"}

    @blueprint.app_context_processor
    def inject_everywhere() -> dict[str, str]:
        return {"all": "everywhere"}

    def view() -> str:
        return render_template_string("{{ own or 'none' }} {{ all }}")

    blueprint.add_url_rule("/", view_func=view)
    app.register_blueprint(blueprint)
    app.add_url_rule("/", view_func=view)

    assert client.get("/shop/").text == "shop everywhere"
    assert client.get("/").text == "none everywhere"


def test_rendering_without_a_request(app: Flask, app_ctx: object) -> None:
    """An application context is enough; there is no request then."""
    assert render_template_string("{{ config.TESTING }} {{ g.get('x', 1) }}") == "True 1"
    with pytest.raises(RuntimeError, match="outside of request context"):
        render_template_string("{{ request.path }}")


@pytest.mark.parametrize("function", [render_template, stream_template, render_template_string])
def test_no_application(function: t.Callable[[str], t.Any]) -> None:
    """Without an application the error says so, and what to do."""
    with pytest.raises(RuntimeError, match=r"(?s)outside of application context.*app_context"):
        function("page.html")


def test_no_context_at_all() -> None:
    """The standard processor has nothing to give where nothing is current."""
    assert _default_template_ctx_processor() == {}


# The session


def test_session_is_not_touched(app: Flask, client: FlaskClient) -> None:
    """Rendering a template that does not mention the session leaves the session closed."""
    app.add_url_rule("/", view_func=lambda: render_template_string("{{ request.path }}"))
    assert "Vary" not in client.get("/").headers


@pytest.mark.parametrize("source", ["{{ session.user }}", "{% if session %}{% endif %}"])
def test_session_is_touched(app: Flask, client: FlaskClient, source: str) -> None:
    """A template that reads the session makes the response vary by cookie."""
    app.add_url_rule("/", view_func=lambda: render_template_string(source))
    assert client.get("/").headers["Vary"] == "Cookie"


# Escaping


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("page.html", "&lt;b&gt;"),
        ("page.htm", "&lt;b&gt;"),
        ("page.xml", "&lt;b&gt;"),
        ("page.xhtml", "&lt;b&gt;"),
        ("page.svg", "&lt;b&gt;"),
        ("page.txt", "<b>"),
        ("mail", "<b>"),
    ],
)
def test_escaping_by_name(app: Flask, app_ctx: object, name: str, expected: str) -> None:
    """Markup is escaped in templates whose name says that they are markup."""
    app.jinja_loader = jinja2.DictLoader({name: "{{ value }}"})
    assert render_template(name, value="<b>") == expected


def test_strings_are_escaped(app: Flask, app_ctx: object) -> None:
    """A template without a name escapes, unless it says otherwise."""
    source = "{{ v }}{{ v|safe }}{% autoescape false %}{{ v }}{% endautoescape %}"
    assert render_template_string(source, v="<") == "&lt;<<"


# Which template


def test_first_of_a_list(app: Flask, app_ctx: object) -> None:
    """Of several names the first that exists is rendered."""
    use_templates(app, second="2", third="3")
    assert render_template(["first.html", "second.html", "third.html"]) == "2"


def test_template_object(app: Flask, app_ctx: object) -> None:
    """A template that was loaded already can be rendered."""
    template = app.jinja_env.from_string("{{ x }}")
    assert render_template(template, x=1) == "1"
    assert "".join(stream_template([template], x=2)) == "2"


def test_missing_template(app: Flask, app_ctx: object) -> None:
    """The error names the template."""
    with pytest.raises(jinja2.TemplateNotFound, match=r"absent\.html"):
        render_template("absent.html")


def test_application_goes_before_blueprints(app: Flask, app_ctx: object, tmp_path: Path) -> None:
    """A blueprint's template is used where the application has none of that name."""
    blueprint = Blueprint("shop", __name__, template_folder=str(tmp_path))
    (tmp_path / "both.html").write_text("blueprint")
    (tmp_path / "own.html").write_text("own")
    app.register_blueprint(blueprint)
    use_templates(app, both="application")

    assert render_template("both.html") == "application"
    assert render_template("own.html") == "own"


def test_list_templates(app: Flask, tmp_path: Path) -> None:
    """The environment lists each name once, the blueprints' among them."""
    app.register_blueprint(Blueprint("shop", __name__, template_folder=str(tmp_path)))
    (tmp_path / "a.html").touch()
    (tmp_path / "b.html").touch()
    use_templates(app, a="", c="")
    assert app.jinja_env.list_templates() == ["a.html", "b.html", "c.html"]


def test_no_templates_at_all(app: Flask, app_ctx: object) -> None:
    """An application without a template folder finds nothing and lists nothing."""
    app.jinja_loader = None
    assert app.jinja_env.list_templates() == []
    with pytest.raises(jinja2.TemplateNotFound):
        render_template("page.html")


def test_own_loader() -> None:
    """An environment can be made with a loader of one's own, or with the application's."""
    app = Flask(__name__)
    loader = jinja2.DictLoader({})
    assert Environment(app, loader=loader).loader is loader
    assert isinstance(Environment(app).loader, DispatchingJinjaLoader)


# EXPLAIN_TEMPLATE_LOADING


def test_explanation(
    app: Flask, client: FlaskClient, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """The log tells where a missing template was looked for, and from which blueprint."""
    app.config["EXPLAIN_TEMPLATE_LOADING"] = True
    blueprint = Blueprint("shop", "shop_module", template_folder=str(tmp_path), root_path="/")
    blueprint.add_url_rule("/", view_func=lambda: render_template("cart.html"), endpoint="cart")
    app.register_blueprint(blueprint)

    with caplog.at_level(logging.INFO), pytest.raises(jinja2.TemplateNotFound, match="cart"):
        client.get("/")

    text = caplog.messages[0]
    assert "Locating template 'cart.html'" in text
    assert "1: trying loader of application 'erlen_test'" in text
    assert "2: trying loader of blueprint 'shop' (shop_module)" in text
    assert str(tmp_path) in text
    assert text.count("-> no match") == 2
    assert "Error: the template could not be found" in text
    assert "belongs to the blueprint 'shop'" in text


def test_explanation_of_a_found_template(
    app: Flask, app_ctx: object, caplog: pytest.LogCaptureFixture
) -> None:
    """A template that one loader has is rendered, and the log has no warning."""
    app.config["EXPLAIN_TEMPLATE_LOADING"] = True
    use_templates(app, page="found")
    with caplog.at_level(logging.INFO):
        assert render_template("page.html") == "found"
    assert "-> found ('<string>')" in caplog.text
    assert "Error" not in caplog.text
    assert "Warning" not in caplog.text


def test_explanation_of_two_templates(
    app: Flask, app_ctx: object, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """Where two loaders have the template the first is used, and the log warns."""
    app.config["EXPLAIN_TEMPLATE_LOADING"] = True
    (tmp_path / "page.html").write_text("second")
    app.register_blueprint(Blueprint("shop", __name__, template_folder=str(tmp_path)))
    use_templates(app, page="first")
    with caplog.at_level(logging.INFO):
        assert render_template("page.html") == "first"
    assert "Warning: 2 loaders have a template of this name" in caplog.text


# Signals


def test_signals(app: Flask, app_ctx: object) -> None:
    """Both signals carry the template and the complete context; the first may add to it."""
    use_templates(app, page="{{ x }} {{ added }}")
    seen: list[tuple[str, str | None, list[str]]] = []

    def before(sender: Flask, template: jinja2.Template, context: dict[str, t.Any]) -> None:
        seen.append(("before", template.name, sorted(context)))
        context["added"] = "by a receiver"

    def after(sender: Flask, template: jinja2.Template, context: dict[str, t.Any]) -> None:
        seen.append(("after", template.name, sorted(context)))

    with (
        before_render_template.connected_to(before, app),
        template_rendered.connected_to(after, app),
    ):
        text = render_template("page.html", x=1)

    assert text == "1 by a receiver"
    assert seen == [
        ("before", "page.html", ["g", "x"]),
        ("after", "page.html", ["added", "g", "x"]),
    ]


def test_stream_signals(app: Flask, app_ctx: object) -> None:
    """A stream announces its beginning when it is made, and its end when it is exhausted."""
    seen: list[str] = []

    def before(sender: Flask, **_: t.Any) -> None:
        seen.append("before")

    def after(sender: Flask, **_: t.Any) -> None:
        seen.append("after")

    with (
        before_render_template.connected_to(before, app),
        template_rendered.connected_to(after, app),
    ):
        stream = stream_template_string("{{ 1 }}")
        assert seen == ["before"]
        assert list(stream) == ["1"]
        assert seen == ["before", "after"]


def test_exchanged_renderer(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Testing tools put a function of their own in the place of the renderer."""
    monkeypatch.setattr("erlen.templating._render", lambda app, template, context: "rendered")
    app.add_url_rule("/", view_func=lambda: render_template_string("{{ x }}"))
    assert client.get("/").text == "rendered"


# Streams


def test_stream_in_a_request(app: Flask, client: FlaskClient) -> None:
    """The request, the session and g are there until the stream ends."""
    use_templates(
        app, page="{% for i in range(3) %}{{ i }} {{ request.path }} {{ g.x }}\n{% endfor %}"
    )

    @app.route("/page")
    def page() -> Iterator[str]:
        g.x = "x"
        return stream_template("page.html")

    response = client.get("/page")
    with response:
        assert response.is_streamed
        assert response.text == "0 /page x\n1 /page x\n2 /page x\n"


def test_stream_without_a_request(app: Flask, app_ctx: object) -> None:
    """A stream needs the application context only until it is made."""
    use_templates(app, page="{% for i in range(2) %}{{ i }}{% endfor %}{{ config.TESTING }}")
    assert "".join(stream_template("page.html")) == "01True"


# Templates from strings


def test_string_is_compiled_once(app: Flask, app_ctx: object, compilations: list[str]) -> None:
    """Rendering the same string again does not compile it again."""
    texts = [render_template_string("{{ n|string|upper }}", n=n) for n in "abc"]
    assert texts == ["A", "B", "C"]
    assert len(compilations) == 1
    assert "".join(stream_template_string("{{ n|string|upper }}", n="d")) == "D"
    assert len(compilations) == 1


def test_added_filter(app: Flask, app_ctx: object) -> None:
    """A filter that is exchanged works at once, for a constant also."""
    source = "{{ 'a'|twist }}{{ x|twist }}"
    for _ in range(2):
        app.jinja_env.filters["twist"] = lambda value: f"1{value}"
        assert render_template_string(source, x="b") == "1a1b"
        app.jinja_env.filters["twist"] = lambda value: f"2{value}"
        assert render_template_string(source, x="b") == "2a2b"


def test_builtin_filter_exchanged(app: Flask, app_ctx: object) -> None:
    """So does one that takes the place of Jinja's own."""
    assert render_template_string("{{ 'a'|upper }}") == "A"
    app.jinja_env.filters["upper"] = lambda value: "mine"
    assert render_template_string("{{ 'a'|upper }}") == "mine"


@pytest.mark.parametrize(
    "source",
    [
        "{{ 'x'|tick }}",
        "{{ ['x', 'y']|tick }}",
        "{{ x if false else 'y'|tick }}",
        "{{ (false and x)|tick }}",
        "{{ (true or x)|tick(1) }}",
        "{{ 'x' is ticking }}",
    ],
)
def test_impure_filters(app: Flask, app_ctx: object, source: str) -> None:
    """A filter is asked at each rendering, where Jinja calls it during compilation too."""
    ticks = iter(range(100))
    app.jinja_env.filters["tick"] = lambda *_: next(ticks)
    app.jinja_env.tests["ticking"] = lambda *_: next(ticks)
    first, second = (int(render_template_string(source)) for _ in range(2))
    assert second > first


@pytest.mark.parametrize("source", ["{{ x|double }}", "{{ x.y|default(1)|double }}"])
def test_own_filters_on_variables(
    app: Flask, app_ctx: object, compilations: list[str], source: str
) -> None:
    """A template that gives variables to one's own filters is compiled once."""
    app.jinja_env.filters["double"] = lambda value: value * 2
    for _ in range(3):
        render_template_string(source, x="1")
    assert len(compilations) == 1


def test_changed_settings(app: Flask, app_ctx: object) -> None:
    """Changes of the environment take effect on strings that were rendered before."""
    source = "{{ v }} <% v %>\n{{ absent }}{{ undefined_global }}"
    expected = "&lt; <% v %>\n"
    assert render_template_string(source, v="<") == expected
    app.jinja_env.autoescape = False
    assert render_template_string(source, v="<") == "< <% v %>\n"
    app.jinja_env.newline_sequence = "\r\n"
    assert render_template_string(source, v="<") == "< <% v %>\r\n"
    app.jinja_env.globals["undefined_global"] = "now defined"
    assert render_template_string(source, v="<") == "< <% v %>\r\nnow defined"
    app.jinja_env.undefined = jinja2.StrictUndefined
    with pytest.raises(jinja2.UndefinedError):
        render_template_string(source, v="<")


def test_changed_policies(app: Flask, app_ctx: object) -> None:
    """A policy that Jinja reads while it compiles may change too."""
    source = "{{ 'x y z'|truncate(3, leeway=none) }}"
    assert render_template_string(source) == "x y z"
    app.jinja_env.policies["truncate.leeway"] = 0
    assert render_template_string(source) == "..."


def test_autoescape_function(app: Flask, app_ctx: object) -> None:
    """A function that decides about escaping is asked each time."""
    app.jinja_env.autoescape = lambda name: app.config["ESCAPE"]
    for escape, expected in ((True, "&lt;"), (False, "<"), (True, "&lt;")):
        app.config["ESCAPE"] = escape
        assert render_template_string("{{ v }}", v="<") == expected


def test_replaced_globals(app: Flask, app_ctx: object) -> None:
    """Another dict of globals is used from then on."""
    assert render_template_string("{{ colour }}") == ""
    app.jinja_env.globals = {"colour": "red"}
    assert render_template_string("{{ colour }}") == "red"


def test_finalize_and_extensions(app: Flask, app_ctx: object, compilations: list[str]) -> None:
    """With code of others that runs during compilation, each rendering compiles."""

    class Stamp(Extension):
        count = 0

        def preprocess(self, source: str, name: str | None, filename: str | None = None) -> str:
            self.count += 1
            return f"{source}{self.count}"

    app.jinja_env.add_extension("jinja2.ext.do")
    for _ in range(2):
        assert render_template_string("{% do [] %}") == ""
    assert len(compilations) == 1

    app.jinja_env.add_extension(Stamp)
    assert [render_template_string("x") for _ in range(3)] == ["x1", "x2", "x3"]

    numbers = iter(range(10))
    app.jinja_options = {"finalize": lambda value: next(numbers)}
    del app.jinja_env
    assert [render_template_string("{{ 'c' }}") for _ in range(2)] == ["0", "1"]


def test_syntax_error_in_a_string(app: Flask, app_ctx: object) -> None:
    """The error shows the line, whether the parser or the compiler found it, and each time."""
    for source in ("one\n{% if %}", "one\n{{ x|absent_filter }}"):
        for _ in range(2):
            with pytest.raises(jinja2.TemplateSyntaxError) as info:
                render_template_string(source)
            assert info.value.lineno == 2
            assert info.value.source == source


def test_string_templates_are_bounded(app: Flask, compilations: list[str]) -> None:
    """Only so many templates are kept, and no long ones."""
    kept = StringTemplates()
    environment = app.jinja_env
    for number in range(kept.capacity + 1):
        kept.get(environment, f"{number}")
    compilations.clear()
    kept.get(environment, f"{kept.capacity}")
    assert len(compilations) == 0
    kept.get(environment, "0")
    assert len(compilations) == 1

    compilations.clear()
    for _ in range(2):
        kept.get(environment, "x" * (kept.longest_source + 1))
    assert len(compilations) == 2


SOURCES = [
    "{{ v }}",
    "{{ v|mine }}{{ 'c'|mine }}",
    "{{ 'c'|upper }}{{ v|upper|mine }}",
    "{% if v is string %}{{ 'c'|safe }}{% endif %}",
    "{{ 'a b c'|truncate(3) }}",
    "{{ shared }}<% v %>\n{{ '<' }}\n",
    "{% set x = [1, 'y'|mine] %}{{ x|join }}",
    "{{ (v and 'c')|mine }}{% filter mine %}c{% endfilter %}",
    "{% autoescape false %}{{ v }}{{ '<'|mine }}{% endautoescape %}",
]


def _change(environment: Environment, number: int) -> None:
    """Make one of several changes to an environment; the same number gives the same change."""
    kind, value = divmod(number, 4)
    if kind == 0:
        environment.filters["mine"] = lambda text: f"{value}{text}"
    elif kind == 1:
        environment.filters["upper"] = environment.filters[("lower", "title", "trim", "e")[value]]
    elif kind == 2:
        environment.tests["string"] = lambda _: value > 1
    elif kind == 3:
        environment.autoescape = (True, False, lambda _: True, lambda _: False)[value]
    elif kind == 4:
        environment.globals["shared"] = value
    elif kind == 5:
        environment.policies["truncate.leeway"] = value
    elif kind == 6:
        environment.newline_sequence = ("\n", "\r\n", "\r", "\n")[value]
    elif kind == 7:
        environment.finalize = (None, repr, None, lambda text: f"[{text}]")[value]
    else:
        environment.keep_trailing_newline = value > 1


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("render"), st.sampled_from(SOURCES), st.sampled_from(["<v>", 3])),
            st.tuples(st.just("change"), st.integers(0, 35), st.none()),
        ),
        max_size=25,
    )
)
def test_kept_templates_are_what_compiling_gives(steps: list[tuple[str, t.Any, t.Any]]) -> None:
    """Whatever is changed in between, a string renders as if it were compiled for the first time.

    The same changes are made to an environment that keeps nothing.
    """
    ours, fresh = (Environment(Flask(__name__), autoescape=True) for _ in range(2))
    for environment in (ours, fresh):
        _change(environment, 0)
    for kind, what, value in steps:
        if kind == "change":
            _change(ours, what)
            _change(fresh, what)
            continue
        expected = fresh.from_string(what).render(v=value)
        assert ours._string_templates.get(ours, what).render(v=value) == expected


def test_overlay(app: Flask) -> None:
    """An overlay of the environment shares its attributes, and compiles for itself."""
    overlay = app.jinja_env.overlay(variable_start_string="[[", variable_end_string="]]")
    kept = app.jinja_env._string_templates
    for _ in range(2):
        assert kept.get(app.jinja_env, "{{ x }}[[ x ]]").render(x=1) == "1[[ x ]]"
        assert kept.get(overlay, "{{ x }}[[ x ]]").render(x=1) == "{{ x }}1"


def test_own_environment_class(compilations: list[str]) -> None:
    """A subclass of the environment may compile in a way of its own, and is asked each time."""

    class Shouting(Environment):
        def from_string(self, source: t.Any, *args: t.Any, **kwargs: t.Any) -> jinja2.Template:
            return super().from_string(source + "!", *args, **kwargs)

    class Application(Flask):
        jinja_environment = Shouting

    app = Application(__name__)
    with app.app_context():
        assert isinstance(app.jinja_env, Shouting)
        assert [render_template_string("hey") for _ in range(2)] == ["hey!", "hey!"]
    assert len(compilations) == 2


# What Jinja's environment does, done faster


class Row:
    """Has one attribute, one item, and one name that is both."""

    attribute = "attribute"
    both = "attribute"

    def __getitem__(self, name: str) -> str:
        return {"item": "item", "both": "item"}[name]


VALUES = [
    {"item": 1, "items": 2, "both": 3},
    {1: 2},
    {},
    Row(),
    "text",
    [1, 2],
    None,
    7,
    jinja2.Undefined(name="x"),
]


@given(
    value=st.sampled_from(VALUES),
    name=st.sampled_from(["item", "items", "both", "attribute", "upper", "absent", "keys", "0"]),
)
def test_dots_mean_what_they_mean_in_jinja(value: object, name: str) -> None:
    """``value.name`` gives what an environment of Jinja gives, or fails in the same way."""
    ours = Environment(Flask(__name__), loader=jinja2.DictLoader({}))
    theirs = jinja2.Environment()
    assert outcome(ours, value, name) == outcome(theirs, value, name)


def outcome(environment: jinja2.Environment, value: object, name: str) -> str:
    try:
        found = environment.getattr(value, name)
    except jinja2.UndefinedError as error:
        return f"error: {error}"
    if isinstance(found, jinja2.Undefined):
        return f"undefined: {found._undefined_message}"
    return "method" if callable(found) else repr(found)


@pytest.mark.parametrize("ours_first", [True, False])
def test_sandbox(ours_first: bool) -> None:
    """A class that is also Jinja's sandbox keeps templates inside, whichever base comes first."""
    bases = (Environment, SandboxedEnvironment)
    sandbox = type("Sandbox", bases if ours_first else bases[::-1], {})
    environment = sandbox(Flask(__name__))
    assert environment.from_string("{{ x.y }}{{ x.items() }}").render(x={"y": 1}) == (
        "1dict_items([('y', 1)])"
    )
    for source in ("{{ x.__class__.__mro__ }}", "{{ y.__class__.__mro__ }}"):
        with pytest.raises(jinja2.exceptions.SecurityError):
            environment.from_string(source).render(x={}, y=1)


def test_native_types() -> None:
    """A class that is also Jinja's native environment renders to objects."""

    class Native(Environment, NativeEnvironment):
        pass

    rendered: object = Native(Flask(__name__)).from_string("{{ [x.y] }}").render(x={"y": 1})
    assert rendered == [1]


def test_own_way_with_dots() -> None:
    """A subclass may read attributes in a way of its own."""

    class Own(Environment):
        def getattr(self, obj: t.Any, attribute: str) -> t.Any:
            return f"own {attribute}"

    class Further(Own):
        pass

    assert Further(Flask(__name__)).from_string("{{ x.y }}").render(x={"y": 1}) == "own y"


def test_asynchronous_templates(app: Flask, app_ctx: object) -> None:
    """Templates can await, where the environment is made for it."""
    app.jinja_options = {"enable_async": True}

    async def fetch() -> str:
        return "fetched"

    for _ in range(2):
        assert render_template_string("{{ fetch() }} {{ x.y }}", fetch=fetch, x={"y": 1}) == (
            "fetched 1"
        )


def test_environment_globals_are_live(app: Flask, app_ctx: object) -> None:
    """A global that is added later is seen by templates loaded before, imported ones too."""
    use_templates(
        app,
        page="{{ a }}{% include 'part.html' %}{% import 'part.html' as p with context %}{{ p.b }}",
        part="{% set b = a %}{{ a }}",
    )
    assert render_template("page.html") == ""
    app.jinja_env.globals["a"] = 1
    assert render_template("page.html") == "111"
    assert render_template("page.html", a=2) == "222"


def test_globals_of_one_template(app: Flask, app_ctx: object) -> None:
    """Globals given when a template is loaded are its own, and go before the environment's."""
    use_templates(app, one="{{ a }}{{ b }}", two="{{ a }}{{ b }}")
    app.jinja_env.globals.update(a=1, b=2)
    one = app.jinja_env.get_template("one.html", globals={"a": 3})
    assert one.render() == "32"
    assert render_template("two.html") == "12"
    assert one.render(b=4) == "34"
    one.globals = {"b": 5}
    assert one.render(a=6) == "65"
