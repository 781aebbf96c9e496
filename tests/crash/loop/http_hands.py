"""Requests of S3 over HTTP, to a gateway in mode simple, which takes everybody's word."""

from __future__ import annotations

import http.client
import urllib.parse
from collections.abc import Mapping, Sequence

from lxml import etree

from s3daemon.store.interfaces import Condition
from tests.crash.hands import NotDone
from tests.crash.versions import OWNER, Version

_AUTHORIZATION = (
    f"AWS4-HMAC-SHA256 Credential={OWNER}/20260101/us-east-1/s3/aws4_request,"
    " SignedHeaders=host, Signature=00"
)
#: Seconds after which a client gives up on an answer.
_PATIENCE = 60


class Unanswered(Exception):
    """The connection broke: whether anything was done nobody knows."""


class Wrong(Exception):
    """An answer that nobody should get."""


class HttpHands:
    """One client with one connection; see :class:`~tests.crash.hands.Hands`.

    All methods raise Unanswered, and Wrong.
    """

    def __init__(self, port: int) -> None:
        self._port = port
        self._http: http.client.HTTPConnection | None = None

    def close(self) -> None:
        """Close the connection; the next request makes another one."""
        connection, self._http = self._http, None
        if connection is not None:
            connection.close()

    def request(
        self,
        method: str,
        bucket: str,
        key: str = "",
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request: status, header by lower-case names, body."""
        target = f"/{bucket}" + (f"/{urllib.parse.quote(key)}" if key else "")
        if self._http is None:
            self._http = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE)
        try:
            sent = {"Authorization": _AUTHORIZATION, **(headers or {})}
            self._http.request(method, target + (f"?{query}" if query else ""), body, sent)
            answer = self._http.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, fields, answer.read()
        except (OSError, http.client.HTTPException) as exc:
            self.close()
            raise Unanswered(str(exc)) from exc

    def _done(
        self,
        method: str,
        bucket: str,
        key: str = "",
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> tuple[Mapping[str, str], bytes]:
        status, fields, answer = self.request(method, bucket, key, query, headers, body)
        if status in (409, 503) and any(
            code in answer for code in (b"SlowDown", b"ConditionalRequestConflict")
        ):
            raise NotDone(answer.decode())
        # What takes long answers 200 at once, and says later how it went.
        if status not in (200, 204) or b"<Error>" in answer[:200]:
            raise Wrong(f"{method} {bucket}/{key}?{query}: {status} {answer.decode()}")
        return fields, answer

    def get(self, bucket: str, key: str) -> Version | None:
        """What everybody sees of an object; tags and lists are others' to ask."""
        status, fields, body = self.request(
            "GET", bucket, key, "", {"x-amz-checksum-mode": "ENABLED"}
        )
        if status == 404:
            return None
        if status != 200:
            raise Wrong(f"GET {bucket}/{key}: {status} {body.decode()}")
        metadata = [
            (name.removeprefix("x-amz-meta-"), value)
            for name, value in fields.items()
            if name.startswith("x-amz-meta-")
        ]
        return Version(
            body,
            fields["etag"].strip('"'),
            fields.get("content-type", ""),
            tuple(sorted(metadata)),
            (),
            fields.get("x-amz-checksum-sha256"),
        )

    def create_bucket(self, bucket: str) -> None:
        self._done("PUT", bucket)

    def tag_bucket(self, bucket: str, tags: tuple[tuple[str, str], ...]) -> None:
        self._done("PUT", bucket, "", "tagging", None, _tagging(tags))

    def delete_bucket(self, bucket: str) -> None:
        self._done("DELETE", bucket)

    def put(self, bucket: str, key: str, version: Version, condition: Condition) -> None:
        headers = _headers(version)
        if version.sha256 is not None:
            headers["x-amz-checksum-sha256"] = version.sha256
        if condition.create_only:
            headers["If-None-Match"] = "*"
        if condition.etag is not None:
            headers["If-Match"] = f'"{condition.etag}"'
        self._done("PUT", bucket, key, "", headers, version.body)

    def copy(self, bucket: str, source: str, key: str, version: Version) -> None:
        headers = {
            **_headers(version),
            "x-amz-copy-source": urllib.parse.quote(f"/{bucket}/{source}"),
            "x-amz-metadata-directive": "REPLACE",
            "x-amz-tagging-directive": "REPLACE",
        }
        self._done("PUT", bucket, key, "", headers)

    def delete(self, bucket: str, key: str) -> None:
        self._done("DELETE", bucket, key)

    def delete_all(self, bucket: str, keys: Sequence[str]) -> None:
        listed = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
        _, answer = self._done(
            "POST", bucket, "", "delete", None, f"<Delete>{listed}</Delete>".encode()
        )
        if b"<Error>" in answer:
            raise NotDone(answer.decode())

    def tag(self, bucket: str, key: str, tags: tuple[tuple[str, str], ...]) -> None:
        self._done("PUT", bucket, key, "tagging", None, _tagging(tags))

    def publish(self, bucket: str, key: str) -> None:
        self._done("PUT", bucket, key, "acl", {"x-amz-acl": "public-read"})

    def begin(self, bucket: str, key: str, version: Version) -> str:
        _, answer = self._done("POST", bucket, key, "uploads", _headers(version))
        (found,) = etree.fromstring(answer).iterfind("{*}UploadId")
        return str(found.text)

    def part(self, bucket: str, key: str, upload: str, number: int, body: bytes) -> None:
        query = f"partNumber={number}&uploadId={upload}"
        self._done("PUT", bucket, key, query, None, body)

    def complete(
        self, bucket: str, key: str, upload: str, parts: Sequence[tuple[int, str]]
    ) -> None:
        listed = "".join(
            f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
            for number, etag in parts
        )
        document = f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"
        self._done("POST", bucket, key, f"uploadId={upload}", None, document.encode())

    def abort(self, bucket: str, key: str, upload: str) -> None:
        self._done("DELETE", bucket, key, f"uploadId={upload}")


def _headers(version: Version) -> dict[str, str]:
    headers = {"Content-Type": version.content_type}
    headers.update((f"x-amz-meta-{name}", value) for name, value in version.metadata)
    if version.tags:
        headers["x-amz-tagging"] = urllib.parse.urlencode(version.tags)
    return headers


def _tagging(tags: tuple[tuple[str, str], ...]) -> bytes:
    pairs = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in tags)
    return f"<Tagging><TagSet>{pairs}</TagSet></Tagging>".encode()
