"""Mail: what goes out, by which way, and what never does."""

from __future__ import annotations

import io
import logging
import os
import socket
import stat
import threading
import time
import typing as t
from email import message_from_bytes, policy

import pytest
from tests.accounts.site import Site, send

from erlen import Erlen, Flask
from erlen.accounts import (
    ConsoleMailer,
    FileMailer,
    Mail,
    MailNotSetUp,
    Message,
    MessageRefused,
    SMTPMailer,
)
from erlen.accounts import outbox as outbox_module

if t.TYPE_CHECKING:
    from collections.abc import Iterator
    from email.message import EmailMessage
    from pathlib import Path

HELLO = Message("ada@example.org", "Hello", "Dear Ada,\nhow are you?\n")


def make_app(**config: t.Any) -> tuple[Flask, Mail]:
    """Return an application that sends mail."""
    app = Erlen("post")
    app.config.update(MAIL_DEFAULT_SENDER=("Post", "post@example.org"), **config)
    return app, Mail(app)


@pytest.mark.parametrize(
    "bad",
    [
        {"to": "ada@example.org\nBcc: eve@example.org"},
        {"to": "ada@example.org\r\nSubject: x"},
        {"to": "ada@example.org, eve@example.org"},
        {"to": "ada@example.org>, <eve@example.org"},
        {"to": ("Ada\nBcc: eve@example.org", "ada@example.org")},
        {"to": "Ada <ada@example.org>"},
        {"to": "ada"},
        {"to": ""},
        {"to": []},
        {"to": "a" * 300 + "@example.org"},
        {"to": [f"x{n}@example.org" for n in range(101)]},
        {"to": '"a b"@example.org'},
        {"to": "ada@exa mple.org"},
        {"subject": "Hello\nBcc: eve@example.org"},
        {"subject": "Hello\x0b"},
        {"subject": "Hello\u2028Bcc: eve@example.org"},
        {"subject": "x" * 1000},
        {"sender": "post@example.org\n"},
        {"reply_to": "x\r\n@example.org"},
        {"headers": {"X-A": "1\r\nBcc: eve@example.org"}},
        {"headers": {"X-A: 1\r\nBcc": "eve@example.org"}},
        {"headers": {"Bcc": "eve@example.org"}},
    ],
)
def test_nothing_typed_adds_a_header_or_a_recipient(bad: dict[str, t.Any]) -> None:
    """An address, a name, a subject or a header that is none makes no message at all."""
    with pytest.raises(MessageRefused):
        Message(**{"to": "ada@example.org", "subject": "Hello", "text": "x", **bad})


def test_a_message_is_what_mail_servers_expect() -> None:
    """The mail has its date, its own number, names in any script, and says no human wrote it."""
    message = Message(
        [("Žofie Ünal", "zofie@example.org"), "ada@bücher.example"],
        "Grüße, 你好",
        "Straße\n.\nEnd",
        html="<p>Straße</p>",
        reply_to="help@example.org",
        headers={"List-Id": "news.example.org"},
    )
    mail = message_from_bytes(message.build("post@example.org").as_bytes(), policy=policy.default)
    assert mail["Subject"] == "Grüße, 你好"
    assert [address.display_name for address in mail["To"].addresses] == ["Žofie Ünal", ""]
    assert message.recipients == ["zofie@example.org", "ada@xn--bcher-kva.example"]
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@example.org>")
    assert mail["Reply-To"] == "help@example.org"
    body = mail.get_body(("plain",))
    assert body is not None
    assert t.cast("t.Any", body).get_content().splitlines() == ["Straße", ".", "End"]


def test_mail_to_the_console() -> None:
    """On the console stands to whom, the subject and the text, with links in one piece."""
    stream = io.StringIO()
    link = "http://localhost/" + "x" * 200
    ConsoleMailer(stream).send(
        Message("a@b.example", "Hi", link).build("p@b.example"), ["a@b.example"]
    )
    assert stream.getvalue() == f"Mail to a@b.example: Hi\n\n{link}\n\n"


