"""The program that the coverage-guided fuzzer runs: ``python -m tests.fuzz.guided -runs=1000``."""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["erlen", "werkzeug"]):
    from tests.fuzz.target import Target

PATHS = [b"/", b"/json", b"/data", b"/session", b"/redirect", b"/file", b"/slash/a/", b"/api/x"]
HEADERS = [
    "Accept",
    "Accept-Language",
    "Authorization",
    "Cache-Control",
    "Content-Type",
    "Cookie",
    "Host",
    "If-Match",
    "If-Modified-Since",
    "If-None-Match",
    "If-Range",
    "Range",
    "User-Agent",
    "X-Forwarded-For",
]
CONTENT_TYPES = [
    b"application/json",
    b"application/x-www-form-urlencoded",
    b"multipart/form-data; boundary=x",
    b"text/plain",
]

target = Target()


def run_one(data: bytes) -> None:
    """Make a request of the fuzzer's bytes and send it."""
    provider = atheris.FuzzedDataProvider(data)
    method = provider.PickValueInList(["GET", "POST", "PUT", "HEAD", "OPTIONS"])
    path = provider.PickValueInList(PATHS)
    if provider.ConsumeBool():
        path = b"/" + provider.ConsumeBytes(40)
    query = _as_header(provider.ConsumeBytes(provider.ConsumeIntInRange(0, 40)))
    headers = [("Content-Type", provider.PickValueInList(CONTENT_TYPES))]
    for _ in range(provider.ConsumeIntInRange(0, 3)):
        value = provider.ConsumeBytes(provider.ConsumeIntInRange(0, 40))
        headers.append((provider.PickValueInList(HEADERS), _as_header(value)))
    body = provider.ConsumeBytes(provider.remaining_bytes())
    target.send(method, path, query, headers, body)


def _as_header(value: bytes) -> bytes:
    return bytes(byte for byte in value if byte not in b"\r\n\x00")


if __name__ == "__main__":
    atheris.Setup(sys.argv, run_one)
    atheris.Fuzz()
