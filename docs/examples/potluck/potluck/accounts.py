"""Accounts: register, log in, log out."""

import functools
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from erlen import Blueprint, flash, g, redirect, render_template, request, session, url_for
from erlen.typing import ResponseReturnValue
from sqlalchemy.exc import IntegrityError
from werkzeug.security import check_password_hash, generate_password_hash

from .db import Account, db

bp = Blueprint("accounts", __name__, url_prefix="/accounts")

View = Callable[..., ResponseReturnValue]


@bp.before_app_request
def load_account() -> None:
    """Put the account that is logged in into ``g.account``, or ``None``."""
    account_id = session.get("account_id")
    g.account = None
    if account_id is not None:
        g.account = db.session.get(Account, account_id)


def login_required(view: View) -> View:
    """Send visitors who are not logged in to the login page."""

    @functools.wraps(view)
    def wrapper(**kwargs: Any) -> ResponseReturnValue:
        if g.account is None:
            return redirect(url_for("accounts.login"))
        return view(**kwargs)

    return wrapper


@bp.route("/register", methods=["GET", "POST"])
def register() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("accounts/form.html", title="Register")
    name = request.form["name"].strip()
    password = request.form["password"]
    error = check_new_account(name, password)
    if error is not None:
        flash(error)
        return render_template("accounts/form.html", title="Register"), 422
    flash("Welcome! Now log in.")
    return redirect(url_for("accounts.login"))


def check_new_account(name: str, password: str) -> str | None:
    """Store a new account; return what is wrong with it, or ``None``."""
    if not 1 <= len(name) <= 40:
        return "A name has 1 to 40 characters."
    if len(password) < 8:
        return "A password has at least 8 characters."
    account = Account(name=name, password=generate_password_hash(password))
    try:
        with db.transaction():
            db.session.add(account)
    except IntegrityError:
        return f"Somebody else is called {name}."
    return None


@bp.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("accounts/form.html", title="Log in")
    query = sa.select(Account).where(Account.name == request.form["name"].strip())
    account = db.session.scalar(query)
    if account is None or not check_password_hash(account.password, request.form["password"]):
        flash("Name and password do not match.")
        return render_template("accounts/form.html", title="Log in"), 422
    session.clear()
    session["account_id"] = account.id
    return redirect(url_for("events.index"))


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    session.clear()
    return redirect(url_for("events.index"))
