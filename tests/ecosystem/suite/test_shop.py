"""A server-rendered shop on the extensions that most Flask applications have.

Flask-SQLAlchemy, Flask-Migrate, Flask-WTF, Flask-Login, Flask-Bcrypt, Flask-Principal,
Flask-Session, Flask-Babel, Flask-Mail, Flask-Talisman, Flask-Compress, Flask-Caching,
Flask-Limiter, Flask-CORS, Flask-Moment, Bootstrap-Flask, Flask-Admin and Flask-DebugToolbar in
one application.
"""

from __future__ import annotations

import gzip
import re
import typing as t
from pathlib import Path

import pytest
from cachelib.file import FileSystemCache
from flask import (
    Blueprint,
    Flask,
    abort,
    current_app,
    flash,
    g,
    redirect,
    render_template,
    render_template_string,
    request,
    session,
    url_for,
)
from flask.testing import FlaskClient
from flask_admin import Admin
from flask_admin.contrib.sqla import ModelView
from flask_babel import Babel, format_decimal, gettext
from flask_bcrypt import Bcrypt
from flask_bootstrap import Bootstrap5
from flask_caching import Cache
from flask_compress import Compress
from flask_cors import CORS
from flask_debugtoolbar import DebugToolbarExtension
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_login import (
    LoginManager,
    UserMixin,
    current_user,
    login_required,
    login_user,
    logout_user,
)
from flask_mail import Mail, Message
from flask_migrate import Migrate
from flask_moment import Moment
from flask_principal import (
    Identity,
    Permission,
    Principal,
    RoleNeed,
    identity_changed,
    identity_loaded,
)
from flask_session import Session
from flask_sqlalchemy import SQLAlchemy
from flask_talisman import Talisman
from flask_wtf import CSRFProtect, FlaskForm
from sqlalchemy.orm import Mapped, mapped_column
from wtforms import IntegerField, PasswordField, StringField
from wtforms.validators import DataRequired, NumberRange

db = SQLAlchemy()
migrate = Migrate()
csrf = CSRFProtect()
login_manager = LoginManager()
bcrypt = Bcrypt()
principal = Principal()
cache = Cache()
limiter = Limiter(get_remote_address)
mail = Mail()
babel = Babel()

admin_permission = Permission(RoleNeed("admin"))


class User(db.Model, UserMixin):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    password: Mapped[str]
    role: Mapped[str] = mapped_column(default="reader")


class Article(db.Model):
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    price: Mapped[int]


class LoginForm(FlaskForm):
    name = StringField("Name", validators=[DataRequired()])
    password = PasswordField("Password", validators=[DataRequired()])


class ArticleForm(FlaskForm):
    title = StringField("Title", validators=[DataRequired()])
    price = IntegerField("Price", validators=[NumberRange(min=1)])


shop = Blueprint("shop", __name__)


@login_manager.user_loader
def load_user(user_id: str) -> User | None:
    return t.cast("User | None", db.session.get(User, int(user_id)))


def on_identity_loaded(sender: Flask, identity: Identity) -> None:
    if current_user.is_authenticated:
        identity.user = current_user
        identity.provides.add(RoleNeed(current_user.role))


@shop.route("/login", methods=["GET", "POST"])
def login() -> t.Any:
    form = LoginForm()
    if form.validate_on_submit():
        user = db.session.scalar(db.select(User).filter_by(name=form.name.data))
        if user and bcrypt.check_password_hash(user.password, form.password.data):
            login_user(user, remember=True)
            identity_changed.send(
                current_app._get_current_object(),
                identity=Identity(user.id),
            )
            flash("Welcome back")
            return redirect(url_for("shop.articles"))
        flash("Wrong name or password")
    return render_template("login.html", form=form)


@shop.post("/logout")
@login_required
def logout() -> t.Any:
    logout_user()
    return redirect(url_for("shop.articles"))


@shop.get("/")
def articles() -> str:
    page = db.paginate(db.select(Article).order_by(Article.id), per_page=10)
    return render_template("articles.html", page=page)


@shop.route("/articles/new", methods=["GET", "POST"])
@login_required
def new_article() -> t.Any:
    with admin_permission.require(403):
        form = ArticleForm()
        if form.validate_on_submit():
            article = Article(title=form.title.data, price=form.price.data)
            db.session.add(article)
            db.session.commit()
            message = Message("New article", recipients=["all@example.com"])
            message.body = f"{article.title} for {article.price}"
            mail.send(message)
            return redirect(url_for(".articles"))
        return render_template("login.html", form=form)


