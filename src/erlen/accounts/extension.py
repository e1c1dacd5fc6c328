"""The extension: accounts of an application, their rules, and the blueprint with their pages."""

from __future__ import annotations

import typing as t
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from erlen import current_app, session
from erlen.forms.i18n import gettext
from erlen.login import (
    LoginManager,
    login_fresh,
    login_remembered,
    login_user,
    logout_user,
)
from erlen.login.passwords import hash_password, prepare_passwords, verify_and_update
from erlen.login.utils import find_manager

from .addresses import address_key, clean_address
from .attempts import AttemptStore, DatabaseAttempts, MemoryAttempts, attempts_table
from .devices import read_session
from .guard import Guard
from .letters import Letters, describe
from .mail import Mail
from .models import AccountMixin, new_stamp
from .pages import Pages, make_blueprint
from .tokens import Purpose, Tokens

if t.TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from erlen import Flask
    from erlen.db import SQLAlchemy
    from erlen.sessions import SessionRecord

__all__ = ["Accounts"]

U = t.TypeVar("U", bound=AccountMixin)

_EXTENSION = "erlen.accounts"

#: How long the links in mails are good.
LIFETIMES: t.Mapping[Purpose, timedelta] = {
    "confirm": timedelta(days=3),
    "reset": timedelta(hours=1),
    "address": timedelta(hours=1),
}

_LARGEST_ID = 2**63 - 1


@dataclass
class _State:
    """What the accounts of one application are made of."""

    tokens: Tokens
    guard: Guard
    letters: Letters

    def find_gaps(self, app: Flask) -> Iterator[str]:
        """Yield a sentence for each gap, for ``erlen doctor``: what is wrong, and the remedy.

        :param app: the application.
        """
        config = app.config
        if not (config.get("ACCOUNTS_URL") or config["SERVER_NAME"] or config["TRUSTED_HOSTS"]):
            yield (
                "ACCOUNTS_URL is not set: mails with links are sent on this machine only. Set it to"
                " what the site's addresses begin with, such as 'https://shop.example.org'."
            )
        if not (config.get("MAIL_SERVER") or config.get("MAIL_BACKEND")):
            yield (
                "MAIL_SERVER is not set: nobody can confirm an address or choose a new password."
                " Set it to the name of a mail server."
            )
        if config.get("MAIL_BACKEND") == "console":
            yield (
                "MAIL_BACKEND is 'console': links that open accounts stand in the server's log. Set"
                " MAIL_SERVER instead."
            )
        if not app.session_interface.keeps_sessions:
            yield (
                "Sessions are kept in cookies, so nobody can see where they are logged in. Set"
                " SESSION_BACKEND to 'database'."
            )


