"""The master: it holds the socket, starts workers, replaces them, and ends them."""

from __future__ import annotations

import selectors
import signal
import socket
import subprocess
import time
import typing as t
from collections import deque
from contextlib import closing
from functools import partial

from .channel import Channel
from .job import IDLE, pack
from .listening import Listener
from .memory import MemoryWatch
from .notify import Notifier
from .pidfile import PidFile

if t.TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .settings import Settings

# How much longer than its requests a worker may take to end.
_END_MARGIN = 2.0
# How long connections may bring further requests when the workers are replaced.
_RELOAD_IDLE = 3.0
# A worker that lives less long than this is not replaced at once.
_SHORT_LIFE = 10.0
# How long workers that are to end may take connections that wait, and how often to look.
_TAKE_TIME = 2.0
_TAKE_PAUSE = 0.01
_LONGEST_PAUSE = 30.0


class ServeError(Exception):
    """Raised where the server cannot go on; the text says why, and what to do."""


class Child:
    """A worker as the master sees it.

    :param number: which of the workers it is.
    :param process: its process.
    :param channel: what it is told by.
    """

    def __init__(self, number: int, process: subprocess.Popen[bytes], channel: Channel) -> None:
        self.number = number
        self.process = process
        self.channel = channel
        self.born = time.monotonic()
        self.is_ready = False
        #: Why it could not begin.
        self.failure: str | None = None
        #: When it is killed, if it was told to end.
        self.deadline: float | None = None
        #: Whether it takes no more connections.
        self.is_deaf = False

    def age(self) -> float:
        """Return for how many seconds it has been there."""
        return time.monotonic() - self.born

    def drain(self, seconds: float, idle: float) -> None:
        """Tell it to end."""
        if self.deadline is None:
            self.deadline = time.monotonic() + seconds + _END_MARGIN
            self.channel.send(kind="drain", seconds=seconds, idle=idle)

    def has_ended(self) -> bool:
        """Return whether the process is gone."""
        return self.process.poll() is not None

    def end(self) -> str:
        """Return how the process ended, in words."""
        code = self.process.returncode
        if code is not None and code < 0:
            return f"(PID {self.process.pid}) was ended by {signal.Signals(-code).name}"
        return f"(PID {self.process.pid}) ended with exit code {code}"

    def reason(self) -> str:
        """Return why it could not begin, in a sentence."""
        return self.failure or f"Worker {self.number} {self.end()} before it was ready."


