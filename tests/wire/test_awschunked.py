"""aws-chunked bodies: one answer however they are cut, and no framing that is taken on trust."""

from __future__ import annotations

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import awschunked, errors
from s3daemon.wire.awschunked import Decoder
from s3daemon.wire.message import Payload, S3Request

SIG = b"0123456789abcdef" * 4
END = b"0;chunk-signature=" + SIG + b"\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x;chunk-signature=%s\r\n%s\r\n" % (len(data), SIG, data)


def run(decoder: Decoder, body: bytes, step: int = 1 << 20) -> bytes:
    got = []
    for start in range(0, len(body), step):
        got += decoder.feed(body[start : start + step])
    decoder.finish()
    return b"".join(got)


#: (body, signed, trailer, content, trailers)
GOOD = [
    (END, True, False, b"", {}),
    (chunk(b"hello") + END, True, False, b"hello", {}),
    (chunk(b"he\r\n") + chunk(b"0\r\n\r\n") + END, True, False, b"he\r\n0\r\n\r\n", {}),
    (chunk(b"x" * 70000) + chunk(b"y") + END, True, False, b"x" * 70000 + b"y", {}),
    (b"0000A;chunk-signature=" + SIG + b"\r\n0123456789\r\n" + END, True, False, b"0123456789", {}),
    (b"5\r\nhello\r\n0\r\n\r\n", False, True, b"hello", {}),
    (b"5;x=y;z\r\nhello\r\n0;a\r\n\r\n", False, False, b"hello", {}),
    (
        b"5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
        False,
        True,
        b"hello",
        {"x-amz-checksum-crc32": "NhCmhg=="},
    ),
    (
        b"0\r\nX-Amz-Checksum-CRC32C: \tyZRlqg== \n\r\nb:\r\nc:a:b\r\n\r\n",
        False,
        True,
        b"",
        {"x-amz-checksum-crc32c": "yZRlqg==", "b": "", "c": "a:b"},
    ),
    (
        chunk(b"hi")
        + END[:-2]
        + b"x-amz-checksum-sha1:eA==\r\nx-amz-trailer-signature:"
        + SIG
        + b"\r\n\r\n",
        True,
        True,
        b"hi",
        {"x-amz-checksum-sha1": "eA=="},
    ),
]


@pytest.mark.parametrize("step", [1 << 20, 1, 2, 3, 7, 4096])
@pytest.mark.parametrize(("body", "signed", "trailer", "content", "trailers"), GOOD)
def test_good_bodies(body, signed, trailer, content, trailers, step):
    decoder = Decoder(len(content), signed, trailer)
    assert run(decoder, body, step) == content
    assert decoder.trailers == trailers


@pytest.mark.parametrize(("body", "signed", "trailer", "content", "trailers"), GOOD)
def test_every_cut_is_incomplete(body, signed, trailer, content, trailers):
    for stop in [*range(min(len(body), 200)), *range(max(0, len(body) - 200), len(body))]:
        with pytest.raises(errors.IncompleteBody):
            run(Decoder(len(content), signed, trailer), body[:stop])


@pytest.mark.parametrize("announced", [4, 6, 0, 1 << 60])
def test_not_the_announced_length(announced):
    for step in (1, 1 << 20):
        with pytest.raises(errors.IncompleteBody):
            run(Decoder(announced, True, False), chunk(b"hello") + END, step)


def test_more_than_announced_is_refused_before_any_of_it_is_given():
    decoder = Decoder(4, False, False)
    with pytest.raises(errors.IncompleteBody):
        decoder.feed(b"5\r\n")


