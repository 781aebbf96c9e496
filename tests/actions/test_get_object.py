"""GetObject and HeadObject."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from s3daemon.actions.base import INLINE_BYTES, Action, Answer, Slice
from s3daemon.actions.get_object import ACTIONS, parse
from s3daemon.store.interfaces import (
    Attributes,
    Checksum,
    IReader,
    NoSuchBucket,
    NoSuchKey,
    Replaced,
    Unavailable,
)
from s3daemon.store.memory_objects import MemoryReader
from s3daemon.wire.errors import (
    AccessDenied,
    InvalidArgument,
    InvalidPartNumber,
    InvalidRange,
    InvalidRequest,
    NotModified,
    PreconditionFailed,
    S3Error,
)
from s3daemon.wire.message import Personality

GET, HEAD = ACTIONS
TEN = b"0123456789"


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys whose readers have been closed."""
    keys: list[str] = []
    monkeypatch.setattr(MemoryReader, "close", lambda reader: keys.append(reader.info.key))
    return keys


def both(world: Any, request: Any) -> tuple[Answer, Answer]:
    """GET and HEAD, which have to agree in all but the body."""
    got = world.perform(GET, request)
    head = world.perform(HEAD, attrs.evolve(request, method="HEAD"))
    assert isinstance(head.body, bytes)
    assert not head.body
    length = got.body.length if isinstance(got.body, Slice) else len(got.body)
    assert head.status == got.status
    assert head.fields == (*got.fields, ("Content-Length", str(length)))
    return got, head


def both_raise(world: Any, request: Any, kind: type[Exception]) -> Exception:
    """GET and HEAD fail in the same way."""
    with pytest.raises(kind) as caught:
        world.perform(GET, request)
    with pytest.raises(kind):
        world.perform(HEAD, attrs.evolve(request, method="HEAD"))
    return caught.value


def test_plain(world: Any, make_request: Any, closed: list[str]) -> None:
    """The least an object has."""
    world.put("k", TEN)
    got, _ = both(world, make_request(key="k"))
    assert got.status == 200
    assert got.body == TEN
    assert got.fields == (
        ("Last-Modified", "Tue, 24 Nov 2026 04:12:43 GMT"),
        ("ETag", f'"md5-of-{TEN.hex()}"'),
        ("Accept-Ranges", "bytes"),
        ("Content-Type", "binary/octet-stream"),
    )
    assert closed == ["k"]
    assert ("alice", "GetObject", "b", "k") in world.asked
    assert ("alice", "HeadObject", "b", "k") in world.asked


def test_botocore_understands(world: Any, make_request: Any, parsed: Any) -> None:
    """Everything that was put, through the eyes of a client."""
    world.put(
        "k",
        TEN,
        system={"content-type": "a/b", "content-encoding": "gzip", "cache-control": "no-cache"},
        metadata={"meta1": "bar", "empty": ""},
        tags=(("a", "1"), ("b", "2")),
    )
    got, head = both(world, make_request(key="k"))
    for operation, answer in (("GetObject", got), ("HeadObject", head)):
        found = parsed(operation, answer)
        assert found["ContentType"] == "a/b"
        assert found["ContentEncoding"] == "gzip"
        assert found["CacheControl"] == "no-cache"
        assert found["Metadata"] == {"meta1": "bar", "empty": ""}
        assert found["TagCount"] == 2
        assert found["AcceptRanges"] == "bytes"
        assert found["LastModified"].isoformat() == "2026-11-24T04:12:43+00:00"
    assert parsed("HeadObject", head)["ContentLength"] == 10


def test_empty_object(world: Any, make_request: Any) -> None:
    """200, nothing, and no range of it."""
    world.put("k")
    got, head = both(world, make_request(key="k"))
    assert (got.status, got.body) == (200, b"")
    assert dict(head.fields)["Content-Length"] == "0"
    both_raise(world, make_request(key="k", headers={"range": "bytes=0-"}), InvalidRange)


