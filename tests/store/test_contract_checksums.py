"""The contract of checksums of whole objects: what is committed comes back with its content."""

from __future__ import annotations

import pytest

from s3daemon.store.interfaces import Attributes, Checksum, IStore, ListQuery, ObjectInfo
from s3daemon.wire import checksums
from tests.store.tools import NOTHING, get, md5, put_in_parts

ALGORITHMS = [name for name, algorithm in checksums.ALGORITHMS.items() if algorithm.make]


def checksum(algorithm: str, data: bytes) -> Checksum:
    """What an algorithm makes of bytes."""
    hasher = checksums.hasher(algorithm)
    hasher.update(data)
    return Checksum(algorithm, checksums.encode(hasher.digest()))


def put(
    store: IStore,
    bucket: str,
    key: str,
    data: bytes,
    given: Checksum | None,
    attributes: Attributes = NOTHING,
) -> ObjectInfo:
    """Put an object with a checksum."""
    writer = store.objects.create(bucket, key, attributes, "alice")
    try:
        if data:
            writer.write([data])
        return writer.commit(md5(data), given)
    finally:
        writer.abort()


def copy(store: IStore, bucket: str, key: str, target: str, algorithm: str | None) -> ObjectInfo:
    """Copy within the bucket."""
    reader = store.objects.open(bucket, key)
    try:
        return store.objects.copy(
            reader, bucket, target, NOTHING, "alice", checksum_algorithm=algorithm
        )
    finally:
        reader.close()


@pytest.mark.parametrize("key", ["k", "dir/k", "folder/", "x" * 300])
@pytest.mark.parametrize("data", [b"", b"data"])
@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_comes_back(store: IStore, bucket: str, key: str, data: bytes, algorithm: str) -> None:
    """With the answer, with every way of asking, and in listings."""
    given = checksum(algorithm, data)
    assert put(store, bucket, key, data, given).checksum == given
    assert store.objects.stat(bucket, key).checksum == given
    assert get(store, bucket, key)[0].checksum == given
    (listed,) = store.objects.list(bucket, ListQuery()).objects
    assert listed.checksum == given


def test_none_is_none(store: IStore, bucket: str) -> None:
    """Nobody makes one up; and the old content's does not stay."""
    put(store, bucket, "k", b"old", checksum("SHA1", b"old"))
    assert put(store, bucket, "k", b"new", None).checksum is None
    assert store.objects.stat(bucket, "k").checksum is None


def test_tags_and_large_metadata_leave_it(store: IStore, bucket: str) -> None:
    """It is of the content, wherever the record is kept."""
    given = checksum("SHA512", b"data")
    large = Attributes(metadata={"large": "x" * 70_000})
    for key, attributes in (("small", NOTHING), ("large", large)):
        put(store, bucket, key, b"data", given, attributes)
        assert store.objects.set_tags(bucket, key, (("a", "b"),)).checksum == given
        assert store.objects.stat(bucket, key).checksum == given


# -- copies ----------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"data", b"x" * 3_000_000], ids=["none", "small", "large"])
@pytest.mark.parametrize("given", [None, "SHA1", "CRC32"])
@pytest.mark.parametrize("wanted", [None, "SHA1", "SHA256"])
def test_copies_have_what_is_asked_for(
    store: IStore, bucket: str, data: bytes, given: str | None, wanted: str | None
) -> None:
    """Kept, made anew, or none."""
    put(store, bucket, "k", data, checksum(given, data) if given else None)
    info = copy(store, bucket, "k", "copy", wanted)
    assert info.checksum == (checksum(wanted, data) if wanted else None)
    assert info.etag == md5(data)
    assert get(store, bucket, "copy") == (info, data)


def test_a_copy_onto_itself(store: IStore, bucket: str) -> None:
    """As any other."""
    put(store, bucket, "k", b"data", checksum("CRC32", b"data"))
    assert copy(store, bucket, "k", "k", "SHA256").checksum == checksum("SHA256", b"data")
    assert store.objects.stat(bucket, "k").checksum == checksum("SHA256", b"data")


def test_a_copy_of_parts_has_a_checksum_of_all_bytes(store: IStore, bucket: str) -> None:
    """Whatever the source has."""
    put_in_parts(store, bucket, "k", b"part", b"and part")
    info = copy(store, bucket, "k", "copy", "SHA256")
    assert info.checksum == checksum("SHA256", b"partand part")
    assert info.etag == md5(b"partand part")
