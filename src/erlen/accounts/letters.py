"""What the pages write to people: the mails, made from templates, and the links in them."""

from __future__ import annotations

import typing as t
from datetime import timedelta

from erlen import render_template, request, url_for
from erlen.forms.i18n import gettext

from .mail import Mail, MailNotSetUp
from .messages import Message, MessageRefused

if t.TYPE_CHECKING:
    from erlen import Flask

__all__ = ["Letters"]

_LOOPBACK = {"localhost", "127.0.0.1", "[::1]"}


class Letters:
    """Writes and sends the mails of an application.

    :param app: the application.
    :param mail: what sends them.
    """

    def __init__(self, app: Flask, mail: Mail) -> None:
        self.app = app
        self.mail = mail

    def check(self) -> None:
        """Raise what keeps a mail with a link from being sent, before it matters to whom.

        :raises MailNotSetUp: if there is no way to send mail, or no address that links begin with.
        """
        self.mail.check()
        self._base()

    def send(self, template: str, to: str | None, **values: t.Any) -> None:
        """Send a mail to somebody, or take as long to send none.

        :param template: the template's name in ``accounts/mail``: its first line is the subject.
        :param to: the address, or ``None`` for nobody.
        :param values: what the template is given.
        """
        text = render_template(f"accounts/mail/{template}.txt", _=gettext, name=self.name, **values)
        subject, _, body = text.lstrip().partition("\n")
        message = Message(to or "nobody@invalid", subject.strip(), body.strip() + "\n")
        if to is not None:
            self.mail.send(message)

    def notify(self, template: str, to: str, **values: t.Any) -> None:
        """Send a mail about what has happened; if that cannot be, log why.

        :param template: the template's name in ``accounts/mail``.
        :param to: the address.
        :param values: what the template is given.
        """
        try:
            self.send(template, to, **values)
        except (MailNotSetUp, MessageRefused) as error:
            self.app.logger.error("Nobody was told of a change of their account: %s", error)

    @property
    def name(self) -> str:
        """What the application is called."""
        given: str | None = self.app.config.get("ACCOUNTS_NAME")
        return given or self.app.name.replace("_", " ").capitalize()

    def link(self, endpoint: str, **values: t.Any) -> str:
        """Return the whole address of a page, for a mail.

        :param endpoint: the page's endpoint.
        :param values: parts of its address.
        """
        return self._base() + url_for(endpoint, **values)

    def _base(self) -> str:
        """Return what addresses of this site begin with: as the settings say, not the visitor.

        Whoever asks for a mail to another chooses the header ``Host`` of that request, and with it
        where the link in the mail would lead.
        """
        config = self.app.config
        given: str | None = config.get("ACCOUNTS_URL")
        if given:
            return given.rstrip("/")
        name = config["SERVER_NAME"]
        if name:
            scheme = "https" if request.is_secure else config["PREFERRED_URL_SCHEME"]
            return f"{scheme}://{name}"
        host = request.host
        is_loopback = host.rpartition(":")[0] in _LOOPBACK or host in _LOOPBACK
        if config.get("TRUSTED_HOSTS") or is_loopback:
            return request.host_url.rstrip("/")
        raise MailNotSetUp(
            "Mails cannot have links yet: the application does not know its own address. Set"
            " ACCOUNTS_URL, for example to 'https://shop.example.org', or TRUSTED_HOSTS to the"
            " names it is reached by."
        )


def describe(lifetime: timedelta) -> str:
    """Return how long something is good, in words.

    :param lifetime: for how long.
    """
    minutes = max(1, int(lifetime.total_seconds() // 60))
    if minutes % 1440 == 0:
        days = minutes // 1440
        return gettext("one day") if days == 1 else gettext("%(count)s days") % {"count": days}
    if minutes % 60 == 0:
        hours = minutes // 60
        return gettext("one hour") if hours == 1 else gettext("%(count)s hours") % {"count": hours}
    return gettext("%(count)s minutes") % {"count": minutes}