BAD_SIGNED = [
    b"5\r\nhello\r\n",
    b"5;chunk-signature=\r\nhello\r\n",
    b"5;chunk-signature=" + SIG[1:] + b"\r\nhello\r\n",
    b"5;chunk-signature=" + SIG + b"0\r\nhello\r\n",
    b"5;chunk-signature=" + b"g" * 64 + b"\r\nhello\r\n",
    b"5;chunk-signature=" + SIG + b";x\r\nhello\r\n",
    b"5; chunk-signature=" + SIG + b"\r\nhello\r\n",
    b"5;Chunk-Signature=" + SIG + b"\r\nhello\r\n",
]
BAD_UNSIGNED = [
    b"\r\n",
    b"hello\r\n",
    b" 5\r\nhello\r\n",
    b"5 \r\nhello\r\n",
    b"+5\r\nhello\r\n",
    b"-5\r\nhello\r\n",
    b"0x5\r\nhello\r\n",
    b"5_0\r\nhello\r\n",
    b"00000000000000005\r\nhello\r\n",
    b"5\nhello\r\n",
    b"5\rhello\r\n",
    b"5\r\nhello0\r\n",
    b"5\r\nhello\n0\r\n",
    b"5\r\nhello\r0\r\n",
    b"5;\x00\r\nhello\r\n",
    b"5\r\nhello\r\n0\r\n\r\nx",
    b"5\r\nhello\r\n0\r\n\r\n\r\n",
    b"5\r\nhello\r\n0\r\n\r\n0\r\n\r\n",
    b"5;" + b"x" * 5000,
    b"5;" + b"x" * 5000 + b"\r\nhello\r\n",
]
BAD_TRAILERS = [
    b"5\r\nhello\r\n0\r\na:" + b"x" * 5000,
    b"5\r\nhello\r\n0\r\na\r\n\r\n",
    b"5\r\nhello\r\n0\r\na b:c\r\n\r\n",
    b"5\r\nhello\r\n0\r\n:c\r\n\r\n",
    b"5\r\nhello\r\n0\r\na:b\nc:d\r\n\r\n",
    b"5\r\nhello\r\n0\r\na:\x00\r\n\r\n",
    b"5\r\nhello\r\n0\r\na:\xff\r\n\r\n",
    b"5\r\nhello\r\n0\r\na:1\r\nA:2\r\n\r\n",
    b"5\r\nhello\r\n0\r\n" + b"".join(b"a%d:\r\n" % n for n in range(33)) + b"\r\n",
]


@pytest.mark.parametrize("step", [1, 1 << 20])
@pytest.mark.parametrize(
    ("body", "signed"),
    [*((body, True) for body in BAD_SIGNED), *((body, False) for body in BAD_UNSIGNED)],
)
def test_bad_framing(body, signed, step):
    decoder = Decoder(5, signed, not signed)
    with pytest.raises(errors.IncompleteBody):
        run(decoder, body, step)


@pytest.mark.parametrize("step", [1, 1 << 20])
@pytest.mark.parametrize("body", BAD_TRAILERS)
def test_bad_trailers(body, step):
    with pytest.raises(errors.MalformedTrailerError):
        run(Decoder(5, False, True), body, step)


def test_a_trailer_that_the_form_has_no_room_for():
    with pytest.raises(errors.MalformedTrailerError):
        run(Decoder(5, True, False), chunk(b"hello") + END[:-2] + b"a:b\r\n\r\n", 1 << 20)


@pytest.mark.parametrize(
    "tail",
    [
        b"\r\n",
        b"a:b\r\n\r\n",
        b"x-amz-trailer-signature:00\r\n\r\n",
        b"x-amz-trailer-signature:" + SIG + b"\r\na:b\r\n\r\n",
        b"x-amz-trailer-signature:" + SIG + b"\r\nx-amz-trailer-signature:" + SIG + b"\r\n\r\n",
    ],
)
def test_trailers_of_a_signed_body_have_to_be_signed(tail):
    with pytest.raises(errors.MalformedTrailerError):
        run(Decoder(0, True, True), END[:-2] + tail)


@pytest.mark.parametrize("tail", [b"X", b"\n", b"\rX"])
def test_a_chunk_that_does_not_end_is_refused_at_once(tail):
    with pytest.raises(errors.IncompleteBody):
        Decoder(9, False, False).feed(b"5\r\nhello" + tail)


def test_bytes_that_are_all_content_are_not_copied():
    decoder = Decoder(1 << 20, False, False)
    decoder.feed(b"100000\r\n")
    received = b"x" * 65536
    (piece,) = decoder.feed(received)
    assert piece is received


class Recorder:
    """A verifier that writes down what it is told."""

    def __init__(self) -> None:
        self.told = []

    def begin(self, signature):
        self.told.append(signature)

    def data(self, piece):
        self.told.append(piece)

    def end(self):
        self.told.append("end")

    def trailers(self, fields, signature):
        self.told.append((dict(fields), signature))


