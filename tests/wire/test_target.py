"""Raw targets to buckets and keys: nothing is cleaned, nothing is decoded twice."""

from __future__ import annotations

from urllib.parse import quote, quote_from_bytes, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import errors, target
from s3daemon.wire.message import Personality, S3Request
from s3daemon.wire.target import Endpoint

ENDPOINTS = (Endpoint("/", Personality.AWS), Endpoint("/api/v1/s3", Personality.ALLUXIO))

keys = st.text(min_size=1, max_size=40).filter(lambda key: "\0" not in key)


def request(raw: bytes, *fields: tuple[bytes, bytes], **more) -> S3Request:
    more.setdefault("endpoints", ENDPOINTS)
    return target.request_from(b"GET", raw, fields, **more)


@pytest.mark.parametrize(
    ("raw", "bucket", "key"),
    [
        (b"/", "", ""),
        (b"/b", "b", ""),
        (b"/b/", "b", ""),
        (b"/b/k", "b", "k"),
        (b"/b/k/", "b", "k/"),
        (b"/b//k", "b", "/k"),
        (b"/b//", "b", "/"),
        (b"/b/a//b///", "b", "a//b///"),
        (b"/b/./a/../c", "b", "./a/../c"),
        (b"/b/..", "b", ".."),
        (b"/b/%2e%2E/%2Fx", "b", "..//x"),
        (b"/b/a+b", "b", "a+b"),
        (b"/b/a%2Bb%20c", "b", "a+b c"),
        (b"/b/100%25", "b", "100%"),
        (b"/b/%2541", "b", "%41"),
        (b"/b/q%3Fm?x=1", "b", "q?m"),
        (b"/b/caf%C3%A9", "b", "caf\xe9"),
        (b"/b/caf\xc3\xa9", "b", "caf\xe9"),
        (b"/b/a;b=c:d@e", "b", "a;b=c:d@e"),
        (b"/b/%0A%01", "b", "\n\x01"),
        (b"/sub:dir:b/k", "sub:dir:b", "k"),
        (b"/sub%3Adir/k", "sub:dir", "k"),
        (b"/%62/k", "b", "k"),
        (b"http://h:1/b/k", "b", "k"),
        (b"HTTPS://h", "", ""),
        (b"http://h?x", "", ""),
        (b"http://h/b?x=/y", "b", ""),
    ],
)
def test_path_style(raw, bucket, key):
    got = request(raw)
    assert (got.bucket, got.key) == (bucket, key)
    assert got.resource == ("/" + bucket + ("/" + key if key else "") if bucket else "/")


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"*", errors.InvalidURI),
        (b"", errors.InvalidURI),
        (b"b/k", errors.InvalidURI),
        (b"http:///b", errors.InvalidURI),
        (b"/b/%", errors.InvalidURI),
        (b"/b/%4", errors.InvalidURI),
        (b"/b/%zz", errors.InvalidURI),
        (b"/%G0/k", errors.InvalidURI),
        (b"/b/%ff", errors.InvalidURI),
        (b"/b/\xff", errors.InvalidURI),
        (b"/b/%ed%b2%80", errors.InvalidURI),  # a surrogate
        (b"/b/%c0%af", errors.InvalidURI),  # an overlong slash
        (b"/b?prefix=%", errors.InvalidURI),
        (b"/b?%ff", errors.InvalidURI),
        (b"/b?prefix=\xff", errors.InvalidURI),
        (b"/b/a%00b", errors.InvalidArgument),
        (b"/b/a\0b", errors.InvalidArgument),
        (b"//", errors.InvalidBucketName),
        (b"//k", errors.InvalidBucketName),
        (b"/api/v1/s3//k", errors.InvalidBucketName),
        (b"/b%2Fc/k", errors.InvalidBucketName),
        (b"/b%00/k", errors.InvalidBucketName),
        (b"/b/" + b"k" * 1025, errors.KeyTooLongError),
        (b"/b/" + b"%C3%A9" * 512 + b"k", errors.KeyTooLongError),
    ],
)
def test_refused(raw, error):
    with pytest.raises(error):
        request(raw)


@pytest.mark.parametrize("raw_key", [b"k" * 1024, b"%C3%A9" * 512, b"%6b" * 1024])
def test_the_longest_key(raw_key):
    assert len(request(b"/b/" + raw_key).key.encode()) == 1024


