"""What a store is after a crash: the states of what a ledger knows, and whether all still works.

:mod:`tests.crash.oracle` looks at all there is, and at the disk.
"""

from __future__ import annotations

from collections.abc import Iterable

from s3daemon.store.interfaces import (
    InvalidPart,
    IStore,
    NoSuchBucket,
    NoSuchKey,
    NoSuchUpload,
    StorageError,
)
from tests.crash import versions
from tests.crash.ledger import Broken, Parts, State, Subject, Tags
from tests.crash.versions import Version
from tests.store import tools


def look(store: IStore, subjects: Iterable[Subject]) -> dict[Subject, State]:
    """The state of each subject, read from the store."""
    return {subject: _state(store, subject) for subject in subjects}


def _state(store: IStore, subject: Subject) -> State:
    kind, bucket, key, upload = subject
    try:
        if kind == "bucket":
            return Tags(store.buckets.get(bucket).tags)
        if kind == "upload":
            page = store.uploads.list_parts(bucket, key, upload, 0, 1000)
            return Parts(tuple((part.number, part.etag, part.size) for part in page.parts))
        info, body = tools.get(store, bucket, key)
        return None if info.folder else versions.seen(info, body)
    except (NoSuchBucket, NoSuchKey, NoSuchUpload):
        return None
    except StorageError as error:
        return Broken(repr(error))


def disagreements(store: IStore, bucket: str, found: dict[Subject, State]) -> list[str]:
    """In what the listing of a bucket is another than what is read."""
    listed = {info.key: (info.etag, info.size) for info in tools.page(store, bucket).objects}
    read = {
        subject[2]: (state.etag, len(state.body))
        for subject, state in found.items()
        if subject[:2] == ("object", bucket) and isinstance(state, Version)
    }
    return [
        f"{key!r} is listed as {listed.get(key)} and read as {read.get(key)}"
        for key in sorted({*listed, *read})
        if listed.get(key) != read.get(key)
    ]


def finish_uploads(store: IStore, found: dict[Subject, State]) -> list[str]:
    """Complete what can be completed: what was wrong with it.  Each part must be whole."""
    complaints = []
    for subject, state in found.items():
        if not isinstance(state, Parts) or not state.parts:
            continue
        _, bucket, _, upload = subject
        key = subject[2]
        numbers = [(number, etag) for number, etag, _ in state.parts]
        try:
            info = store.uploads.complete(bucket, key, upload, numbers)
        except (NoSuchUpload, InvalidPart) as error:
            complaints.append(f"{subject} with {state} cannot be completed: {error!r}")
            continue
        _, body = tools.get(store, bucket, key)
        at = 0
        for number, etag, size in state.parts:
            if versions.md5(body[at : at + size]) != etag:
                complaints.append(f"part {number} of {subject} is not what was put")
            at += size
        if info.size != len(body) or at != len(body):
            complaints.append(f"{subject} became {len(body)} bytes and not {at}")
    return complaints


def try_out(store: IStore, bucket: str, keys: Iterable[str]) -> list[str]:
    """Write, replace and remove: what does not work."""
    complaints = []
    for number, key in enumerate([*keys, "new/and/deep"]):
        body = b"after" * (number + 1)
        tools.put(store, bucket, key, body)
        if tools.content(store, bucket, key) != body:
            complaints.append(f"{key!r} cannot be written any more")
        if number % 2:
            store.objects.delete(bucket, key)
            if _state(store, ("object", bucket, key, "")) is not None:
                complaints.append(f"{key!r} cannot be removed any more")
    return complaints
