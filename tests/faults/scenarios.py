"""Every action of S3, with what is there before it: requests, as they come over the wire."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping

import attrs

from s3daemon.store.interfaces import Attributes, IStore
from tests.store.tools import begin, put, put_part
from tests.support.inmemory import Response, Wire

OWNER = "alice"
AUTHORIZATION = (
    f"AWS4-HMAC-SHA256 Credential={OWNER}/20260101/us-east-1/s3/aws4_request,"
    " SignedHeaders=host, Signature=00"
)
SMALL = Attributes({"content-type": "text/plain"}, {"m": "1"})
#: Too long for an extended attribute of these stores, so that there is a spill file.
LONG = Attributes(metadata={"m": "v" * 1500})
#: More than is read with the head, so that it is sent from the file.
LARGE = b"0123456789abcdef" * 8192
TAGGING = "<Tagging><TagSet><Tag><Key>k</Key><Value>v</Value></Tag></TagSet></Tagging>"
PART = b"p" * 16


@attrs.frozen
class Found:
    """What a scenario's requests are made of: ids that are known only when it is set."""

    upload_id: str = ""
    etags: tuple[str, ...] = ()


@attrs.frozen
class Request:
    """One request.

    :ivar path: path and query; ``{id}`` stands for the upload's id.
    """

    method: str
    path: str
    headers: Mapping[str, str] = {}
    body: str | bytes = b""

    def filled(self, found: Found) -> Request:
        """The same with the ids that it stands for."""
        body = self.body
        if isinstance(body, str):
            body = _filled(body, found).encode()
        headers = {"Authorization": AUTHORIZATION, **self.headers}
        return Request(self.method, _filled(self.path, found), headers, body)

    @property
    def bytes(self) -> bytes:
        """The body."""
        return self.body if isinstance(self.body, bytes) else self.body.encode()

    def send(self, wire: Wire, found: Found) -> Response:
        """Send it."""
        one = self.filled(found)
        return wire.request(one.method, one.path, one.headers, one.bytes)


def _filled(text: str, found: Found) -> str:
    return re.sub(
        "{id}|{([0-9])}",
        lambda match: found.etags[int(match[1])] if match[1] else found.upload_id,
        text,
    )


Before = Callable[[IStore], Found]


def nothing(store: IStore) -> Found:
    """Only the bucket ``b``."""
    return Found()


def objects(**named: tuple[bytes, Attributes]) -> Before:
    """Objects; ``__`` in a name stands for a slash."""

    def make(store: IStore) -> Found:
        for name, (data, attributes) in named.items():
            put(store, "b", name.replace("__", "/"), data, attributes, OWNER)
        return Found()

    return make


def _tree(store: IStore) -> Found:
    """Names of all kinds: plain, below directories, escaped, hashed, folders, a long record."""
    for key in ("a", "d/x", "d/e/y", "d/", "k//z", ".s3gate", "h" * 300, "l/m"):
        put(store, "b", key, key[:3].encode(), LONG if key == "l/m" else SMALL, OWNER)
    return Found()


def _upload(store: IStore) -> Found:
    return Found(begin(store, "b", "a/u", LONG, OWNER).upload_id)


def _parts(*sizes: int) -> Before:
    """An upload with parts; ``-`` sizes were put without saying how long they are."""

    def make(store: IStore) -> Found:
        put(store, "b", "s", b"source", SMALL, OWNER)
        upload = begin(store, "b", "a/u", SMALL, OWNER)
        etags = tuple(
            put_part(store, "b", upload, number, b"p" * abs(size), size > 0).etag
            for number, size in enumerate(sizes, 1)
        )
        return Found(upload.upload_id, etags)

    return make


def _directories(store: IStore) -> Found:
    """A bucket that is empty but for directories and an upload."""
    put(store, "b", "d/e/x", b"", SMALL, OWNER)
    store.objects.delete("b", "d/e/x", prune=False)
    return _upload(store)


def _tagged_bucket(store: IStore) -> Found:
    store.buckets.set_tags("b", (("k", "v" * 200), ("l", "v" * 200), ("m", "v" * 200)))
    return Found()


def _complete(*numbers: int) -> str:
    parts = "".join(
        f"<Part><PartNumber>{number}</PartNumber><ETag>{{{number - 1}}}</ETag></Part>"
        for number in numbers
    )
    return f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>"


