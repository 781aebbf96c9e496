"""Whole requests as text, read as the gateway reads them: a request line, fields, no end needed."""

from __future__ import annotations

from s3daemon.wire.errors import S3Error
from s3daemon.wire.http1 import Head, HeadError, parse_head
from s3daemon.wire.message import Personality, S3Request
from s3daemon.wire.target import Endpoint, request_from

ENDPOINTS = (Endpoint("/api/v1/s3", Personality.ALLUXIO), Endpoint("", Personality.AWS))
DOMAINS = ("s3.test", "test")


def read(data: bytes) -> tuple[Head, S3Request] | str:
    """The request, or the word for what refused it.

    Line feeds alone end lines here, so that seeds are easy to write, and a Host is there.
    """
    text = b"\r\n".join(data.replace(b"\r\n", b"\n").split(b"\n"))
    if b"\nhost:" not in data.lower():
        line, _, rest = text.partition(b"\r\n")
        text = line + b"\r\nHost: h\r\n" + rest
    try:
        head = parse_head(text.rstrip(b"\r\n") + b"\r\n\r\n")
    except HeadError as error:
        return f"no head {error.status}"
    try:
        request = request_from(
            head.method, head.target, head.fields, ENDPOINTS, DOMAINS, length=head.length
        )
    except S3Error as error:
        return f"no request {error.code}"
    return head, request


def field(name: bytes, data: bytes) -> S3Request | str:
    """A PUT with one field more, or the word for what refused it."""
    found = read(b"PUT /bucket/key HTTP/1.1\n" + name + b": " + data.replace(b"\n", b" "))
    return found if isinstance(found, str) else found[1]


#: What requests are made of.
WORDS = (
    *(b"GET ", b"PUT ", b"POST ", b"DELETE ", b"HEAD ", b" HTTP/1.1\n", b"/bucket/key", b"?acl"),
    *(b"?uploads", b"&uploadId=", b"&partNumber=", b"?list-type=2", b"&prefix=", b"&delimiter=/"),
    *(b"&encoding-type=url", b"&max-keys=", b"&marker=", b"&start-after=", b"&versionId=null"),
    *(b"&continuation-token=", b"&response-content-type=", b"?tagging", b"?versioning", b"?delete"),
    *(b"\nHost: b.s3.test", b"\nContent-Length: 5", b"\nTransfer-Encoding: chunked", b"\nRange: "),
    *(b"\nx-amz-copy-source: /b/k", b"\nx-amz-meta-a: b", b"\nx-amz-tagging: a=b", b"bytes=0-1"),
    *(b"\nIf-Match: ", b"\nIf-None-Match: *", b"\nIf-Modified-Since: ", b"\nContent-MD5: "),
    *(b"\nx-amz-checksum-crc32: ", b"\nx-amz-acl: private", b"\nExpect: 100-continue"),
    *(b"\nx-amz-content-sha256: UNSIGNED-PAYLOAD", b"\nx-amz-decoded-content-length: 1"),
    *(b"\nContent-Encoding: aws-chunked", b"http://h/", b"/api/v1/s3/", b"Mon, 01 Jan 2024 "),
)
