"""Which remembered logins were ended before their time, by a logout.

The cookie that remembers a login is good by itself: whoever has a copy of it, from a backup or a
stolen computer, can use it. So what a logout ends is written down, until it would have ended
anyway.
"""

from __future__ import annotations

import hashlib
import os
import time
import typing as t
from pathlib import Path

#: Seconds between two looks for entries that are of no use any more.
PURGE_INTERVAL = 3600


class EndedLogins(t.Protocol):
    """Where ended logins are written down.

    Applications that run on several machines make one of their own, in their database for example,
    and set ``login.ended_logins`` to it.
    """

    def add(self, token: str, expires: float) -> None:
        """Note that a token is not good any more.

        :param token: its identifier.
        :param expires: when it would have ended anyway, in seconds since 1970.
        """
        ...

    def __contains__(self, token: str) -> bool:
        """Tell whether a token was ended.

        :param token: its identifier.
        """
        ...


class EndedLoginsFolder:
    """Ended logins as empty files of a folder, which processes of one machine share.

    The name of a file is a digest of the identifier, its time the one at which the token would
    have ended. Files are made in one step, so no locks are needed, and nothing is half-written.

    :param folder: the folder; made when it is first needed.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)
        self._next_purge = 0.0

    def add(self, token: str, expires: float) -> None:
        """Note that a token is not good any more.

        :param token: its identifier.
        :param expires: when it would have ended anyway, in seconds since 1970.
        :raises OSError: where that cannot be written.
        """
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._path(token)
        path.touch(mode=0o600)
        os.utime(path, (expires, expires))
        if time.time() >= self._next_purge:
            self._next_purge = time.time() + PURGE_INTERVAL
            self._purge()

    def __contains__(self, token: str) -> bool:
        return os.path.exists(self._path(token))

    def _path(self, token: str) -> Path:
        return self.folder / hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()

    def _purge(self) -> None:
        now = time.time()
        with os.scandir(self.folder) as entries:
            for entry in entries:
                try:
                    if entry.stat().st_mtime < now:
                        os.unlink(entry.path)
                except FileNotFoundError:
                    # Another process was faster.
                    continue
