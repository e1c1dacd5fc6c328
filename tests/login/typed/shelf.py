"""A small application with logins, as a user would write it, checked by mypy and pyright."""

from __future__ import annotations

from datetime import timedelta
from typing import assert_type

from sqlalchemy.orm import Mapped, mapped_column
from werkzeug.wrappers import Response

from erlen import Erlen, Request, redirect, request, url_for
from erlen.db import Model, SQLAlchemy
from erlen.login import (
    AnonymousUserMixin,
    FlaskLoginClient,
    LoginManager,
    UserMixin,
    confirm_login,
    current_user,
    fresh_login_required,
    login_fresh,
    login_required,
    login_user,
    logout_user,
    safe_next_url,
    user_logged_in,
)


class Base(Model):
    pass


db = SQLAlchemy(model_class=Base)


class User(UserMixin, Base):
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    locked: Mapped[bool] = mapped_column(default=False)
    password: Mapped[str]

    @property
    def is_active(self) -> bool:
        return not self.locked

    def get_session_stamp(self) -> str:
        return self.password


class Guest(AnonymousUserMixin):
    name = "guest"


login = LoginManager[User]()
login.anonymous_user = Guest
login.login_view = "log_in"
login.blueprint_login_views = {"admin": "admin.log_in"}
me = login.current_user


@login.user_loader
def load_user(user_id: str) -> User | None:
    return db.session.get(User, int(user_id))


@login.request_loader
async def load_by_key(request: Request) -> User | None:
    return None if request.authorization is None else load_user("1")


@login.unauthorized_handler
def refuse() -> tuple[str, int]:
    return "Who are you?", 401


app = Erlen(__name__)
login.init_app(app)


@app.post("/login")
def log_in() -> Response | str:
    user = db.session.get(User, 1)
    if user is None or not login_user(user, remember=True, duration=timedelta(days=7)):
        return "Try again."
    confirm_login()
    return redirect(safe_next_url() or url_for("index"))


@app.post("/logout")
def log_out() -> Response:
    logout_user()
    return redirect("/")


@app.get("/")
@login_required
def index() -> str:
    assert_type(login.current_user, User)
    assert_type(me.name, str)
    assert_type(login.user, User | None)
    assert_type(login_fresh(), bool)
    return f"{login.current_user.name} {current_user.name} {request.method}"


@app.get("/users/<int:number>")
@fresh_login_required
async def show(number: int) -> dict[str, int]:
    return {"number": number}


def note(sender: Erlen, user: User) -> None:
    sender.logger.info("%s is here", user.name)


user_logged_in.connect(note, app)
app.test_client_class = FlaskLoginClient
assert_type(log_out(), Response)
