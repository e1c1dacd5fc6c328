"""A thread that sends mail, so that no request waits for a mail server."""

from __future__ import annotations

import atexit
import logging
import os
import queue
import threading
import time
from collections.abc import Callable

__all__ = ["Outbox"]

#: The most mails that wait at a time; what comes then is dropped, and logged.
MAX_WAITING = 1000
#: Seconds to wait before the second and the third attempt.
PAUSES = (1.0, 5.0)
#: Seconds that a process that ends gives to what still waits.
LAST_SECONDS = 10.0

Job = Callable[[], None]


class Outbox:
    """Runs jobs one after the other in a thread, each up to three times.

    Failures are logged; nobody else hears of them.

    :param logger: where to.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self.logger = logger
        self._lock = threading.Lock()
        self._start_anew()

    def _start_anew(self) -> None:
        self._jobs: queue.Queue[tuple[str, Job]] = queue.Queue(MAX_WAITING)
        self._thread: threading.Thread | None = None
        self._process = os.getpid()

    def put(self, name: str, job: Job) -> None:
        """Have a job run soon.

        :param name: what to call it in the log.
        :param job: what to run; it may raise.
        """
        with self._lock:
            # Threads do not survive a fork, and what waits is the parent's.
            if self._process != os.getpid():
                self._start_anew()
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="erlen-mail", daemon=True)
                self._thread.start()
                atexit.register(self.flush, LAST_SECONDS)
        try:
            self._jobs.put_nowait((name, job))
        except queue.Full:
            self.logger.error("%s was dropped: %d are waiting already.", name, MAX_WAITING)

    def flush(self, seconds: float = 30.0) -> bool:
        """Wait until all that waits has been run.

        :param seconds: how long to wait at most.
        :returns: whether nothing is left.
        """
        deadline = time.monotonic() + seconds
        jobs = self._jobs
        with jobs.all_tasks_done:
            while jobs.unfinished_tasks:
                left = deadline - time.monotonic()
                if left <= 0:
                    return False
                jobs.all_tasks_done.wait(left)
        return True

    def _work(self) -> None:
        jobs = self._jobs
        while True:
            name, job = jobs.get()
            try:
                self._run(name, job)
            finally:
                jobs.task_done()

    def _run(self, name: str, job: Job) -> None:
        for pause in (*PAUSES, None):
            try:
                job()
            except Exception as error:
                if pause is None or not _is_passing(error):
                    self.logger.exception("%s was not sent.", name)
                    return
                self.logger.warning("%s was not sent yet: %s", name, error)
                time.sleep(pause)
            else:
                return


def _is_passing(error: Exception) -> bool:
    """Say whether another attempt may go better: not where a server refused for good."""
    code = getattr(error, "smtp_code", None)
    if isinstance(code, int):
        return 400 <= code < 500
    return isinstance(error, OSError)
