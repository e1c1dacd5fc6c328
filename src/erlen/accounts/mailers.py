"""The ways in which mail goes out: to the console, into a folder, into memory, by SMTP."""

from __future__ import annotations

import os
import smtplib
import ssl
import sys
import tempfile
import time
import typing as t
from email.message import EmailMessage
from pathlib import Path

__all__ = [
    "ConsoleMailer",
    "FileMailer",
    "MailNotSecure",
    "Mailer",
    "MemoryMailer",
    "SMTPMailer",
    "Security",
]

Security = t.Literal["starttls", "tls", "none"]

_LOCAL_HOSTS = {"localhost", "127.0.0.1", "::1"}


class Mailer(t.Protocol):
    """What sends mail: any object with these two.

    ``background`` says whether :class:`.Mail` calls it from a thread of its own, so that nobody
    waits for it, and nobody can tell by the time whether there was a mail to send.
    """

    background: bool

    def send(self, mail: EmailMessage, recipients: list[str]) -> None:
        """Send a mail, or raise.

        :param mail: the mail, ready to be sent.
        :param recipients: the addresses that it goes to.
        """


class ConsoleMailer:
    """Writes mail to the console, for development.

    :param stream: where to; by default standard error.
    """

    background = True

    def __init__(self, stream: t.TextIO | None = None) -> None:
        self.stream = stream

    def send(self, mail: EmailMessage, recipients: list[str]) -> None:
        """Write a mail, its text part alone, so that links in it stay whole.

        :param mail: the mail.
        :param recipients: the addresses that it goes to.
        """
        stream = self.stream or sys.stderr
        body = mail.get_body(("plain",))
        text = "" if body is None else t.cast("str", body.get_content())
        head = f"Mail to {', '.join(recipients)}: {mail['Subject']}"
        stream.write(f"{head}\n\n{text.rstrip()}\n\n")
        stream.flush()


class FileMailer:
    """Writes each mail into a file of its own, ``….eml``, for development and for tests.

    :param folder: the folder; it is made if need be.
    """

    background = True

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def send(self, mail: EmailMessage, recipients: list[str]) -> None:
        """Write a mail; its file is whole as soon as it is there, and nobody else may read it.

        :param mail: the mail.
        :param recipients: the addresses that it goes to.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=f"{time.time_ns()}-", suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(mail.as_bytes())
        os.replace(name, name.removesuffix(".tmp") + ".eml")


class MemoryMailer:
    """Keeps mail in the list ``outbox``, for tests."""

    background = False

    def __init__(self) -> None:
        self.outbox: list[EmailMessage] = []

    def send(self, mail: EmailMessage, recipients: list[str]) -> None:
        """Keep a mail.

        :param mail: the mail.
        :param recipients: the addresses that it goes to.
        """
        self.outbox.append(mail)


class MailNotSecure(RuntimeError):
    """A mail server that mail cannot be handed to without others reading it; nothing was sent."""


class SMTPMailer:
    """Hands mail to an SMTP server (RFC 5321), encrypted, with the server's certificate verified.

    :param server: its name.
    :param port: its port; by default 587, or 465 with ``security="tls"``.
    :param username: who logs in there, if anybody.
    :param password: with what.
    :param security: ``"starttls"`` (RFC 3207), ``"tls"`` from the first byte (RFC 8314), or
        ``"none"``, which is refused together with a password except on this machine.
    :param timeout: the seconds within which the server must answer each time.
    :raises ValueError: for a password that would go over the network unencrypted.
    """

    background = True

    def __init__(
        self,
        server: str,
        port: int | None = None,
        username: str | None = None,
        password: str | None = None,
        security: Security = "starttls",
        timeout: float = 10,
    ) -> None:
        if security not in ("starttls", "tls", "none"):
            raise ValueError(f"MAIL_SECURITY is 'starttls', 'tls' or 'none', not {security!r}.")
        if security == "none" and username and server not in _LOCAL_HOSTS:
            raise ValueError(
                f"The mail password would go to {server} unencrypted. Set MAIL_SECURITY to"
                " 'starttls' or 'tls'."
            )
        self.server = server
        self.port = port or (465 if security == "tls" else 587)
        self.username = username
        self.password = password
        self.security = security
        self.timeout = timeout

    def send(self, mail: EmailMessage, recipients: list[str]) -> None:
        """Hand a mail to the server.

        :param mail: the mail.
        :param recipients: the addresses that it goes to.
        :raises MailNotSecure: where the server offers no encryption, or its certificate is not one
            to be trusted.
        """
        with self._connect() as connection:
            connection.send_message(mail, to_addrs=recipients)

    def _connect(self) -> smtplib.SMTP:
        try:
            return self._open()
        except ssl.SSLCertVerificationError as error:
            raise MailNotSecure(
                f"The certificate of the mail server {self.server}:{self.port} is not trusted:"
                f" {error.verify_message} Set MAIL_SERVER to the name in the certificate. If an"
                " authority of your own has signed it, add that to those that this machine trusts,"
                " or set the environment variable SSL_CERT_FILE to its file."
            ) from error
        except ssl.SSLEOFError:
            # The server broke off, as one does that is started anew; the next attempt may go well.
            raise
        except ssl.SSLError as error:
            raise MailNotSecure(
                f"No encrypted connection to the mail server {self.server}:{self.port} can be made:"
                f" {error}. Set MAIL_SECURITY to what that port is for: 'starttls' as on 587, or"
                " 'tls' as on 465."
            ) from error

    def _open(self) -> smtplib.SMTP:
        address, context = (self.server, self.port), ssl.create_default_context()
        if self.security == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                *address, timeout=self.timeout, context=context
            )
        else:
            connection = smtplib.SMTP(*address, timeout=self.timeout)
        try:
            if self.security == "starttls":
                self._encrypt(connection, context)
            if self.username:
                connection.login(self.username, self.password or "")
        except BaseException:
            connection.close()
            raise
        return connection

    def _encrypt(self, connection: smtplib.SMTP, context: ssl.SSLContext) -> None:
        try:
            connection.starttls(context=context)
        except smtplib.SMTPNotSupportedError as error:
            # No silent way back to plain text: somebody on the way may have taken the offer out.
            raise MailNotSecure(
                f"The mail server {self.server}:{self.port} does not offer STARTTLS, so no mail was"
                " handed to it. Set MAIL_SECURITY to 'tls' if its connections are encrypted from"
                " the first byte, as on port 465."
            ) from error
