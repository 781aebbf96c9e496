"""The same clients over HTTP: what is recorded is the real daemon, with several processes."""

from __future__ import annotations

import random
from pathlib import Path

from tests.crash.ledger import Ledger
from tests.crash.loop.daemon import Daemon, running
from tests.crash.loop.http_hands import HttpHands
from tests.crash.power.bench import Work, together
from tests.crash.workload import Client


def over_http(seed: int, count: int, each: int, workers: int, folder: Path) -> Work:
    """Several clients of one daemon, at the same time, each with so much to do.

    :param folder: for what the daemon says; not on the disk that is recorded.
    """

    def work(root: Path, ledger: Ledger) -> None:
        with running(Daemon(folder, root, workers)) as daemon:

            def run(number: int) -> None:
                hands = HttpHands(daemon.port)
                try:
                    Client(number, random.Random(f"{seed}-{number}"), hands, ledger).work(each)
                finally:
                    hands.close()

            together(count, run)
            daemon.stop()

    return work
