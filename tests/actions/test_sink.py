"""The sink of objects and parts."""

from __future__ import annotations

import base64
import hashlib
import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.actions.base import Answer
from s3daemon.actions.sink import (
    MAX_OBJECT,
    MAX_PART,
    ExpectedBody,
    ObjectSink,
    PartSink,
    expected_body,
)
from s3daemon.store.interfaces import Checksum, ObjectExists, ObjectInfo, OutOfSpace
from s3daemon.wire import checksums
from s3daemon.wire.checksums import ALGORITHMS, Algorithm
from s3daemon.wire.errors import (
    BadDigest,
    EntityTooLarge,
    IncompleteBody,
    InvalidDigest,
    InvalidRequest,
    MalformedTrailerError,
    MissingContentLength,
    S3Error,
    XAmzContentSHA256Mismatch,
)
from s3daemon.wire.integrity import Announced
from s3daemon.wire.message import Payload, S3Request


class Writer:
    """A writer that remembers what it was told."""

    def __init__(self, fail_write: bool = False, fail_commit: bool = False) -> None:
        self.content = b""
        self.calls: list[str] = []
        self.fail_write, self.fail_commit = fail_write, fail_commit
        self.checksum: Checksum | None = None

    def write(self, data: Sequence[bytes]) -> None:
        """Append."""
        if self.fail_write:
            raise OutOfSpace
        self.content += b"".join(data)

    def commit(self, etag: str, checksum: Checksum | None = None) -> ObjectInfo:
        """Publish."""
        self.calls.append("commit " + etag)
        self.checksum = checksum
        if self.fail_commit:
            raise ObjectExists
        return ObjectInfo("k", len(self.content), 0, etag)

    def abort(self) -> None:
        """Forget."""
        self.calls.append("abort")


def md5(content: bytes) -> str:
    """Hex."""
    return hashlib.md5(content).hexdigest()


def sink_of(writer: Any, body: ExpectedBody) -> ObjectSink:
    """A sink."""
    return ObjectSink(writer, body)


@given(st.lists(st.binary(max_size=50), max_size=8))
def test_good(pieces: list[bytes]) -> None:
    """In any cut: written, hashed, published once, answered with the quoted ETag."""
    content = b"".join(pieces)
    writer = Writer()
    sink = sink_of(writer, ExpectedBody(len(content), hashlib.md5(content).digest()))
    for piece in pieces:
        sink.write([piece])
    assert sink.finish() == Answer(200, (("ETag", f'"{md5(content)}"'),))
    assert writer.content == content
    assert writer.calls == ["commit " + md5(content)]


@pytest.mark.parametrize("sent", [b"", b"ab"])
def test_short_body(sent: bytes) -> None:
    """Is never an object."""
    writer = Writer()
    sink = sink_of(writer, ExpectedBody(3))
    sink.write([sent])
    with pytest.raises(IncompleteBody):
        sink.finish()
    assert writer.calls == ["abort"]


def test_long_body() -> None:
    """Is refused as soon as it is too long, and nothing of it is written."""
    writer = Writer()
    sink = sink_of(writer, ExpectedBody(3))
    sink.write([b"abc"])
    with pytest.raises(IncompleteBody):
        sink.write([b"d"])
    assert writer.calls == ["abort"]
    assert writer.content == b"abc"


def test_wrong_digest() -> None:
    """The old object must stay."""
    writer = Writer()
    sink = sink_of(writer, ExpectedBody(3, b"\0" * 16))
    sink.write([b"abc"])
    with pytest.raises(BadDigest):
        sink.finish()
    assert writer.calls == ["abort"]


def test_store_fails() -> None:
    """What the store says passes through, and nothing stays open."""
    writer = Writer(fail_write=True)
    with pytest.raises(OutOfSpace):
        sink_of(writer, ExpectedBody(3)).write([b"abc"])
    assert writer.calls == ["abort"]
    writer = Writer(fail_commit=True)
    with pytest.raises(ObjectExists):
        sink_of(writer, ExpectedBody(0)).finish()
    assert writer.calls == ["commit " + md5(b""), "abort"]


