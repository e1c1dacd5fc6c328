"""The reloader: a process that keeps the port, and starts the one that serves anew."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import typing as t

import click

from .develop import INHERITED
from .production.channel import Channel
from .watching import Watch

if t.TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

# How many seconds the serving process may take to end.
_LATEST = 6.0

Message = dict[str, t.Any]


class Refused(Exception):
    """Raised where the command was given something that cannot work.

    :param message: what it is.
    """


class Reloader:
    """Starts the serving process, and starts it anew when files change.

    :param listening: the socket, which stays open: who comes meanwhile waits.
    :param inherited: further descriptors that the serving process needs, by name.
    :param environ: its environment.
    :param extra_files: more files to watch.
    :param exclude_patterns: patterns of files not to watch.
    :param on_ready: called with the message of each process that serves.
    """

    def __init__(
        self,
        listening: socket.socket,
        inherited: Mapping[str, int],
        environ: Mapping[str, str],
        extra_files: Iterable[str],
        exclude_patterns: Iterable[str],
        on_ready: Callable[[Message], None],
    ) -> None:
        self._listening = listening
        self._inherited = inherited
        self._environ = environ
        self._watch = Watch(extra_files, exclude_patterns)
        self._on_ready = on_ready
        self._child: subprocess.Popen[bytes] | None = None
        self._channel: Channel | None = None
        self._has_begun = False
        # Whether the process has no application, and says why.
        self._only_tells = False
        self._signals = 0

    def run(self) -> None:
        """Serve until a signal says to end.

        :raises Refused: where the first process cannot serve by a mistake in the command.
        """
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        self._start()
        try:
            while not self._signals:
                self._step()
        finally:
            self._stop()
            self._watch.close()

    def _on_signal(self, number: int, frame: object) -> None:
        # The first is passed on as a message: one that was typed has reached both processes.
        self._signals += 1
        if self._signals > 1 and self._child is not None:
            self._child.kill()

    def _step(self) -> None:
        changed = self._watch.wait()
        channel, child = self._channel, self._child
        # In this order: what it said before it ended counts.
        code = None if child is None else child.poll()
        if channel is not None:
            for message in channel.receive():
                self._take(message)
        if changed.code:
            self._show_changes(changed.code, "starting anew")
            self._restart()
        elif changed.seen:
            self._show_changes(changed.seen, "the browser follows")
            if self._channel is not None:
                self._channel.send(kind="changed", names=changed.seen_names)
        elif code is not None and not self._signals:
            self._take_death(code)

    def _take(self, message: Message) -> None:
        if message["kind"] == "refused":
            raise Refused(message["message"])
        self._watch.set_places(message["roots"], message["shown"])
        self._has_begun = True
        self._on_ready(message)

    def _take_death(self, code: int) -> None:
        """Have another process say what became of the last one."""
        cause = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        text = f"The process of the application ended by itself, {cause}."
        self._stop()
        if self._only_tells:
            # Not even that can be said; there is no use in trying again and again.
            click.echo(f" * {text}", err=True)
            return
        click.echo(f" * {text} It is started again when a file changes.", err=True)
        self._start(failure=text)

    def _show_changes(self, paths: list[str], what: str) -> None:
        shown = ", ".join(_shorten(path) for path in paths[:3])
        more = f" and {len(paths) - 3} more" if len(paths) > 3 else ""
        click.echo(f" * Changed: {shown}{more}; {what}", err=True)

    def _restart(self) -> None:
        self._stop()
        self._start()

    def _start(self, failure: str | None = None) -> None:
        self._only_tells = failure is not None
        ours, theirs = socket.socketpair()
        descriptors = {
            "listening": self._listening.fileno(),
            "channel": theirs.fileno(),
            **self._inherited,
        }
        notes: dict[str, t.Any] = {
            "descriptors": descriptors,
            "failure": failure,
            "first": not self._has_begun,
        }
        environ = {**self._environ, INHERITED: json.dumps(notes), "WERKZEUG_RUN_MAIN": "true"}
        # The same command, in a new interpreter, has the code as it is then.
        command = [sys.executable, *sys.orig_argv[1:]]
        with theirs:
            self._child = subprocess.Popen(
                command, env=environ, pass_fds=tuple(descriptors.values())
            )
        ours.setblocking(False)
        self._channel = Channel(ours)

    def _stop(self) -> None:
        child, channel = self._child, self._channel
        self._child = self._channel = None
        if channel is not None:
            channel.send(kind="end" if self._signals else "reload")
        if child is not None:
            self._wait_for(child)
        if channel is not None:
            channel.close()

    def _wait_for(self, child: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + _LATEST
        while child.poll() is None:
            if time.monotonic() > deadline or self._signals > 1:
                child.kill()
                child.wait()
                return
            time.sleep(0.01)


def _shorten(path: str) -> str:
    here = os.path.join(os.getcwd(), "")
    return path.removeprefix(here)