def test_mail_to_files(tmp_path: Path) -> None:
    """Each mail is a file that nobody else may read, sent in the background."""
    app, mail = make_app(MAIL_BACKEND="file", MAIL_FOLDER=str(tmp_path / "mail"))
    with app.app_context():
        mail.send(HELLO)
        mail.send(HELLO)
        assert mail.flush()
    files = list((tmp_path / "mail").iterdir())
    assert len(files) == 2
    assert {file.suffix for file in files} == {".eml"}
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    sent = message_from_bytes(files[0].read_bytes(), policy=policy.default)
    assert (sent["To"], sent["From"]) == ("ada@example.org", "Post <post@example.org>")


class MailServer(threading.Thread):
    """A mail server that takes down what clients say."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.answers = {"EHLO": "250 here", "DATA": "354 go on", "QUIT": "221 bye"}
        self.lines: list[str] = []
        self.start()

    def run(self) -> None:
        """Answer one client after the other."""
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream:
                self.talk(stream)

    def talk(self, stream: t.Any) -> None:
        """Answer a client."""
        stream.write(b"220 here\r\n")
        stream.flush()
        in_data = False
        while raw := stream.readline():
            line = raw.decode("latin-1").rstrip("\r\n")
            self.lines.append(line)
            if in_data:
                if line != ".":
                    continue
                in_data = False
                line = "END"
            word = line.partition(" ")[0].upper()
            in_data = word == "DATA"
            stream.write(self.answers.get(word, "250 fine").encode() + b"\r\n")
            stream.flush()
            if word == "QUIT":
                return

    def stop(self) -> None:
        """Close the door."""
        self.socket.close()


@pytest.fixture
def server() -> Iterator[MailServer]:
    """A mail server without encryption."""
    server = MailServer()
    yield server
    server.stop()


def test_mail_by_smtp(server: MailServer) -> None:
    """The server is told the recipients of the message, and gets its text."""
    app, mail = make_app(MAIL_SERVER="127.0.0.1", MAIL_PORT=server.port, MAIL_SECURITY="none")
    with app.app_context():
        mail.send(Message(["ada@example.org", "eve@example.org"], "Hello", "One line"))
        assert mail.flush()
    said = [line.lower() for line in server.lines if line.upper().startswith(("MAIL", "RCPT"))]
    assert said == [
        "mail from:<post@example.org>",
        "rcpt to:<ada@example.org>",
        "rcpt to:<eve@example.org>",
    ]
    assert "One line" in server.lines


def test_no_way_back_to_plain_text(
    server: MailServer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that does not offer encryption gets no mail, and no password."""
    monkeypatch.setattr(outbox_module, "PAUSES", (0.0, 0.0))
    app, mail = make_app(
        MAIL_SERVER="localhost", MAIL_PORT=server.port, MAIL_USERNAME="u", MAIL_PASSWORD="secret"
    )
    with app.app_context():
        mail.send(HELLO)
        assert mail.flush()
    assert not any("AUTH" in line or "MAIL" in line.upper() for line in server.lines)
    assert "Mail to …@example.org was not sent." in caplog.text
    assert "secret" not in caplog.text