def test_inline_or_slice(world: Any, make_request: Any, closed: list[str]) -> None:
    """Small bodies are read at once; of others the reader stays open for the sender."""
    world.put("small", b"x" * INLINE_BYTES)
    world.put("large", b"x" * (INLINE_BYTES + 1))
    assert world.perform(GET, make_request(key="small")).body == b"x" * INLINE_BYTES
    assert closed == ["small"]
    body = world.perform(GET, make_request(key="large")).body
    assert isinstance(body, Slice)
    assert (body.offset, body.length) == (0, INLINE_BYTES + 1)
    assert closed == ["small"]
    ranged = make_request(key="large", headers={"range": "bytes=2-3"})
    assert world.perform(GET, ranged).body == b"xx"
    assert closed == ["small", "large"]


@pytest.mark.parametrize(
    ("value", "content", "content_range"),
    [
        ("bytes=2-4", b"234", "bytes 2-4/10"),
        ("bytes=7-", b"789", "bytes 7-9/10"),
        ("bytes=-3", b"789", "bytes 7-9/10"),
        ("bytes=-100", TEN, "bytes 0-9/10"),
        ("bytes=8-99", b"89", "bytes 8-9/10"),
        ("bytes=0-0", b"0", "bytes 0-0/10"),
        ("bytes=4-2", TEN, None),
        ("bytes=0-1,4-5", TEN, None),
        ("abc", TEN, None),
        ("", TEN, None),
    ],
)
def test_range(
    world: Any, make_request: Any, value: str, content: bytes, content_range: str | None
) -> None:
    """206 with the piece, or 200 with everything."""
    world.put("k", TEN)
    got, _ = both(world, make_request(key="k", headers={"range": value}))
    assert got.body == content
    assert got.status == (206 if content_range else 200)
    assert dict(got.fields).get("Content-Range") == content_range


def test_range_of_a_large_object(world: Any, make_request: Any, read_body: Any) -> None:
    """A slice with its offset."""
    content = bytes(range(256)) * 1024
    world.put("k", content)
    answer = world.perform(GET, make_request(key="k", headers={"range": "bytes=1000-200999"}))
    assert (answer.body.offset, answer.body.length) == (1000, 200_000)
    assert read_body(answer) == content[1000:201000]


def test_unsatisfiable_range(world: Any, make_request: Any, closed: list[str]) -> None:
    """416, and the reader is closed."""
    world.put("k", TEN)
    error = both_raise(world, make_request(key="k", headers={"range": "bytes=40-50"}), InvalidRange)
    assert isinstance(error, S3Error)
    assert error.headers == {"Content-Range": "bytes */10"}
    assert closed == ["k"]


def test_if_range(world: Any, make_request: Any) -> None:
    """A range of another version is the whole of this one."""
    etag = world.put("k", TEN).etag
    for value, status in ((f'"{etag}"', 206), ('"other"', 200)):
        headers = {"range": "bytes=0-1", "if-range": value}
        assert both(world, make_request(key="k", headers=headers))[0].status == status
    headers = {"range": "bytes=99-", "if-range": '"other"'}
    assert world.perform(GET, make_request(key="k", headers=headers)).body == TEN


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("if-match", '"other"', PreconditionFailed),
        ("if-none-match", "*", NotModified),
        ("if-modified-since", "Sat, 29 Oct 2094 19:43:31 GMT", NotModified),
        ("if-unmodified-since", "Sat, 29 Oct 1994 19:43:31 GMT", PreconditionFailed),
    ],
)
def test_conditions(
    world: Any, make_request: Any, closed: list[str], name: str, value: str, kind: type[Exception]
) -> None:
    """They come before the range, and leave nothing open."""
    etag = world.put("k", TEN, system={"cache-control": "no-cache"}).etag
    request = make_request(key="k", headers={name: value, "range": "bytes=99-"})
    error = both_raise(world, request, kind)
    assert closed == ["k"]
    if isinstance(error, NotModified):
        assert error.headers["ETag"] == f'"{etag}"'
        assert error.headers["Cache-Control"] == "no-cache"


