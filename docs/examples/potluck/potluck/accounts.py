"""Accounts: register, log in, log out."""

import sqlalchemy as sa
from erlen import Blueprint, flash, redirect, render_template, request, url_for
from erlen.login import (
    LoginManager,
    PasswordRefused,
    check_new_password,
    hash_password,
    login_user,
    logout_user,
    safe_next_url,
    verify_password,
)
from erlen.typing import ResponseReturnValue
from sqlalchemy.exc import IntegrityError

from .db import Account, db

bp = Blueprint("accounts", __name__, url_prefix="/accounts")

login_manager = LoginManager[Account]()
login_manager.login_view = "accounts.login"


@login_manager.user_loader
def load_account(account_id: str) -> Account | None:
    return db.session.get(Account, int(account_id))


@bp.route("/register", methods=["GET", "POST"])
def register() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("accounts/form.html", title="Register")
    name = request.form["name"].strip()
    password = request.form["password"]
    error = add_account(name, password)
    if error is not None:
        flash(error)
        return render_template("accounts/form.html", title="Register"), 422
    flash("Welcome! Now log in.")
    return redirect(url_for("accounts.login"))


def add_account(name: str, password: str) -> str | None:
    """Store a new account; return what is wrong with it, or ``None``."""
    if not 1 <= len(name) <= 40:
        return "A name has 1 to 40 characters."
    try:
        check_new_password(password, context=[name])
    except PasswordRefused as error:
        return str(error)
    account = Account(name=name, password=hash_password(password))
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
    stored = None if account is None else account.password
    if not verify_password(stored, request.form["password"]):
        flash("Name and password do not match.")
        return render_template("accounts/form.html", title="Log in"), 422
    login_user(account)
    return redirect(safe_next_url() or url_for("events.index"))


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    logout_user()
    return redirect(url_for("events.index"))
