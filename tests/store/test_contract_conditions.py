"""Conditions on writes and deletes, on every store."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from s3daemon.store.conditions import check
from s3daemon.store.interfaces import (
    ALWAYS,
    Condition,
    ConditionFailed,
    IStore,
    NoSuchKey,
    ObjectExists,
    ObjectInfo,
    StorageError,
)
from tests.store.tools import (
    NOTHING,
    begin,
    complete,
    content,
    copy,
    get,
    listed,
    md5,
    put,
    put_part,
)

#: Ordinary, deep, escaped, a folder, and one whose name is too long for its escape.
KEYS = ["k", "a/b/k", "..", "a//b", "d/", "l" * 250, "l" * 300 + "/x"]

OLD, NEW = b"old", b"newer"

Outcome = type[StorageError] | str | None


@attrs.frozen
class Case:
    """A condition, and what comes of it where the object is OLD, and where there is none."""

    condition: Condition
    there: Outcome
    missing: Outcome


CASES = [
    Case(ALWAYS, None, None),
    Case(Condition(create_only=True), ObjectExists, None),
    Case(Condition(etag="*"), None, NoSuchKey),
    Case(Condition(etag=md5(OLD)), None, NoSuchKey),
    Case(Condition(etag=md5(NEW)), "etag", NoSuchKey),
    Case(Condition(etag=""), "etag", NoSuchKey),
    Case(Condition(not_etag=md5(OLD)), "not_etag", None),
    Case(Condition(not_etag=md5(NEW)), None, None),
    Case(Condition(size=len(OLD)), None, None),
    Case(Condition(size=0), "size", None),
    Case(Condition(modified_s=0), "modified_s", None),
    Case(Condition(etag=md5(OLD), size=len(OLD)), None, NoSuchKey),
    Case(Condition(etag=md5(OLD), size=1), "size", NoSuchKey),
    Case(Condition(etag="*", not_etag=md5(OLD)), "not_etag", NoSuchKey),
]


def outcome(run: Callable[[], object]) -> Outcome:
    """The field that does not hold, the kind of another error, or None."""
    try:
        run()
    except ConditionFailed as error:
        return error.field
    except (NoSuchKey, ObjectExists) as error:
        return type(error)
    return None


def found(store: IStore, key: str) -> tuple[ObjectInfo, bytes] | None:
    try:
        info, data = get(store, "bucket", key)
    except NoSuchKey:
        return None
    return None if info.folder else (info, data)


def conditional_put(store: IStore, key: str, data: bytes, condition: Condition) -> ObjectInfo:
    writer = store.objects.create("bucket", key, NOTHING, "bob", condition)
    try:
        if data:
            writer.write([data])
        return writer.commit(md5(data))
    finally:
        writer.abort()


@pytest.mark.parametrize("case", CASES, ids=str)
def test_check(case: Case) -> None:
    info = ObjectInfo("k", len(OLD), 10**9, md5(OLD))
    folder = attrs.evolve(info, folder=True)
    assert outcome(lambda: check(case.condition, info)) == case.there
    assert outcome(lambda: check(case.condition, None)) == case.missing
    assert outcome(lambda: check(case.condition, folder)) == case.missing
    later = attrs.evolve(info, modified_ns=info.modified_ns + 999_999_999)
    assert outcome(lambda: check(Condition(modified_s=1), later)) is None


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("data", [NEW, b""], ids=["bytes", "empty"])
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_put(store: IStore, bucket: str, case: Case, key: str, data: bytes, there: bool) -> None:
    """Either all of it happens, or nothing."""
    if there:
        put(store, bucket, key, OLD)
    before, keys = found(store, key), listed(store, bucket)
    expected = case.there if there else case.missing
    assert outcome(lambda: conditional_put(store, key, data, case.condition)) == expected
    if expected is None:
        assert content(store, bucket, key) == data
        assert listed(store, bucket) == [key]
    else:
        assert found(store, key) == before
        assert listed(store, bucket) == keys


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("key", ["k", "d/"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_copy(store: IStore, bucket: str, case: Case, key: str, there: bool) -> None:
    """The condition is the target's."""
    put(store, bucket, "source", NEW)
    if there:
        put(store, bucket, key, OLD)
    before = found(store, key)
    expected = case.there if there else case.missing

    def run() -> None:
        reader = store.objects.open(bucket, "source")
        try:
            store.objects.copy(reader, bucket, key, NOTHING, "bob", case.condition)
        finally:
            reader.close()

    assert outcome(run) == expected
    assert content(store, bucket, key) == NEW if expected is None else found(store, key) == before