class Master:
    """Serves with a number of workers until it is told to end.

    :param settings: the settings.
    :param command: what starts a worker; the descriptor of its socket is added.
    :param app: how the application is imported.
    :param environ: the environment of the workers.
    :param log: prints a line about what happens, of a level.
    """

    def __init__(
        self,
        settings: Settings,
        command: Sequence[str],
        app: str | None,
        environ: dict[str, str],
        log: Callable[[str, str], None],
    ) -> None:
        self.settings = settings
        self._command = command
        self._app = app
        self._environ = environ
        self._log = log
        # The workers that serve, by number, and those that will take their place.
        self._serving: dict[int, Child] = {}
        self._coming: Child | None = None
        self._retiring: list[Child] = []
        self._to_replace: deque[int] = deque()
        # When a worker that could not begin is tried again, by number.
        self._retries: dict[int, float] = {}
        self._pauses: dict[int, float] = {}
        self._is_reloading = False
        # When all workers are told to end, once it is known that they will be.
        self._end_at: float | None = None
        self._has_ended_workers = False
        self._selector = selectors.DefaultSelector()
        self._signals: deque[int] = deque()
        self._notifier = Notifier()
        self._memory = MemoryWatch(settings.worker_max_memory)

    def run(self, announce: Callable[[Listener], None]) -> None:
        """Serve; return when all has ended.

        :param announce: called when all workers are ready.
        :raises ServeError: where the workers cannot begin, or none is left.
        :raises ListenError: where the address cannot be had.
        :raises PidFileError: where the PID file belongs to another server.
        """
        with PidFile(self.settings.pid_file), closing(Listener(self.settings)) as listener:
            self._listener = listener
            restore = self._catch_signals()
            try:
                self._begin()
                if self._end_at is None:
                    announce(listener)
                    self._notifier.ready()
                while not self._is_over():
                    self._step()
            finally:
                self._kill_all()
                restore()

    # --- Signals and messages ------------------------------------------------------------------

    def _catch_signals(self) -> Callable[[], None]:
        """Have signals wake the loop; return what undoes that."""
        self._wake, self._woken = socket.socketpair()
        for end in (self._wake, self._woken):
            end.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, self._read_wakes)
        before = {
            number: signal.signal(number, self._note_signal)
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        }
        old_fd = signal.set_wakeup_fd(self._wake.fileno(), warn_on_full_buffer=False)

        def restore() -> None:
            signal.set_wakeup_fd(old_fd)
            for number, handler in before.items():
                signal.signal(number, handler)
            self._selector.close()
            self._wake.close()
            self._woken.close()

        return restore

    def _note_signal(self, number: int, frame: object) -> None:
        self._signals.append(number)

    def _read_wakes(self) -> None:
        try:
            while self._woken.recv(4096):
                pass
        except BlockingIOError:
            pass

    def _wait(self, seconds: float) -> None:
        """Wait for a signal or a message, and take in what has come."""
        for key, _ in self._selector.select(seconds):
            key.data()
        while self._signals:
            self._obey(self._signals.popleft())

    def _obey(self, number: int) -> None:
        if number in (signal.SIGTERM, signal.SIGINT):
            self._end(number)
        elif number == signal.SIGHUP and self._end_at is None:
            self._reload()

    def _hear(self, child: Child) -> None:
        for message in child.channel.receive():
            kind = message["kind"]
            if kind == "ready":
                child.is_ready = True
            elif kind == "failed":
                child.failure = message["message"]
            elif kind == "deaf":
                child.is_deaf = True
        if child.channel.is_closed:
            self._selector.unregister(child.channel.socket)
            child.is_deaf = True

    # --- Workers -------------------------------------------------------------------------------

    def _spawn(self, number: int) -> Child:
        ours, theirs = socket.socketpair()
        with theirs:
            listening = self._listener.socket.fileno()
            process = subprocess.Popen(
                [*self._command, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                env=self._environ,
                pass_fds=(theirs.fileno(), listening),
                # A Ctrl-C in the terminal is for the master.
                process_group=0,
            )
        child = Child(number, process, Channel(ours))
        child.channel.send(
            settings=pack(self.settings),
            app=self._app,
            number=number,
            listening=listening,
            unix=self._listener.path is not None,
        )
        ours.setblocking(False)
        self._selector.register(ours, selectors.EVENT_READ, partial(self._hear, child))
        self._log("debug", f"Worker {number} is being started with PID {process.pid}.")
        return child

    def _begin(self) -> None:
        """Start all workers, and wait until they are ready."""
        for number in range(1, self.settings.workers + 1):
            self._serving[number] = self._spawn(number)
        while not all(child.is_ready for child in self._serving.values()):
            self._wait(0.5)
            if self._end_at is not None:
                return
            for child in self._serving.values():
                self._check_start(child)
                if child.has_ended():
                    self._hear_last(child)
                    raise ServeError(child.reason())

    def _check_start(self, child: Child) -> None:
        if child.is_ready or child.age() < self.settings.start_timeout:
            return
        child.failure = (
            f"A worker was not ready within {self.settings.start_timeout:g} s. Look at what the"
            " application does when it is imported, or raise --start-timeout."
        )
        child.process.kill()
        child.process.wait()

    def _hear_last(self, child: Child) -> None:
        """Take in what an ended worker has said, and let go of it."""
        while not child.channel.is_closed:
            self._hear(child)
        child.channel.close()

    def _step(self) -> None:
        self._wait(self._notifier.interval(0.5))
        self._notifier.alive()
        self._reap()
        if self._end_at is not None:
            self._go_on_ending()
            return
        self._find_old()
        self._retry()
        self._replace()

    def _reap(self) -> None:
        for child in list(self._retiring):
            if self._is_gone(child):
                self._retiring.remove(child)
                self._log("debug", f"Worker {child.number}, PID {child.process.pid}, has ended.")
        if self._coming is not None and self._is_gone(self._coming):
            self._give_up_replacing(self._coming)
        for child in list(self._serving.values()):
            if self._is_gone(child):
                del self._serving[child.number]
                self._bury(child)

    def _is_gone(self, child: Child) -> bool:
        self._check_start(child)
        is_late = child.deadline is not None and time.monotonic() > child.deadline
        if is_late and not child.has_ended():
            self._log("warning", f"Worker {child.number} did not end in time and is killed.")
            child.process.kill()
            child.process.wait()
        if not child.has_ended():
            return False
        self._hear_last(child)
        return True

    def _bury(self, child: Child) -> None:
        """See to it that another worker takes the place of one that has ended."""
        if self._end_at is not None:
            return
        if child.is_ready:
            self._log("error", f"Worker {child.number} {child.end()}. Another is started.")
            # One that dies as soon as it serves must not keep the machine busy.
            if child.age() > _SHORT_LIFE:
                self._pauses.pop(child.number, None)
            pause = self._next_pause(child.number)
        else:
            if not any(other.is_ready for other in self._serving.values()):
                raise ServeError(child.reason())
            pause = self._next_pause(child.number)
            self._log("error", f"{child.reason()} It is tried again in {pause:g} s.")
        self._retries[child.number] = time.monotonic() + pause

    def _next_pause(self, number: int) -> float:
        """Return how long to wait: not at all the first time, then twice as long each time."""
        pause = self._pauses.get(number, 0.0)
        self._pauses[number] = min(max(0.5, pause * 2), _LONGEST_PAUSE)
        return pause

    def _retry(self) -> None:
        now = time.monotonic()
        for number, when in list(self._retries.items()):
            if when <= now:
                del self._retries[number]
                self._serving[number] = self._spawn(number)

    def _find_old(self) -> None:
        """Queue workers that are too old or hold too much memory."""
        limit = self.settings.worker_max_age
        for child in self._serving.values():
            if not child.is_ready or child.number in self._to_replace:
                continue
            if self._coming is not None and self._coming.number == child.number:
                continue
            if limit and child.age() > limit:
                self._log("info", f"Worker {child.number} is {child.age():.0f} s old: replaced.")
                self._to_replace.append(child.number)
        for child, size in self._memory.find(self._serving.values()):
            if child.number not in self._to_replace and self._coming is None:
                self._log("info", f"Worker {child.number} holds {size >> 20} MiB: replaced.")
                self._to_replace.append(child.number)

    def _reload(self) -> None:
        self._log("info", "Reloading: the workers are replaced one after the other.")
        self._notifier.reloading()
        self._is_reloading = True
        self._to_replace = deque(range(1, self.settings.workers + 1))

    def _replace(self) -> None:
        """Go on replacing workers: one at a time, the new one first."""
        coming = self._coming
        if coming is not None:
            if not coming.is_ready:
                return
            self._coming = None
            old = self._serving.get(coming.number)
            self._serving[coming.number] = coming
            self._retries.pop(coming.number, None)
            if old is not None:
                old.drain(self.settings.graceful_timeout, _RELOAD_IDLE)
                self._retiring.append(old)
        if self._to_replace:
            self._coming = self._spawn(self._to_replace.popleft())
        elif self._is_reloading:
            self._is_reloading = False
            self._log("info", "Reloaded: all workers are new.")
            self._notifier.ready()

    def _give_up_replacing(self, child: Child) -> None:
        self._coming = None
        self._to_replace.clear()
        if self._end_at is None:
            self._log("error", f"{child.reason()} The workers of before go on.")
        if self._is_reloading:
            self._is_reloading = False
            self._notifier.ready()

    # --- The end -------------------------------------------------------------------------------

    def _end(self, number: int) -> None:
        if self._end_at is not None:
            if number == signal.SIGINT:
                # Somebody at the terminal does not want to wait.
                self._kill_all()
            return
        self._notifier.stopping()
        delay = self.settings.drain_delay if number == signal.SIGTERM else 0.0
        self._log("info", "Ending: requests that are under way are finished.")
        self._end_at = time.monotonic() + delay
        for child in self._children():
            child.channel.send(kind="unready")

    def _go_on_ending(self) -> None:
        assert self._end_at is not None
        if time.monotonic() < self._end_at:
            return
        if not self._has_ended_workers:
            self._has_ended_workers = True
            self._let_take()
            for child in self._children():
                if child.is_ready:
                    child.drain(self.settings.graceful_timeout, IDLE)
                else:
                    child.process.kill()
        if all(child.is_deaf for child in self._children()):
            self._listener.turn_away()

    def _let_take(self) -> None:
        """Let the workers take all connections that wait; no more come."""
        if not self._listener.bar():
            return
        deadline = time.monotonic() + _TAKE_TIME
        while (
            self._listener.has_waiting()
            and time.monotonic() < deadline
            and any(child.is_ready and not child.is_deaf for child in self._children())
        ):
            self._wait(_TAKE_PAUSE)

    def _is_over(self) -> bool:
        return self._end_at is not None and not self._children()

    def _children(self) -> list[Child]:
        coming = [self._coming] if self._coming is not None else []
        return [*self._serving.values(), *self._retiring, *coming]

    def _kill_all(self) -> None:
        for child in self._children():
            child.process.kill()
            child.process.wait()
            child.channel.close()
        self._serving.clear()
        self._retiring.clear()
        self._coming = None
