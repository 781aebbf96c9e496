"""What a store promises about checksums of uploads, parts and multipart objects, on every store."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence

import pytest

from s3daemon.store.interfaces import (
    Checksum,
    InvalidPart,
    IStore,
    NoSuchKey,
    PartInfo,
    PartsPage,
    PartTooSmall,
    UploadInfo,
)
from s3daemon.wire import checksums
from tests.store.tools import (
    begin,
    complete,
    copy,
    get,
    md5,
    page,
    pairs,
    put,
    put_in_parts,
    put_part,
    uploads_page,
)


def sha256(data: bytes) -> Checksum:
    digest = hashlib.sha256(data).digest()
    return Checksum("SHA256", base64.b64encode(digest).decode())


def checksum_of(algorithm: str, data: bytes) -> Checksum:
    hasher = checksums.hasher(algorithm)
    hasher.update(data)
    return Checksum(algorithm, checksums.encode(hasher.digest()))


def composite(*parts: bytes) -> Checksum:
    digests = b"".join(hashlib.sha256(part).digest() for part in parts)
    return Checksum("SHA256", f"{sha256(digests).value}-{len(parts)}", "COMPOSITE")


def parts_of(store: IStore, bucket: str, upload: UploadInfo) -> PartsPage:
    return store.uploads.list_parts(bucket, upload.key, upload.upload_id, 0, 1000)


@pytest.mark.parametrize(
    ("algorithm", "kind"),
    [(None, None), ("SHA256", "COMPOSITE"), ("CRC32", "FULL_OBJECT"), ("SHA512", "COMPOSITE")],
)
def test_an_upload_keeps_what_its_checksum_is_to_be(
    store: IStore, bucket: str, algorithm: str | None, kind: str | None
) -> None:
    upload = begin(store, bucket, "k", algorithm=algorithm, kind=kind)
    assert (upload.checksum_algorithm, upload.checksum_type) == (algorithm, kind)
    assert store.uploads.get(bucket, "k", upload.upload_id) == upload
    assert uploads_page(store, bucket).uploads == (upload,)
    writer = store.uploads.write_part(bucket, "k", upload.upload_id, 1, 1)
    assert writer.upload == upload
    writer.abort()


@pytest.mark.parametrize("announce", [True, False])
@pytest.mark.parametrize(
    "checksum",
    [
        None,
        Checksum("CRC32", "y/Q5Jg=="),
        Checksum("CRC64NVME", "rosUhgp5mIg="),
        sha256(b"123456789"),
        Checksum("SHA512", base64.b64encode(bytes(range(64))).decode()),
        Checksum("XXHASH128", base64.b64encode(bytes(range(16))).decode()),
    ],
    ids=lambda value: value and value.algorithm,
)
def test_a_part_keeps_its_checksum(
    store: IStore, bucket: str, checksum: Checksum | None, announce: bool
) -> None:
    upload = begin(store, bucket, "k", algorithm="SHA256", kind="COMPOSITE")
    part = put_part(store, bucket, upload, 1, b"123456789", announce, checksum)
    assert part.checksum == checksum
    assert parts_of(store, bucket, upload) == PartsPage((part,))


def test_the_checksum_of_a_part_put_again(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k", algorithm="SHA256", kind="COMPOSITE")
    for checksum in (sha256(b"x"), None, Checksum("CRC32", "y/Q5Jg=="), sha256(b"data")):
        newest = put_part(store, bucket, upload, 1, b"data", checksum=checksum)
        assert parts_of(store, bucket, upload) == PartsPage((newest,))
    assert complete(store, bucket, upload, pairs([newest])).checksum == composite(b"data")


@pytest.mark.parametrize("sizes", [[4, 4, 1], [1, 4, 4], [0], [7] * 60])
def test_a_composite_checksum(store: IStore, bucket: str, sizes: list[int]) -> None:
    upload = begin(store, bucket, "a/k", algorithm="SHA256", kind="COMPOSITE")
    data = [b"%d." % number * size for number, size in enumerate(sizes, 1)]
    parts = [
        put_part(store, bucket, upload, number, piece, checksum=sha256(piece))
        for number, piece in enumerate(data, 1)
    ]
    info = complete(store, bucket, upload, pairs(parts))
    assert info.checksum == composite(*data)
    assert info.part_checksums == tuple(sha256(piece).value for piece in data)
    assert get(store, bucket, "a/k") == (info, b"".join(data))
    assert page(store, bucket).objects == (info,)
    assert complete(store, bucket, upload, pairs(parts)) == info
    tagged = store.objects.set_tags(bucket, "a/k", (("t", "1"),))
    assert (tagged.checksum, tagged.part_checksums) == (info.checksum, info.part_checksums)


@pytest.mark.parametrize("sizes", [[4, 4, 1], [1, 4, 4], [0], [0, 3, 0], [7] * 60])
@pytest.mark.parametrize(
    ("algorithm", "made_with"),
    [("CRC32", "CRC32"), ("CRC32C", "CRC32C"), ("CRC64NVME", "CRC64NVME"), (None, "CRC64NVME")],
)
def test_a_checksum_of_the_whole_object(
    store: IStore, bucket: str, algorithm: str | None, made_with: str, sizes: list[int]
) -> None:
    """Without an algorithm too, as S3 does it: then that of the parts is CRC64NVME."""
    if checksums.ALGORITHMS[made_with].make is None:
        pytest.skip("no library for it is installed")
    upload = begin(store, bucket, "k", algorithm=algorithm, kind=algorithm and "FULL_OBJECT")
    data = [b"%d." % number * size for number, size in enumerate(sizes, 1)]
    parts = [
        put_part(store, bucket, upload, number, piece, checksum=checksum_of(made_with, piece))
        for number, piece in enumerate(data, 1)
    ]
    info = complete(store, bucket, upload, pairs(parts))
    assert info.checksum == checksum_of(made_with, b"".join(data))
    assert info.part_checksums == tuple(checksum_of(made_with, piece).value for piece in data)
    assert get(store, bucket, "k") == (info, b"".join(data))
    assert complete(store, bucket, upload, pairs(parts)) == info


@pytest.mark.parametrize("odd", [None, Checksum("CRC32", "y/Q5Jg==")])
def test_no_checksum_where_a_part_has_none(
    store: IStore, bucket: str, odd: Checksum | None
) -> None:
    upload = begin(store, bucket, "k", algorithm="SHA256", kind="COMPOSITE")
    parts = [
        put_part(store, bucket, upload, number, b"data", checksum=checksum)
        for number, checksum in enumerate([sha256(b"data"), odd], 1)
    ]
    info = complete(store, bucket, upload, pairs(parts))
    assert (info.checksum, info.part_checksums) == (None, ())
    assert get(store, bucket, "k") == (info, b"datadata")


def test_only_the_listed_parts_count(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k", algorithm="SHA256", kind="COMPOSITE")
    parts = [
        put_part(store, bucket, upload, number, piece, checksum=sha256(piece))
        for number, piece in enumerate([b"one", b"two", b"three"], 1)
    ]
    info = complete(store, bucket, upload, pairs(parts[::2]))
    assert info.checksum == composite(b"one", b"three")
    assert info.part_checksums == (sha256(b"one").value, sha256(b"three").value)


def test_the_checksum_goes_with_the_object(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k", algorithm="SHA256", kind="COMPOSITE")
    parts = [put_part(store, bucket, upload, 1, b"data", checksum=sha256(b"data"))]
    complete(store, bucket, upload, pairs(parts))
    assert put_in_parts(store, bucket, "k", b"data").part_checksums == ()
    assert put(store, bucket, "k", b"data").part_checksums == ()
    assert store.objects.stat(bucket, "k").part_checksums == ()


def test_a_copy_is_one_piece(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k", algorithm="SHA256", kind="COMPOSITE")
    parts = [
        put_part(store, bucket, upload, number, b"data", checksum=sha256(b"data"))
        for number in (1, 2)
    ]
    complete(store, bucket, upload, pairs(parts))
    info = copy(store, (bucket, "k"), (bucket, "l"))
    assert (info.part_sizes, info.part_checksums) == ((), ())
    assert info.checksum is None or info.checksum.kind == "FULL_OBJECT"


# ---------------------------------------------------------------- what a Complete is held to


class Refused(Exception):
    """What the tests' checks raise."""