def test_conditions_that_hold(world: Any, make_request: Any) -> None:
    """Go on."""
    etag = world.put("k", TEN).etag
    headers = {"if-match": f'"{etag}"', "if-modified-since": "Sat, 29 Oct 1994 19:43:31 GMT"}
    assert both(world, make_request(key="k", headers=headers))[0].body == TEN


SHA256S = (
    "arcu6553sHVAiX4MjW0j7I7vD4w6R+Gz9Ok0Q9lTa+0=",
    "275VF5loJr1YYawit0XSHREhkFXYkkPKGuoK0x9VKxI=",
)


def multipart(world: Any, sizes: tuple[int, ...], *sums: str) -> bytes:
    """The object ``k`` made of parts of these sizes, and with these checksums if there are any."""
    uploads = world.store.uploads
    wanted = ("SHA256", "COMPOSITE") if sums else ()
    upload = uploads.create("b", "k", world.put("other").attributes, "alice-id", *wanted)
    whole, parts = b"", []
    for number, size in enumerate(sizes, 1):
        content = bytes([64 + number]) * size
        writer = uploads.write_part("b", "k", upload.upload_id, number, size)
        writer.write([content])
        checksum = Checksum("SHA256", sums[number - 1]) if sums else None
        parts.append((number, writer.commit(f"{number:032x}", checksum).etag))
        whole += content
    uploads.complete("b", "k", upload.upload_id, parts)
    return whole


def test_part_numbers(world: Any, make_request: Any, parsed: Any) -> None:
    """Each part is a range; the count is told with it, and not without."""
    whole = multipart(world, (4, 3, 2))
    for number, (first, last) in enumerate(((0, 3), (4, 6), (7, 8)), 1):
        got, head = both(world, make_request(key="k", query={"partNumber": str(number)}))
        assert got.status == 206
        assert got.body == whole[first : last + 1]
        assert dict(got.fields)["Content-Range"] == f"bytes {first}-{last}/9"
        assert parsed("HeadObject", head)["PartsCount"] == 3
        assert parsed("GetObject", got)["PartsCount"] == 3
    error = both_raise(world, make_request(key="k", query={"partNumber": "4"}), InvalidPartNumber)
    assert isinstance(error, S3Error)
    assert (error.status, error.detail["ActualPartCount"]) == (416, "3")
    got, _ = both(world, make_request(key="k"))
    assert "x-amz-mp-parts-count" not in dict(got.fields)


def test_part_of_a_plain_object(world: Any, make_request: Any) -> None:
    """It is its own only part, and has no count."""
    world.put("k", TEN)
    got, _ = both(world, make_request(key="k", query={"partNumber": "1"}))
    assert (got.status, got.body) == (206, TEN)
    assert "x-amz-mp-parts-count" not in dict(got.fields)
    both_raise(world, make_request(key="k", query={"partNumber": "2"}), InvalidPartNumber)


def test_empty_part(world: Any, make_request: Any) -> None:
    """There is no Content-Range for nothing."""
    world.put("k")
    got, _ = both(world, make_request(key="k", query={"partNumber": "1"}))
    assert (got.status, got.body) == (200, b"")
    assert "Content-Range" not in dict(got.fields)


@pytest.mark.parametrize("text", ["", "0", "-1", "10001", "abc", "1.5", "+1", "\u0661", "9" * 5000])
def test_no_part_number(make_request: Any, text: str) -> None:
    """Refused by the head alone."""
    with pytest.raises(InvalidArgument):
        parse(make_request(key="k", query={"partNumber": text}))


def test_part_and_range(make_request: Any) -> None:
    """Not both."""
    with pytest.raises(InvalidRequest):
        parse(make_request(key="k", query={"partNumber": "1"}, headers={"range": "bytes=0-"}))