@attrs.frozen
class Scenario:
    """A request and what is there before it.

    :ivar action: as in the S3 reference.
    :ivar variant: what tells it from others of the same action.
    """

    action: str
    variant: str
    before: Before
    request: Request

    @property
    def name(self) -> str:
        """For ids of tests."""
        return self.action + (f", {self.variant}" if self.variant else "")


def _md5(data: bytes) -> str:
    return '"' + hashlib.md5(data, usedforsecurity=False).hexdigest() + '"'


_OLD = objects(k=(b"old", SMALL))
_OLD_LONG = objects(k=(b"old", LONG))
_SOURCE = objects(s=(b"source", SMALL))
_DELETE = "<Delete><Object><Key>d/x</Key></Object><Object><Key>l/m</Key></Object></Delete>"
_ACL = {"x-amz-acl": "public-read"}
_DELETE_MD5 = base64.b64encode(hashlib.md5(_DELETE.encode(), usedforsecurity=False).digest())

SCENARIOS: tuple[Scenario, ...] = (
    Scenario("ListBuckets", "", nothing, Request("GET", "/")),
    Scenario("CreateBucket", "", nothing, Request("PUT", "/c")),
    Scenario("CreateBucket", "within", nothing, Request("PUT", "/b:in")),
    Scenario("HeadBucket", "", nothing, Request("HEAD", "/b")),
    Scenario("DeleteBucket", "", nothing, Request("DELETE", "/b")),
    Scenario("DeleteBucket", "with directories", _directories, Request("DELETE", "/b")),
    Scenario("GetBucketLocation", "", nothing, Request("GET", "/b?location")),
    Scenario("PutBucketTagging", "", nothing, Request("PUT", "/b?tagging", body=TAGGING)),
    Scenario("GetBucketTagging", "", _tagged_bucket, Request("GET", "/b?tagging")),
    Scenario("DeleteBucketTagging", "", _tagged_bucket, Request("DELETE", "/b?tagging")),
    Scenario("GetBucketAcl", "", nothing, Request("GET", "/b?acl")),
    Scenario("PutBucketAcl", "", nothing, Request("PUT", "/b?acl", _ACL)),
    Scenario("GetBucketVersioning", "", nothing, Request("GET", "/b?versioning")),
    Scenario("ListObjects", "", _tree, Request("GET", "/b")),
    Scenario("ListObjectsV2", "", _tree, Request("GET", "/b?list-type=2&delimiter=/")),
    Scenario("ListObjectsV2", "prefix", _tree, Request("GET", "/b?list-type=2&prefix=d/e")),
    Scenario("ListObjectVersions", "", _tree, Request("GET", "/b?versions")),
    Scenario("PutObject", "new", nothing, Request("PUT", "/b/k", body=b"new")),
    Scenario("PutObject", "empty", nothing, Request("PUT", "/b/k")),
    Scenario("PutObject", "large", nothing, Request("PUT", "/b/k", body=LARGE * 4)),
    Scenario("PutObject", "deep", nothing, Request("PUT", "/b/d/e/k", body=b"new")),
    Scenario("PutObject", "hashed", nothing, Request("PUT", "/b/" + "h" * 300, body=b"new")),
    Scenario(
        "PutObject",
        "long record",
        nothing,
        Request("PUT", "/b/k", {"x-amz-meta-m": "w" * 1500}, b"new"),
    ),
    Scenario("PutObject", "over", _OLD_LONG, Request("PUT", "/b/k", body=b"new")),
    Scenario("PutObject", "below a file", _OLD, Request("PUT", "/b/k/x", body=b"new")),
    Scenario(
        "PutObject",
        "beside a directory",
        objects(k__x=(b"x", SMALL), k=(b"old", LONG)),
        Request("PUT", "/b/k", body=b"new"),
    ),
    Scenario("PutObject", "folder", nothing, Request("PUT", "/b/d/e/")),
    Scenario("PutObject", "folder over", objects(d__=(b"old", LONG)), Request("PUT", "/b/d/")),
    Scenario(
        "PutObject", "create only", nothing, Request("PUT", "/b/k", {"If-None-Match": "*"}, b"new")
    ),
    Scenario(
        "PutObject",
        "if match",
        _OLD_LONG,
        Request("PUT", "/b/k", {"If-Match": _md5(b"old")}, b"new"),
    ),
    Scenario("GetObject", "", _OLD, Request("GET", "/b/k")),
    Scenario("GetObject", "long record", _OLD_LONG, Request("GET", "/b/k")),
    Scenario("GetObject", "large", objects(k=(LARGE, SMALL)), Request("GET", "/b/k")),
    Scenario(
        "GetObject",
        "range",
        objects(k=(LARGE, SMALL)),
        Request("GET", "/b/k", {"Range": "bytes=1-5"}),
    ),
    Scenario("GetObject", "folder", objects(d__=(b"", LONG)), Request("GET", "/b/d/")),
    Scenario("HeadObject", "", _OLD, Request("HEAD", "/b/k")),
    Scenario("HeadObject", "hashed", _tree, Request("HEAD", "/b/" + "h" * 300)),
    Scenario("DeleteObject", "", _OLD, Request("DELETE", "/b/k")),
    Scenario("DeleteObject", "deep", objects(d__e__k=(b"", LONG)), Request("DELETE", "/b/d/e/k")),
    Scenario("DeleteObject", "folder", objects(d__e__=(b"", LONG)), Request("DELETE", "/b/d/e/")),
    Scenario(
        "DeleteObject",
        "if match",
        _OLD_LONG,
        Request("DELETE", "/b/k", {"If-Match": _md5(b"old")}),
    ),
    Scenario(
        "DeleteObjects",
        "",
        _tree,
        Request("POST", "/b?delete", {"Content-MD5": _DELETE_MD5.decode()}, _DELETE),
    ),
    Scenario(
        "CopyObject",
        "",
        _SOURCE,
        Request("PUT", "/b/d/k", {"x-amz-copy-source": "/b/s"}),
    ),
    Scenario(
        "CopyObject",
        "onto itself",
        objects(s=(LARGE, LONG)),
        Request(
            "PUT", "/b/s", {"x-amz-copy-source": "/b/s", "x-amz-metadata-directive": "REPLACE"}
        ),
    ),
    Scenario(
        "GetObjectAttributes",
        "",
        _OLD_LONG,
        Request("GET", "/b/k?attributes", {"x-amz-object-attributes": "ETag,ObjectSize"}),
    ),
    Scenario("GetObjectAcl", "", _OLD, Request("GET", "/b/k?acl")),
    Scenario("PutObjectAcl", "", _OLD_LONG, Request("PUT", "/b/k?acl", _ACL)),
    Scenario("PutObjectTagging", "", _OLD_LONG, Request("PUT", "/b/k?tagging", body=TAGGING)),
    Scenario("GetObjectTagging", "", _OLD, Request("GET", "/b/k?tagging")),
    Scenario("DeleteObjectTagging", "", _OLD, Request("DELETE", "/b/k?tagging")),
    Scenario("CreateMultipartUpload", "", nothing, Request("POST", "/b/a/u?uploads")),
    Scenario(
        "UploadPart", "", _upload, Request("PUT", "/b/a/u?partNumber=1&uploadId={id}", body=PART)
    ),
    Scenario(
        "UploadPart",
        "again",
        _parts(16, 16),
        Request("PUT", "/b/a/u?partNumber=1&uploadId={id}", body=b"q" * 16),
    ),
    Scenario(
        "UploadPartCopy",
        "",
        _parts(6),
        Request("PUT", "/b/a/u?partNumber=2&uploadId={id}", {"x-amz-copy-source": "/b/s"}),
    ),
    Scenario("ListParts", "", _parts(16, 16), Request("GET", "/b/a/u?uploadId={id}")),
    Scenario("ListMultipartUploads", "", _parts(16), Request("GET", "/b?uploads")),
    Scenario(
        "CompleteMultipartUpload",
        "in place",
        _parts(16, 16, 7),
        Request("POST", "/b/a/u?uploadId={id}", body=_complete(1, 2, 3)),
    ),
    Scenario(
        "CompleteMultipartUpload",
        "copied",
        _parts(16, -9, 16),
        Request("POST", "/b/a/u?uploadId={id}", body=_complete(1, 2, 3)),
    ),
    Scenario("AbortMultipartUpload", "", _parts(16, 16), Request("DELETE", "/b/a/u?uploadId={id}")),
)
