"""The file with the process id of the master."""

from __future__ import annotations

import os
import typing as t

if t.TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class PidFileError(Exception):
    """Raised where the file cannot be written; the text says why, and what to do."""


class PidFile:
    """The file, written at the beginning of the block and removed at its end.

    :param path: where it is; ``None`` for no file.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def __enter__(self) -> t.Self:
        if self._path is not None:
            self._refuse_running(self._path)
            try:
                self._write(self._path)
            except OSError as error:
                raise PidFileError(
                    f"{self._path} cannot be written: {error.strerror}. Give another with"
                    " --pid-file."
                ) from None
        return self

    def _refuse_running(self, path: Path) -> None:
        number = _read(path)
        if number is not None and number != os.getpid() and _is_running(number):
            raise PidFileError(
                f"{path} names the running process {number}. Stop that, or give another file with"
                " --pid-file."
            )

    def _write(self, path: Path) -> None:
        # Nobody may read half of a number.
        new = path.with_name(f".{path.name}.{os.getpid()}")
        new.write_text(f"{os.getpid()}\n")
        new.replace(path)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        if self._path is not None and _read(self._path) == os.getpid():
            self._path.unlink(missing_ok=True)


def _read(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _is_running(number: int) -> bool:
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except OSError:
        # It belongs to somebody else.
        return True
    return True
