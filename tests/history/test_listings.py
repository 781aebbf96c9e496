"""Listings of two gateways, which are processes of their own, while keys come, go and change.

A key that is there during the whole walk is given once; one that comes or goes, at most once.  And
what was acknowledged is in the very next listing, of whichever gateway, or not in it.

``make test-history`` runs these; S3GATE_TEST_SECONDS says for how long each.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import attrs
import pytest
from lxml import etree

from tests.history.clients import NotDone, Unknown
from tests.history.gateways import BUCKET, Gateway, HttpConnection
from tests.store.tools import md5

pytestmark = [pytest.mark.history, pytest.mark.timeout(3600)]

SECONDS = float(os.environ.get("S3GATE_TEST_SECONDS", "20"))
SEED = int(os.environ.get("S3GATE_TEST_SEED", str(time.time_ns())))
#: Directories that are followed, that are read in several calls, and in one; deep ones; and keys
#: that get in each other's way.
STAYING = [
    *(f"flat/{number:05d}-with-a-name" for number in range(4500)),
    *(f"some/{number:05d}-with-a-name" for number in range(1200)),
    *(f"few/{number:02d}" for number in range(20)),
    *(f"deep/{number // 10}/{number % 10}/a/b/c/d/e/f" for number in range(100)),
    *("both", "both/x", "folder/", "folder/x"),
]
PREFIXES = ["", "", "flat/", "flat/00", "some/", "few/", "deep/", "deep/7/", "both", "folder/"]


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[list[Gateway]]:
    """Two of them, running, over one root in which all that stays is there."""
    root = tmp_path / "root"
    root.mkdir()
    made = [Gateway(tmp_path / name, root) for name in ("first", "second")]
    try:
        for gateway in made:
            gateway.start()
        with HttpConnection(made[0].port) as connection:
            connection.request("PUT")
            for key in STAYING:
                if key.startswith(("flat", "some")):
                    path = root / BUCKET / key
                    path.parent.mkdir(exist_ok=True)
                    path.touch()
                else:
                    connection.request("PUT", key, body=b"0")
        yield made
    finally:
        for gateway in made:
            gateway.stop()


@attrs.frozen
class Item:
    """A key or a common prefix of a page."""

    text: str
    etag: str = ""


def pages(
    connection: HttpConnection, prefix: str, delimiter: str, size: int, version: int
) -> list[Item]:
    """All items of a walk, page by page, in order of the pages."""
    found: list[Item] = []
    fixed = {"prefix": prefix, "delimiter": delimiter, "max-keys": str(size)}
    query = {"list-type": "2", **fixed} if version == 2 else fixed
    while True:
        status, _, answer = connection.request("GET", "", urllib.parse.urlencode(query))
        if status != 200:
            raise NotDone
        document = etree.fromstring(answer)
        texts = {etree.QName(one).localname: one.text or "" for one in document}
        page: list[Item] = []
        for one in document:
            fields = {etree.QName(field).localname: field.text or "" for field in one}
            if "Key" in fields:
                page.append(Item(fields["Key"], fields["ETag"].strip('"')))
            elif "Prefix" in fields:
                page.append(Item(fields["Prefix"]))
        page.sort(key=lambda item: item.text.encode())
        assert len(page) <= size
        found += page
        if texts["IsTruncated"] != "true":
            return found
        if version == 2:
            query["continuation-token"] = texts["NextContinuationToken"]
        else:
            query["marker"] = texts.get("NextMarker") or page[-1].text


def grouped(keys: list[str], prefix: str, delimiter: str) -> list[str]:
    """What a listing makes of keys."""
    found = []
    for key in keys:
        if key.startswith(prefix):
            cut = key.find(delimiter, len(prefix)) if delimiter else -1
            found.append(key if cut < 0 else key[: cut + len(delimiter)])
    return sorted(set(found), key=str.encode)


def at_once(works: list[Callable[[random.Random], None]]) -> None:
    """Each of them again and again in a thread of its own."""
    end = time.monotonic() + SECONDS
    errors: list[BaseException] = []

    def run(number: int) -> None:
        chance = random.Random(f"{SEED} {number}")
        try:
            while time.monotonic() < end and not errors:
                with suppress(NotDone, Unknown):
                    works[number](chance)
        except BaseException as exc:
            errors.append(exc)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(len(works))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_walks_beside_writers(gateways: list[Gateway]) -> None:
    counts = {"walks": 0, "items": 0, "overwritten": 0, "made and deleted": 0}

    def overwrite(chance: random.Random) -> None:
        key = chance.choice(chance.choice([STAYING, STAYING[-130:], STAYING[-4:]]))
        with HttpConnection(chance.choice(gateways).port) as connection:
            connection.request("PUT", key, body=b"%d" % chance.randrange(1 << 30))
        counts["overwritten"] += 1

    def come_and_go(chance: random.Random) -> None:
        beside = chance.choice(STAYING)
        key = chance.choice([beside + "+", beside.rstrip("/") + "/+", f"go/{chance.random()}/+"])
        with HttpConnection(chance.choice(gateways).port) as connection:
            for _ in range(3):
                connection.request("PUT", key, body=b"+")
                connection.request("DELETE", key)
        counts["made and deleted"] += 3

    def walk(chance: random.Random) -> None:
        prefix = chance.choice(PREFIXES)
        delimiter = chance.choice(["", "", "/", "/", "0"])
        size = chance.choice([1000, 1000, 300, 37])
        version = chance.choice([1, 2])
        with HttpConnection(chance.choice(gateways).port) as connection:
            found = pages(connection, prefix, delimiter, size, version)
        walked = f"{prefix=} {delimiter=} {size=} {version=}"
        texts = [item.text for item in found]
        assert texts == sorted(set(texts), key=str.encode), walked
        missing = set(grouped(STAYING, prefix, delimiter)) - set(texts)
        assert not missing, walked
        counts["walks"] += 1
        counts["items"] += len(texts)

    at_once([overwrite, overwrite, come_and_go, come_and_go, walk, walk, walk])
    sys.stdout.write(f"{counts}, S3GATE_TEST_SEED={SEED}\n")
    assert counts["walks"] > 10


def test_what_was_acknowledged_is_in_the_next_listing(gateways: list[Gateway]) -> None:
    counts = {"looks": 0}

    def work(number: int) -> Callable[[random.Random], None]:
        def write_and_look(chance: random.Random) -> None:
            above = chance.choice(["flat/", "some/", "few/", "new/", "both/", "", "deep/7/7/a/"])
            key = f"{above}{chance.randrange(1 << 20)}-{number}"
            data = b"%d" % chance.randrange(1 << 30)
            one, other = chance.sample(gateways, 2)
            with HttpConnection(one.port) as write, HttpConnection(other.port) as look:
                status, _, _ = write.request("PUT", key, body=data)
                assert status == 200
                for connection in (look, write):
                    found = pages(connection, key, chance.choice(["", "/"]), 10, 2)
                    assert found == [Item(key, md5(data))]
                status, _, _ = write.request("DELETE", key)
                assert status == 204
                for connection in (look, write):
                    assert pages(connection, key, chance.choice(["", "/"]), 10, 2) == []
            counts["looks"] += 4

        return write_and_look

    at_once([work(number) for number in range(6)])
    sys.stdout.write(f"{counts}, S3GATE_TEST_SEED={SEED}\n")
    assert counts["looks"] > 100