def test_abort() -> None:
    """At any time."""
    writer = Writer()
    sink = sink_of(writer, ExpectedBody(3))
    sink.write([b"ab"])
    sink.abort()
    sink.abort()
    assert writer.calls == ["abort", "abort"]


# -- the announcement ------------------------------------------------------------------


def put(length: int | None, **fields: str) -> S3Request:
    """A head; ``_`` stands for ``-``."""
    headers = {k.replace("_", "-"): v for k, v in fields.items()}
    return S3Request("PUT", "b", "k", headers=headers, length=length)


def test_expected_body() -> None:
    """Length and digest."""
    digest = hashlib.md5(b"x").digest()
    text = base64.b64encode(digest).decode()
    assert expected_body(put(7), MAX_OBJECT) == ExpectedBody(7)
    assert expected_body(put(1, content_md5=text), MAX_OBJECT) == ExpectedBody(1, digest)
    assert expected_body(put(0, x_amz_checksum_crc32="AAAAAA=="), MAX_OBJECT) == ExpectedBody(
        0, checksum=Announced(ALGORITHMS["CRC32"], bytes(4))
    )
    signed = attrs.evolve(put(0), payload=Payload(b"h" * 32))
    assert expected_body(signed, MAX_OBJECT) == ExpectedBody(0, sha256=b"h" * 32)


@pytest.mark.parametrize(
    ("request_", "kind", "status"),
    [
        (put(None), MissingContentLength, 411),
        (put(MAX_OBJECT + 1), EntityTooLarge, 400),
        (put(3, content_md5=""), InvalidDigest, 400),
        (put(3, x_amz_checksum_crc32="wrong"), InvalidRequest, 400),
    ],
)
def test_refused_by_its_head(request_: S3Request, kind: type[S3Error], status: int) -> None:
    """Before any byte is asked for."""
    with pytest.raises(kind) as caught:
        expected_body(request_, MAX_OBJECT)
    assert caught.value.status == status


def test_limits_are_inclusive() -> None:
    """The largest object and the largest part are allowed."""
    assert expected_body(put(MAX_OBJECT), MAX_OBJECT).length == 5 * 2**40
    assert expected_body(put(MAX_PART), MAX_PART).length == 5 * 2**30
    with pytest.raises(EntityTooLarge) as caught:
        expected_body(put(MAX_PART + 1), MAX_PART)
    assert caught.value.detail["MaxSizeAllowed"] == str(MAX_PART)


# -- aws-chunked ---------------------------------------------------------------------------

CHUNKS = b"5\r\nhello\r\n6\r\n world\r\n0\r\n"
TRAILER = CHUNKS + b"x-amz-checksum-crc32:DUoRhQ==\r\n\r\n"


def chunked(length: int) -> S3Request:
    """The head of an upload as today's SDKs send it."""
    return S3Request(
        "PUT",
        "b",
        "k",
        headers={
            "x-amz-content-sha256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
            "content-encoding": "aws-chunked",
            "x-amz-decoded-content-length": str(length),
            "x-amz-trailer": "x-amz-checksum-crc32",
        },
        length=length,
        chunked_body=True,
    )


@given(st.lists(st.integers(0, len(TRAILER)), max_size=6).map(sorted))
def test_aws_chunked(cuts: list[int]) -> None:
    """Only the content is written and hashed, however the body is cut."""
    writer = Writer()
    sink = sink_of(writer, expected_body(chunked(11), MAX_OBJECT))
    bounds = [0, *cuts, len(TRAILER)]
    for first, last in itertools.pairwise(bounds):
        sink.write([TRAILER[first:last]])
    assert sink.finish() == Answer(200, (("ETag", f'"{md5(b"hello world")}"'),))
    assert writer.content == b"hello world"


@pytest.mark.parametrize(
    ("length", "body"),
    [
        (12, TRAILER),
        (10, TRAILER),
        (11, TRAILER[:-2]),
        (11, b"5\r\nhello\r\n"),
        (5, b"5\r\nhello"),
        (5, b"hello"),
        (0, b""),
    ],
)
def test_broken_aws_chunked(length: int, body: bytes) -> None:
    """Never becomes an object."""
    writer = Writer()
    sink = sink_of(writer, expected_body(chunked(length), MAX_OBJECT))

    def upload() -> None:
        sink.write([body])
        sink.finish()

    with pytest.raises(S3Error) as caught:
        upload()
    assert caught.value.status == 400
    assert writer.calls == ["abort"]


