"""Mail from an application: one object that sends messages in the way that the settings say."""

from __future__ import annotations

import logging
import os
import typing as t

from werkzeug.utils import import_string

from erlen import current_app

from .mailers import ConsoleMailer, FileMailer, Mailer, MemoryMailer, Security, SMTPMailer
from .messages import Message, MessageRefused, Party
from .outbox import Outbox

if t.TYPE_CHECKING:
    from erlen import Flask

__all__ = ["Mail", "MailNotSetUp"]

logger = logging.getLogger("erlen.mail")

_EXTENSION = "erlen.mail"


class MailNotSetUp(RuntimeError):
    """The application has no way to send mail."""


class Mail:
    """Sends mail for an application.

    Settings: ``MAIL_BACKEND`` (``"console"``, ``"file"``, ``"memory"``, ``"smtp"``, an import
    string or an object), ``MAIL_DEFAULT_SENDER``, ``MAIL_FOLDER`` for files, and for SMTP
    ``MAIL_SERVER``, ``MAIL_PORT``, ``MAIL_USERNAME``, ``MAIL_PASSWORD``, ``MAIL_SECURITY``,
    ``MAIL_TIMEOUT``. Without ``MAIL_BACKEND`` it is SMTP where there is a ``MAIL_SERVER``, memory
    in tests, and the console in debug mode.

    :param app: the application; or call :meth:`init_app` later.
    :param mailer: what sends; it goes before the settings.

    .. code-block:: python

        mail = Mail(app)

        @app.post("/orders")
        def order() -> str:
            mail.send(Message(request.form["email"], "Your order", "It is on its way."))
            return "Thank you."
    """

    def __init__(self, app: Flask | None = None, *, mailer: Mailer | None = None) -> None:
        self._mailer = mailer
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Set up an application.

        :param app: the application.
        :raises ValueError: if the settings contradict each other.
        """
        app.extensions[_EXTENSION] = _State(app, self._mailer)

    @property
    def mailer(self) -> Mailer:
        """What sends the mail of the current application.

        :raises MailNotSetUp: if nothing does.
        """
        return _state().mailer

    @property
    def outbox(self) -> list[t.Any]:
        """The mails that were sent, in tests, where they are kept in memory."""
        mailer = self.mailer
        return mailer.outbox if isinstance(mailer, MemoryMailer) else []

    def send(self, message: Message) -> None:
        """Send a message, in the background unless the mailer is at hand at once.

        A failure is logged under ``erlen.mail``. What cannot be sent at all raises here.

        :param message: the message.
        :raises MailNotSetUp: if the application has no way to send mail.
        :raises MessageRefused: if the message has no sender.
        """
        state = _state()
        mailer = state.mailer
        built = message.build(state.sender)
        recipients = message.recipients
        if not mailer.background:
            mailer.send(built, recipients)
            return
        state.post.put(f"Mail to {_mask(recipients)}", lambda: mailer.send(built, recipients))

    def check(self) -> None:
        """Raise what keeps the current application from sending mail, if anything does.

        :raises MailNotSetUp: if the application has no way to send mail, or no sender.
        """
        state = _state()
        _ = state.mailer
        if state.sender is None:
            raise MailNotSetUp("Mail has no sender. Set MAIL_DEFAULT_SENDER to an address.")

    def flush(self, seconds: float = 30.0) -> bool:
        """Wait for the mails that are on their way.

        :param seconds: how long to wait at most.
        :returns: whether none is left.
        """
        return _state().post.flush(seconds)


class _State:
    """What an application's mail is made of."""

    def __init__(self, app: Flask, mailer: Mailer | None) -> None:
        self.app = app
        self.post = Outbox(logger)
        self._mailer = mailer or make_mailer(app)

    @property
    def mailer(self) -> Mailer:
        # Whether this is for tests or in debug mode is often said after the set-up.
        if self._mailer is None:
            self._mailer = _make_default(self.app)
        return self._mailer

    @property
    def sender(self) -> Party | None:
        given: Party | None = self.app.config.get("MAIL_DEFAULT_SENDER")
        if given is not None or self.app.config.get("MAIL_SERVER"):
            return given
        # Nobody receives these, whatever address stands there.
        return None if isinstance(self.mailer, SMTPMailer) else "noreply@localhost"


def _state() -> _State:
    state: _State | None = current_app.extensions.get(_EXTENSION)
    if state is None:
        raise MailNotSetUp(
            "This application sends no mail yet. Call Mail(app) or mail.init_app(app)."
        )
    return state


def make_mailer(app: Flask) -> Mailer | None:
    """Return what the settings of an application name; ``None`` where they name nothing.

    :param app: the application.
    :raises ValueError: if the settings contradict each other.
    """
    config = app.config
    sender = config.get("MAIL_DEFAULT_SENDER")
    if sender is not None:
        try:
            Message(sender, "", "")
        except MessageRefused as error:
            raise ValueError(f"MAIL_DEFAULT_SENDER: {error}") from None
    backend = config.get("MAIL_BACKEND") or ("smtp" if config.get("MAIL_SERVER") else None)
    if backend is None:
        return None
    if not isinstance(backend, str):
        return t.cast("Mailer", backend)
    if backend in _backends:
        return _backends[backend](app)
    if "." not in backend and ":" not in backend:
        names = ", ".join(map(repr, sorted(_backends)))
        raise ValueError(f"MAIL_BACKEND is one of {names} or an import string, not {backend!r}.")
    made = import_string(backend)
    return t.cast("Mailer", made() if isinstance(made, type) else made)


def _make_default(app: Flask) -> Mailer:
    if app.testing:
        return MemoryMailer()
    if app.debug:
        return ConsoleMailer()
    raise MailNotSetUp(
        "This application has no way to send mail. Set MAIL_SERVER to the name of a mail server,"
        " or MAIL_BACKEND to 'console' or 'file' for development."
    )


def _make_file(app: Flask) -> Mailer:
    folder = app.config.get("MAIL_FOLDER") or os.path.join(app.instance_path, "mail")
    return FileMailer(os.path.join(app.root_path, folder))


def _make_smtp(app: Flask) -> Mailer:
    config = app.config
    server = config.get("MAIL_SERVER")
    if not server:
        raise ValueError("MAIL_BACKEND is 'smtp', so set MAIL_SERVER to the name of a mail server.")
    return SMTPMailer(
        server,
        config.get("MAIL_PORT"),
        config.get("MAIL_USERNAME"),
        config.get("MAIL_PASSWORD"),
        _security(config),
        config.get("MAIL_TIMEOUT", 10),
    )


def _security(config: t.Mapping[str, t.Any]) -> Security:
    """Return how mail is encrypted, said by ``MAIL_SECURITY`` or as Flask-Mail has it."""
    given = config.get("MAIL_SECURITY")
    if given is not None:
        return t.cast("Security", given)
    if config.get("MAIL_USE_SSL"):
        return "tls"
    if config.get("MAIL_USE_TLS") is False:
        return "none"
    return "starttls"


_backends: dict[str, t.Callable[[Flask], Mailer]] = {
    "console": lambda app: ConsoleMailer(),
    "file": _make_file,
    "memory": lambda app: MemoryMailer(),
    "smtp": _make_smtp,
}


def _mask(recipients: list[str]) -> str:
    """Return addresses for the log, without what stands before the @."""
    return ", ".join(f"…@{address.rpartition('@')[2]}" for address in recipients)
