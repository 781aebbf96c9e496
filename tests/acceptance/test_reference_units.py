"""Acceptance items 48-50, 52: range arithmetic, the user in the header, documents, signatures.

Item 51, the arithmetic of the rate limit, is tests/streams/test_rate.py.
"""

from __future__ import annotations

import pytest

from tests.acceptance.conftest import texts, tree

BODY = b"0123456789"


@pytest.mark.parametrize(
    ("asked", "content_range", "body"),
    [
        ("bytes=2-4", "bytes 2-4/10", b"234"),
        ("bytes=0-0", "bytes 0-0/10", b"0"),
        ("bytes=7-", "bytes 7-9/10", b"789"),
        ("bytes=-3", "bytes 7-9/10", b"789"),
        ("bytes=-100", "bytes 0-9/10", BODY),
        ("bytes=8-99", "bytes 8-9/10", b"89"),
        ("bytes=0-99999999999999999999999", "bytes 0-9/10", BODY),
    ],
)
def test_48_ranges(api, asked, content_range, body):
    api.bucket("b")
    api.put("b", "k", BODY)
    got = api.ok("GET", "b", "k", status=206, headers={"Range": asked})
    assert got.headers["content-range"] == content_range
    assert got.body == body
    head = api.ok("HEAD", "b", "k", status=206, headers={"Range": asked})
    assert head.headers["content-length"] == str(len(body))


@pytest.mark.parametrize("asked", ["bytes=10-", "bytes=10-12", "bytes=99-100", "bytes=-0"])
def test_48_a_start_beyond_the_end_is_416(api, asked):
    api.bucket("b")
    api.put("b", "k", BODY)
    got = api.refused(416, "InvalidRange", "GET", "b", "k", headers={"Range": asked})
    assert got.headers["content-range"] == "bytes */10"


@pytest.mark.parametrize("asked", ["bytes=4-2", "bytes=0-1,4-5", "abc", "items=0-1", ""])
def test_48_other_ranges_are_ignored(api, asked):
    api.bucket("b")
    api.put("b", "k", BODY)
    assert api.get("b", "k", headers={"Range": asked}) == BODY


@pytest.mark.parametrize(
    "header",
    [
        "AWS4-HMAC-SHA256 Credential=noslash, SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=/20260101/us-east-1/s3/aws4_request, Signature=00",
        "Bearer token",
        "",
    ],
)
def test_49_headers_without_a_user(api, header):
    api.refused(400, "AuthorizationHeaderMalformed", "GET", headers={"Authorization": header})


@pytest.mark.parametrize(
    "header",
    [
        "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request,"
        " SignedHeaders=host, Signature=00",
        "AWS4-HMAC-SHA256 Credential=test/... SignedHeaders=... Signature=...",
    ],
    ids=["full", "documentation"],
)
def test_49_the_user_is_the_access_key(api, header):
    api.bucket("tests", user="test")
    got = api.ok("GET", headers={"Authorization": header})
    assert texts(got.body, "Buckets/Bucket/Name") == ["tests"]
    assert texts(got.body, "Owner/ID") == ["test"]


def test_50_delete_objects_documents(api):
    api.bucket("b")
    body = (
        b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a</Key></Object>'
        b"<Object><Key>b</Key></Object><Quiet>false</Quiet></Delete>"
    )
    got = api.ok("POST", "b", query="delete", body=body)
    assert tree(got.body) == (
        "DeleteResult",
        [("Deleted", [("Key", "a")]), ("Deleted", [("Key", "b")])],
    )


def test_52_a_presigned_query_names_its_user(api):
    api.bucket("b")
    api.put("b", "k", b"x")
    query = (
        "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=testuser%2F20260101%2Fus-east-1%2Fs3"
        "%2Faws4_request&X-Amz-Date=20260101T000000Z&X-Amz-Expires=300&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=00"
    )
    assert api.get("b", "k", user=None, query=query) == b"x"
    api.refused(
        403, "AccessDenied", "GET", "b", "k", user=None, query=query.replace("testuser", "other")
    )