def test_aws_chunked_needs_its_length() -> None:
    """Content-Length counts the framing too."""
    with pytest.raises(MissingContentLength):
        expected_body(attrs.evolve(chunked(1), length=None), MAX_OBJECT)


def test_a_chunked_body_of_unknown_length_is_taken_up_to_the_largest() -> None:
    """Its end is the last chunk's; what is too long is refused when it is."""
    expected = expected_body(put(None, transfer_encoding="chunked"), 5)
    assert expected.length is None
    writer = Writer()
    sink = sink_of(writer, expected)
    sink.write([b"abc"])
    sink.write([b"de"])
    assert sink.finish().status == 200
    assert writer.content == b"abcde"
    writer = Writer()
    with pytest.raises(EntityTooLarge):
        sink_of(writer, expected).write([b"abcdef"])
    assert writer.calls == ["abort"]


# -- the signed hash, and checksums ----------------------------------------------------------

SHA256 = hashlib.sha256(b"hello world").digest()
CRC32 = ALGORITHMS["CRC32"]


def aside(call: Callable[[], None]) -> Callable[[], None]:
    """A thread for each call."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            call()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def wait() -> None:
        thread.join()
        if failed:
            raise failed[0]

    return wait


def upload(sink: ObjectSink, *pieces: bytes) -> Answer:
    """All of a body."""
    sink.write(pieces)
    return sink.finish()


def test_signed_hash() -> None:
    """Is that of the body, or there is no object."""
    writer = Writer()
    upload(sink_of(writer, ExpectedBody(11, sha256=SHA256)), b"hello ", b"world")
    assert writer.content == b"hello world"
    writer = Writer()
    with pytest.raises(XAmzContentSHA256Mismatch):
        upload(sink_of(writer, ExpectedBody(11, sha256=SHA256)), b"hello", b"-world")
    assert writer.calls == ["abort"]


def test_signed_hash_of_a_coded_body() -> None:
    """Content-Encoding: aws-chunked with a hash: it is of what travels."""
    request = attrs.evolve(chunked(11), payload=Payload(hashlib.sha256(TRAILER).digest()))
    writer = Writer()
    upload(sink_of(writer, expected_body(request, MAX_OBJECT)), TRAILER[:9], TRAILER[9:])
    assert writer.content == b"hello world"
    request = attrs.evolve(chunked(11), payload=Payload(SHA256))
    with pytest.raises(XAmzContentSHA256Mismatch):
        upload(sink_of(Writer(), expected_body(request, MAX_OBJECT)), TRAILER)


@pytest.mark.parametrize("name", [name for name, found in ALGORITHMS.items() if found.make])
@pytest.mark.parametrize("size", [0, 11, 300_000])
@pytest.mark.parametrize("threads", [None, aside])
def test_checksums(name: str, size: int, threads: Any) -> None:
    """Compared, kept, answered; for small and large bodies, here and aside."""
    content = b"x" * size
    hasher = checksums.hasher(name)
    hasher.update(content)
    algorithm, value = ALGORITHMS[name], checksums.encode(hasher.digest())
    body = ExpectedBody(
        size,
        hashlib.md5(content).digest(),
        sha256=hashlib.sha256(content).digest(),
        checksum=Announced(algorithm, hasher.digest()),
    )
    writer = Writer()
    sink = ObjectSink(writer, body, algorithm, threads)
    sink.write([content[:200_000]])
    answer = upload(sink, content[200_000:])
    assert answer.fields == (
        ("ETag", f'"{md5(content)}"'),
        (algorithm.header, value),
        ("x-amz-checksum-type", "FULL_OBJECT"),
    )
    assert writer.content == content
    assert writer.checksum == Checksum(name, value)

    wrong = attrs.evolve(body, checksum=Announced(algorithm, b"?" * algorithm.size))
    writer = Writer()
    with pytest.raises(BadDigest, match=name):
        upload(ObjectSink(writer, wrong, algorithm, threads), content)
    assert writer.calls == ["abort"]


@pytest.mark.parametrize(
    ("kept", "answered", "shown"),
    [
        (CRC32, CRC32, ["x-amz-checksum-crc32"]),
        (CRC32, None, []),
        (CRC32, ALGORITHMS["SHA1"], ["x-amz-checksum-sha1"]),
        (None, None, []),
    ],
)
def test_the_checksum_of_a_part_has_no_type(
    kept: Algorithm | None, answered: Algorithm | None, shown: list[str]
) -> None:
    """S3 answers UploadPart without; and what is answered need not be what is kept."""
    writer = Writer()
    digest = hashlib.sha1(b"123456789").digest()
    body = ExpectedBody(9, checksum=Announced(ALGORITHMS["SHA1"], digest))
    answer = upload(PartSink(writer, body, kept, answered), b"123456789")
    assert [name for name, _ in answer.fields] == ["ETag", *shown]
    assert writer.checksum == (None if kept is None else Checksum("CRC32", "y/Q5Jg=="))


def test_a_checksum_that_nobody_announced() -> None:
    """Is computed when the action wants one."""
    writer = Writer()
    upload(ObjectSink(writer, ExpectedBody(9), CRC32), b"123456789")
    assert writer.checksum == Checksum("CRC32", "y/Q5Jg==")


def test_one_that_was_announced_and_is_not_kept() -> None:
    """Is compared all the same."""
    body = ExpectedBody(3, checksum=Announced(ALGORITHMS["SHA1"], bytes(20)))
    with pytest.raises(BadDigest, match="SHA1"):
        upload(ObjectSink(Writer(), body, CRC32), b"abc")


@pytest.mark.parametrize("threads", [None, aside])
def test_the_store_fails_while_the_digest_is_made(threads: Any) -> None:
    """Nothing is left running, and the store's error is what is said."""
    writer = Writer(fail_write=True)
    with pytest.raises(OutOfSpace):
        upload(ObjectSink(writer, ExpectedBody(300_000), CRC32, threads), bytes(300_000))
    assert writer.calls == ["abort"]