@shop.get("/articles/<int:article_id>")
def article(article_id: int) -> dict[str, t.Any]:
    found = db.get_or_404(Article, article_id)
    return {"title": found.title, "price": found.price}


@shop.get("/report")
@cache.cached(timeout=60, query_string=True)
def report() -> str:
    calls = current_app.extensions["calls"]
    calls.append(request.full_path)
    return f"report {len(calls)}"


@shop.get("/memo/<int:number>")
def memo(number: int) -> str:
    @cache.memoize(60)
    def double(value: int) -> int:
        current_app.extensions["calls"].append(value)
        return value * 2

    return str(double(number))


@shop.get("/limited")
@limiter.limit("3 per minute")
def limited() -> str:
    return "still allowed"


@shop.get("/price")
def price() -> str:
    return f"{gettext('Price')}: {format_decimal(1234.5)}"


@shop.get("/long")
def long() -> str:
    return "all work and no play " * 500


@shop.route("/cart/<item>")
def cart(item: str) -> dict[str, t.Any]:
    session.setdefault("cart", []).append(item)
    session.modified = True
    return {"cart": session["cart"]}


@shop.get("/moment")
def moment() -> str:
    return render_template_string("{{ moment.include_moment() }}{{ bootstrap.load_css() }}")


@shop.get("/page")
def page() -> str:
    return "<html><body><h1>A page</h1></body></html>"


@shop.get("/api/articles")
def api_articles() -> list[str]:
    return [found.title for found in db.session.scalars(db.select(Article))]


@shop.get("/teapot")
def teapot() -> t.NoReturn:
    abort(418, "short and stout")


def select_locale() -> str | None:
    return request.accept_languages.best_match(["en", "de"])


def create_app(folder: Path, **config: t.Any) -> Flask:
    app = Flask(__name__)
    app.config.from_mapping(
        TESTING=True,
        SECRET_KEY="a key for tests",
        SQLALCHEMY_DATABASE_URI=f"sqlite:///{folder / 'shop.db'}",
        SESSION_TYPE="cachelib",
        SESSION_CACHELIB=FileSystemCache(str(folder / "sessions")),
        CACHE_TYPE="SimpleCache",
        MAIL_DEFAULT_SENDER="shop@example.com",
        BCRYPT_LOG_ROUNDS=4,
        RATELIMIT_STORAGE_URI="memory://",
        DEBUG_TB_INTERCEPT_REDIRECTS=False,
    )
    app.config.update(config)
    app.extensions["calls"] = []
    db.init_app(app)
    migrate.init_app(app, db, directory=str(folder / "migrations"))
    csrf.init_app(app)
    login_manager.init_app(app)
    login_manager.login_view = "shop.login"
    bcrypt.init_app(app)
    principal.init_app(app)
    identity_loaded.connect(on_identity_loaded, app)
    cache.init_app(app)
    limiter.init_app(app)
    mail.init_app(app)
    babel.init_app(app, locale_selector=select_locale)
    Session(app)
    Compress(app)
    Moment(app)
    Bootstrap5(app)
    CORS(app, resources={"/api/*": {"origins": "https://friend.example"}})
    Talisman(app, force_https=False, session_cookie_secure=False)
    admin = Admin(app, name="Back office")
    admin.add_view(ModelView(Article, db, endpoint="admin_article"))
    if app.debug:
        DebugToolbarExtension(app)
    app.register_blueprint(shop)
    return app


@pytest.fixture
def shop_app(tmp_path: Path) -> Flask:
    app = create_app(tmp_path)
    with app.app_context():
        db.create_all()
        db.session.add_all(Article(title=f"Article {n}", price=n) for n in range(1, 26))
        for name, role in (("ada", "admin"), ("bob", "reader")):
            password = bcrypt.generate_password_hash("secret").decode()
            db.session.add(User(name=name, password=password, role=role))
        db.session.commit()
    return app


@pytest.fixture
def http(shop_app: Flask) -> FlaskClient:
    return shop_app.test_client()


