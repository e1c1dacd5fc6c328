"""The port of the development server: taking it, and saying who has it where it is taken."""

from __future__ import annotations

import errno
import os
import platform
import socket
from pathlib import Path

from werkzeug import serving

#: How many ports are tried, from the one that nobody asked for by name.
MAX_TRIED = 20

# The state of a socket that listens, in the tables of Linux.
_LISTEN = "0A"


class AddressError(Exception):
    """Raised where an address cannot be had; the text is a sentence that says why.

    :param message: the sentence.
    :param is_taken: whether another program has the port.
    """

    def __init__(self, message: str, is_taken: bool = False) -> None:
        super().__init__(message)
        self.is_taken = is_taken


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that is bound to an address, and does not listen yet.

    :param host: a name or an address.
    :param port: the port; 0 takes a free one.
    :raises AddressError: where the address cannot be had.
    """
    family = serving.select_address_family(host, port)
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":  # pragma: no branch  (elsewhere the option means something else)
            # Or connections just closed would count as "in use".
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(serving.get_sockaddr(host, port, family))
        # Two can be bound to one address on Linux, as long as neither listens.
        bound.listen(128)
    except OSError as error:
        bound.close()
        raise _explain(error, host, port) from None
    return bound


def bind_next(host: str, port: int) -> socket.socket:
    """Return a listening socket of the next port that is free.

    :param host: a name or an address.
    :param port: the port that is taken.
    :raises AddressError: where none is near.
    """
    problem: AddressError | None = None
    for candidate in range(port + 1, min(port + 1 + MAX_TRIED, 65536)):
        try:
            return bind(host, candidate)
        except AddressError as error:
            problem = error
    raise problem or AddressError("There is no port above this one. Choose one with '--port'.")


def _explain(error: OSError, host: str, port: int) -> AddressError:
    if isinstance(error, socket.gaierror):
        return AddressError(
            f"Cannot listen on {host!r}: this machine knows no such name or address."
        )
    if error.errno == errno.EADDRINUSE:
        return AddressError(f"Port {port} is in use by {user_of(port)}.", is_taken=True)
    if error.errno == errno.EACCES:
        return AddressError(
            f"Listening on port {port} is not permitted to this user. Choose a port above"
            " 1023 with '--port'."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return AddressError(f"Cannot listen on {host!r}: this machine has no such address.")
    return AddressError(f"Cannot listen on {host!r}, port {port}: {error.strerror or error}.")


def what_to_do(port: int) -> str:
    """Return the advice for a port that is taken."""
    hint = ""
    if platform.system() == "Darwin" and port == 5000:
        hint = " On macOS it may be the 'AirPlay Receiver' of the System Settings."
    return f"Stop that program, or choose another port with '--port'.{hint}"


def user_of(port: int) -> str:
    """Return the name of the program that listens on a port, as far as this user may know it.

    :param port: the port.
    :returns: such as ``"'nginx' (process 12)"``, or ``"another program"``.
    """
    sockets = {f"socket:[{inode}]" for inode in _listening(port)}
    if sockets:
        for folder in Path("/proc").glob("[0-9]*"):
            if _holds(folder, sockets):
                return f"{_command(folder)} (process {folder.name})"
    return "another program"


def _listening(port: int) -> list[str]:
    """Return the inodes of the sockets that listen on a port; only Linux tells."""
    inodes = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.append(fields[9])
    return inodes


def _holds(folder: Path, sockets: set[str]) -> bool:
    try:
        return any(os.readlink(entry) in sockets for entry in (folder / "fd").iterdir())
    except OSError:
        # Another user's process, or one that has ended.
        return False


def _command(folder: Path) -> str:
    try:
        words = (folder / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:
        words = []
    line = " ".join(word.decode(errors="replace") for word in words)
    line = "".join(character if character.isprintable() else "?" for character in line)
    return repr(line if len(line) <= 60 else f"{line[:57]}...") if line else "a program"
