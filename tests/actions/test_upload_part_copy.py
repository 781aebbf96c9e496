"""UploadPartCopy."""

from __future__ import annotations

import hashlib
from typing import Any

import attrs
import pytest

from s3daemon.actions import upload_part_copy
from s3daemon.actions.base import Answer
from s3daemon.actions.upload_part_copy import ACTION
from s3daemon.store.interfaces import Attributes, Checksum, IReader, NoSuchUpload, ObjectInfo
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import checksums, errors
from tests.support.actions import World, outline, parsed

CONTENT = bytes(range(256)) * 10


@pytest.fixture
def world() -> World:
    made = World(MemoryStore(clock=lambda: 1_795_493_562_627_000_000))
    made.store.buckets.create("abc", "id-alice")
    made.store.buckets.create("src", "id-alice")
    made.store.buckets.create("bobs", "id-bob")
    for bucket in ("src", "bobs"):
        made.put(bucket, "dir/sour ce", CONTENT)
    return made


@pytest.fixture
def upload_id(world: World) -> str:
    created: str = world.store.uploads.create("abc", "k", Attributes(), "id-alice").upload_id
    return created


def copy(
    world: World,
    upload_id: str,
    range_: str | None = None,
    *,
    source: str = "/src/dir/sour%20ce",
    number: str = "1",
    **headers: str,
) -> Answer:
    given = {"x-amz-copy-source": source}
    if range_ is not None:
        given["x-amz-copy-source-range"] = range_
    given.update({name.replace("_", "-"): value for name, value in headers.items()})
    query = {"partNumber": number, "uploadId": upload_id}
    return world.run(ACTION, "abc", "k", query=query, headers=given)


def content(world: World, upload_id: str) -> bytes:
    """What the upload becomes when it is completed with its one part."""
    uploads, objects = world.store.uploads, world.store.objects
    part = uploads.list_parts("abc", "k", upload_id, 0, 1).parts[0]
    uploads.complete("abc", "k", upload_id, [(part.number, part.etag)])
    reader: IReader = objects.open("abc", "k")
    found: bytes = reader.read(0, reader.info.size)
    reader.close()
    return found


@pytest.mark.parametrize(
    ("range_", "expected"),
    [
        (None, CONTENT),
        ("bytes=0-0", CONTENT[:1]),
        ("bytes=300-1299", CONTENT[300:1300]),
        ("bytes=0-2559", CONTENT),
        ("bytes=2559-2559", CONTENT[-1:]),
    ],
)
@pytest.mark.parametrize("piece", [1024 * 1024, 100])
def test_copy(
    world: World,
    upload_id: str,
    range_: str | None,
    expected: bytes,
    piece: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upload_part_copy, "_PIECE", piece)
    answer = copy(world, upload_id, range_)
    found = parsed("UploadPartCopy", answer)["CopyPartResult"]
    assert found["ETag"] == f'"{hashlib.md5(expected).hexdigest()}"'
    assert found["LastModified"].isoformat() == "2026-11-24T04:12:42.627000+00:00"
    assert outline(answer) == ["CopyPartResult", "LastModified", "ETag"]
    assert content(world, upload_id) == expected


@pytest.mark.parametrize("range_", [None, "bytes=300-1299", "bytes=0-0"])
@pytest.mark.parametrize("piece", [1024 * 1024, 100])
@pytest.mark.parametrize(("algorithm", "kind"), [("SHA256", "COMPOSITE"), ("CRC32", "FULL_OBJECT")])
def test_checksum(
    world: World,
    algorithm: str,
    kind: str,
    range_: str | None,
    piece: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upload_part_copy, "_PIECE", piece)
    uploads = world.store.uploads
    upload_id = uploads.create("abc", "k", Attributes(), "id-alice", algorithm, kind).upload_id
    answer = copy(world, upload_id, range_)
    hasher = checksums.hasher(algorithm)
    hasher.update({None: CONTENT, "bytes=0-0": CONTENT[:1]}.get(range_, CONTENT[300:1300]))
    expected = Checksum(algorithm, checksums.encode(hasher.digest()))
    found = parsed("UploadPartCopy", answer)["CopyPartResult"]
    assert found[f"Checksum{algorithm}"] == expected.value
    assert outline(answer)[3:] == [f"Checksum{algorithm}"]
    assert uploads.list_parts("abc", "k", upload_id, 0, 1).parts[0].checksum == expected