@pytest.mark.parametrize(
    ("raw", "base", "bucket", "key"),
    [
        (b"/api/v1/s3", "/api/v1/s3", "", ""),
        (b"/api/v1/s3/", "/api/v1/s3", "", ""),
        (b"/api/v1/s3?x-id=L", "/api/v1/s3", "", ""),
        (b"/api/v1/s3/b/k", "/api/v1/s3", "b", "k"),
        (b"/api/v1/s3/b//k", "/api/v1/s3", "b", "/k"),
        (b"/api/v1/s3x/k", "", "api", "v1/s3x/k"),
        (b"/api/v1", "", "api", "v1"),
        (b"/API/v1/s3/b", "", "API", "v1/s3/b"),
        (b"/api%2Fv1/s3/b", None, None, None),
    ],
)
def test_the_longest_base_wins(raw, base, bucket, key):
    if base is None:
        with pytest.raises(errors.InvalidBucketName):
            request(raw)
        return
    for endpoints in (ENDPOINTS, ENDPOINTS[::-1]):
        got = request(raw, endpoints=endpoints)
        assert (got.base, got.bucket, got.key) == (base, bucket, key)
        assert got.personality is (Personality.ALLUXIO if base else Personality.AWS)


def test_outside_of_every_endpoint():
    with pytest.raises(errors.InvalidURI):
        request(b"/b/k", endpoints=ENDPOINTS[1:])


def test_endpoints():
    assert Endpoint("/", Personality.AWS) == Endpoint("", Personality.AWS)
    assert Endpoint("/s3/", Personality.AWS).base == "/s3"
    with pytest.raises(ValueError, match="slash"):
        Endpoint("s3", Personality.AWS)


@pytest.mark.parametrize(
    ("host", "raw", "bucket", "key"),
    [
        (b"b.s3.test", b"/k", "b", "k"),
        (b"b.s3.test:39999", b"/", "b", ""),
        (b"B.S3.Test", b"//k", "b", "/k"),
        (b"b.s3.test.", b"/k", "b", "k"),
        (b"my.dots.s3.test", b"/a/b", "my.dots", "a/b"),
        (b"b.eu.s3.test", b"/k", "b", "k"),
        (b"b.s3.test", b"/api/v1/s3/k", "b", "api/v1/s3/k"),
        (b"s3.test", b"/b/k", "b", "k"),
        (b"xs3.test", b"/b/k", "b", "k"),
        (b"[::1]:80", b"/b/k", "b", "k"),
        (b"[::1]", b"/b/k", "b", "k"),
        (b"", b"/b/k", "b", "k"),
        (b"other", b"http://b.s3.test/k", "b", "k"),
        (b"b.s3.test", b"http://other/c/k", "c", "k"),
    ],
)
def test_virtual_host_style(host, raw, bucket, key):
    got = request(raw, (b"host", host), domains=("s3.test", "eu.s3.test"))
    assert (got.bucket, got.key, got.base) == (bucket, key, "")


def test_virtual_host_style_without_an_endpoint_at_the_root():
    got = request(
        b"/api/v1/s3/k", (b"host", b"b.s3.test"), domains=("s3.test",), endpoints=ENDPOINTS[1:]
    )
    assert (got.bucket, got.key, got.base) == ("b", "k", "/api/v1/s3")


@pytest.mark.parametrize(
    ("raw", "query"),
    [
        (b"?", {}),
        (b"?&&", {}),
        (b"?=", {}),
        (b"?acl", {"acl": ""}),
        (b"?acl=", {"acl": ""}),
        (b"?a=1&a=2&b", {"a": "1", "b": ""}),
        (b"?prefix=a+b%2Bc%26d&x=%3D=", {"prefix": "a b+c&d", "x": "=="}),
        (b"?a+b=1", {"a b": "1"}),
        (b"?pre%66ix=x&%61=", {"prefix": "x", "a": ""}),
        (b"?prefix=a/b?c", {"prefix": "a/b?c"}),
        (b"?a=1;b=2", {"a": "1;b=2"}),
        (b"?prefix=caf\xc3\xa9", {"prefix": "caf\xe9"}),
        (b"?prefix=%2525", {"prefix": "%25"}),
    ],
)
def test_query(raw, query):
    assert request(b"/b" + raw).query == query


def test_split_keeps_what_was_sent():
    assert target.split(b"/a%2Fb//c?x=%20+&y?z") == (b"/a%2Fb//c", b"x=%20+&y?z")
    assert target.split(b"http://h/a//%41?q") == (b"/a//%41", b"q")
    assert target.split(b"http://h") == (b"/", b"")