def test_overrides(world: Any, make_request: Any) -> None:
    """All six."""
    world.put("k", TEN, system={"content-type": "a/b", "expires": "never"})
    query = {
        "response-cache-control": "no-cache",
        "response-content-disposition": "bla",
        "response-content-encoding": "aaa",
        "response-content-language": "esperanto",
        "response-content-type": "foo/bar",
        "response-expires": "123",
    }
    fields = dict(both(world, make_request(key="k", query=query))[0].fields)
    for name, value in query.items():
        spelling = "-".join(word.capitalize() for word in name.split("-")[1:])
        assert fields[spelling] == value


def test_override_cannot_split_the_answer(make_request: Any) -> None:
    """CR and LF are refused."""
    with pytest.raises(InvalidArgument):
        parse(make_request(key="k", query={"response-content-type": "a\r\nSet-Cookie: b"}))


def test_directories(world: Any, make_request: Any, closed: list[str]) -> None:
    """One personality knows them, the other does not; what was put is an object in both."""
    world.put("implicit/below")
    world.put("put/")
    both_raise(world, make_request(key="implicit/"), NoSuchKey)
    assert closed == ["implicit/"]
    both(world, make_request(key="put/"))
    for key in ("implicit/", "put/"):
        got, _ = both(world, make_request(key=key, personality=Personality.ALLUXIO))
        assert (got.status, got.body) == (200, b"")
        assert dict(got.fields)["Content-Type"] == "application/octet-stream"
        assert dict(got.fields)["ETag"]
    request = make_request(key="implicit", personality=Personality.ALLUXIO)
    both_raise(world, request, NoSuchKey)


def test_missing(world: Any, make_request: Any) -> None:
    """Bucket, key, permission."""
    both_raise(world, make_request(bucket="none", key="k"), NoSuchBucket)
    both_raise(world, make_request(key="none"), NoSuchKey)
    both_raise(world, make_request(key="secret"), AccessDenied)


def test_customer_key_is_refused(make_request: Any) -> None:
    """Nothing here was ever encrypted with one."""
    with pytest.raises(S3Error) as caught:
        parse(
            make_request(
                key="k", headers={"x-amz-server-side-encryption-customer-algorithm": "AES256"}
            )
        )
    assert caught.value.code == "NotImplemented"


