"""A whole gateway over a folder, spoken to through the alluxio base path."""

from __future__ import annotations

import base64
import hashlib
import urllib.parse
from pathlib import Path

import pytest
from lxml import etree

from tests.support.gateway import make_wire
from tests.support.inmemory import Response, Wire


def tree(document: bytes):
    """A document as nested (name, text-or-children) lists without namespaces."""

    def plain(element):
        name = etree.QName(element).localname
        children = [plain(child) for child in element]
        return (name, children if children else (element.text or ""))

    return plain(etree.fromstring(document))


def texts(document: bytes, path: str) -> list[str]:
    """The texts of all elements on a path of local names below the root."""
    found = [etree.fromstring(document)]
    for step in path.split("/"):
        found = [c for e in found for c in e if etree.QName(c).localname == step]
    return [e.text or "" for e in found]


class Api:
    """What a client does, by name."""

    def __init__(self, wire: Wire, root: Path, base: str) -> None:
        self.wire = wire
        self.root = root
        self.base = base

    def call(
        self, method, bucket="", key="", query="", user="testuser", headers=None, body=b"", **more
    ) -> Response:
        path = self.base
        if bucket:
            path += "/" + urllib.parse.quote(bucket, safe=":")
            if key:
                path += "/" + urllib.parse.quote(key, safe="/")
        sent = dict(headers or {})
        if user is not None and "Authorization" not in sent:
            sent["Authorization"] = (
                f"AWS4-HMAC-SHA256 Credential={user}/20260101/us-east-1/s3/aws4_request,"
                " SignedHeaders=host, Signature=00"
            )
        return self.wire.request(method, (path or "/") + ("?" + query if query else ""), sent, body)

    def ok(self, *args, status=200, **kwargs) -> Response:
        got = self.call(*args, **kwargs)
        assert got.status == status, (got.status, got.body)
        return got

    def refused(self, status, code, *args, **kwargs) -> Response:
        got = self.call(*args, **kwargs)
        assert got.status == status, (got.status, got.body)
        if args[0] != "HEAD":
            assert texts(got.body, "Code") == [code], got.body
        return got

    # -- short forms ---------------------------------------------------------------

    def bucket(self, name="b", user="testuser") -> str:
        self.ok("PUT", name, user=user)
        return name

    def put(self, bucket, key, body=b"", **kwargs) -> Response:
        return self.ok("PUT", bucket, key, body=body, **kwargs)

    def get(self, bucket, key, **kwargs) -> bytes:
        return self.ok("GET", bucket, key, **kwargs).body

    def keys(self, bucket, query="") -> list[str]:
        return texts(self.ok("GET", bucket, query=query).body, "Contents/Key")

    def prefixes(self, bucket, query="") -> list[str]:
        return texts(self.ok("GET", bucket, query=query).body, "CommonPrefixes/Prefix")

    def begin(self, bucket, key, **kwargs) -> str:
        got = self.ok("POST", bucket, key, "uploads", **kwargs)
        return texts(got.body, "UploadId")[0]

    def part(self, bucket, key, upload, number, body, **kwargs) -> str:
        got = self.ok(
            "PUT", bucket, key, f"partNumber={number}&uploadId={upload}", body=body, **kwargs
        )
        return got.headers["etag"]

    def complete(self, bucket, key, upload, parts, **kwargs) -> Response:
        document = "".join(
            f"<Part><PartNumber>{n}</PartNumber><ETag>{e}</ETag></Part>" for n, e in parts
        )
        return self.call(
            "POST",
            bucket,
            key,
            f"uploadId={upload}",
            **kwargs,
            body=f"<CompleteMultipartUpload>{document}</CompleteMultipartUpload>".encode(),
        )

    def tags(self, bucket, key="") -> list[tuple[str, str]]:
        got = self.ok("GET", bucket, key, "tagging").body
        return list(zip(texts(got, "TagSet/Tag/Key"), texts(got, "TagSet/Tag/Value"), strict=True))

    def put_tags(self, bucket, key, tags) -> Response:
        document = "".join(f"<Tag><Key>{k}</Key><Value>{v}</Value></Tag>" for k, v in tags)
        return self.call(
            "PUT",
            bucket,
            key,
            "tagging",
            body=f"<Tagging><TagSet>{document}</TagSet></Tagging>".encode(),
        )


def md5_hex(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def md5_base64(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


@pytest.fixture
def api(tmp_path) -> Api:
    """The alluxio base path; parts of any size may be completed, as in the reference's tests."""
    return Api(make_wire(tmp_path, min_part=0), tmp_path, "/api/v1/s3")


@pytest.fixture
def aws(tmp_path) -> Api:
    """The root path, with S3's own least part size."""
    return Api(make_wire(tmp_path), tmp_path, "")
