"""TLS and HTTP/2."""

from __future__ import annotations

import datetime
import http.client
import ssl
import typing as t
from pathlib import Path

import h2.connection
import h2.events
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from .process import Served, read_all

if t.TYPE_CHECKING:
    from collections.abc import Iterator


def _make_certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    cert_file, key_file = folder / "cert.pem", folder / "key.pem"
    cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_file, key_file


def _ask(client: http.client.HTTPConnection) -> bytes:
    client.request("GET", "/")
    return client.getresponse().read()


class Site(t.NamedTuple):
    """A server with TLS, and the certificate to trust."""

    served: Served
    certificate: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server with TLS that waits 2 seconds for a first word."""
    folder = tmp_path_factory.mktemp("tls")
    cert, key = _make_certificate(folder)
    options = (f"--tls-cert={cert}", f"--tls-key={key}", "--header-timeout=2")
    with Served(folder, *options) as served:
        yield Site(served, cert)


def test_https(site: Site) -> None:
    """The application sees the scheme, and clients the certificate."""
    client = site.served.tls_client(site.certificate)
    client.request("GET", "/client")
    answer = client.getresponse()
    assert answer.status == 200 and b'"https"' in answer.read()
    client.close()
    assert f"at https://127.0.0.1:{site.served.port} by" in site.served.output


def test_http2(site: Site) -> None:
    """Clients that can speak HTTP/2 are offered it, and get answers in it."""
    context = ssl.create_default_context(cafile=site.certificate)
    context.set_alpn_protocols(["h2", "http/1.1"])
    with context.wrap_socket(site.served.connect(), server_hostname="localhost") as connection:
        assert connection.selected_alpn_protocol() == "h2"
        state = h2.connection.H2Connection()
        state.initiate_connection()
        head = [(":method", "GET"), (":path", "/client"), (":scheme", "https")]
        state.send_headers(1, [*head, (":authority", "localhost")], end_stream=True)
        connection.sendall(state.data_to_send())
        events: list[h2.events.Event] = []
        while not any(isinstance(event, h2.events.StreamEnded) for event in events):
            events += state.receive_data(connection.recv(65536))
    body = b"".join(event.data for event in events if isinstance(event, h2.events.DataReceived))
    assert b'"https"' in body


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="Only Linux lists connections.")
@pytest.mark.parametrize("protocol", ["h2", "http/1.1"])
def test_a_client_that_never_asks_is_let_go(site: Site, protocol: str) -> None:
    """A connection without a request ends in time; one with a request is kept."""
    context = ssl.create_default_context(cafile=site.certificate)
    context.set_alpn_protocols([protocol])
    client = site.served.tls_client(site.certificate)
    client.request("GET", "/slow?seconds=5")
    with context.wrap_socket(site.served.connect(), server_hostname="localhost") as connection:
        assert read_all(connection) == b""
    assert client.getresponse().read() == b"slow"
    client.close()


def test_only_clients_with_a_certificate(tmp_path: Path) -> None:
    """With an authority for clients, those without a certificate of it get nothing."""
    cert, key = _make_certificate(tmp_path)
    options = (f"--tls-cert={cert}", f"--tls-key={key}", f"--tls-client-ca={cert}")
    with Served(tmp_path, *options) as served:
        stranger = served.tls_client(cert)
        with pytest.raises(OSError):
            _ask(stranger)
        stranger.close()
