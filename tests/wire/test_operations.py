"""THE table: what each request asks for, and that nothing runs by accident."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.wire import errors
from s3daemon.wire.message import S3Request
from s3daemon.wire.operations import OPERATIONS, Operation, match
from s3daemon.wire.unsupported import UNSUPPORTED

READS = ("GET", "HEAD")
WRITES = ("PUT", "POST", "DELETE", "PATCH", "OPTIONS")
PLACES = {"service": ("", ""), "bucket": ("b", ""), "object": ("b", "k")}


def ask(method: str, place: str, query: str = "", headers: dict[str, str] | None = None) -> str:
    bucket, key = PLACES[place]
    pairs = [pair.partition("=") for pair in query.split("&") if pair]
    return match(
        S3Request(method, bucket, key, {name: value for name, _, value in pairs}, headers or {})
    )


COPY = {"x-amz-copy-source": "/b/k"}


@pytest.mark.parametrize(
    ("method", "place", "query", "headers", "name"),
    [
        ("GET", "service", "", None, "ListBuckets"),
        ("GET", "service", "prefix=a&max-buckets=2&continuation-token=", None, "ListBuckets"),
        ("PUT", "bucket", "", None, "CreateBucket"),
        ("HEAD", "bucket", "", None, "HeadBucket"),
        ("DELETE", "bucket", "", None, "DeleteBucket"),
        ("GET", "bucket", "location", None, "GetBucketLocation"),
        ("PUT", "bucket", "tagging", None, "PutBucketTagging"),
        ("GET", "bucket", "tagging=", None, "GetBucketTagging"),
        ("DELETE", "bucket", "tagging", None, "DeleteBucketTagging"),
        ("GET", "bucket", "", None, "ListObjects"),
        ("GET", "bucket", "prefix=&delimiter=/&marker=a&max-keys=1", None, "ListObjects"),
        ("GET", "bucket", "list-type=2", None, "ListObjectsV2"),
        (
            "GET",
            "bucket",
            "list-type=2&prefix=&start-after=&fetch-owner=true",
            None,
            "ListObjectsV2",
        ),
        ("GET", "bucket", "versions", None, "ListObjectVersions"),
        (
            "GET",
            "bucket",
            "versions&key-marker=a&version-id-marker=null",
            None,
            "ListObjectVersions",
        ),
        ("GET", "bucket", "versioning", None, "GetBucketVersioning"),
        ("GET", "bucket", "acl", None, "GetBucketAcl"),
        ("PUT", "bucket", "acl", None, "PutBucketAcl"),
        ("GET", "object", "acl&versionId=null", None, "GetObjectAcl"),
        ("PUT", "object", "acl", COPY, "PutObjectAcl"),
        ("POST", "bucket", "delete", None, "DeleteObjects"),
        ("GET", "bucket", "uploads", None, "ListMultipartUploads"),
        ("GET", "bucket", "uploads&prefix=a&key-marker=", None, "ListMultipartUploads"),
        ("PUT", "object", "", None, "PutObject"),
        ("PUT", "object", "", COPY, "CopyObject"),
        ("GET", "object", "", None, "GetObject"),
        ("GET", "object", "", COPY, "GetObject"),
        ("GET", "object", "response-content-type=a&versionId=null", None, "GetObject"),
        ("GET", "object", "partNumber=1", None, "GetObject"),
        ("HEAD", "object", "", None, "HeadObject"),
        ("HEAD", "object", "partNumber=1", None, "HeadObject"),
        ("DELETE", "object", "", None, "DeleteObject"),
        ("DELETE", "object", "versionId=null", None, "DeleteObject"),
        ("PUT", "object", "tagging", None, "PutObjectTagging"),
        ("PUT", "object", "tagging", COPY, "PutObjectTagging"),
        ("GET", "object", "tagging&versionId=null", None, "GetObjectTagging"),
        ("DELETE", "object", "tagging", None, "DeleteObjectTagging"),
        ("POST", "object", "uploads", None, "CreateMultipartUpload"),
        ("PUT", "object", "partNumber=1&uploadId=u", None, "UploadPart"),
        ("PUT", "object", "uploadId=u&partNumber=1", COPY, "UploadPartCopy"),
        ("GET", "object", "uploadId=u&max-parts=1", None, "ListParts"),
        ("POST", "object", "uploadId=u", None, "CompleteMultipartUpload"),
        ("DELETE", "object", "uploadId=u", None, "AbortMultipartUpload"),
        # what a signature or a client adds changes nothing
        ("PUT", "object", "x-id=PutObject", None, "PutObject"),
        ("GET", "object", "x-id=", None, "GetObject"),
        (
            "DELETE",
            "bucket",
            "X-Amz-Algorithm=a&X-Amz-Security-Token=&x-amz-date=d",
            None,
            "DeleteBucket",
        ),
        ("PUT", "object", "AWSAccessKeyId=a&Signature=s&Expires=1", None, "PutObject"),
        # unknown parameters with a value are none of a reader's business
        ("GET", "bucket", "allow-unordered=true&marker=x&list-type=2", None, "ListObjectsV2"),
        ("GET", "object", "cache-buster=17", None, "GetObject"),
        ("HEAD", "bucket", "max-keys=0", None, "HeadBucket"),
        ("HEAD", "bucket", "list-type=2", None, "HeadBucket"),
    ],
)
def test_match(method, place, query, headers, name):
    assert ask(method, place, query, headers) == name


@pytest.mark.parametrize("row", OPERATIONS, ids=lambda row: row.name)
def test_every_row_is_reachable_with_all_it_reads(row: Operation):
    extras = [f"{name}=null" for name in sorted(row.optional)]
    query = "&".join([*row.required, *extras])
    headers = {row.header: "/b/k"} if row.header else {}
    assert ask(row.method, row.scope, query, headers) == row.name


def test_names_are_unique():
    names = [row.name for row in OPERATIONS]
    assert len(set(names)) == len(names) == 33


@pytest.mark.parametrize("name", sorted(UNSUPPORTED))
def test_a_sub_resource_that_we_do_not_have_runs_nothing(name):
    for method in (*READS, *WRITES):
        for place in PLACES:
            for query in (name, f"{name}=1", f"prefix=a&{name}", f"tagging&{name}"):
                with pytest.raises(errors.NotImplemented):
                    ask(method, place, query)


@pytest.mark.parametrize(
    ("method", "place", "query"),
    [
        # bare names, as sub-resources of tomorrow are written
        *(
            (method, place, "somethingNew")
            for method, place in [
                ("GET", "service"),
                ("PUT", "bucket"),
                ("DELETE", "bucket"),
                ("GET", "bucket"),
                ("HEAD", "bucket"),
                ("PUT", "object"),
                ("GET", "object"),
                ("DELETE", "object"),
            ]
        ),
        ("GET", "bucket", "list-type=2&somethingNew="),
        # names with a value, where something would change
        ("PUT", "bucket", "id=x"),
        ("DELETE", "bucket", "force=true"),
        ("PUT", "object", "append=1"),
        ("PUT", "object", "x-append=1"),
        ("DELETE", "object", "prefix=a"),
        ("POST", "bucket", "delete&x=1"),
        ("PUT", "object", "response-content-type=a"),
        ("PUT", "bucket", "list-type=2"),
        ("DELETE", "object", "partNumber=1"),
        # what selects elsewhere
        ("GET", "object", "location"),
        ("GET", "object", "location=x"),
        ("GET", "bucket", "uploadId=u"),
        ("GET", "service", "tagging=1"),
        ("PUT", "object", "delete"),
        ("GET", "object", "versions"),
        ("GET", "object", "versioning"),
        ("GET", "service", "acl"),
        # what S3 has beside what is here
        ("PUT", "bucket", "versioning"),
        ("PUT", "bucket", "versioning&acl"),
        # versions
        ("GET", "object", "acl&versionId=abc"),
        ("GET", "object", "versionId=abc"),
        ("DELETE", "object", "versionId=NULL"),
        ("PUT", "object", "versionId=abc"),
        ("PUT", "object", "versionId=null"),
        ("GET", "bucket", "versionId=abc"),
        # forms
        ("POST", "bucket", ""),
        ("POST", "bucket", "x-id=PostObject"),
        # names are case-sensitive, and so a miss is unknown
        ("GET", "bucket", "Tagging"),
        ("DELETE", "bucket", "TAGGING"),
        ("PUT", "object", "signature=x"),
    ],
)
def test_not_implemented(method, place, query):
    with pytest.raises(errors.NotImplemented):
        ask(method, place, query)


@pytest.mark.parametrize(
    ("method", "place", "query", "allow"),
    [
        ("PUT", "service", "", "GET"),
        ("DELETE", "service", "", "GET"),
        ("HEAD", "service", "", "GET"),
        ("POST", "service", "", "GET"),
        ("DELETE", "service", "prefix=a", "GET"),
        ("PATCH", "bucket", "", "DELETE, GET, HEAD, PUT"),
        ("POST", "object", "", "DELETE, GET, HEAD, PUT"),
        ("OPTIONS", "object", "", "DELETE, GET, HEAD, PUT"),
        ("get", "object", "", "DELETE, GET, HEAD, PUT"),
        ("POST", "bucket", "tagging", "DELETE, GET, PUT"),
        ("HEAD", "object", "tagging", "DELETE, GET, PUT"),
        ("GET", "bucket", "delete", "POST"),
        ("DELETE", "bucket", "delete", "POST"),
        ("DELETE", "bucket", "location", "GET"),
        ("DELETE", "bucket", "acl", "GET, PUT"),
        ("DELETE", "object", "acl", "GET, PUT"),
        ("DELETE", "bucket", "versioning", "GET"),
        ("DELETE", "bucket", "versions", "GET"),
        ("PUT", "bucket", "uploads", "GET"),
        ("GET", "object", "uploads", "POST"),
        ("DELETE", "object", "uploads", "POST"),
        ("HEAD", "object", "uploadId=u", "DELETE, GET, POST"),
    ],
)
def test_method_not_allowed(method, place, query, allow):
    with pytest.raises(errors.MethodNotAllowed) as caught:
        ask(method, place, query)
    assert caught.value.headers == {"Allow": allow}


@pytest.mark.parametrize(
    ("method", "place", "query"),
    [
        ("PUT", "object", "partNumber=1"),
        ("PUT", "object", "uploadId=u"),
        ("PUT", "object", "partNumber=1&uploadId=u&tagging"),
        ("GET", "bucket", "tagging&location"),
        ("DELETE", "object", "tagging&uploadId=u"),
        ("GET", "bucket", "list-type=1"),
        ("GET", "bucket", "list-type="),
        ("GET", "bucket", "list-type=2&uploads"),
        ("GET", "bucket", "list-type=2&versions"),
        ("GET", "bucket", "versions&acl"),
        ("GET", "object", "versionId="),
        ("DELETE", "object", "versionId"),
    ],
)
def test_contradictions(method, place, query):
    with pytest.raises(errors.InvalidArgument) as caught:
        ask(method, place, query)
    assert caught.value.detail["ArgumentName"]


names = st.sampled_from(
    sorted({r.partition("=")[0] for o in OPERATIONS for r in (*o.required, *o.optional)})
) | st.text(max_size=8)


@given(
    st.sampled_from([*READS, "PUT", "POST", "DELETE"]),
    st.sampled_from(sorted(PLACES)),
    st.dictionaries(names, st.sampled_from(["", "1", "2", "null"]), max_size=4),
)
def test_whatever_is_asked_what_runs_was_asked_for(method, place, query):
    """A match has the method and place of the request, and all of its own selectors; what changes
    anything has no parameter that it does not read."""
    try:
        name = match(S3Request(method, *PLACES[place], query))
    except errors.S3Error:
        return
    (row,) = (row for row in OPERATIONS if row.name == name)
    assert (row.method, row.scope) == (method, place)
    selectors = {required.partition("=")[0] for required in row.required}
    assert selectors <= query.keys()
    rest = {n for n in query.keys() - selectors - row.optional if n[:6].lower() != "x-amz-"}
    if method not in READS:
        assert rest <= {"x-id", "AWSAccessKeyId", "Signature", "Expires"}
    assert all(query[n] or n in ("x-id", "AWSAccessKeyId", "Signature", "Expires") for n in rest)