def find_token(page: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert found, page
    return found[1]


def sign_in(http: FlaskClient, name: str = "ada", password: str = "secret") -> t.Any:
    token = find_token(http.get("/login").text)
    form = {"name": name, "password": password, "csrf_token": token}
    return http.post("/login", data=form)


def test_csrf_refusal(http: FlaskClient) -> None:
    """A form without the token is refused with 400."""
    answer = http.post("/login", data={"name": "ada", "password": "secret"})
    assert answer.status_code == 400
    assert "CSRF token is missing" in answer.text


def test_login_flow(http: FlaskClient) -> None:
    """Login sets the session and the remember cookie, logout ends both."""
    assert http.get("/articles/new").headers["Location"] == "/login?next=%2Farticles%2Fnew"
    answer = sign_in(http)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert http.get_cookie("remember_token") is not None
    page = http.get("/").text
    assert "Welcome back" in page and "ada" in page
    assert "Welcome back" not in http.get("/").text
    token = find_token(http.get("/articles/new").text)
    assert http.post("/logout", data={"csrf_token": token}).status_code == 302
    assert http.get("/articles/new").status_code == 302


def test_wrong_password(http: FlaskClient) -> None:
    """A wrong password shows the form again, with a flashed message."""
    answer = sign_in(http, password="wrong")
    assert answer.status_code == 200
    assert "Wrong name or password" in answer.text


def test_remembered(http: FlaskClient) -> None:
    """The remember cookie alone signs in."""
    sign_in(http)
    http.delete_cookie("session")
    assert "ada" in http.get("/").text


def test_permission(http: FlaskClient) -> None:
    """Flask-Principal turns away who lacks the role."""
    sign_in(http, "bob")
    assert http.get("/articles/new").status_code == 403


def test_form_errors(http: FlaskClient) -> None:
    """WTForms validators run on the request's form."""
    sign_in(http)
    token = find_token(http.get("/articles/new").text)
    answer = http.post("/articles/new", data={"title": "X", "price": "0", "csrf_token": token})
    assert "Number must be at least 1" in answer.text


def test_create_sends_mail(http: FlaskClient, shop_app: Flask) -> None:
    """A valid form stores a row and sends a mail."""
    sign_in(http)
    token = find_token(http.get("/articles/new").text)
    with shop_app.app_context(), mail.record_messages() as outbox:
        form = {"title": "Lamp", "price": "40", "csrf_token": token}
        assert http.post("/articles/new", data=form).status_code == 302
    assert [message.subject for message in outbox] == ["New article"]
    assert outbox[0].body == "Lamp for 40"
    assert "Lamp" in http.get("/?page=3").text


def test_pagination(http: FlaskClient) -> None:
    """Pages have ten articles and link to each other; a page beyond the last is 404."""
    page = http.get("/?page=2").text
    assert "Article 11" in page and "Article 20" in page and "Article 21" not in page
    assert "/?page=3" in page
    assert http.get("/?page=4").status_code == 404


def test_get_or_404(http: FlaskClient) -> None:
    """A row answers as JSON, a missing one with 404."""
    assert http.get("/articles/7").get_json() == {"title": "Article 7", "price": 7}
    assert http.get("/articles/700").status_code == 404


def test_session_on_disk(http: FlaskClient, tmp_path: Path) -> None:
    """Flask-Session keeps the data in files; the cookie holds no more than an id."""
    for item in ("lamp", "table"):
        answer = http.get(f"/cart/{item}")
    assert answer.get_json() == {"cart": ["lamp", "table"]}
    cookie = http.get_cookie("session")
    assert cookie is not None and len(cookie.value) < 100
    assert len(list((tmp_path / "sessions").iterdir())) >= 1


def test_cached_view(http: FlaskClient, shop_app: Flask) -> None:
    """A cached view runs once per query string; clearing makes it run again."""
    assert [http.get("/report?a=1").text for _ in range(3)] == ["report 1"] * 3
    assert http.get("/report?a=2").text == "report 2"
    with shop_app.app_context():
        cache.clear()
    assert http.get("/report?a=1").text == "report 3"


def test_memoized(http: FlaskClient, shop_app: Flask) -> None:
    """A memoized function runs once per argument."""
    assert [http.get(f"/memo/{n}").text for n in (1, 2, 1, 2)] == ["2", "4", "2", "4"]
    assert shop_app.extensions["calls"] == [1, 2]


def test_rate_limit(http: FlaskClient) -> None:
    """The fourth request in a minute is refused."""
    limiter.reset()
    codes = [http.get("/limited").status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]


def test_babel(http: FlaskClient) -> None:
    """The locale follows Accept-Language."""
    assert http.get("/price", headers={"Accept-Language": "en"}).text == "Price: 1,234.5"
    assert http.get("/price", headers={"Accept-Language": "de"}).text == "Price: 1.234,5"


def test_compress(http: FlaskClient) -> None:
    """A long body is compressed for who accepts it."""
    answer = http.get("/long", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert gzip.decompress(answer.data).startswith(b"all work")
    assert "Content-Encoding" not in http.get("/long").headers


def test_cors(http: FlaskClient) -> None:
    """Only the API may be read from the friend's pages."""
    origin = {"Origin": "https://friend.example"}
    answer = http.get("/api/articles", headers=origin)
    assert answer.headers["Access-Control-Allow-Origin"] == "https://friend.example"
    assert "Access-Control-Allow-Origin" not in http.get("/", headers=origin).headers
    preflight = http.options(
        "/api/articles", headers={**origin, "Access-Control-Request-Method": "GET"}
    )
    assert "GET" in preflight.headers["Access-Control-Allow-Methods"]


def test_talisman(http: FlaskClient) -> None:
    """Security headers are on every answer, error pages and static files included."""
    for path in ("/price", "/nothing", "/static/style.css", "/teapot"):
        headers = http.get(path).headers
        assert headers["X-Frame-Options"] == "SAMEORIGIN", path
        assert "default-src 'self'" in headers["Content-Security-Policy"], path


def test_static_and_errors(http: FlaskClient) -> None:
    """A static file is served, and abort() keeps its description."""
    assert "serif" in http.get("/static/style.css").text
    answer = http.get("/teapot")
    assert answer.status_code == 418 and "short and stout" in answer.text


def test_moment_and_bootstrap(http: FlaskClient) -> None:
    """Context processors of extensions reach the template."""
    page = http.get("/moment").text
    assert "moment" in page and "bootstrap.min.css" in page


def test_admin_list(http: FlaskClient) -> None:
    """Flask-Admin lists, pages and searches the model."""
    page = http.get("/admin/admin_article/").text
    assert "Article 20" in page and "Back office" in page
    assert http.get("/admin/").status_code == 200
    edit = http.get("/admin/admin_article/edit/?id=3")
    assert edit.status_code == 200 and 'value="Article 3"' in edit.text


def test_migrations(shop_app: Flask, tmp_path: Path) -> None:
    """init, migrate, upgrade, current and downgrade work as commands."""
    with shop_app.app_context():
        db.drop_all()
    runner = shop_app.test_cli_runner()
    for command in ("init", "migrate", "upgrade"):
        outcome = runner.invoke(args=["db", command])
        assert outcome.exit_code == 0, outcome.output
    versions = list((tmp_path / "migrations" / "versions").glob("*.py"))
    assert len(versions) == 1 and "create_table" in versions[0].read_text()
    with shop_app.app_context():
        db.session.add(Article(title="After", price=1))
        db.session.commit()
        assert db.session.scalar(db.select(Article.title)) == "After"
    assert runner.invoke(args=["db", "downgrade"]).exit_code == 0
    with shop_app.app_context():
        assert "article" not in db.inspect(db.engine).get_table_names()


def test_session_removed_at_teardown(shop_app: Flask) -> None:
    """Flask-SQLAlchemy's session is bound to the application context."""
    with shop_app.app_context():
        first = db.session()
        assert first is db.session()
    with shop_app.app_context():
        assert db.session() is not first


def test_debug_toolbar(tmp_path: Path) -> None:
    """The toolbar is written into HTML pages in debug mode."""
    app = create_app(tmp_path, DEBUG=True, DEBUG_TB_ENABLED=True)
    app.debug = True
    page = app.test_client().get("/page").text
    assert "<h1>A page</h1>" in page and "flDebug" in page


def test_global_g_is_fresh(shop_app: Flask) -> None:
    """What one request leaves in g, the next does not see."""

    def remember() -> None:
        assert not hasattr(g, "mark")
        g.mark = True

    shop_app.before_request(remember)
    http = shop_app.test_client()
    assert {http.get("/price").status_code for _ in range(3)} == {200}
