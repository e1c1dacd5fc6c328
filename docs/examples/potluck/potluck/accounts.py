"""Accounts: register, log in, log out."""

import functools
import sqlite3
from collections.abc import Callable
from typing import Any

from erlen import Blueprint, flash, g, redirect, render_template, request, session, url_for
from erlen.typing import ResponseReturnValue
from werkzeug.security import check_password_hash, generate_password_hash

from .db import get_db

bp = Blueprint("accounts", __name__, url_prefix="/accounts")

View = Callable[..., ResponseReturnValue]


@bp.before_app_request
def load_account() -> None:
    """Put the account that is logged in into ``g.account``, or ``None``."""
    account_id = session.get("account_id")
    g.account = None
    if account_id is not None:
        query = "SELECT id, name FROM account WHERE id = ?"
        g.account = get_db().execute(query, (account_id,)).fetchone()


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
    db = get_db()
    try:
        db.execute(
            "INSERT INTO account (name, password) VALUES (?, ?)",
            (name, generate_password_hash(password)),
        )
        db.commit()
    except sqlite3.IntegrityError:
        return f"Somebody else is called {name}."
    return None


@bp.route("/login", methods=["GET", "POST"])
def login() -> ResponseReturnValue:
    if request.method == "GET":
        return render_template("accounts/form.html", title="Log in")
    query = "SELECT id, password FROM account WHERE name = ?"
    account = get_db().execute(query, (request.form["name"].strip(),)).fetchone()
    if account is None or not check_password_hash(account["password"], request.form["password"]):
        flash("Name and password do not match.")
        return render_template("accounts/form.html", title="Log in"), 422
    session.clear()
    session["account_id"] = account["id"]
    return redirect(url_for("events.index"))


@bp.post("/logout")
def logout() -> ResponseReturnValue:
    session.clear()
    return redirect(url_for("events.index"))
