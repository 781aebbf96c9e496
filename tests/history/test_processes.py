"""Clients of two gateways, which are processes of their own over one root.

``make test-history`` runs these; S3GATE_TEST_SECONDS says for how long each.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.history.clients import Client, History, Mix
from tests.history.gateways import Gateway, HttpConnection

pytestmark = [pytest.mark.history, pytest.mark.timeout(3600)]

SECONDS = float(os.environ.get("S3GATE_TEST_SECONDS", "20"))
SEED = int(os.environ.get("S3GATE_TEST_SEED", str(time.time_ns())))
USUAL = Mix()
#: Below and above what is answered in one piece, and in parts.
SIZES = ((20,), (3_000,), (60, 30), (70_000,), (150_000, 150_000))
KEYS = {
    "one": ["k"],
    "four": ["a", "b", "d/e/c", "d/e/d"],
    "file and directory": ["k", "k/x", "k/", "k/x/y"],
}


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[list[Gateway]]:
    """Two of them, running, over one root."""
    root = tmp_path / "root"
    root.mkdir()
    made = [Gateway(tmp_path / name, root) for name in ("first", "second")]
    try:
        for gateway in made:
            gateway.start()
        with HttpConnection(made[0].port) as connection:
            connection.request("PUT")
        yield made
    finally:
        for gateway in made:
            gateway.stop()


def run(
    gateways: list[Gateway],
    keys: list[str],
    meanwhile: Callable[[random.Random], None],
    mix: Mix = USUAL,
) -> History:
    """Eight clients for a while; ``meanwhile`` is done again and again beside them."""
    history = History(keys, time.monotonic_ns)
    end = time.monotonic() + SECONDS
    errors: list[BaseException] = []

    def work(number: int) -> None:
        chance = random.Random(f"{SEED} {number}")
        try:
            with HttpConnection(gateways[number % len(gateways)].port) as connection:
                client = Client(number, connection, history, chance, mix, SIZES)
                while time.monotonic() < end and not errors:
                    client.step()
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    chance = random.Random(SEED)
    while time.monotonic() < end and not errors:
        meanwhile(chance)
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    with HttpConnection(gateways[0].port) as connection:
        client = Client(8, connection, history, chance)
        for key in keys:
            client.look(key)
    sys.stdout.write(f"{history.count} operations, S3GATE_TEST_SEED={SEED}\n")
    return history


@pytest.mark.parametrize("name", KEYS)
def test_two_gateways(name: str, gateways: list[Gateway]) -> None:
    history = run(gateways, KEYS[name], lambda _: time.sleep(0.1))
    assert {key: str(one) for key, one in history.check().items()} == {}


def test_two_gateways_of_which_one_is_killed(gateways: list[Gateway]) -> None:
    """What was under way then may have been done, or not; what was acknowledged is there."""

    def kill(chance: random.Random) -> None:
        time.sleep(chance.uniform(0.2, 1.5))
        gateways[1].stop(signal.SIGKILL)
        gateways[1].start()

    # A copy that is not answered may have been one of anything.
    history = run(gateways, KEYS["four"], kill, Mix(copy=0))
    assert {key: str(one) for key, one in history.check().items()} == {}


def test_a_counter_that_all_add_to(gateways: list[Gateway]) -> None:
    """Every addition that was acknowledged is in the sum: read, add one, put it if unchanged."""
    with HttpConnection(gateways[0].port) as connection:
        connection.request("PUT", "counter", body=b"0")
    end = time.monotonic() + SECONDS
    added: list[int] = []

    def work(number: int) -> None:
        mine = 0
        with HttpConnection(gateways[number % 2].port) as connection:
            while time.monotonic() < end:
                _, fields, body = connection.request("GET", "counter")
                headers = {"If-Match": fields["etag"]}
                body = b"%d" % (int(body) + 1)
                status, _, answer = connection.request("PUT", "counter", "", headers, body)
                assert status in (200, 409, 412), answer
                mine += status == 200
        added.append(mine)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(added) == 6
    with HttpConnection(gateways[0].port) as connection:
        _, _, body = connection.request("GET", "counter")
    assert int(body) == sum(added) > 0
