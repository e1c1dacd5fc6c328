"""A mail: to whom, what about, and what it says; checked before any of it becomes a header."""

from __future__ import annotations

import re
import typing as t
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, make_msgid
from types import MappingProxyType

__all__ = ["Message", "MessageRefused", "Party"]

#: An address, or a name and an address.
Party = str | tuple[str, str]

#: The most recipients of one mail. Servers take 100 at least (RFC 5321, 4.5.3.1.8).
MAX_RECIPIENTS = 100
#: The most characters of an address (RFC 5321, 4.5.3.1.3, less the angle brackets).
MAX_ADDRESS = 254
#: The most characters of a header.
MAX_HEADER = 900

# Line breaks end a header, and what follows is one more (CWE-93). No control character has any
# business in one; the others are line breaks to some programs.
_control = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# RFC 5322, 3.2.3: the characters of an atom. Quoted local parts are not worth their risks.
_local = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_domain = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
)
_header_name = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")

_OWN_HEADERS = {"to", "from", "subject", "reply-to", "date", "message-id", "bcc", "cc"}


class MessageRefused(ValueError):
    """A mail that must not go out: an address or a header holds what does not belong there."""


@dataclass(frozen=True)
class Message:
    """A mail.

    Addresses, names and the subject are checked when it is made: nothing that somebody typed
    adds a header or a recipient to it (CWE-93).

    :param to: to whom: an address, or a name and an address, or several of them.
    :param subject: what it is about; one line.
    :param text: what it says, as plain text.
    :param html: the same as HTML, if wanted.
    :param sender: from whom; by default the setting ``MAIL_DEFAULT_SENDER``.
    :param reply_to: where answers go, if not to the sender.
    :param headers: further headers.
    :raises MessageRefused: if an address or a header is none.

    .. code-block:: python

        Message("ada@example.org", "Your book is due", "Please bring it back.")
    """

    to: Party | Sequence[Party]
    subject: str
    text: str
    html: str | None = None
    sender: Party | None = None
    reply_to: Party | None = None
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        if not 1 <= len(self.recipients) <= MAX_RECIPIENTS:
            raise MessageRefused(f"A mail has 1 to {MAX_RECIPIENTS} recipients.")
        for party in (self.sender, self.reply_to):
            if party is not None:
                _address(party)
        _check_line("subject", self.subject)
        for name, value in self.headers.items():
            if not _header_name.fullmatch(name) or name.lower() in _OWN_HEADERS:
                raise MessageRefused(f"{name!r} cannot be given as a further header of a mail.")
            _check_line(name, value)

    @property
    def recipients(self) -> list[str]:
        """The addresses that it goes to."""
        return [address.addr_spec for address in self._to()]

    def _to(self) -> list[Address]:
        to = self.to
        if isinstance(to, str) or _is_pair(to):
            return [_address(t.cast("Party", to))]
        return [_address(party) for party in to]

    def build(self, sender: Party | None = None) -> EmailMessage:
        """Return the mail in the form in which it is sent (RFC 5322).

        :param sender: from whom it is where it does not say so itself.
        :raises MessageRefused: if nobody is the sender.
        """
        sender = self.sender or sender
        if sender is None:
            raise MessageRefused("The mail has no sender. Set MAIL_DEFAULT_SENDER to an address.")
        author = _address(sender)
        mail = EmailMessage(policy=SMTP)
        mail["From"] = author
        mail["To"] = self._to()
        mail["Subject"] = self.subject
        mail["Date"] = format_datetime(datetime.now(UTC))
        mail["Message-ID"] = make_msgid(domain=author.domain)
        if self.reply_to is not None:
            mail["Reply-To"] = _address(self.reply_to)
        # RFC 3834, 5: nobody's holiday notice should answer.
        mail["Auto-Submitted"] = "auto-generated"
        for name, value in self.headers.items():
            del mail[name]
            mail[name] = value
        mail.set_content(_encodable(self.text))
        if self.html is not None:
            mail.add_alternative(_encodable(self.html), subtype="html")
        return mail


def _is_pair(to: object) -> bool:
    # A name has no @, so two addresses are no pair.
    return (
        isinstance(to, tuple)
        and len(to) == 2
        and all(isinstance(part, str) for part in to)
        and "@" not in to[0]
    )


def _address(party: Party) -> Address:
    """Return an address, checked part by part."""
    name, spec = ("", party) if isinstance(party, str) else party
    _check_line("name", name)
    local, separator, domain = spec.rpartition("@")
    try:
        domain = domain.encode("ascii").decode() if domain.isascii() else _to_ascii(domain)
    except UnicodeError:
        domain = ""
    if (
        not separator
        or len(spec) > MAX_ADDRESS
        or not _local.fullmatch(local)
        or not _domain.fullmatch(domain)
    ):
        raise MessageRefused(f"{spec[:MAX_ADDRESS]!r} is no address that mail can be sent to.")
    return Address(name, local, domain)


def _to_ascii(domain: str) -> str:
    from idna import IDNAError, encode

    try:
        return encode(domain, uts46=True).decode("ascii")
    except IDNAError as error:
        raise UnicodeError(str(error)) from None


def _check_line(name: str, value: str) -> None:
    if len(value) > MAX_HEADER or _control.search(value):
        raise MessageRefused(
            f"The {name} of a mail must be one line of at most {MAX_HEADER} characters, without"
            f" control characters. This is not: {str(value)[:60]!r}"
        )


def _encodable(text: str) -> str:
    return text.encode("utf-8", "replace").decode("utf-8")