def test_headers():
    got = request(
        b"/b",
        (b"Host", b"h:1"),
        (b"x-amz-meta-a", b"1"),
        (b"X-Amz-Meta-A", b"2"),
        (b"x-amz-meta-b", "é".encode()),
        (b"x-amz-meta-c", b"\xe9"),
    )
    assert got.headers == {
        "host": "h:1",
        "x-amz-meta-a": "1,2",
        "x-amz-meta-b": "é",
        "x-amz-meta-c": "\udce9",
    }
    assert got.host == "h:1"


def test_fields_in_the_query_of_a_presigned_url_are_read_as_fields():
    got = request(
        b"/b/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=0&x-amz-meta-a=q&X-Amz-Acl=private"
        b"&x%2Damz%2Dserver-side-encryption=aws:kms",
        (b"x-amz-acl", b"public-read"),
    )
    assert got.headers == {
        "x-amz-acl": "public-read",
        "x-amz-meta-a": "q",
        "x-amz-server-side-encryption": "aws:kms",
    }


def test_a_checksum_in_the_query_is_none_of_the_body():
    """Who signs a URL has no body; an SDK puts the checksum of no bytes into it all the same."""
    got = request(
        b"/b/k?X-Amz-Signature=0&x-amz-checksum-crc32=AAAAAA%3D%3D&X-Amz-Checksum-Sha256=x"
        b"&x-amz-sdk-checksum-algorithm=CRC32&x-amz-checksum-mode=ENABLED"
        b"&x-amz-checksum-type=COMPOSITE&x-amz-checksum-algorithm=CRC32",
        (b"x-amz-checksum-sha1", b"y"),
    )
    assert got.headers == {
        "x-amz-checksum-sha1": "y",
        "x-amz-checksum-mode": "ENABLED",
        "x-amz-checksum-type": "COMPOSITE",
        "x-amz-checksum-algorithm": "CRC32",
    }


def test_method_and_transport():
    got = target.request_from(b"PUT", b"/b/k", [], ENDPOINTS, secure=True, length=5)
    assert (got.method, got.secure, got.length, got.chunked_body) == ("PUT", True, 5, False)
    assert request(b"/b").length is None


STREAMING = (b"x-amz-content-sha256", b"STREAMING-UNSIGNED-PAYLOAD-TRAILER")
CODING = (b"content-encoding", b"gzip, AWS-Chunked")
DECODED = (b"x-amz-decoded-content-length", b"11")


@pytest.mark.parametrize(
    ("fields", "length", "chunked"),
    [
        ([], 99, False),
        ([DECODED], 99, False),
        ([CODING], 99, False),  # a name that the client passes on; the body is as it is
        ([STREAMING], None, True),
        ([STREAMING, DECODED], 11, True),
        ([CODING, DECODED], 11, True),
        ([(b"x-amz-content-sha256", b"UNSIGNED-PAYLOAD")], 99, False),
    ],
)
def test_the_decoded_length(fields, length, chunked):
    got = request(b"/b/k", *fields, length=99)
    assert (got.length, got.chunked_body) == (length, chunked)


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b"1.0", b"0x1", b"1,1", b"1" * 19, b"\xb2"])
def test_a_decoded_length_that_is_none(value):
    with pytest.raises(errors.InvalidArgument):
        request(b"/b/k", STREAMING, (b"x-amz-decoded-content-length", value))


@given(keys, st.sampled_from(["", "/", "/~", "/+"]))
def test_any_key_comes_back_however_it_was_escaped(key, safe):
    raw = quote(key, safe=safe).encode()
    everything = b"".join(b"%%%02x" % byte for byte in key.encode())
    assert request(b"/b/" + raw).key == request(b"/b/" + everything).key == key


@given(keys, keys)
def test_any_parameter_comes_back(name, value):
    assert request(b"/b?" + urlencode({name: value}).encode()).query == {name: value}


@given(st.binary(max_size=40))
def test_two_keys_never_alias(raw):
    """Escaping what was decoded gives back what was sent, up to the spelling of escapes."""
    try:
        key = request(b"/b/" + quote_from_bytes(raw, safe="/").encode()).key
    except errors.S3Error:
        assert b"\0" in raw or not _is_utf8(raw)
    else:
        assert key.encode() == raw


def _is_utf8(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True


@given(st.binary(max_size=60))
def test_garbage_is_read_or_refused(raw):
    try:
        request(b"/" + raw)
    except errors.S3Error:
        pass
