"""Accounts: who may log in, what they may do, and those that a demonstration begins with."""

import base64
import json
import secrets
from pathlib import Path

from erlen import Erlen, Request
from erlen.accounts import Accounts
from erlen.login import LoginManager, Permissions

from .db import db
from .exceptions import Refused
from .models import Account
from .web.accounts import LibraryPages

login = LoginManager[Account]()
accounts = Accounts(None, db, Account, pages=LibraryPages, base_template="base.html", login=login)
permissions = Permissions[Account](
    roles={
        "anonymous": {"book:view"},
        "authenticated": {"book:view"},
        "reader": {"loan:own"},
        "librarian": {"book:*", "loan:*", "activity:view", "reader:view"},
    }
)

DEMO = {
    "librarian@shelf.example": ("Alma", ("librarian", "reader")),
    "reader@shelf.example": ("Ben", ("reader",)),
}


@login.request_loader
def load_program(request: Request) -> Account | None:
    """Return who sends this request of a program, by the name and the password in it."""
    given = request.authorization
    if request.blueprint != "api" or given is None or given.type != "basic":
        return None
    return accounts.authenticate(given.username or "", given.password or "", remember_device=False)


def make_account(
    email: str, name: str, password: str, roles: tuple[str, ...] = ("reader",)
) -> Account:
    """Add an account whose address needs no confirmation."""
    account = Account(name=name)
    account.set_email(email, confirmed=True)
    account.set_password(password)
    account.set_roles(roles)
    with db.transaction():
        db.session.add(account)
    return account


def promote(email: str) -> Account:
    """Make somebody a librarian."""
    account = accounts.find_by_email(email)
    if account is None:
        raise Refused(f"Nobody has an account with the address {email}.")
    with db.transaction():
        account.set_roles({*account.roles, "librarian"})
    return account


def make_demo_accounts(path: Path) -> dict[str, str | None]:
    """Add a librarian and a reader to try the library with, and return their passwords.

    The passwords are made by chance, once, and kept in a file that nobody else may read. One that
    was changed since is None.
    """
    passwords = json.loads(path.read_text()) if path.exists() else {}
    found: dict[str, str | None] = {}
    for email, (name, roles) in DEMO.items():
        account = accounts.find_by_email(email)
        if account is None:
            passwords[email] = base64.b32encode(secrets.token_bytes(10)).decode().lower()
            make_account(email, name, passwords[email], roles)
            write_private(path, json.dumps(passwords))
            account = accounts.find_by_email(email)
        password = passwords.get(email)
        is_good = account is not None and password and account.check_password(password)
        found[email] = password if is_good else None
    return found


def write_private(path: Path, text: str) -> None:
    """Write a file that only we may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def init_app(app: Erlen) -> None:
    """Give ``app`` accounts, and roles to those who have one."""
    accounts.init_app(app)
    # Programs are told that they must say who they are; people get the page for it.
    login.blueprint_login_views["api"] = None
    permissions.init_app(app)