def test_content_that_is_gone(
    world: Any, make_request: Any, closed: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that somebody cut after it was opened gives no short answer."""
    world.put("k", TEN)

    def short(reader: IReader, offset: int, size: int) -> bytes:
        return b"012"

    monkeypatch.setattr(MemoryReader, "read", short)
    with pytest.raises(Unavailable):
        world.perform(GET, make_request(key="k"))
    assert closed == ["k"]


def test_actions() -> None:
    """Names as in the reference."""
    assert [action.name for action in ACTIONS] == ["GetObject", "HeadObject"]
    assert all(isinstance(action, Action) for action in ACTIONS)


def test_nothing_is_sent_of_a_foreign_record(world: Any, make_request: Any) -> None:
    """A record that another program wrote cannot inject fields."""
    world.put("k", TEN, metadata={"a": "b\r\nSet-Cookie: c"}, system={"content-type": "a\nb"})
    got, _ = both(world, make_request(key="k"))
    fields = dict(got.fields)
    assert fields["x-amz-missing-meta"] == "1"
    assert fields["Content-Type"] == "binary/octet-stream"


@pytest.mark.parametrize(("failures", "served"), [(1, True), (4, True), (5, False)])
def test_a_small_object_that_another_node_replaces_is_read_anew(
    world: Any,
    make_request: Any,
    monkeypatch: pytest.MonkeyPatch,
    closed: list[str],
    failures: int,
    served: bool,
) -> None:
    world.put("key", TEN)
    left = [failures]
    read = MemoryReader.read

    def stale(reader: Any, offset: int, size: int) -> bytes:
        if left[0]:
            left[0] -= 1
            raise Replaced("gone")
        return read(reader, offset, size)

    monkeypatch.setattr(MemoryReader, "read", stale)
    if served:
        assert world.perform(GET, make_request(key="key")).body == TEN
    else:
        with pytest.raises(Replaced):
            world.perform(GET, make_request(key="key"))
    assert left == [0]
    assert len(closed) == failures + served


@pytest.mark.parametrize("action", ACTIONS, ids=["get", "head"])
@pytest.mark.parametrize(
    ("part", "shown"),
    [
        (None, "4kkel4jq6VoklUtweznZoJOLSlk5JCYU5hovHH3cc6w=-2"),
        ("1", SHA256S[0]),
        ("2", SHA256S[1]),
    ],
)
@pytest.mark.parametrize("mode", ["ENABLED", None])
def test_checksum_of_a_part(
    world: Any, make_request: Any, action: Any, part: str | None, shown: str, mode: str | None
) -> None:
    """With the type of the object's own, which says how that was made."""
    multipart(world, (5, 4), *SHA256S)
    request = make_request(
        key="k",
        headers={} if mode is None else {"x-amz-checksum-mode": mode},
        query={} if part is None else {"partNumber": part},
    )
    answer = world.perform(action, request)
    found = {name: value for name, value in answer.fields if "checksum" in name}
    expected = {"x-amz-checksum-sha256": shown, "x-amz-checksum-type": "COMPOSITE"}
    assert found == ({} if mode is None else expected)
    assert (("x-amz-mp-parts-count", "2") in answer.fields) is (part is not None)


@pytest.mark.parametrize("action", ACTIONS, ids=["get", "head"])
def test_no_checksum_of_a_part(world: Any, make_request: Any, action: Any) -> None:
    """Not all parts of an earlier version have one, and then the object has none either."""
    multipart(world, (5, 4))
    request = make_request(
        key="k", headers={"x-amz-checksum-mode": "ENABLED"}, query={"partNumber": "1"}
    )
    assert not [n for n, _ in world.perform(action, request).fields if "checksum" in n]


@pytest.mark.parametrize("action", ACTIONS, ids=["get", "head"])
@pytest.mark.parametrize(
    ("headers", "query", "given"),
    [
        ({"x-amz-checksum-mode": "ENABLED"}, {}, True),
        ({"x-amz-checksum-mode": "enabled"}, {}, True),
        ({"x-amz-checksum-mode": "ENABLED"}, {"partNumber": "1"}, True),
        ({}, {}, False),
        ({"x-amz-checksum-mode": "DISABLED"}, {}, False),
        ({"x-amz-checksum-mode": "ENABLED", "range": "bytes=0-2"}, {}, False),
        ({"x-amz-checksum-mode": "ENABLED", "range": "bytes=0-8"}, {}, False),
        ({"x-amz-checksum-mode": "ENABLED", "range": "bytes=0-2", "if-range": '"no"'}, {}, True),
    ],
)
def test_checksum(
    world: Any, make_request: Any, action: Any, headers: Any, query: Any, given: bool
) -> None:
    """When it is asked for, and is that of what comes."""
    writer = world.store.objects.create("b", "k", Attributes(), world.caller.id)
    writer.write([b"123456789"])
    writer.commit("etag", Checksum("CRC32", "y/Q5Jg=="))
    answer = world.perform(action, make_request(key="k", headers=headers, query=query))
    found = {name: value for name, value in answer.fields if "checksum" in name}
    expected = {"x-amz-checksum-crc32": "y/Q5Jg==", "x-amz-checksum-type": "FULL_OBJECT"}
    assert found == (expected if given else {})


@pytest.mark.parametrize(
    "checksum",
    [
        None,
        Checksum("CRC32", "AAAA\r\nx-evil: 1"),
        Checksum("CRC32", ""),
        Checksum("CRC16", "AAA="),
        Checksum("crc32\r\n", "AAAAAA=="),
    ],
)
def test_what_is_no_checksum_is_not_sent(world: Any, make_request: Any, checksum: Any) -> None:
    """Whatever somebody wrote into a record."""
    writer = world.store.objects.create("b", "k", Attributes(), world.caller.id)
    writer.commit("etag", checksum)
    request = make_request(key="k", headers={"x-amz-checksum-mode": "ENABLED"})
    answer = world.perform(ACTIONS[0], request)
    assert not [name for name, _ in answer.fields if "checksum" in name or "evil" in name]
