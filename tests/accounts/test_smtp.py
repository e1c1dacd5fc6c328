"""Mail over encrypted connections, to a mail server that is there."""

from __future__ import annotations

import base64
import datetime
import ssl
import threading
import typing as t
from dataclasses import dataclass
from email import message_from_string, policy
from socket import create_server

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.accounts.site import make_site, send

from erlen import Erlen
from erlen.accounts import Mail, MailNotSecure, Message, SMTPMailer
from erlen.accounts import outbox as outbox_module

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from socket import socket

HELLO = Message("ada@example.org", "Grüße", "Dear Ada,\n.\nhow are you?\n")


@dataclass
class Certificate:
    """A certificate that has signed itself, and its key."""

    file: Path
    key: Path

    def trust(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Do what an administrator does for an authority of their own."""
        monkeypatch.setenv("SSL_CERT_FILE", str(self.file))


def make_certificate(folder: Path, host: str = "localhost", days: int = 1) -> Certificate:
    """Return a certificate for a host; with less than no days it has ended."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=9))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    made = Certificate(folder / "certificate.pem", folder / "key.pem")
    made.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return made


class MailServer(threading.Thread):
    """A mail server (RFC 5321) with STARTTLS, with TLS from the first byte, or with neither.

    It takes down each line it hears, and whether that was encrypted.
    """

    def __init__(self, kind: t.Literal["starttls", "tls", "plain"], certificate: Certificate):
        super().__init__(daemon=True)
        self.kind = kind
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate.file, certificate.key)
        self.heard: list[tuple[bool, str]] = []
        self.mails: list[str] = []
        self.socket = create_server(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self.connections = 0
        self.start()

    def run(self) -> None:
        """Answer one client after the other."""
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(30)
            try:
                self.answer(connection)
            except OSError:  # a client that does not trust the certificate hangs up
                pass
            finally:
                connection.close()

    def answer(self, connection: socket) -> None:
        """Answer a client, encrypted or not."""
        if self.kind == "tls":
            with self.context.wrap_socket(connection, server_side=True) as encrypted:
                self.talk(encrypted, greet=True)
            return
        if self.talk(connection, greet=True):
            with self.context.wrap_socket(connection, server_side=True) as encrypted:
                self.talk(encrypted, greet=False)

    def talk(self, connection: socket, greet: bool) -> bool:
        """Answer line by line; return whether the client wants to go on encrypted."""
        is_encrypted = isinstance(connection, ssl.SSLSocket)
        with connection.makefile("rwb") as stream:

            def say(text: str) -> None:
                stream.write(text.encode() + b"\r\n")
                stream.flush()

            if greet:
                say("220 localhost")
            while raw := stream.readline():
                line = raw.decode("utf-8", "replace").rstrip("\r\n")
                self.heard.append((is_encrypted, line))
                word = line.partition(" ")[0].upper()
                if word == "EHLO":
                    can_encrypt = self.kind == "starttls" and not is_encrypted
                    say("250-localhost\r\n250-AUTH PLAIN\r\n250 " + "STARTTLS" * can_encrypt)
                elif word == "STARTTLS" and self.kind == "starttls":
                    say("220 go on")
                    return True
                elif word == "DATA":
                    say("354 go on")
                    self.read_mail(stream)
                    say("250 taken")
                elif word == "AUTH":
                    say("235 welcome")
                elif word == "QUIT":
                    say("221 bye")
                    return False
                elif word in ("MAIL", "RCPT", "NOOP"):
                    say("250 fine")
                else:
                    say("502 what?")
        return False

    def read_mail(self, stream: t.Any) -> None:
        """Read the text of a mail, up to the line with a dot."""
        lines = []
        while (line := stream.readline().decode()) not in (".\r\n", ""):
            lines.append(line.removeprefix("."))
        self.mails.append("".join(lines))

    def said(self, word: str) -> list[bool]:
        """Return for each line with a first word whether it was encrypted."""
        return [flag for flag, line in self.heard if line.upper().startswith(word)]

    def stop(self) -> None:
        """Close the door."""
        self.socket.close()
        self.join(30)


Make = t.Callable[..., MailServer]


@pytest.fixture
def serve() -> Iterator[Make]:
    """Starts mail servers, and stops them."""
    running: list[MailServer] = []

    def start(kind: t.Any, certificate: Certificate) -> MailServer:
        running.append(MailServer(kind, certificate))
        return running[-1]

    yield start
    for server in running:
        # A thread that waits for a client is woken by one.
        server.socket.shutdown(2)
        server.stop()


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    """A certificate for localhost that nobody trusts yet."""
    return make_certificate(tmp_path)


def make_mailer(server: MailServer, security: t.Any, **options: t.Any) -> SMTPMailer:
    return SMTPMailer("localhost", server.port, security=security, **options)


def hand_over(mailer: SMTPMailer, message: Message = HELLO) -> None:
    """Send a message, and hear of what goes wrong."""
    mailer.send(message.build("post@example.org"), message.recipients)


@pytest.mark.parametrize("kind", ["starttls", "tls"])
def test_mail_arrives_encrypted(
    serve: Make, certificate: Certificate, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a trusted certificate mail arrives, and password, addresses and text were encrypted."""
    certificate.trust(monkeypatch)
    server = serve(kind, certificate)
    app = Erlen("post")
    app.config.update(
        MAIL_SERVER="localhost",
        MAIL_PORT=server.port,
        MAIL_SECURITY=kind,
        MAIL_USERNAME="post",
        MAIL_PASSWORD="a secret",
        MAIL_DEFAULT_SENDER="post@example.org",
    )
    mail = Mail(app)

    @app.post("/")
    def write() -> str:
        mail.send(HELLO)
        return "sent"

    assert app.test_client().post("/").text == "sent"
    with app.app_context():
        assert mail.flush()
    [text] = server.mails
    sent = message_from_string(text, policy=policy.default)
    assert (sent["To"], sent["Subject"]) == ("ada@example.org", "Grüße")
    assert t.cast("t.Any", sent).get_content().splitlines() == ["Dear Ada,", ".", "how are you?"]
    for word in ("AUTH", "MAIL", "RCPT", "DATA"):
        assert server.said(word) == [True]
    [login] = [line for _, line in server.heard if line.startswith("AUTH")]
    assert base64.b64decode(login.split()[-1]) == b"\0post\0a secret"
    assert server.said("STARTTLS") == ([False] if kind == "starttls" else [])


@pytest.mark.parametrize("kind", ["starttls", "tls"])
def test_a_page_s_mail_arrives_encrypted(
    serve: Make,
    certificate: Certificate,
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The mail of a ready-made page goes out the same way, with its link."""
    certificate.trust(monkeypatch)
    server = serve(kind, certificate)
    site = make_site(
        f"sqlite:///{tmp_path / 'site.db'}",
        MAIL_SERVER="localhost",
        MAIL_PORT=server.port,
        MAIL_SECURITY=kind,
        MAIL_DEFAULT_SENDER="post@example.org",
    )
    site.add("ada@example.org")
    send(site.browser(), "/account/forgotten", email="ada@example.org")
    with site.app.app_context():
        assert site.accounts.letters.mail.flush()
    [text] = server.mails
    sent: t.Any = message_from_string(text, policy=policy.default)
    assert "http://localhost/account/reset/" in sent.get_content()
    site.close()


def other_name(folder: Path) -> Certificate:
    return make_certificate(folder, "elsewhere.example")


def ended(folder: Path) -> Certificate:
    return make_certificate(folder, days=-1)


@pytest.mark.parametrize("kind", ["starttls", "tls"])
@pytest.mark.parametrize(
    ("make", "is_trusted", "reason"),
    [
        (make_certificate, False, "self.signed"),
        (other_name, True, "localhost"),
        (ended, True, "expired"),
    ],
)
def test_a_certificate_that_is_not_trusted(
    serve: Make,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    make: Callable[[Path], Certificate],
    is_trusted: bool,
    reason: str,
) -> None:
    """Whoever has no good certificate for the name gets neither the password nor the mail."""
    certificate = make(tmp_path)
    if is_trusted:
        certificate.trust(monkeypatch)
    server = serve(kind, certificate)
    mailer = make_mailer(server, kind, username="post", password="a secret")
    with pytest.raises(MailNotSecure, match=f"localhost:{server.port} is not trusted.*{reason}"):
        hand_over(mailer)
    assert server.mails == []
    assert server.said("AUTH") == server.said("MAIL") == server.said("RCPT") == []


def test_a_server_without_starttls(serve: Make, certificate: Certificate) -> None:
    """A server that offers no encryption where it is wanted gets nothing, and is named."""
    server = serve("plain", certificate)
    mailer = make_mailer(server, "starttls", username="post", password="a secret")
    with pytest.raises(MailNotSecure, match="does not offer STARTTLS, so no mail was handed"):
        hand_over(mailer)
    assert server.mails == []
    assert {line.split()[0].upper() for _, line in server.heard} <= {"EHLO", "QUIT"}


def test_a_server_that_is_not_encrypted_from_the_first_byte(
    serve: Make, certificate: Certificate
) -> None:
    """With ``"tls"``, a server that speaks plainly gets no line of SMTP."""
    server = serve("starttls", certificate)
    with pytest.raises(MailNotSecure, match="Set MAIL_SECURITY to what that port is for"):
        hand_over(make_mailer(server, "tls", username="post", password="a secret"))
    assert server.mails == []
    assert not any("EHLO" in line or "MAIL" in line for _, line in server.heard)


def test_what_is_not_secure_is_logged_and_not_tried_again(
    serve: Make,
    certificate: Certificate,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The log says why, without the address and the password; the request hears nothing of it."""
    monkeypatch.setattr(outbox_module, "PAUSES", (0.0, 0.0))
    server = serve("starttls", certificate)
    app = Erlen("post")
    app.config.update(
        MAIL_SERVER="localhost",
        MAIL_PORT=server.port,
        MAIL_USERNAME="post",
        MAIL_PASSWORD="a secret",
        MAIL_DEFAULT_SENDER="post@example.org",
    )
    mail = Mail(app)
    with app.app_context():
        mail.send(HELLO)
        assert mail.flush()
    assert "Mail to …@example.org was not sent." in caplog.text
    assert "is not trusted" in caplog.text
    assert "ada@" not in caplog.text and "a secret" not in caplog.text
    assert server.connections == 1
