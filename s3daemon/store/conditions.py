"""Whether a write may happen: conditions, held against the object that is there.

What is asked beforehand, to spare a client its upload, and what is decided at the moment of the
write are the same question; only the answer at that moment counts.
"""

from __future__ import annotations

from s3daemon.store.facts import ConditionFailed, NoSuchKey, ObjectExists
from s3daemon.store.values import Condition, ObjectInfo


def check(condition: Condition, info: ObjectInfo | None) -> None:
    """Return if all of a condition holds for the object of a key.

    :param info: the object, or None; a directory that nobody put counts as none.
    :raises ObjectExists: create-only, and there is one.
    :raises NoSuchKey: it has to have an ETag, and there is none.
    :raises ConditionFailed: the object is another.
    """
    if info is None or info.folder:
        if condition.etag is not None:
            raise NoSuchKey("the condition wants an object, and there is none")
        return
    if condition.create_only:
        raise ObjectExists("the key is taken")
    if condition.etag not in (None, "*", info.etag):
        raise ConditionFailed("etag")
    if condition.not_etag == info.etag:
        raise ConditionFailed("not_etag")
    if condition.size not in (None, info.size):
        raise ConditionFailed("size")
    if condition.modified_s not in (None, info.modified_ns // 1_000_000_000):
        raise ConditionFailed("modified_s")