def test_a_digest_fails_aside() -> None:
    """The upload does."""

    def broken(call: Callable[[], None]) -> Callable[[], None]:
        def wait() -> None:
            raise MemoryError

        return wait

    writer = Writer()
    with pytest.raises(MemoryError):
        upload(ObjectSink(writer, ExpectedBody(300_000), None, broken), bytes(300_000))
    assert writer.calls == ["abort"]


@pytest.mark.parametrize(
    ("trailers", "kind"),
    [
        (b"x-amz-checksum-crc32:AAAAAA==\r\n\r\n", BadDigest),
        (b"x-amz-checksum-crc32:AAAA\r\n\r\n", InvalidRequest),
        (b"x-amz-checksum-crc32c:DUoRhQ==\r\n\r\n", MalformedTrailerError),
        (b"x-amz-checksum-crc32:DUoRhQ==\r\nx-other:1\r\n\r\n", MalformedTrailerError),
        (b"\r\n", MalformedTrailerError),
    ],
)
def test_wrong_trailers(trailers: bytes, kind: type[S3Error]) -> None:
    """Never become an object."""
    writer = Writer()
    with pytest.raises(kind):
        upload(sink_of(writer, expected_body(chunked(11), MAX_OBJECT)), CHUNKS + trailers)
    assert writer.calls == ["abort"]


def test_trailers_that_nobody_announced() -> None:
    """Are refused, and none at all is fine."""
    request = chunked(11)
    silent = {name: value for name, value in request.headers.items() if name != "x-amz-trailer"}
    request = attrs.evolve(request, headers=silent)
    with pytest.raises(MalformedTrailerError):
        upload(sink_of(Writer(), expected_body(request, MAX_OBJECT)), TRAILER)
    writer = Writer()
    upload(sink_of(writer, expected_body(request, MAX_OBJECT)), CHUNKS + b"\r\n")
    assert writer.content == b"hello world"
