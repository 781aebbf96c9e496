"""A second thread for a job that computes: what it starts aside runs while it goes on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class Aside:
    """Runs calls that only compute, for jobs of the pools that wait for them.

    Such a call never waits for anything itself, so the job always goes on.  When all threads have
    something to do, the caller's own is as good as any: then the hop would bring nothing.
    """

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="aside")
        self._free = threading.Semaphore(threads)

    def __call__(self, call: Callable[[], None]) -> Callable[[], None]:
        """Begin a call; what is returned waits for its end, and raises what it raised.

        Without a free thread the call runs here, and raises here.
        """
        if not self._free.acquire(blocking=False):
            call()
            return _nothing
        try:
            return self._executor.submit(self._run, call).result
        except BaseException:
            self._free.release()
            raise

    def stop(self) -> None:
        """Take no more; the threads end when they have nothing left to do."""
        self._executor.shutdown(wait=False)

    def _run(self, call: Callable[[], None]) -> None:
        try:
            call()
        finally:
            self._free.release()


def _nothing() -> None:
    """It has happened already."""
