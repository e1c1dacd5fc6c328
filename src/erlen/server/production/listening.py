"""The socket that the master opens and all workers take connections from."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import socket
import stat
import struct
import sys
import typing as t
from pathlib import Path

if t.TYPE_CHECKING:
    from .settings import Settings


_MOST_WAITING = 1024
# For Linux, which Python has no name for.
_SO_ATTACH_FILTER = 26
# The program of a packet filter (code, jumps, operand) that lets no new connection begin: of a
# segment with SYN and without ACK nothing is kept, of each other all.
_NO_SYN = (
    (0x30, 0, 0, 13),  # load the byte of the flags
    (0x54, 0, 0, 0x12),  # keep SYN and ACK of it
    (0x15, 0, 1, 0x02),  # is it SYN alone?
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # let through
)
# For those who connected in the moment of the end.
_ENDING = (
    b"HTTP/1.1 503 Service Unavailable\r\n"
    b"Connection: close\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n"
)


class ListenError(Exception):
    """Raised where no socket can be had; the text says why, and what to do."""


class Listener:
    """A listening socket, and where it is.

    :param settings: the settings of the server.
    :raises ListenError: where the address cannot be had.
    """

    def __init__(self, settings: Settings) -> None:
        self._inode: tuple[int, int] | None = None
        #: The file of a Unix socket; ``None`` for one of TCP.
        self.path: Path | None = None
        self._scheme = "https" if settings.tls_cert else "http"
        if settings.bind.startswith("unix:"):
            self.path = Path(settings.bind.removeprefix("unix:")).absolute()
            self.socket = _listen_unix(self.path, settings)
            self._inode = _inode_of(self.path)
        else:
            self.socket = _listen_tcp(settings)
        self.socket.setblocking(False)

    @property
    def url(self) -> str:
        """The address as a person writes it."""
        if self.path is not None:
            return f"unix:{self.path}"
        host, port = self.socket.getsockname()[:2]
        return f"{self._scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def bar(self) -> bool:
        """Let no new connection begin, while those that wait can still be taken.

        Who comes now is not answered, tries again, and is refused when the socket is closed; the
        file of a Unix socket is gone at once.

        :returns: whether that can be done here.
        """
        if self.path is not None:
            self._remove_file()
            return True
        if sys.platform != "linux":
            return False
        code = ctypes.create_string_buffer(
            b"".join(struct.pack("=HBBI", *step) for step in _NO_SYN)
        )
        # As the system's struct sock_fprog.
        program = struct.pack("@HP", len(_NO_SYN), ctypes.addressof(code))
        try:
            self.socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)
        except OSError:
            return False
        return True

    def has_waiting(self) -> bool:
        """Return whether a connection waits to be taken."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(0))

    def turn_away(self) -> None:
        """Take no more connections, and answer those that no worker took."""
        waiting: list[socket.socket] = []
        # Bounded: new ones may come as fast as they are taken.
        while self.socket.fileno() >= 0 and len(waiting) < _MOST_WAITING:
            try:
                waiting.append(self.socket.accept()[0])
            except OSError:
                break
        self.close()
        for connection in waiting:
            with connection:
                if self._scheme == "http":
                    _refuse(connection)

    def close(self) -> None:
        """Close the socket, and remove its file where that is still ours."""
        self._remove_file()
        self.socket.close()

    def _remove_file(self) -> None:
        if self.path is not None and self._inode and _inode_of(self.path) == self._inode:
            self.path.unlink(missing_ok=True)
        # Only once: the file of another server may get the same number later.
        self._inode = None


def _refuse(connection: socket.socket) -> None:
    connection.settimeout(0.2)
    try:
        connection.sendall(_ENDING)
        connection.shutdown(socket.SHUT_WR)
        # Closed with something unread, the answer might not arrive.
        while connection.recv(65536):
            pass
    except OSError:
        pass


def _inode_of(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _listen_tcp(settings: Settings) -> socket.socket:
    host, _, port = settings.bind.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        found = socket.getaddrinfo(
            host or None, int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except OSError:
        raise ListenError(
            f"This machine knows no host {host!r}. Give another with --bind."
        ) from None
    # 'localhost' is both ::1 and 127.0.0.1; most who look for it there mean the latter.
    found.sort(key=lambda entry: entry[0] != socket.AF_INET)
    family, kind, protocol, _, where = found[0]
    listening = socket.socket(family, kind, protocol)
    try:
        # Connections of a server that has just ended do not keep its port.
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6 and host in ("::", ""):
            # "[::]" is for both families, whatever the system's setting.
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listening.bind(where)
        listening.listen(settings.backlog)
    except OSError as error:
        listening.close()
        raise ListenError(_explain(error, settings.bind)) from None
    return listening


def _explain(error: OSError, bind: str) -> str:
    if error.errno == errno.EADDRINUSE:
        return (
            f"{bind} is in use by another program. Stop that, or choose another address with"
            " --bind."
        )
    if error.errno == errno.EACCES:
        return (
            f"This user may not listen at {bind}. Choose a port from 1024 with --bind, behind a"
            " proxy, or give the process the capability CAP_NET_BIND_SERVICE."
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"This machine has no address {bind}. Choose another with --bind."
    return f"Cannot listen at {bind}: {error.strerror or error}. Choose another with --bind."


def _listen_unix(path: Path, settings: Settings) -> socket.socket:
    if not hasattr(socket, "AF_UNIX"):
        raise ListenError("This system has no Unix sockets. Give 'host:port' with --bind.")
    _remove_stale(path)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    # The file must not be there for a moment with more rights than it is to have.
    umask = os.umask(0o777 & ~settings.socket_mode)
    try:
        listening.bind(os.fspath(path))
        path.chmod(settings.socket_mode)
        listening.listen(settings.backlog)
    except OSError as error:
        listening.close()
        raise ListenError(
            f"Cannot listen at unix:{path}: {error.strerror or error}. Give another path with"
            " --bind, in a folder that this user may write to."
        ) from None
    finally:
        os.umask(umask)
    return listening


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens at any more; leave all else alone."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise ListenError(
            f"{path} is there, and is no socket. Remove it, or give another path with --bind."
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError:
            pass
    raise ListenError(
        f"unix:{path} is in use by another program. Stop that, or give another path with --bind."
    )