def test_a_server_that_is_down_is_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure that passes is tried three times; the request hears nothing of it."""
    monkeypatch.setattr(outbox_module, "PAUSES", (0.0, 0.0))
    tries: list[float] = []

    class Broken:
        background = True

        def send(self, mail: EmailMessage, recipients: list[str]) -> None:
            tries.append(time.monotonic())
            raise ConnectionRefusedError("down")

    app = Erlen("post")
    mail = Mail(app, mailer=Broken())
    app.config["MAIL_DEFAULT_SENDER"] = "post@example.org"
    with app.app_context(), caplog.at_level(logging.WARNING, "erlen.mail"):
        mail.send(HELLO)
        assert mail.flush()
    assert len(tries) == 3
    assert caplog.text.count("was not sent yet") == 2
    assert "ada" not in caplog.text


def test_a_mail_server_that_hangs_holds_no_page_up(site: Site) -> None:
    """A page is answered while the mail server does not."""
    released = threading.Event()

    class Slow:
        background = True

        def send(self, mail: EmailMessage, recipients: list[str]) -> None:
            released.wait(60)

    mail = Mail(site.app, mailer=Slow())
    answer = send(site.browser(), "/account/forgotten", email="ada@example.org")
    assert answer.status_code == 200
    with site.app.app_context():
        assert not mail.flush(0.01)
        released.set()
        assert mail.flush()


def test_what_waits_is_bounded(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More mails than may wait are dropped, and the log says so."""
    monkeypatch.setattr(outbox_module, "MAX_WAITING", 2)
    released = threading.Event()

    def wait() -> None:
        released.wait(60)

    box = outbox_module.Outbox(logging.getLogger("erlen.mail"))
    for number in range(5):
        box.put(f"Mail {number}", wait)
    released.set()
    assert box.flush()
    assert "was dropped: 2 are waiting already." in caplog.text


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process.*is multi-threaded:DeprecationWarning")
def test_a_process_that_was_forked_sends_its_own(tmp_path: Path) -> None:
    """A worker that was forked after the first mail sends mail too."""
    app, mail = make_app(MAIL_BACKEND="file", MAIL_FOLDER=str(tmp_path))
    with app.app_context():
        mail.send(HELLO)
        assert mail.flush()
        child = os.fork()
        if child == 0:
            mail.send(HELLO)
            os._exit(0 if mail.flush(30) else 1)
        assert os.waitpid(child, 0)[1] == 0
    assert len(list(tmp_path.glob("*.eml"))) == 2


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"MAIL_BACKEND": "pigeon"}, "MAIL_BACKEND is one of 'console', 'file', 'memory', 'smtp'"),
        ({"MAIL_BACKEND": "smtp"}, "set MAIL_SERVER"),
        ({"MAIL_SERVER": "x", "MAIL_SECURITY": "ssl"}, "MAIL_SECURITY is"),
        (
            {"MAIL_SERVER": "mail.example.org", "MAIL_SECURITY": "none", "MAIL_USERNAME": "u"},
            "unencrypted",
        ),
        ({"MAIL_DEFAULT_SENDER": "me"}, "MAIL_DEFAULT_SENDER: 'me' is no address"),
    ],
)
def test_mistakes_in_the_settings_are_explained(config: dict[str, str], message: str) -> None:
    """What cannot be right raises when the application is made."""
    app = Erlen("post")
    app.config.update(config)
    with pytest.raises(ValueError, match=message):
        Mail(app)


def test_the_settings_of_flask_mail_are_understood() -> None:
    """An application that comes from Flask-Mail keeps its settings."""
    cases: list[tuple[dict[str, t.Any], int, str]] = [
        ({"MAIL_USE_TLS": True, "MAIL_PORT": 2525}, 2525, "starttls"),
        ({"MAIL_USE_SSL": True}, 465, "tls"),
        ({"MAIL_USE_TLS": False}, 587, "none"),
        ({}, 587, "starttls"),
    ]
    for config, port, security in cases:
        app, mail = make_app(MAIL_SERVER="mail.example.org", **config)
        with app.app_context():
            mailer = mail.mailer
            assert isinstance(mailer, SMTPMailer)
            assert (mailer.port, mailer.security) == (port, security)


def test_without_a_way_to_send_it_says_what_to_set() -> None:
    """Outside of tests and debug mode, mail needs to be set up."""
    app = Erlen("post")
    mail = Mail(app)
    with app.app_context(), pytest.raises(MailNotSetUp, match="Set MAIL_SERVER"):
        mail.send(HELLO)
    with Erlen("other").app_context(), pytest.raises(MailNotSetUp, match="Call Mail"):
        mail.send(HELLO)
    app.debug = True
    with app.app_context():
        assert isinstance(mail.mailer, ConsoleMailer)


def test_a_backend_of_ones_own_by_its_name() -> None:
    """A class can be named by its import string."""
    app, mail = make_app(MAIL_BACKEND="tests.accounts.test_mail.OwnMailer")
    with app.app_context():
        mail.send(HELLO)
        assert t.cast("t.Any", mail.mailer).sent == [["ada@example.org"]]
    assert FileMailer("x").background


class OwnMailer:
    """A back end of an application's own."""

    background = False

    def __init__(self) -> None:
        self.sent: list[list[str]] = []

    def send(self, mail: EmailMessage, recipients: list[str]) -> None:
        """Keep to whom."""
        self.sent.append(recipients)