def test_what_a_verifier_is_told():
    other = b"f" * 64
    body = (
        b"3;chunk-signature=%s\r\nabc\r\n0;chunk-signature=%s\r\na:b\r\n"
        b"x-amz-trailer-signature:%s\r\n\r\n" % (SIG, other, SIG)
    )
    verifier = Recorder()
    run(Decoder(3, True, True, verifier), body)
    sig = SIG.decode()
    assert verifier.told == [sig, b"abc", "end", other.decode(), "end", ({"a": "b"}, sig)]


def head(sha256="", length: int | None = 5, chunked=True) -> S3Request:
    headers = {"x-amz-content-sha256": sha256} if sha256 else {}
    return S3Request("PUT", "b", "k", headers=headers, length=length, chunked_body=chunked)


def test_a_plain_body_has_no_decoder():
    assert awschunked.decoder_for(head(chunked=False)) is None


@pytest.mark.parametrize(
    ("sha256", "body"),
    [
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", chunk(b"hello") + END),
        (
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
            chunk(b"hello") + END[:-2] + b"x-amz-trailer-signature:" + SIG + b"\r\n\r\n",
        ),
        ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", b"5\r\nhello\r\n0\r\na:b\r\n\r\n"),
        ("UNSIGNED-PAYLOAD", b"5\r\nhello\r\n0\r\n\r\n"),
        ("", chunk(b"hello") + END),
    ],
)
def test_each_form_has_its_decoder(sha256, body):
    verifier = Recorder()
    request = attrs.evolve(head(sha256), payload=Payload(verifier=lambda: verifier))
    decoder = awschunked.decoder_for(request)
    assert decoder is not None
    assert run(decoder, body) == b"hello"
    assert bool(verifier.told) is ("HMAC" in sha256)


@pytest.mark.parametrize(
    ("sha256", "length", "error"),
    [
        ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", None, errors.MissingContentLength),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", 5, errors.NotImplemented),
        ("STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER", 5, errors.NotImplemented),
        ("STREAMING-", 5, errors.InvalidArgument),
        ("STREAMING-UNSIGNED-PAYLOAD", 5, errors.InvalidArgument),
    ],
)
def test_bodies_that_cannot_be_read(sha256, length, error):
    with pytest.raises(error):
        awschunked.decoder_for(head(sha256, length))


@pytest.mark.parametrize(
    ("coding", "left"),
    [
        ("", ""),
        ("aws-chunked", ""),
        ("gzip", "gzip"),
        ("aws-chunked,gzip", "gzip"),
        ("gzip, aws-chunked", "gzip"),
        ("deflate, gzip", "deflate, gzip"),
        ("AWS-Chunked , aws-chunked", ""),
        ("x-aws-chunked", "x-aws-chunked"),
    ],
)
def test_strip_aws_chunked(coding, left):
    assert awschunked.strip_aws_chunked(coding) == left


@given(
    st.lists(st.binary(min_size=1, max_size=50), max_size=6),
    st.booleans(),
    st.lists(st.integers(1, 40), min_size=1, max_size=20),
)
def test_any_cut_gives_the_content(chunks, signed, cuts):
    if signed:
        body = b"".join(map(chunk, chunks)) + END
    else:
        body = b"".join(b"%X\r\n%s\r\n" % (len(c), c) for c in chunks) + b"0\r\na: b\r\n\r\n"
    content = b"".join(chunks)
    decoder = Decoder(len(content), signed, not signed)
    got, position = [], 0
    while position < len(body):
        step = cuts[position % len(cuts)]
        got += decoder.feed(body[position : position + step])
        position += step
    decoder.finish()
    assert b"".join(got) == content


@given(
    st.lists(
        st.sampled_from([b"5", b"0", b"\r\n", b"\r", b"\n", b"hello", b";", b":", b"a", SIG])
        | st.binary(max_size=3),
        max_size=12,
    ).map(b"".join),
    st.booleans(),
    st.booleans(),
)
def test_garbage_ends_the_same_way_at_once_and_byte_by_byte(body, signed, trailer):
    outcomes = []
    for step in (1 << 20, 1):
        try:
            outcomes.append(run(Decoder(5, signed, trailer), body, step))
        except (errors.MalformedTrailerError, errors.IncompleteBody) as error:
            outcomes.append(type(error))
    assert outcomes[0] == outcomes[1]
