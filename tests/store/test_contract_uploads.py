"""What IUploads and IPartWriter promise, on every store."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import pytest
from zope.interface.verify import verifyObject

from s3daemon.store.interfaces import (
    Attributes,
    BadKey,
    InvalidPart,
    IPartWriter,
    IStore,
    KeyTooLong,
    NoSuchBucket,
    NoSuchKey,
    NoSuchUpload,
    ObjectExists,
    PartInfo,
    PartsPage,
    PartTooSmall,
    StorageError,
    UploadInfo,
    UploadsPage,
)
from tests.store.tools import (
    begin,
    complete,
    content,
    copy,
    get,
    listed,
    md5,
    md5_of_parts,
    page,
    pairs,
    put,
    put_part,
    uploads_page,
)

ATTRIBUTES = Attributes(
    {"content-type": "text/x", "cache-control": "no-store"},
    {"m": "é", "n": ""},
    (("t", "1"), ("a", "2")),
)

FUTURE = 1 << 62


def parts_of(
    store: IStore, bucket: str, upload: UploadInfo, after: int = 0, limit: int = 1000
) -> PartsPage:
    return store.uploads.list_parts(bucket, upload.key, upload.upload_id, after, limit)


# ---------------------------------------------------------------- create, get, abort


def test_create(store: IStore, bucket: str) -> None:
    before = time.time_ns()
    upload = begin(store, bucket, "a/k", ATTRIBUTES, "bob")
    after = time.time_ns()
    assert (upload.key, upload.owner, upload.attributes) == ("a/k", "bob", ATTRIBUTES)
    assert before - 10**9 <= upload.initiated_ns <= after + 10**9
    assert store.uploads.get(bucket, "a/k", upload.upload_id) == upload
    assert begin(store, bucket, "a/k").upload_id != upload.upload_id
    assert listed(store, bucket, folders=True) == []


@pytest.mark.parametrize(
    "key", ["a/b", "dir/", "../x", "l" * 900, "_s3_multipart_tmp/x", "\n", "é/"]
)
def test_create_for_any_key(store: IStore, bucket: str, key: str) -> None:
    upload = begin(store, bucket, key)
    assert store.uploads.get(bucket, key, upload.upload_id) == upload
    assert uploads_page(store, bucket).uploads == (upload,)


@pytest.mark.parametrize(
    ("name", "key", "error"),
    [
        ("missing", "k", NoSuchBucket),
        ("bucket", "", BadKey),
        ("bucket", "a\0", BadKey),
        ("bucket", "k" * 1025, KeyTooLong),
    ],
)
def test_create_nowhere(
    store: IStore, bucket: str, name: str, key: str, error: type[StorageError]
) -> None:
    with pytest.raises(error):
        begin(store, name, key)
    assert uploads_page(store, bucket) == UploadsPage()


UploadCall = Callable[[IStore, str, str, str], object]
CALLS: dict[str, UploadCall] = {
    "get": lambda store, b, k, i: store.uploads.get(b, k, i),
    "write_part": lambda store, b, k, i: store.uploads.write_part(b, k, i, 1, 1),
    "list_parts": lambda store, b, k, i: store.uploads.list_parts(b, k, i, 0, 10),
    "complete": lambda store, b, k, i: store.uploads.complete(b, k, i, [(1, md5(b""))]),
    "abort": lambda store, b, k, i: store.uploads.abort(b, k, i),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_no_such_upload(store: IStore, bucket: str, call: UploadCall) -> None:
    upload = begin(store, bucket, "k")
    part = put_part(store, bucket, upload, 1, b"")
    put(store, bucket, "other", b"content")
    store.buckets.create("elsewhere", "alice")
    mine = upload.upload_id
    wrong = [
        (bucket, "other", mine),
        (bucket, "k/", mine),
        ("elsewhere", "k", mine),
        (bucket, "k", mine[:-1]),
        (bucket, "k", mine + "0"),
        (bucket, "k", mine + "\n"),
        (bucket, "k", mine + "/"),
        (bucket, "k", mine.upper() if mine.upper() != mine else "A" * len(mine)),
        (bucket, "k", "0" * len(mine)),
        (bucket, "k", ""),
        (bucket, "k", "."),
        (bucket, "k", ".."),
        (bucket, "k", "../" + mine),
        (bucket, "k", "./" + mine),
        (bucket, "k", "../../" + bucket + "/_s3_multipart_tmp/" + mine),
        (bucket, "k", "\0"),
        (bucket, "k", "\ud800"),
        (bucket, "k", "é" * len(mine)),
        (bucket, "k", "x" * 5000),
        (bucket, "other", "None"),
    ]
    for where in wrong:
        with pytest.raises(NoSuchUpload):
            call(store, *where)
    with pytest.raises(NoSuchBucket):
        call(store, "missing", "k", mine)
    assert parts_of(store, bucket, upload).parts == (part,)


def test_abort(store: IStore, bucket: str) -> None:
    old = put(store, bucket, "k", b"old")
    upload, other = begin(store, bucket, "k"), begin(store, bucket, "k")
    put_part(store, bucket, upload, 1, b"1")
    store.uploads.abort(bucket, "k", upload.upload_id)
    for call in CALLS.values():
        with pytest.raises(NoSuchUpload):
            call(store, bucket, "k", upload.upload_id)
    assert uploads_page(store, bucket).uploads == (other,)
    assert get(store, bucket, "k") == (old, b"old")


def test_abort_under_a_writer(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k")
    writers = [
        store.uploads.write_part(bucket, "k", upload.upload_id, number, size)
        for number, size in [(1, 4), (2, 4), (3, None)]
    ]
    for writer in writers:
        writer.write([b"data"])
    store.uploads.abort(bucket, "k", upload.upload_id)
    for writer in writers:
        with pytest.raises(NoSuchUpload):
            writer.write([b""])
            writer.commit(md5(b"data"))
        writer.abort()
    assert uploads_page(store, bucket) == UploadsPage()


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize("announce", [True, False])
@pytest.mark.parametrize("number", [1, 2, 10_000])
@pytest.mark.parametrize("data", [b"", b"x", b"data" * 50_000], ids=["none", "one", "many"])
def test_part(store: IStore, bucket: str, number: int, data: bytes, announce: bool) -> None:
    upload = begin(store, bucket, "k")
    before = time.time_ns()
    part = put_part(store, bucket, upload, number, data, announce)
    after = time.time_ns()
    assert (part.number, part.size, part.etag) == (number, len(data), md5(data))
    assert before - 10**9 <= part.modified_ns <= after + 10**9
    assert parts_of(store, bucket, upload) == PartsPage((part,))


@pytest.mark.parametrize("number", [0, -1, 10_001])
def test_part_number_out_of_range(store: IStore, bucket: str, number: int) -> None:
    upload = begin(store, bucket, "k")
    with pytest.raises(ValueError, match="part number"):
        store.uploads.write_part(bucket, "k", upload.upload_id, number, 1)


def test_part_writer_is_one(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k")
    writer = store.uploads.write_part(bucket, "k", upload.upload_id, 1, 1)
    assert verifyObject(IPartWriter, writer)
    writer.abort()


@pytest.mark.parametrize("announced", [0, 1, 3, 5, 1000])
def test_a_part_that_is_not_of_the_announced_size(
    store: IStore, bucket: str, announced: int
) -> None:
    upload = begin(store, bucket, "k")
    parts = []
    for number in (1, 2, 3):
        writer = store.uploads.write_part(bucket, "k", upload.upload_id, number, announced)
        writer.write([b"%d%d" % (number, number), b"%d%d" % (number, number)])
        parts.append(writer.commit(md5(b"%d" % number * 4)))
        writer.abort()
    assert [part.size for part in parts] == [4, 4, 4]
    complete(store, bucket, upload, pairs(parts))
    assert content(store, bucket, "k") == b"111122223333"


@pytest.mark.parametrize("announce", [True, False])
def test_part_again(store: IStore, bucket: str, announce: bool) -> None:
    upload = begin(store, bucket, "k")
    for data in (b"first", b"other", b"longer one", b"", b"third"):
        newest = put_part(store, bucket, upload, 1, data, announce)
        assert parts_of(store, bucket, upload) == PartsPage((newest,))
    with pytest.raises(InvalidPart):
        complete(store, bucket, upload, [(1, md5(b"first"))])
    complete(store, bucket, upload, pairs([newest]))
    assert content(store, bucket, "k") == b"third"


@pytest.mark.parametrize("size", [5, None])
def test_an_aborted_part_leaves_the_earlier_one(
    store: IStore, bucket: str, size: int | None
) -> None:
    upload = begin(store, bucket, "k")
    for earlier in (None, put_part(store, bucket, upload, 1, b"first")):
        for number in (1, 2):
            writer = store.uploads.write_part(bucket, "k", upload.upload_id, number, size)
            writer.write([b"wrong"])
            writer.abort()
            writer.abort()
        if earlier is not None:
            assert parts_of(store, bucket, upload).parts == (earlier,)
    second = put_part(store, bucket, upload, 2, b"secon")
    complete(store, bucket, upload, [(1, md5(b"first")), (2, second.etag)])
    assert content(store, bucket, "k") == b"firstsecon"


def test_a_part_is_not_seen_before_commit(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k")
    writer = store.uploads.write_part(bucket, "k", upload.upload_id, 1, 4)
    writer.write([b"data"])
    assert parts_of(store, bucket, upload) == PartsPage()
    with pytest.raises(InvalidPart):
        complete(store, bucket, upload, [(1, md5(b"data"))])
    part = writer.commit(md5(b"data"))
    writer.abort()
    assert parts_of(store, bucket, upload) == PartsPage((part,))


def test_twin_writers_of_one_part(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k")
    first = store.uploads.write_part(bucket, "k", upload.upload_id, 1, 6)
    second = store.uploads.write_part(bucket, "k", upload.upload_id, 1, 6)
    first.write([b"fir"])
    second.write([b"sec"])
    first.write([b"st!"])
    second.write([b"ond"])
    second.commit(md5(b"second"))
    part = first.commit(md5(b"first!"))
    first.abort()
    second.abort()
    assert parts_of(store, bucket, upload) == PartsPage((part,))
    complete(store, bucket, upload, pairs([part]))
    assert content(store, bucket, "k") == b"first!"


def test_uploads_of_one_key_are_apart(store: IStore, bucket: str) -> None:
    one, two = begin(store, bucket, "k"), begin(store, bucket, "k")
    of_one = put_part(store, bucket, one, 1, b"one")
    of_two = put_part(store, bucket, two, 1, b"two")
    with pytest.raises(InvalidPart):
        complete(store, bucket, one, pairs([of_two]))
    complete(store, bucket, one, pairs([of_one]))
    assert content(store, bucket, "k") == b"one"
    complete(store, bucket, two, pairs([of_two]))
    assert content(store, bucket, "k") == b"two"


def test_list_parts_in_pages(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k")
    numbers = [10_000, 3, 1, 20, 7, 100]
    parts = {n: put_part(store, bucket, upload, n, b"%d" % n) for n in numbers}
    everything = tuple(parts[n] for n in sorted(numbers))
    assert parts_of(store, bucket, upload) == PartsPage(everything)
    assert parts_of(store, bucket, upload, limit=6) == PartsPage(everything)
    assert parts_of(store, bucket, upload, limit=5) == PartsPage(everything[:5], 100)
    assert parts_of(store, bucket, upload, after=7) == PartsPage(everything[3:])
    assert parts_of(store, bucket, upload, after=8, limit=1) == PartsPage(everything[3:4], 20)
    assert parts_of(store, bucket, upload, after=10_000) == PartsPage()
    assert parts_of(store, bucket, upload, limit=0) == PartsPage()
    found: list[PartInfo] = []
    after: int | None = 0
    while after is not None:
        one = parts_of(store, bucket, upload, after, 1)
        found += one.parts
        after = one.next_after
    assert tuple(found) == everything


# ---------------------------------------------------------------- complete

#: Sizes of the parts, and whether each is announced: what a store may store in different ways.
SHAPES = {
    "one": [4],
    "one empty": [0],
    "one large": [300_000],
    "equal": [4, 4, 4],
    "equal, short last": [4, 4, 4, 1],
    "equal, empty last": [4, 4, 0],
    "equal, long last": [4, 4, 9],
    "equal, very long last": [4, 4, 70_000],
    "two, short last": [9, 1],
    "two, long last": [1, 9],
    "unequal": [4, 5, 6, 7],
    "falling": [7, 6, 5, 4],
    "one odd": [4, 4, 5, 4, 4],
    "first odd": [5, 4, 4, 4],
    "with empty ones": [4, 0, 4, 0],
    "empty first": [0, 4, 4],
    "all empty": [0, 0, 0],
    "large": [100_000, 100_000, 100_000, 7],
    "many": [3] * 60 + [2],
}


def data_of(number: int, size: int) -> bytes:
    return (b"%d." % number * (size // 2 + 1))[:size]


@pytest.mark.parametrize("order", ["up", "down", "mixed"])
@pytest.mark.parametrize("announce", [True, False, None], ids=["announced", "not", "every other"])
@pytest.mark.parametrize("sizes", SHAPES.values(), ids=SHAPES)
def test_complete(
    store: IStore, bucket: str, sizes: list[int], announce: bool | None, order: str
) -> None:
    upload = begin(store, bucket, "a/k", ATTRIBUTES, "bob")
    data = {number: data_of(number, size) for number, size in enumerate(sizes, 1)}
    numbers = sorted(data, reverse=order == "down")
    if order == "mixed":
        numbers = numbers[1::2] + numbers[::2]
    parts = {}
    for number in numbers:
        said = number % 2 == 0 if announce is None else announce
        parts[number] = put_part(store, bucket, upload, number, data[number], said)
    before = time.time_ns()
    info = complete(store, bucket, upload, pairs([parts[n] for n in sorted(parts)]))
    after = time.time_ns()
    assert (info.key, info.size) == ("a/k", sum(sizes))
    assert info.etag == md5_of_parts(*(data[n] for n in sorted(data)))
    assert (info.attributes, info.owner) == (ATTRIBUTES, "bob")
    assert info.part_sizes == tuple(sizes)
    assert (info.upload_id, info.folder) == (upload.upload_id, False)
    assert before - 10**9 <= info.modified_ns <= after + 10**9
    assert get(store, bucket, "a/k") == (info, b"".join(data[n] for n in sorted(data)))
    assert page(store, bucket).objects == (info,)
    assert uploads_page(store, bucket) == UploadsPage()
    for name in ("get", "write_part", "list_parts", "abort"):
        with pytest.raises(NoSuchUpload):
            CALLS[name](store, bucket, "a/k", upload.upload_id)
    store.objects.delete(bucket, "a/k")
    store.buckets.delete(bucket)


@pytest.mark.parametrize(
    "chosen",
    [[1], [2], [4], [1, 2], [2, 3], [1, 3], [1, 4], [3, 4], [1, 2, 4], [2, 3, 4], [1, 2, 3, 4]],
)
@pytest.mark.parametrize("sizes", [[4, 4, 4, 4], [4, 4, 4, 2], [1, 2, 3, 4], [4, 4, 4, 8]])
@pytest.mark.parametrize("numbers", [[1, 2, 3, 4], [1, 5, 9, 10_000]])
def test_complete_forgets_what_is_not_listed(
    store: IStore, bucket: str, sizes: list[int], chosen: list[int], numbers: list[int]
) -> None:
    upload = begin(store, bucket, "k")
    data = [data_of(number, size) for number, size in zip(numbers, sizes, strict=True)]
    parts = [put_part(store, bucket, upload, n, d) for n, d in zip(numbers, data, strict=True)]
    info = complete(store, bucket, upload, pairs([parts[i - 1] for i in chosen]))
    wanted = [data[i - 1] for i in chosen]
    assert content(store, bucket, "k") == b"".join(wanted)
    assert (info.etag, info.part_sizes) == (md5_of_parts(*wanted), tuple(map(len, wanted)))


@pytest.mark.parametrize("again", [[1], [2], [3], [1, 2, 3], [3, 1], [2, 2]])
@pytest.mark.parametrize("other_size_first", [True, False])
@pytest.mark.parametrize("sizes", [[4, 4, 4], [4, 4, 2], [4, 4, 6], [1, 2, 3]])
def test_complete_after_parts_were_put_again(
    store: IStore, bucket: str, sizes: list[int], other_size_first: bool, again: list[int]
) -> None:
    upload = begin(store, bucket, "k")
    parts = {}
    for number, size in enumerate(sizes, 1):
        first = 5 if other_size_first else size
        parts[number] = put_part(store, bucket, upload, number, b"?" * first)
    data = {number: b"?" * (5 if other_size_first else s) for number, s in enumerate(sizes, 1)}
    for number in again:
        data[number] = data_of(number, sizes[number - 1])
        parts[number] = put_part(store, bucket, upload, number, data[number])
    info = complete(store, bucket, upload, pairs([parts[n] for n in (1, 2, 3)]))
    assert content(store, bucket, "k") == b"".join(data[n] for n in (1, 2, 3))
    assert info.etag == md5_of_parts(*(data[n] for n in (1, 2, 3)))


def test_complete_replaces_the_object(store: IStore, bucket: str) -> None:
    put(store, bucket, "k", b"old", ATTRIBUTES, "alice")
    reader = store.objects.open(bucket, "k")
    upload = begin(store, bucket, "k", owner="bob")
    part = put_part(store, bucket, upload, 1, b"new")
    info = complete(store, bucket, upload, pairs([part]))
    assert (info.owner, info.attributes) == ("bob", Attributes())
    assert get(store, bucket, "k") == (info, b"new")
    assert reader.read(0, 10) == b"old"
    reader.close()


@pytest.mark.parametrize(
    "listed_parts",
    [
        [],
        [(3, md5(b"1"))],
        [(1, md5(b"1")), (3, md5(b"3"))],
        [(1, md5(b"2"))],
        [(1, md5(b"1")), (2, md5(b"1"))],
        [(1, "")],
        [(1, md5(b"1") + "-1")],
        [(1, md5(b"1")), (1, md5(b"1"))],
        [(2, md5(b"2")), (1, md5(b"1"))],
        [(0, md5(b"1"))],
        [(-1, md5(b"1"))],
        [(10_001, md5(b"1"))],
        [(1, md5(b"1")), (2, "x" * 5000)],
    ],
)
def test_invalid_part(store: IStore, bucket: str, listed_parts: list[tuple[int, str]]) -> None:
    upload = begin(store, bucket, "k")
    parts = [put_part(store, bucket, upload, n, b"%d" % n) for n in (1, 2)]
    with pytest.raises(InvalidPart):
        complete(store, bucket, upload, listed_parts)
    assert_usable(store, bucket, upload, parts)


def test_part_too_small(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k")
    parts = [put_part(store, bucket, upload, n, b"x" * n) for n in (5, 4, 3, 2)]
    parts.sort(key=lambda part: part.number)
    with pytest.raises(PartTooSmall) as caught:
        complete(store, bucket, upload, pairs(parts), min_part_size=4)
    assert (caught.value.number, caught.value.size) == (2, 2)
    assert caught.value.etag == md5(b"xx")
    with pytest.raises(PartTooSmall) as caught:
        complete(store, bucket, upload, pairs(parts[1:]), min_part_size=4)
    assert caught.value.number == 3
    with pytest.raises(InvalidPart):
        complete(store, bucket, upload, [*pairs(parts), (9, "")], min_part_size=4)
    assert_usable(store, bucket, upload, parts)


def test_the_last_part_may_be_small(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k")
    parts = [put_part(store, bucket, upload, n, b"x" * (6 - n)) for n in (1, 2, 3)]
    complete(store, bucket, upload, pairs(parts), min_part_size=4)
    assert content(store, bucket, "k") == b"x" * 12


def assert_usable(
    store: IStore, bucket: str, upload: UploadInfo, parts: Sequence[PartInfo]
) -> None:
    """The upload is as it was, takes another part and can be completed."""
    assert store.uploads.get(bucket, upload.key, upload.upload_id) == upload
    assert parts_of(store, bucket, upload).parts == tuple(parts)
    assert listed(store, bucket) == []
    more = put_part(store, bucket, upload, 20, b"more")
    info = complete(store, bucket, upload, pairs([*parts, more]))
    assert info.part_sizes == (*(part.size for part in parts), 4)
    assert content(store, bucket, upload.key).endswith(b"more")


def test_create_only(store: IStore, bucket: str) -> None:
    old = put(store, bucket, "k", b"old")
    upload = begin(store, bucket, "k")
    part = put_part(store, bucket, upload, 1, b"new")
    with pytest.raises(ObjectExists):
        complete(store, bucket, upload, pairs([part]), create_only=True)
    assert get(store, bucket, "k") == (old, b"old")
    assert parts_of(store, bucket, upload).parts == (part,)
    store.objects.delete(bucket, "k")
    info = complete(store, bucket, upload, pairs([part]), create_only=True)
    assert get(store, bucket, "k") == (info, b"new")
    assert complete(store, bucket, upload, pairs([part]), create_only=True) == info


def test_complete_again(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k", ATTRIBUTES)
    parts = [put_part(store, bucket, upload, n, b"%d" % n) for n in (1, 2)]
    info = complete(store, bucket, upload, pairs(parts))
    for _ in range(2):
        assert complete(store, bucket, upload, pairs(parts), min_part_size=5) == info
        assert store.objects.stat(bucket, "k") == info


@pytest.mark.parametrize("how", ["put", "copy onto itself", "delete", "other upload"])
def test_complete_again_when_the_object_is_another(store: IStore, bucket: str, how: str) -> None:
    upload = begin(store, bucket, "k")
    parts = [put_part(store, bucket, upload, 1, b"1")]
    complete(store, bucket, upload, pairs(parts))
    if how == "put":
        put(store, bucket, "k", b"1")
    elif how == "delete":
        store.objects.delete(bucket, "k")
    elif how == "other upload":
        other = begin(store, bucket, "k")
        complete(store, bucket, other, pairs([put_part(store, bucket, other, 1, b"1")]))
    else:
        copy(store, (bucket, "k"), (bucket, "k"))
    with pytest.raises(NoSuchUpload):
        complete(store, bucket, upload, pairs(parts))


def test_complete_under_a_writer(store: IStore, bucket: str) -> None:
    """Writers that are not finished neither spoil the object nor become part of it."""
    upload = begin(store, bucket, "k")
    parts = [put_part(store, bucket, upload, n, b"%d" % n * 4) for n in (1, 2)]
    writers = [
        store.uploads.write_part(bucket, "k", upload.upload_id, number, size)
        for number, size in [(1, 4), (2, 4), (2, None), (3, 4), (3, 9), (4, 4), (4, None)]
    ]
    for writer in writers:
        writer.write([b"xx"])
    info = complete(store, bucket, upload, pairs(parts))
    assert get(store, bucket, "k") == (info, b"11112222")
    for writer in writers:
        with pytest.raises(NoSuchUpload):
            writer.write([b"xx"])
            writer.commit(md5(b"xxxx"))
        writer.abort()
    assert get(store, bucket, "k") == (info, b"11112222")
    assert uploads_page(store, bucket) == UploadsPage()


def test_bucket_deleted_under_an_upload(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k")
    writer = store.uploads.write_part(bucket, "k", upload.upload_id, 1, 4)
    writer.write([b"data"])
    store.buckets.delete(bucket)
    with pytest.raises(NoSuchUpload):
        writer.commit(md5(b"data"))
    writer.abort()
    with pytest.raises(NoSuchBucket):
        complete(store, bucket, upload, [(1, md5(b"data"))])
    with pytest.raises(NoSuchBucket):
        store.buckets.get(bucket)


def test_parts_from_a_copy_source(store: IStore, bucket: str) -> None:
    put(store, bucket, "source", b"0123456789")
    upload = begin(store, bucket, "k")
    reader = store.objects.open(bucket, "source")
    writer = store.uploads.write_part(bucket, "k", upload.upload_id, 1, 3)
    writer.write([reader.read(2, 3)])
    reader.close()
    part = writer.commit(md5(b"234"))
    complete(store, bucket, upload, pairs([part]))
    assert content(store, bucket, "k") == b"234"


def test_ten_thousand_parts(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k")
    etag = md5(b"ab")
    for number in range(1, 10_001):
        writer = store.uploads.write_part(bucket, "k", upload.upload_id, number, 2)
        writer.write([b"ab"])
        writer.commit(etag)
    assert parts_of(store, bucket, upload, 0, 1000).next_after == 1000
    info = complete(store, bucket, upload, [(n, etag) for n in range(1, 10_001)])
    assert info.part_sizes == (2,) * 10_000
    assert info.etag.endswith("-10000")
    assert get(store, bucket, "k") == (info, b"ab" * 10_000)


# ---------------------------------------------------------------- listing of uploads


def keys_of(found: UploadsPage) -> list[str]:
    return [upload.key for upload in found.uploads]


def test_list(store: IStore, bucket: str) -> None:
    assert uploads_page(store, bucket) == UploadsPage()
    made = [begin(store, bucket, key, ATTRIBUTES, "bob") for key in ("b", "a/c", "a", "é", "a0")]
    assert keys_of(uploads_page(store, bucket)) == ["a", "a/c", "a0", "b", "é"]
    assert {u.upload_id for u in uploads_page(store, bucket).uploads} == {u.upload_id for u in made}
    assert made[0] in uploads_page(store, bucket).uploads
    store.buckets.create("other", None)
    assert uploads_page(store, "other") == UploadsPage()
    with pytest.raises(NoSuchBucket):
        uploads_page(store, "missing")


def test_list_by_prefix_delimiter_and_owner(store: IStore, bucket: str) -> None:
    for key in ("a", "a/b", "a/c/d", "b/c", "c"):
        begin(store, bucket, key, owner="alice" if key < "b" else "bob")
    found = uploads_page(store, bucket, delimiter="/")
    assert (keys_of(found), found.prefixes) == (["a", "c"], ("a/", "b/"))
    found = uploads_page(store, bucket, prefix="a/", delimiter="/")
    assert (keys_of(found), found.prefixes) == (["a/b"], ("a/c/",))
    assert keys_of(uploads_page(store, bucket, owner="bob")) == ["b/c", "c"]
    assert keys_of(uploads_page(store, bucket, prefix="no")) == []


@pytest.mark.parametrize("delimiter", ["", "/"])
@pytest.mark.parametrize("step", [1, 2, 3, 1000])
def test_list_in_pages(store: IStore, bucket: str, step: int, delimiter: str) -> None:
    made = [begin(store, bucket, key) for key in ("a", "a", "a", "b/x", "b/y", "c", "c")]
    everything = sorted(made, key=lambda u: (u.key.encode(), u.initiated_ns, u.upload_id))
    found: list[str] = []
    key, upload_id = "", ""
    while True:
        one = uploads_page(store, bucket, "", delimiter, key, upload_id, step)
        found += [u.upload_id for u in one.uploads] + list(one.prefixes)
        if one.next_key is None:
            break
        assert len(one.uploads) + len(one.prefixes) == step
        key, upload_id = one.next_key, one.next_upload_id or ""
    wanted = [u.upload_id for u in everything if not delimiter or "/" not in u.key]
    assert [item for item in found if item != "b/"] == wanted
    assert found.count("b/") == (1 if delimiter else 0)


def test_list_after_a_key(store: IStore, bucket: str) -> None:
    made = [begin(store, bucket, key) for key in ("a", "b", "b", "c")]
    assert keys_of(uploads_page(store, bucket, after_key="b")) == ["c"]
    twins = sorted(made[1:3], key=lambda u: (u.initiated_ns, u.upload_id))
    found = uploads_page(store, bucket, after_key="b", after_upload_id=twins[0].upload_id)
    assert found.uploads == (twins[1], made[3])
    assert uploads_page(store, bucket, max_uploads=0) == UploadsPage()


# ---------------------------------------------------------------- expire


def test_expire_spares_the_young(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "k")
    assert store.uploads.expire(upload.initiated_ns - 10**10) == 0
    assert store.uploads.get(bucket, "k", upload.upload_id) == upload


def test_expire(store: IStore, bucket: str) -> None:
    put(store, bucket, "k", b"object")
    store.buckets.create("other", None)
    store.buckets.create("bucket:in", None)
    uploads = [(name, begin(store, name, "k")) for name in (bucket, bucket, "other", "bucket:in")]
    put_part(store, bucket, uploads[0][1], 1, b"1")
    assert store.uploads.expire(FUTURE) == 4
    for name, upload in uploads:
        with pytest.raises(NoSuchUpload):
            store.uploads.get(name, "k", upload.upload_id)
        assert uploads_page(store, name) == UploadsPage()
    assert store.uploads.expire(FUTURE) == 0
    assert content(store, bucket, "k") == b"object"


def test_expire_is_bounded(store: IStore, bucket: str) -> None:
    for _ in range(5):
        begin(store, bucket, "k")
    assert store.uploads.expire(FUTURE, limit=2) == 2
    assert len(uploads_page(store, bucket).uploads) == 3
    assert store.uploads.expire(FUTURE, should_stop=lambda: True) == 0
    assert len(uploads_page(store, bucket).uploads) == 3
    assert store.uploads.expire(FUTURE, limit=0) == 0
    assert store.uploads.expire(FUTURE) == 3


def test_a_new_part_keeps_an_upload_alive(store: IStore, bucket: str) -> None:
    idle, busy = begin(store, bucket, "idle"), begin(store, bucket, "busy")
    part = put_part(store, bucket, busy, 1, b"1")
    assert idle.initiated_ns < part.modified_ns
    assert store.uploads.expire(part.modified_ns) == 1
    assert keys_of(uploads_page(store, bucket)) == ["busy"]


def test_no_key_left_after_expire(store: IStore, bucket: str) -> None:
    upload = begin(store, bucket, "a/k")
    put_part(store, bucket, upload, 1, b"1")
    store.uploads.expire(FUTURE)
    with pytest.raises(NoSuchKey):
        store.objects.stat(bucket, "a/k")
    assert listed(store, bucket, folders=True) == []
    store.buckets.delete(bucket)