def test_copy_onto_itself(store: IStore, bucket: str) -> None:
    info = put(store, bucket, "k", OLD)
    reader = store.objects.open(bucket, "k")
    condition = Condition(etag=info.etag)
    assert store.objects.copy(reader, bucket, "k", NOTHING, "bob", condition).owner == "bob"
    put(store, bucket, "k", NEW)
    with pytest.raises(ConditionFailed):
        store.objects.copy(reader, bucket, "k", NOTHING, "bob", condition)
    reader.close()
    assert content(store, bucket, "k") == NEW


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("shape", ["in place", "copied"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_complete(store: IStore, bucket: str, case: Case, shape: str, there: bool) -> None:
    """An upload whose condition does not hold can be completed later."""
    if there:
        put(store, bucket, "k", OLD)
    before = found(store, "k")
    upload = begin(store, bucket, "k")
    second = b"1111" if shape == "in place" else b"22"
    parts = [put_part(store, bucket, upload, n, d) for n, d in ((1, second), (2, b"3333"))]
    pairs = [(part.number, part.etag) for part in parts]

    def run() -> ObjectInfo:
        return store.uploads.complete(
            bucket, "k", upload.upload_id, pairs, condition=case.condition
        )

    expected = case.there if there else case.missing
    assert outcome(run) == expected
    if expected is not None:
        assert found(store, "k") == before
        assert [p.etag for p in store.uploads.list_parts(bucket, "k", upload.upload_id, 0, 9).parts]
        complete(store, bucket, upload, pairs)
    elif case.condition.compares or case.condition.create_only:
        run()  # what has been done is not judged again
    assert content(store, bucket, "k") == second + b"3333"


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_delete(store: IStore, bucket: str, case: Case, key: str, there: bool) -> None:
    put(store, bucket, "other", b"")
    if there:
        put(store, bucket, key, OLD)
    before = found(store, key)
    expected = case.there if there else case.missing
    assert outcome(lambda: store.objects.delete(bucket, key, condition=case.condition)) == expected
    assert found(store, key) == (None if expected is None else before)
    assert "other" in listed(store, bucket)


def test_delete_prunes(store: IStore, bucket: str) -> None:
    etag = put(store, bucket, "a/b/k", OLD).etag
    assert store.objects.delete(bucket, "a/b/k", condition=Condition(etag=etag))
    assert listed(store, bucket, folders=True) == []


@pytest.mark.parametrize("data", [b"", b"1"])
def test_a_folder(store: IStore, bucket: str, data: bytes) -> None:
    """A directory that nobody put is no object; one that was put has an ETag."""
    put(store, bucket, "d/x", b"")
    assert outcome(lambda: conditional_put(store, "d/", data, Condition(etag="*"))) is NoSuchKey
    info = put(store, bucket, "d/", data)
    assert info.etag == md5(data)
    wrong = Condition(etag=md5(b"wrong"))
    for again in (b"22", b"", b"333"):
        assert outcome(lambda: conditional_put(store, "d/", b"w", wrong)) == "etag"
        condition = Condition(etag=info.etag)
        info = conditional_put(store, "d/", again, condition)
        assert content(store, bucket, "d/") == again
    assert store.objects.delete(bucket, "d/", condition=Condition(etag=info.etag))
    assert listed(store, bucket) == ["d/x"]


def test_a_file_beside_a_directory(store: IStore, bucket: str) -> None:
    """The object moves to another name on disk when the directory goes: it is the same key."""
    first = put(store, bucket, "a", b"1")
    put(store, bucket, "a/b", b"")
    second = conditional_put(store, "a", b"2", Condition(etag=first.etag))
    store.objects.delete(bucket, "a/b")
    third = conditional_put(store, "a", b"3", Condition(etag=second.etag))
    assert listed(store, bucket) == ["a"]
    assert content(store, bucket, "a") == b"3"
    assert store.objects.delete(bucket, "a", condition=Condition(etag=third.etag))
    assert listed(store, bucket) == []


def test_a_bucket_in_the_bucket(store: IStore, bucket: str) -> None:
    """One object, two ways to it."""
    etag = put(store, bucket, "d/k", b"1").etag
    writer = store.objects.create(f"{bucket}:d", "k", NOTHING, None, Condition(etag=etag))
    writer.write([b"2"])
    writer.commit(md5(b"2"))
    with pytest.raises(ConditionFailed):
        store.objects.delete(bucket, "d/k", condition=Condition(etag=etag))
    copy(store, (bucket, "d/k"), (bucket, "other"))
    assert content(store, bucket, "other") == b"2"


def test_the_condition_is_decided_at_the_commit(store: IStore, bucket: str) -> None:
    etag = put(store, bucket, "k", b"1").etag
    early = store.objects.create(bucket, "k", NOTHING, None, Condition(etag=etag))
    late = store.objects.create(bucket, "k", NOTHING, None, Condition(etag=etag))
    early.write([b"early"])
    late.write([b"late"])
    late.commit(md5(b"late"))
    with pytest.raises(ConditionFailed):
        early.commit(md5(b"early"))
    assert content(store, bucket, "k") == b"late"
