"""The pictures of covers: files in a folder beside the database, by random names."""

from pathlib import Path

from erlen import Erlen, current_app
from erlen.forms.storage import DiskStorage


def covers() -> DiskStorage:
    """Return where the pictures are kept."""
    storage: DiskStorage = current_app.extensions["shelf.covers"]
    return storage


def remove_cover(name: str | None) -> None:
    """Remove a picture that no book has any more."""
    if name:
        covers().delete(name)


def init_app(app: Erlen) -> None:
    """Keep the pictures of ``app`` in the folder that its configuration names."""
    app.extensions["shelf.covers"] = DiskStorage(Path(app.config["COVERS"]))
