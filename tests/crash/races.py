"""Two requests at the same time, of which the first is killed; and what may have become of them."""

from __future__ import annotations

import attrs

from s3daemon.store.memory import MemoryStore
from tests.crash import scenes
from tests.crash.oracle import View, look
from tests.crash.scenes import (
    BUCKET,
    WITHIN,
    Scene,
    Step,
    abort,
    begin,
    complete,
    copy,
    delete,
    drop_bucket,
    expire,
    make_bucket,
    outcome,
    part,
    put,
    tag,
)

#: Answers that say that nobody came to a decision: the client is to ask again.
UNDECIDED = ("Busy", "ConditionConflict")


@attrs.frozen
class Race:
    """Two requests with the same before them.

    :ivar first: is killed.
    :ivar second: is answered.
    :ivar undecided: answers of it that say that nobody came to a decision.
    """

    first: Scene
    second: Scene
    undecided: tuple[str, ...] = UNDECIDED

    @property
    def name(self) -> str:
        """Of both."""
        return self.first.name.removesuffix(", 1")

    def outcomes(self) -> list[tuple[str, View]]:
        """How the second may be answered, and what is there then: as if they had taken turns."""
        first, second = self.first.act, self.second.act
        found = [self._in_turn(*order) for order in ((second,), (first, second), (second, first))]
        for _, view in (self._in_turn(), self._in_turn(first)):
            found += [(undecided, view) for undecided in self.undecided]
        return found

    def _in_turn(self, *steps: Step) -> tuple[str, View]:
        store = MemoryStore()
        world, told = self.first.prepare(store)
        answers = {step: outcome(step, world, told) for step in steps}
        return answers.get(self.second.act, ""), look(store, WITHIN)


def _race(name: str, before: tuple[Step, ...], first: Step, second: Step, *undecided: str) -> Race:
    return Race(
        Scene(f"{name}, 1", before, first),
        Scene(f"{name}, 2", before, second),
        (*UNDECIDED, *undecided),
    )


_UPLOAD = (begin("u", "k"), part("u", "k", 1, "one"), part("u", "k", 2, "two"))
_OLD = (put("k", "old", scenes.LARGE),)

RACES = [
    _race("put, put", _OLD, put("k", "one"), put("k", "two", scenes.LARGE)),
    _race("put, put below", (), put("k", "one"), put("k/x", "two")),
    _race("put below, put", (), put("k/x", "one"), put("k", "two")),
    _race("put, delete", _OLD, put("k", "one"), delete("k")),
    _race("delete, put", _OLD, delete("k"), put("k", "two")),
    _race("delete, put beside", (put("a/b/k", "old"),), delete("a/b/k"), put("a/b/z", "two")),
    _race("put deep, put deep", (), put("a/b/c/1", "one"), put("a/b/c/2", "two")),
    _race("delete, put folder", (put("a/b/k", "old"),), delete("a/b/k"), put("a/b/", "")),
    _race(
        "create, create",
        (),
        put("k", "one", if_none_match="*"),
        put("k", "two", if_none_match="*"),
    ),
    _race("swap, swap", _OLD, put("k", "one", if_match="old"), put("k", "two", if_match="old")),
    _race("swap, delete if", _OLD, put("k", "one", if_match="old"), delete("k", if_match="old")),
    _race("copy, put over its source", (put("s", "source"),), copy("s", "k"), put("s", "two")),
    _race("tags, tags", _OLD, tag("k", "1"), tag("k", "2")),
    _race("tags, delete", _OLD, tag("k"), delete("k")),
    _race("make bucket, make bucket", (), make_bucket("other"), make_bucket("other")),
    _race("drop bucket, drop bucket", _UPLOAD, drop_bucket(BUCKET), drop_bucket(BUCKET)),
    # A directory that somebody is making for an object counts as one.
    _race("put, drop bucket", (), put("a/k", "one"), drop_bucket(BUCKET), "BucketNotEmpty"),
    _race("drop bucket, put", (), drop_bucket(BUCKET), put("a/k", "two")),
    _race("part, part", _UPLOAD, part("u", "k", 2, "TWO"), part("u", "k", 2, "new")),
    _race("first part, first part", _UPLOAD[:1], part("u", "k", 1, "1"), part("u", "k", 2, "2")),
    _race("part, complete", _UPLOAD, part("u", "k", 3, "end"), complete("u", "k")),
    _race("part, abort", _UPLOAD, part("u", "k", 3, "end"), abort("u", "k")),
    _race("complete, complete", _UPLOAD, complete("u", "k"), complete("u", "k")),
    _race("complete, complete some", _UPLOAD, complete("u", "k"), complete("u", "k", most=1)),
    _race("complete, abort", _UPLOAD, complete("u", "k"), abort("u", "k")),
    _race("complete, part", _UPLOAD, complete("u", "k"), part("u", "k", 3, "end")),
    _race("complete, put", _UPLOAD, complete("u", "k"), put("k", "two")),
    _race("abort, complete", _UPLOAD, abort("u", "k"), complete("u", "k")),
    _race("expire, part", _UPLOAD, expire, part("u", "k", 3, "end")),
    _race("expire, complete", _UPLOAD, expire, complete("u", "k")),
]

BY_NAME = {scene.name: scene for race in RACES for scene in (race.first, race.second)}