def test_the_default_checksum_is_kept_and_not_shown(world: World, upload_id: str) -> None:
    if checksums.DEFAULT is None:
        pytest.skip("no library for it is installed")
    assert outline(copy(world, upload_id)) == ["CopyPartResult", "LastModified", "ETag"]
    hasher = checksums.hasher("CRC64NVME")
    hasher.update(CONTENT)
    assert world.store.uploads.list_parts("abc", "k", upload_id, 0, 1).parts[
        0
    ].checksum == Checksum("CRC64NVME", checksums.encode(hasher.digest()))


def test_an_empty_source(world: World, upload_id: str) -> None:
    world.put("src", "empty")
    copy(world, upload_id, source="src/empty")
    assert content(world, upload_id) == b""


@pytest.mark.parametrize("range_", ["bytes=0-2560", "bytes=2560-2560", "bytes=9000-9001"])
def test_beyond_the_end(world: World, upload_id: str, range_: str) -> None:
    with pytest.raises(errors.InvalidRange):
        copy(world, upload_id, range_)
    assert not world.store.uploads.list_parts("abc", "k", upload_id, 0, 1).parts


@pytest.mark.parametrize(
    "range_",
    ["", "0-2", "bytes=0", "bytes=hello-world", "bytes=0-bar", "bytes=hello-", "bytes=0-2,3-5"],
)
def test_range_refused(world: World, upload_id: str, range_: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        copy(world, upload_id, range_)


def test_number_refused(world: World, upload_id: str) -> None:
    with pytest.raises(errors.InvalidArgument):
        copy(world, upload_id, number="0")


@pytest.mark.parametrize("wanted", [None, "bytes=1-5368709121"])
def test_more_than_a_part_holds(
    world: World, upload_id: str, wanted: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(ObjectInfo("k", 6 * 1024**3, 0, "e"))
    monkeypatch.setattr(world.store.objects, "open", lambda bucket, key: reader)
    with pytest.raises(errors.InvalidRequest, match=r"larger than the maximum .*5368709120"):
        copy(world, upload_id, wanted)
    assert reader.closed


@attrs.define
class Reader:
    """A source that claims more bytes than it has."""

    info: ObjectInfo
    closed: bool = False

    def read(self, offset: int, size: int) -> bytes:
        return b"1234567890"[offset : offset + size]

    def close(self) -> None:
        self.closed = True


def test_a_source_that_is_cut_short(
    world: World, upload_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = Reader(ObjectInfo("k", 11, 0, "e"))
    monkeypatch.setattr(world.store.objects, "open", lambda bucket, key: reader)
    with pytest.raises(errors.OperationAborted):
        copy(world, upload_id)
    assert reader.closed
    assert not world.store.uploads.list_parts("abc", "k", upload_id, 0, 1).parts


def test_conditions(world: World, upload_id: str) -> None:
    etag = hashlib.md5(CONTENT).hexdigest()
    copy(world, upload_id, x_amz_copy_source_if_match=f'"{etag}"')
    with pytest.raises(errors.PreconditionFailed):
        copy(world, upload_id, x_amz_copy_source_if_none_match=f'"{etag}"')


def test_a_source_that_is_not_there(world: World, upload_id: str) -> None:
    with pytest.raises(errors.NoSuchKey):
        copy(world, upload_id, source="src/missing")
    with pytest.raises(errors.NoSuchBucket):
        copy(world, upload_id, source="missing/k")


def test_whose(world: World, upload_id: str) -> None:
    with pytest.raises(errors.AccessDenied):
        copy(world, upload_id, source="bobs/dir/sour%20ce")
    with pytest.raises(errors.AccessDenied):
        world.run(
            ACTION,
            "bobs",
            "k",
            query={"partNumber": "1", "uploadId": upload_id},
            headers={"x-amz-copy-source": "src/dir/sour%20ce"},
        )


def test_no_such_upload(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    reader = Reader(ObjectInfo("k", 10, 0, "e"))
    monkeypatch.setattr(world.store.objects, "open", lambda bucket, key: reader)
    with pytest.raises(NoSuchUpload):
        copy(world, "56788")
    assert reader.closed


def test_encryption_is_refused(world: World, upload_id: str) -> None:
    name: Any = "x_amz_copy_source_server_side_encryption_customer_algorithm"
    with pytest.raises(errors.NotImplemented):
        copy(world, upload_id, **{name: "AES256"})
