"""What the workloads send and answer, shared by the applications of every framework."""

from __future__ import annotations

import json
import typing as t
from pathlib import Path

FILES = Path(__file__).resolve().parent / "applications"
TEMPLATES = FILES / "templates"
STATIC = FILES / "static"

HTML = "text/html; charset=utf-8"
JSON = "application/json"

HELLO = "Hello, World!"
SMALL = {"message": HELLO, "count": 3, "ok": True}

USER_ID = 4711
SLUG = "a-fine-day"

QUERY = "q=brown+fox&page=2"
FORM = "name=Ada+Lovelace&email=ada%40example.org"
FORM_TYPE = "application/x-www-form-urlencoded"
ECHO = "brown fox|2|Ada Lovelace|ada@example.org"


class Row(t.NamedTuple):
    """One line of the table that the template shows."""

    id: int
    name: str
    email: str
    active: bool


TITLE = "Members & friends"
ROWS = [Row(n, f"Member <{n}>", f"member{n}@example.org", n % 3 != 0) for n in range(20)]

DOCUMENT: dict[str, t.Any] = {
    "id": 4711,
    "title": "A fine day in the library",
    "tags": ["reading", "weather", "tea", "notes"],
    "author": {"name": "Ada Lovelace", "email": "ada@example.org", "id": 12},
    "published": True,
    "rating": 4.75,
    "lines": [
        {"number": n, "text": f"Line {n} of a document of about a kilobyte.", "seen": n % 2 == 0}
        for n in range(10)
    ],
}
DOCUMENT_BYTES = json.dumps(DOCUMENT).encode()

BOUNDARY = "----WebKitFormBoundaryq7DkR3mUa0cP1sXv"
UPLOAD_TYPE = f"multipart/form-data; boundary={BOUNDARY}"
UPLOAD_NAME = "scan.bin"
UPLOAD_SIZE = 1024 * 1024
_UPLOAD_DATA = bytes(range(256)) * (UPLOAD_SIZE // 256)
UPLOAD = (
    f"--{BOUNDARY}\r\n"
    'Content-Disposition: form-data; name="note"\r\n\r\n'
    "from the scanner\r\n"
    f"--{BOUNDARY}\r\n"
    f'Content-Disposition: form-data; name="file"; filename="{UPLOAD_NAME}"\r\n'
    "Content-Type: application/octet-stream\r\n\r\n"
).encode() + (_UPLOAD_DATA + f"\r\n--{BOUNDARY}--\r\n".encode())
UPLOADED = f"{UPLOAD_NAME}|{UPLOAD_SIZE}"

SECRET_KEY = "benchmarks-are-no-place-for-secrets"
HOOK_HEADERS = {"X-Request-Id": "4711", "X-Locale": "en", "X-User": "ada"}