class Accounts(t.Generic[U]):
    """Accounts for an application: pages to register, log in and out, and all that goes with them.

    :param app: the application; or call :meth:`init_app` later.
    :param db: its ``SQLAlchemy`` object.
    :param user: the class of users, which has :class:`.AccountMixin`.
    :param url_prefix: what the addresses of the pages begin with.
    :param pages: a subclass of :class:`.Pages` with forms and views of your own.
    :param base_template: the template that the pages extend, with the blocks ``title`` and
        ``content``; by default a plain one.
    :param without: endpoints that there are not to be, such as ``{"register"}``.
    :param login: the login manager; by default that of the application, or a new one.
    :param mail: what sends mail; by default the application's, or a new one.
    :param attempts: where attempts are counted: ``"database"``, ``"memory"`` or an object.

    .. code-block:: python

        accounts = Accounts(app, db, User)
    """

    def __init__(
        self,
        app: Flask | None = None,
        db: SQLAlchemy | None = None,
        user: type[U] | None = None,
        *,
        url_prefix: str = "/account",
        pages: type[Pages[t.Any]] = Pages,
        base_template: str = "accounts/base.html",
        without: Collection[str] = (),
        login: LoginManager[t.Any] | None = None,
        mail: Mail | None = None,
        attempts: t.Literal["database", "memory"] | AttemptStore = "database",
    ) -> None:
        if db is None or user is None:
            raise TypeError(
                "Accounts needs the database and the class of users: Accounts(app, db, User)."
            )
        if not issubclass(user, AccountMixin):
            raise TypeError(
                f"{user.__name__} cannot be the class of users: it has not got AccountMixin."
                f" Write: class {user.__name__}(AccountMixin, Model)."
            )
        self.db = db
        self.user_class: type[U] = user
        self.url_prefix = url_prefix
        self.base_template = base_template
        self.without = frozenset(without)
        self.pages = pages(self)
        self._login = login
        self._mail = mail
        self._store = self._make_store(attempts)
        if app is not None:
            self.init_app(app)

    def _make_store(self, attempts: str | AttemptStore) -> AttemptStore:
        if attempts == "memory":
            return MemoryAttempts()
        if attempts == "database":
            return DatabaseAttempts(
                self.db, attempts_table(sa.inspect(self.user_class).local_table.metadata)
            )
        if isinstance(attempts, str):
            raise ValueError(f"attempts is 'database', 'memory' or an object, not {attempts!r}.")
        return attempts

    def init_app(self, app: Flask) -> None:
        """Give an application the pages.

        :param app: the application, with its configuration.
        :raises ValueError: for settings that cannot be right.
        """
        prepare_passwords(app)
        mail = self._mail or Mail()
        if "erlen.mail" not in app.extensions:
            mail.init_app(app)
        tokens = Tokens(app)
        app.extensions[_EXTENSION] = _State(
            tokens, Guard(app, self._store, tokens), Letters(app, mail)
        )
        self._prepare_login(app)
        app.register_blueprint(make_blueprint(self))

    def _prepare_login(self, app: Flask) -> None:
        present: LoginManager[t.Any] | None = getattr(app, "login_manager", None)
        manager = self._login or present or LoginManager[t.Any]()
        if present is not manager:
            manager.init_app(app)
        if manager.user_callback is None:
            manager.user_loader(self.load_user)
        if "login" not in self.without:
            manager.login_view = manager.login_view or "accounts.login"
            manager.refresh_view = manager.refresh_view or "accounts.login"
        if manager.localize_callback is None:
            manager.localize_callback = gettext

    # --- Of the current application -------------------------------------------------------------

    @property
    def _state(self) -> _State:
        state: _State | None = current_app.extensions.get(_EXTENSION)
        if state is None:
            raise RuntimeError(
                "This application has no accounts. Call accounts.init_app(app) when it is made."
            )
        return state

    @property
    def tokens(self) -> Tokens:
        """What makes and reads the tokens in mails."""
        return self._state.tokens

    @property
    def guard(self) -> Guard:
        """What counts attempts."""
        return self._state.guard

    @property
    def letters(self) -> Letters:
        """What writes mails."""
        return self._state.letters

    def lifetime(self, purpose: Purpose) -> timedelta:
        """Return how long a link is good.

        :param purpose: what it is for.
        """
        given = (current_app.config.get("ACCOUNTS_LIFETIMES") or {}).get(purpose)
        return LIFETIMES[purpose] if given is None else given

    # --- Finding users --------------------------------------------------------------------------

    def load_user(self, user_id: str) -> U | None:
        """Return the user that a session belongs to, unless the account was disabled.

        :param user_id: what ``get_id()`` returned.
        """
        user = self.find_by_id(user_id)
        return user if user is not None and user.is_active else None

    def find_by_id(self, text: str) -> U | None:
        """Return the user with a primary key, or ``None``.

        :param text: the key as text, whatever was sent.
        """
        key = self._read_id(text)
        return None if key is None else self.db.session.get(self.user_class, key)

    def find_by_email(self, email: str) -> U | None:
        """Return the user with an address, in whatever case it is written, or ``None``.

        :param email: the address.
        """
        query = sa.select(self.user_class).where(self.user_class.email_key == address_key(email))
        return self.db.session.scalar(query)

    def id_of(self, user: U) -> str:
        """Return the primary key of a user as text.

        :param user: the user, stored already.
        """
        (value,) = sa.inspect(user).identity or (None,)
        return str(value)

    @property
    def _id_column(self) -> t.Any:
        (column,) = sa.inspect(self.user_class).primary_key
        return column

    def _read_id(self, text: str) -> t.Any:
        """Return a primary key of the type that the users' table has, or ``None``."""
        kind = self._id_column.type.python_type
        if kind is int:
            is_number = text.isascii() and text.isdigit() and len(text) < 20
            return int(text) if is_number and int(text) <= _LARGEST_ID else None
        try:
            return text if kind is str else kind(text)
        except (TypeError, ValueError):
            return None

    # --- Logging in and out ---------------------------------------------------------------------

    def authenticate(self, email: str, password: str, *, remember_device: bool = True) -> U | None:
        """Return the user with this address and password, if the account may be used.

        It counts the attempt, and does the same for addresses that nobody has.

        :param email: the address.
        :param password: the password.
        :param remember_device: whether the browser gets the cookie by which it is known from then
            on; programs have no use for it.
        :raises TooManyRequests: if there were too many attempts, with ``Retry-After``.
        """
        key = address_key(email)
        attempt = self.guard.start_login(key)
        user = self.find_by_email(email)
        check = verify_and_update(None if user is None else user.password_hash, password)
        if not check or user is None or not self.is_usable(user):
            attempt.failed()
            return None
        if check.new_hash:
            self._replace_hash(user, check.new_hash)
        attempt.succeeded(remember_device=remember_device)
        return user

    def is_usable(self, user: U) -> bool:
        """Return whether somebody may log in to an account.

        :param user: the account.
        """
        return user.is_active and user.is_confirmed

    def _replace_hash(self, user: U, new_hash: str) -> None:
        """Store a better hash of the same password, unless the password was changed meanwhile."""
        self._change_if(user, {"password_hash": new_hash})

    def log_in(self, user: U, *, remember: bool = False, fresh: bool = True) -> None:
        """Log a user in, in a session with a new identifier that says whose it is.

        :param user: the user.
        :param remember: whether to remember it beyond the browser's session.
        :param fresh: whether the user has just shown who they are.
        """
        session.renew()
        session.owner = user.get_id()
        login_user(user, remember=remember, fresh=fresh)

    def log_out(self) -> None:
        """Log the user of this session out, and forget what is in the session."""
        for name in [name for name in session if not name.startswith("_")]:
            del session[name]
        logout_user()
        session.renew()
        session.owner = None

    def sessions_of(self, user: U) -> list[SessionRecord]:
        """Return where a user is logged in; nothing where sessions are not kept on the server.

        :param user: the user.
        """
        app = current_app._get_current_object()
        return app.session_interface.sessions_of(app, user.get_id())

    def end_session(self, user: U, record_id: str) -> bool:
        """End one of the current user's sessions.

        What its browser remembers ends with it, or the device would be back at once. Where that
        cannot be written down (``REMEMBER_COOKIE_ENDED``), or the session interface is one that
        cannot be asked for it, other devices too must log in when their sessions end.

        :param user: the current user.
        :param record_id: the ``id`` of its record.
        :returns: whether there was one.
        """
        app, owner = current_app._get_current_object(), user.get_id()
        if any(one.current and one.id == record_id for one in self.sessions_of(user)):
            self.log_out()
            return True
        is_remembered = login_remembered()
        data = read_session(app.session_interface, owner, record_id)
        # The session last: in between, the device could come back by what it remembers.
        is_forgotten = data is not None and find_manager(app).end_remembered(data)
        if not app.session_interface.revoke(app, owner, record_id):
            return False
        if not is_forgotten:
            self._forget_others(user)
        elif is_remembered and not login_remembered():
            # It was an older session of this browser, which is to stay remembered.
            self.log_in(user, remember=True, fresh=login_fresh())
        return True

    def _forget_others(self, user: U) -> None:
        """End what is remembered anywhere but here."""
        is_remembered = login_remembered()
        user.end_remembered_logins()
        self.db.session.commit()
        if is_remembered:
            self.log_in(user, remember=True, fresh=login_fresh())

    def end_other_logins(self, user: U) -> None:
        """End all logins of the current user but that of this request, remembered ones too.

        :param user: the current user.
        """
        user.end_logins()
        self.db.session.commit()
        self._stay(user, fresh=login_fresh())

    def _stay(self, user: U, *, fresh: bool = True) -> None:
        """Let this session go on where all others have ended."""
        app = current_app._get_current_object()
        app.session_interface.revoke_all(app, user.get_id(), except_current=True)
        # Before the stamp is renewed in the session, which ends what was remembered.
        self.log_in(user, remember=login_remembered(), fresh=fresh)

    def _end_all(self, user: U) -> None:
        app = current_app._get_current_object()
        app.session_interface.revoke_all(app, user.get_id())

    # --- Registering and confirming -------------------------------------------------------------

    def register(
        self, email: str, password: str, fill: t.Callable[[U], None] = lambda user: None
    ) -> None:
        """Make an account, and mail a link to confirm its address.

        Nobody can tell from outside whether there was one already: the same work is done, and the
        mail says it. An account that was never confirmed is overwritten, so that nobody can wait
        in one for its owner.

        :param email: the address.
        :param password: the password, which is good enough.
        :param fill: sets what else the account has.
        :raises AddressRefused: if it is no address.
        :raises TooManyRequests: if there were too many attempts.
        :raises MailNotSetUp: if no mail can be sent.
        """
        email = clean_address(email)
        self.letters.check()
        may_send = self.guard.count_mail(address_key(email), "confirm")
        password_hash = hash_password(password)
        user = self._store_new(email, password_hash, fill)
        if user is None:
            known = self.find_by_email(email)
            to = known.email if known is not None and known.is_active and may_send else None
            self._send_link("known", "reset", "accounts.reset", known, to)
        else:
            self._send_link(
                "confirm", "confirm", "accounts.confirm", user, email if may_send else None
            )

    def _store_new(self, email: str, password_hash: str, fill: t.Callable[[U], None]) -> U | None:
        """Return the account that was made, or made anew; ``None`` if it is somebody's."""
        user = self.find_by_email(email)
        if user is not None and (user.is_confirmed or not user.is_active):
            # As long as storing one takes.
            self._change_if(user, {"email_key": user.email_key})
            return None
        if user is None:
            user = self.user_class()
            self.db.session.add(user)
        user.set_email(email)
        user.password_hash = password_hash
        user.end_logins()
        fill(user)
        try:
            self.db.session.commit()
        except IntegrityError:
            self.db.session.rollback()
            if self.find_by_email(email) is None:
                # It was not the address that somebody else has.
                raise
            return None
        return user

    def confirm(self, token: str, password: str) -> U | None:
        """Take a token as proof of an address, together with the account's password.

        The password keeps those from a stranger's account who confirm what they did not ask for.

        :param token: the token.
        :param password: the password.
        :returns: the user, or ``None`` if the token is not good or the password is wrong.
        :raises TooManyRequests: if there were too many attempts.
        """
        user = self.find_claimed("confirm", token)
        attempt = self.guard.start_login("" if user is None else user.email_key)
        check = verify_and_update(None if user is None else user.password_hash, password)
        if user is None or not check:
            attempt.failed()
            return None
        if not self._change_if(user, {"confirmed_at": datetime.now(UTC)}, unconfirmed=True):
            return None
        attempt.succeeded()
        return user

    # --- Forgotten passwords --------------------------------------------------------------------

    def send_reset(self, email: str) -> None:
        """Mail a link to choose a new password, if there is such an account.

        :param email: the address.
        :raises TooManyRequests: if there were too many attempts.
        :raises MailNotSetUp: if no mail can be sent.
        """
        self.letters.check()
        may_send = self.guard.count_mail(address_key(email), "reset")
        user = self.find_by_email(email)
        # To the address that is stored: what was typed may only look like it.
        to = user.email if user is not None and user.is_active and may_send else None
        self._send_link("reset", "reset", "accounts.reset", user, to)

    def reset(self, token: str, password: str) -> U | None:
        """Put a new password in the place of a forgotten one, and end all logins.

        :param token: the token.
        :param password: the new password, which is good enough.
        :returns: the user, or ``None`` if the token is not good. Of two that use it, one wins.
        """
        user = self.find_claimed("reset", token)
        if user is None:
            return None
        values: dict[str, t.Any] = {
            "password_hash": hash_password(password),
            "login_stamp": new_stamp(),
            # Whoever read the mail has the address.
            "confirmed_at": user.confirmed_at or datetime.now(UTC),
        }
        if not self._change_if(user, values):
            return None
        self._end_all(user)
        self.guard.remember_device(user.email_key)
        self.letters.notify("changed", user.email)
        return user

    def change_password(self, user: U, password: str) -> None:
        """Give the current user a new password, and end all other logins.

        :param user: the current user, who has just shown the present password.
        :param password: the new password, which is good enough.
        """
        user.set_password(password)
        self.db.session.commit()
        self._stay(user)
        self.letters.notify("changed", user.email)

    def confirm_password(self, user: U, password: str) -> bool:
        """Return whether this is the current user's password, and count the attempt.

        :param user: the current user.
        :param password: what was typed.
        :raises TooManyRequests: if there were too many attempts.
        """
        attempt = self.guard.start_login(user.email_key)
        if not verify_and_update(user.password_hash, password):
            attempt.failed()
            return False
        attempt.succeeded()
        return True

    # --- Another address ------------------------------------------------------------------------

    def send_address_change(self, user: U, email: str) -> None:
        """Mail a link to a new address, which shows that it is the user's.

        :param user: the current user, who has just shown the password.
        :param email: the new address.
        :raises AddressRefused: if it is no address.
        :raises TooManyRequests: if there were too many attempts.
        :raises MailNotSetUp: if no mail can be sent.
        """
        email = clean_address(email)
        self.letters.check()
        may_send = self.guard.count_mail(address_key(email), "address")
        is_free = self.find_by_email(email) is None
        self._send_link(
            "address" if is_free else "taken",
            "address",
            "accounts.confirm_address",
            user,
            email if may_send else None,
            value=email,
        )

    def change_address(self, token: str) -> U | None:
        """Give an account the address that a token is for, and tell the old one.

        :param token: the token.
        :returns: the user, or ``None`` if the token is not good, or the address somebody else's.
        """
        claim = self.tokens.read("address", token, self.lifetime("address"))
        user = self.find_claimed("address", token)
        if user is None or claim is None:
            return None
        old = user.email
        values = {"email": claim.value, "email_key": address_key(claim.value)}
        try:
            if not self._change_if(user, {**values, "confirmed_at": datetime.now(UTC)}):
                return None
        except IntegrityError:
            self.db.session.rollback()
            return None
        self.letters.notify("moved", old, email=claim.value)
        return user

    # --- Links and changes ----------------------------------------------------------------------

    def find_claimed(self, purpose: Purpose, token: str) -> U | None:
        """Return the user whom a token is for; ``None`` if it is not good, or not any more.

        :param purpose: what it is for.
        :param token: the token.
        """
        claim = self.tokens.read(purpose, token, self.lifetime(purpose))
        if claim is None:
            return None
        user = self.find_by_id(claim.user_id)
        if user is None or not self.tokens.holds(purpose, claim, user) or not user.is_active:
            return None
        return user

    def _send_link(
        self,
        template: str,
        purpose: Purpose,
        endpoint: str,
        user: U | None,
        to: str | None,
        value: str = "",
    ) -> None:
        user_id = "" if user is None else self.id_of(user)
        token = self.tokens.make(purpose, user_id, user, value)
        self.letters.send(
            template,
            to,
            link=self.letters.link(endpoint, token=token),
            lifetime=describe(self.lifetime(purpose)),
            email=value,
        )

    def _change_if(self, user: U, values: dict[str, t.Any], *, unconfirmed: bool = False) -> bool:
        """Write values, if the account still is as it was read: of two that try, one does."""
        model: t.Any = self.user_class
        known = ("password_hash", "login_stamp", "email_key")
        conditions = [getattr(model, name) == getattr(user, name) for name in known]
        if unconfirmed:
            conditions.append(model.confirmed_at.is_(None))
        result = self.db.session.execute(
            sa.update(model)
            .where(self._id_column == sa.inspect(user).identity[0], *conditions)
            .values(values)
            .execution_options(synchronize_session=False)
        )
        changed = bool(t.cast("sa.CursorResult[t.Any]", result).rowcount)
        self.db.session.commit()
        self.db.session.expire(user)
        return changed