def test_what_a_check_is_given(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k", algorithm="SHA256", kind="COMPOSITE")
    data = [b"one", b"two", b"three"]
    parts = [
        put_part(store, bucket, upload, number, piece, checksum=sha256(piece))
        for number, piece in enumerate(data, 1)
    ]
    seen: list[object] = []

    def check(of: UploadInfo, listed: Sequence[PartInfo], checksum: Checksum | None) -> None:
        seen.append((of, tuple(listed), checksum))
        with pytest.raises(NoSuchKey):
            store.objects.stat(bucket, "k")

    complete(store, bucket, upload, pairs(parts[1:]), check=check)
    assert seen == [(upload, tuple(parts[1:]), composite(*data[1:]))]
    # What has happened is not judged again.
    complete(store, bucket, upload, pairs(parts[1:]), check=check)
    assert len(seen) == 1


@pytest.mark.parametrize("sizes", [[4, 4], [4, 5, 6]], ids=["regular", "copied"])
def test_what_a_check_refuses_has_not_happened(
    store: IStore, bucket: str, sizes: list[int]
) -> None:
    old = put(store, bucket, "k", b"old")
    upload = begin(store, bucket, "k")
    parts = [put_part(store, bucket, upload, n, b"x" * size) for n, size in enumerate(sizes, 1)]

    def check(of: UploadInfo, listed: Sequence[PartInfo], checksum: Checksum | None) -> None:
        raise Refused

    for _ in range(2):
        with pytest.raises(Refused):
            complete(store, bucket, upload, pairs(parts), check=check)
        assert get(store, bucket, "k") == (old, b"old")
        assert store.uploads.get(bucket, "k", upload.upload_id) == upload
        assert parts_of(store, bucket, upload) == PartsPage(tuple(parts))
    more = put_part(store, bucket, upload, 9, b"more")
    complete(store, bucket, upload, pairs([*parts, more]))
    assert get(store, bucket, "k")[1] == b"x" * sum(sizes) + b"more"


def test_a_check_comes_after_the_list(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k")
    parts = [put_part(store, bucket, upload, n, b"x") for n in (1, 2)]

    def check(of: UploadInfo, listed: Sequence[PartInfo], checksum: Checksum | None) -> None:
        raise Refused

    with pytest.raises(InvalidPart):
        complete(store, bucket, upload, [(1, md5(b"other"))], check=check)
    with pytest.raises(PartTooSmall):
        complete(store, bucket, upload, pairs(parts), min_part_size=2, check=check)
