"""The application that the messages are sent to. It notes in a file what it ran."""

from __future__ import annotations

import os
from pathlib import Path

from erlen import Erlen, request

app = Erlen(__name__)
app.config["MAX_CONTENT_LENGTH"] = 2 * 1024 * 1024

NOTES = Path(os.environ["TEST_NOTES"])


def note(text: str) -> None:
    with NOTES.open("a") as file:
        file.write(f"{text}\n")


@app.get("/")
def index() -> str:
    return "plain"


@app.route("/take", methods=["GET", "POST"])
def take() -> str:
    data = request.get_data()
    note(f"took {len(data)}")
    return f"took {len(data)}"


@app.get("/hidden/<mark>")
def hidden(mark: str) -> str:
    note(f"hidden {mark}")
    return "hidden"


@app.get("/headers")
def headers() -> dict[str, str]:
    return dict(request.headers)
