"""A few threads that share work."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from nwbkit.errors import TryAgain
from nwbkit.storage.heap import keep_heap


@dataclass
class Crew:
    """A few threads that share work, the first failure, and the wish to stop.

    A failure in one thread stops the others at their next chunk and is raised in the caller
    as it was; so is whatever a signal handler raises in the caller meanwhile. No thread is
    left behind in any case.
    """

    size: int
    cancel: threading.Event | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    failures: list[BaseException] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)
    _running: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _started: list[threading.Thread] = field(default_factory=list)

    def start(self, work: Callable[[], None]) -> None:
        """Begin to run `work` in every thread."""
        keep_heap()
        threads = [
            threading.Thread(target=self._guarded, args=(work,), name=f"nwbkit-{i}", daemon=True)
            for i in range(self.size)
        ]
        self._running = len(threads)
        try:
            for thread in threads:
                thread.start()
                self._started.append(thread)
        except BaseException:
            self.leave()
            raise

    def leave(self) -> None:
        """Have every thread stop at its next chunk, and wait until none is left."""
        self.stop.set()
        for thread in self._started:
            _join(thread)

    def wait(self) -> None:
        """Wait until all threads are through.

        Raises
        ------
        nwbkit.errors.TryAgain
            Where `cancel` was set.
        BaseException
            What the first failing thread raised.
        """
        try:
            # Short waits, since a wait without limit is not woken by signals everywhere.
            while not self._done.wait(0.2):
                if self.cancel is not None and self.cancel.is_set():
                    self.stop.set()
        finally:
            self.leave()
        if self.failures:
            raise self.failures[0]
        if self.cancel is not None and self.cancel.is_set():
            raise TryAgain("cancelled before all data was written")

    def run(self, work: Callable[[], None]) -> None:
        """:meth:`start` and :meth:`wait`."""
        self.start(work)
        self.wait()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised again in run()
            with self._lock:
                self.failures.append(error)
            self.stop.set()
        finally:
            with self._lock:
                self._running -= 1
                last = self._running == 0
            if last:
                self._done.set()

    @property
    def stopping(self) -> bool:
        """Whether workers should leave off at the next chunk."""
        return self.stop.is_set() or (self.cancel is not None and self.cancel.is_set())


def _join(thread: threading.Thread) -> None:
    # A second Ctrl-C must not leave a thread writing into a file that is being closed.
    interrupted: BaseException | None = None
    while thread.is_alive():
        try:
            thread.join()
        except BaseException as error:  # noqa: BLE001 - raised below
            interrupted = error
    if interrupted is not None:
        raise interrupted
