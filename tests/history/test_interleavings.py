"""Clients that meet between two system calls, where timing alone would not bring them.

Each seed is one run: few clients, few operations, few keys, and a baton that says whose system call
is next.  What the clients saw has to be possible in some order.  To look further:
S3GATE_TEST_SEEDS=5000 pytest tests/history/test_interleavings.py; a seed that fails, fails again.
"""

from __future__ import annotations

import itertools
import os
import random
import tempfile
from pathlib import Path

import attrs
import pytest

from s3daemon.store.posix import lock_kinds
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import SIDECAR, XATTR, Probe
from s3daemon.store.posix.store import PosixStore
from tests.history.baton import Baton
from tests.history.clients import Client, History, Mix
from tests.history.stores import BUCKET, StoreConnection

SEEDS = range(int(os.environ.get("S3GATE_TEST_FIRST_SEED", "0")), 1 << 31)
COUNT = int(os.environ.get("S3GATE_TEST_SEEDS", "40"))

#: Keys that get in each other's way in different ways.
KEYS = {
    "one": ["k"],
    "below": ["d/e/k"],
    "two below": ["d/k", "d/l"],
    "file and directory": ["k", "k/x"],
    "folder": ["k/", "k/x"],
}


@pytest.fixture(scope="module", params=[XATTR, SIDECAR])
def known(request: pytest.FixtureRequest) -> Probe:
    """What the file system of the tests can do, with extended attributes or without."""
    with tempfile.TemporaryDirectory() as root:
        found = probe(Path(root))
    if request.param == SIDECAR:
        return attrs.evolve(found, metadata=SIDECAR, xattr_bytes=0)
    return found


def interleave(
    seed: int, keys: list[str], root: Path, known: Probe, monkeypatch: pytest.MonkeyPatch
) -> History:
    """One run: clients of two stores over one root, as if of two processes."""
    chance = random.Random(seed)
    baton = Baton(chance, chance.choice([0.03, 0.1, 0.3, 0.7]))
    root.mkdir()
    stores = [PosixStore(root, "relaxed", known, [baton.hook]) for _ in range(2)]
    try:
        stores[0].buckets.create(BUCKET, "alice")
        history = History(keys, itertools.count().__next__)
        mix = Mix(get=3, head=2, list=1)
        clients = [
            Client(number, StoreConnection(stores[number % 2]), history, chance, mix)
            for number in range(chance.choice([2, 3, 3, 4]))
        ]
        # Sometimes there is something before.
        for _ in range(chance.choice([0, 1, 3])):
            clients[0].step()

        def work(client: Client) -> None:
            for _ in range(4):
                client.step()

        with baton.installed(monkeypatch):
            baton.run([lambda client=client: work(client) for client in clients])
        # What is left behind is part of the history.
        for key in keys:
            clients[0].look(key)
        return history
    finally:
        for store in stores:
            store.close()


@pytest.mark.parametrize("name", KEYS)
def test_every_interleaving_is_some_order(
    name: str, tmp_path: Path, known: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    for seed in itertools.islice(SEEDS, COUNT):
        root = tmp_path / str(seed)
        history = interleave(seed, KEYS[name], root, known, monkeypatch)
        assert history.check() == {}, f"seed {seed}, keys {name}"


def test_locks_that_exclude_nobody_are_found(
    tmp_path: Path, known: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken on purpose: everybody gets the lock of a key at once."""
    monkeypatch.setattr(lock_kinds, "take", lambda *_, **__: True)
    for seed in range(1000):
        if interleave(seed, KEYS["one"], tmp_path / str(seed), known, monkeypatch).check():
            return
    raise AssertionError("nothing was found")
