"""Clients that change everything that can be changed, each its own keys, in directories of all."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import suppress

import attrs

from s3daemon.store.interfaces import ALWAYS, Condition
from tests.crash import versions
from tests.crash.hands import Hands, NotDone
from tests.crash.ledger import (
    Ledger,
    Parts,
    State,
    Subject,
    Tags,
    Version,
    a_bucket,
    an_object,
    an_upload,
)

BUCKET = "bucket"

#: Keys of one client: beside those of others, alone and deep, folders, names that need escaping or
#: hashing, and one that is a file where the other needs a directory.
_KEYS = (
    "shared/{0}",
    "shared/more/{0}",
    "own{0}/a/b/c",
    "own{0}/a/b/d",
    "own{0}/folder/",
    "own{0}//twice",
    "own{0}/file",
    "own{0}/file/below",
    "own{0}/" + "n" * 300,
    "top{0}",
)


def keys_of(client: int) -> list[str]:
    """The keys that a client has for itself."""
    return [key.format(client) for key in _KEYS]


class Client:
    """Does one thing after the other, as its seed says.

    :param number: tells it from the others.
    :param hands: how it does it.
    :param ledger: where it says so.  What that knows of the client's keys is where it goes on.
    :param numbers: for versions; none comes twice in all of the run.
    """

    def __init__(
        self,
        number: int,
        rng: random.Random,
        hands: Hands,
        ledger: Ledger,
        numbers: Iterator[int] | None = None,
    ) -> None:
        self._rng = rng
        self._hands = hands
        self._ledger = ledger
        self._numbers = itertools.count(number * 1_000_000) if numbers is None else numbers
        self._keys = keys_of(number)

    def work(self, count: int, until: Callable[[], bool] = lambda: False) -> None:
        """Do so many things, or fewer."""
        doing: list[tuple[Callable[[], None], int]] = [
            (self._put, 10),
            (self._delete, 4),
            (self._delete_all, 1),
            (self._copy, 2),
            (self._tag, 2),
            (self._publish, 1),
            (self._upload, 3),
            (self._bucket, 1),
        ]
        acts, weights = zip(*doing, strict=True)
        for _ in range(count):
            if until():
                return
            with suppress(NotDone):
                self._rng.choices(acts, weights)[0]()

    def _next(self) -> int:
        return next(self._numbers)

    def _here(self) -> dict[str, Version]:
        """What the client has put and not deleted."""
        found = {}
        for key in self._keys:
            state = self._ledger.current.get(an_object(BUCKET, key))
            if isinstance(state, Version):
                found[key] = state
        return found

    def _put(self) -> None:
        rng, here = self._rng, self._here()
        key = rng.choice(self._keys)
        empty = key.endswith("/") and rng.random() < 0.7
        version = versions.make(rng, self._next(), empty=empty, long=rng.random() < 0.15)
        condition = ALWAYS
        if rng.random() < 0.3:
            condition = Condition(etag=here[key].etag) if key in here else Condition(True)
        with self._ledger.step("put", {an_object(BUCKET, key): version}):
            self._hands.put(BUCKET, key, version, condition)

    def _delete(self) -> None:
        key = self._rng.choice(self._keys)
        with self._ledger.step("delete", {an_object(BUCKET, key): None}):
            self._hands.delete(BUCKET, key)

    def _delete_all(self) -> None:
        keys = self._rng.sample(self._keys, 4)
        with self._ledger.step("delete all", dict.fromkeys([an_object(BUCKET, k) for k in keys])):
            self._hands.delete_all(BUCKET, keys)

    def _copy(self) -> None:
        here = self._here()
        if not here:
            return
        source, key = self._rng.choice(sorted(here)), self._rng.choice(self._keys)
        number = self._next()
        version = Version(
            here[source].body,
            versions.md5(here[source].body),
            f"application/x-{number}",
            versions.described(number),
            versions.labelled(number),
            here[source].sha256,
        )
        with self._ledger.step("copy", {an_object(BUCKET, key): version}):
            self._hands.copy(BUCKET, source, key, version)

    def _tag(self) -> None:
        here = self._here()
        if not here:
            return
        key = self._rng.choice(sorted(here))
        tags = versions.labelled(self._next(), self._rng.random() < 0.2)
        with self._ledger.step("tag", {an_object(BUCKET, key): attrs.evolve(here[key], tags=tags)}):
            self._hands.tag(BUCKET, key, tags)

    def _publish(self) -> None:
        here = self._here()
        if not here:
            return
        key = self._rng.choice(sorted(here))
        version = attrs.evolve(here[key], public=True)
        with self._ledger.step("publish", {an_object(BUCKET, key): version}):
            self._hands.publish(BUCKET, key)

    def _upload(self) -> None:
        """The life of an upload: parts in any order, one twice perhaps; not always completed."""
        rng, hands, ledger = self._rng, self._hands, self._ledger
        key = rng.choice([key for key in self._keys if not key.endswith("/")])
        size = rng.choice((0, 3_000, 9_000))
        count = rng.randint(1, 4)
        bodies = [rng.randbytes(size) for _ in range(count - 1)]
        bodies.append(rng.randbytes(rng.randint(0, 9_000)))
        version = versions.in_parts(rng, self._next(), tuple(bodies))
        with ledger.step("begin", {}) as step:
            upload = hands.begin(BUCKET, key, version)
            subject, parts = an_upload(BUCKET, key, upload), Parts()
            step.changes[subject] = parts
        puts = [(index, bodies[index]) for index in rng.sample(range(count), count)]
        if rng.random() < 0.5:
            puts.insert(0, (puts[-1][0], rng.randbytes(size)))
        for index, body in puts:
            parts = parts.having(index + 1, versions.md5(body), len(body))
            with ledger.step("part", {subject: parts}):
                hands.part(BUCKET, key, upload, index + 1, body)
        end = rng.random()
        if end < 0.1:
            return
        if end < 0.3:
            with ledger.step("abort", {subject: None}):
                hands.abort(BUCKET, key, upload)
            return
        changes = {subject: None, an_object(BUCKET, key): version}
        with ledger.step("complete", changes):
            hands.complete(BUCKET, key, upload, [(number, etag) for number, etag, _ in parts.parts])

    def _bucket(self) -> None:
        """The whole life of a bucket."""
        number, hands, ledger = self._next(), self._hands, self._ledger
        name = f"bucket{number}"
        subject, version = a_bucket(name), versions.make(self._rng, number)
        with ledger.step("create bucket", {subject: Tags()}):
            hands.create_bucket(name)
        tags = versions.labelled(number)
        with ledger.step("tag bucket", {subject: Tags(tags)}):
            hands.tag_bucket(name, tags)
        with ledger.step("put", {an_object(name, "dir/key"): version}):
            hands.put(name, "dir/key", version, ALWAYS)
        if self._rng.random() < 0.5:
            self._bucket_within(f"{name}:dir", number)
        upload: dict[Subject, State] = {}
        if self._rng.random() < 0.5:
            # It does not keep the bucket, and goes with it.
            with ledger.step("begin", {}) as step:
                given = hands.begin(name, "other", version)
                step.changes[an_upload(name, "other", given)] = Parts()
            upload = dict.fromkeys(step.changes)
        with ledger.step("delete", {an_object(name, "dir/key"): None}):
            hands.delete(name, "dir/key")
        if self._rng.random() < 0.8:
            with ledger.step("delete bucket", {subject: None, **upload}):
                hands.delete_bucket(name)

    def _bucket_within(self, name: str, number: int) -> None:
        """A directory of a bucket is one too."""
        hands, ledger = self._hands, self._ledger
        version = versions.make(self._rng, number)
        with ledger.step("put", {an_object(name, "in/it"): version}):
            hands.put(name, "in/it", version, ALWAYS)
        with ledger.step("delete", {an_object(name, "in/it"): None}):
            hands.delete(name, "in/it")
