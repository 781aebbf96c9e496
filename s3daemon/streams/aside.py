"""A second thread for a job that computes: what it starts aside runs while it goes on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


class Aside:
    """Runs calls that only compute, for jobs of the pools that wait for them.

    Such a call never waits for anything itself, so the job always goes on, however few threads
    there are.
    """

    def __init__(self, threads: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="aside")

    def __call__(self, call: Callable[[], None]) -> Callable[[], None]:
        """Begin a call; what is returned waits for its end, and raises what it raised."""
        return self._executor.submit(call).result

    def stop(self) -> None:
        """Take no more; the threads end when they have nothing left to do."""
        self._executor.shutdown(wait=False)
