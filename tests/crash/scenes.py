"""Everything that changes a store, as S3 requests: what is there before, and then one of them.

A scene is played on any store, by the actions themselves; played on the store in memory it says
what has to be there before and after.  Contents are longer than a block of a device, so that they
can be torn.
"""

from __future__ import annotations

import base64
import hashlib
import re
import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape

import attrs

from s3daemon.actions import ACTIONS
from s3daemon.actions.base import Answer
from s3daemon.store.interfaces import (
    IStore,
    NoSuchBucket,
    PartInfo,
    StorageError,
    Unavailable,
    UploadsQuery,
)
from s3daemon.store.memory import MemoryStore
from s3daemon.wire import tagging
from s3daemon.wire.errors import S3Error
from tests.crash.oracle import FUTURE, View, look
from tests.support.actions import World

#: Uploads by the names that a scene gives them: their ids.
Told = dict[str, str]
Step = Callable[[World, Told], None]

BUCKET = "bucket"
WITHIN = ("bucket:in",)
#: Short enough for every record, and too long for the attributes of the stores of these tests.
SMALL = {"content-type": "text/plain", "x-amz-meta-m": "1", "x-amz-tagging": "t=1"}
LARGE = {"x-amz-meta-m": "v" * 1500}
#: What the attributes of these stores take.
XATTR_BYTES = 600


def content(text: str, size: int = 5000) -> bytes:
    """A content that shows where it is torn."""
    return (text.encode() + b".") * (size // (len(text) + 1)) + b"end of " + text.encode()


def _run(world: World, name: str, *args: str, **more: Any) -> Answer:
    return world.run(ACTIONS[name], *args, **more)


def put(
    key: str, text: str, headers: Mapping[str, str] = SMALL, *, size: int = 5000, **conditions: str
) -> Step:
    """PutObject; ``if_match`` and such are texts of contents, or ``*``."""
    data = content(text, size) if text else b""
    given = {**headers, **_conditions(conditions)}
    given["x-amz-checksum-crc32"] = _base64(zlib.crc32(data).to_bytes(4, "big"))
    return lambda world, told: _done(
        _run(world, "PutObject", BUCKET, key, headers=given, body=data)
    )


def copy(source: str, key: str, headers: Mapping[str, str] | None = None) -> Step:
    """CopyObject; with headers they replace those of the source."""
    given = {"x-amz-copy-source": f"/{BUCKET}/{quote(source)}"}
    if headers is not None:
        given |= {"x-amz-metadata-directive": "REPLACE", "x-amz-tagging-directive": "REPLACE"}
        given |= headers
    return lambda world, told: _done(_run(world, "CopyObject", BUCKET, key, headers=given))


def delete(key: str, **conditions: str) -> Step:
    """DeleteObject."""
    given = _conditions(conditions)
    return lambda world, told: _done(_run(world, "DeleteObject", BUCKET, key, headers=given))


def delete_many(*keys: str) -> Step:
    """DeleteObjects."""
    listed = "".join(f"<Object><Key>{escape(key)}</Key></Object>" for key in keys)
    body = f"<Delete>{listed}</Delete>".encode()

    def step(world: World, told: Told) -> None:
        answer = _run(world, "DeleteObjects", BUCKET, body=body, headers=_md5(body)).body
        assert isinstance(answer, bytes)
        if b"<Error>" in answer:
            raise Unavailable("not all of it has been deleted")

    return step


def make_bucket(name: str) -> Step:
    """CreateBucket."""
    return lambda world, told: _done(_run(world, "CreateBucket", name))


def drop_bucket(name: str) -> Step:
    """DeleteBucket."""
    return lambda world, told: _done(_run(world, "DeleteBucket", name))


def tag(key: str, value: str = "1") -> Step:
    """PutObjectTagging, or PutBucketTagging where there is no key."""
    body = tagging.render((("tag", value),))
    name = "PutObjectTagging" if key else "PutBucketTagging"
    return lambda world, told: _done(_run(world, name, BUCKET, key, body=body, headers=_md5(body)))


def untag(key: str) -> Step:
    """DeleteObjectTagging, or DeleteBucketTagging where there is no key."""
    name = "DeleteObjectTagging" if key else "DeleteBucketTagging"
    return lambda world, told: _done(_run(world, name, BUCKET, key))


def grant(key: str, to: int = 1) -> Step:
    """PutObjectAcl, or PutBucketAcl where there is no key, with so many grants."""
    given = {"x-amz-grant-read": ",".join(f'id="id-user-{n}"' for n in range(to))}
    name = "PutObjectAcl" if key else "PutBucketAcl"
    return lambda world, told: _done(_run(world, name, BUCKET, key, headers=given))


def begin(label: str, key: str, headers: Mapping[str, str] = SMALL, bucket: str = BUCKET) -> Step:
    """CreateMultipartUpload."""

    def step(world: World, told: Told) -> None:
        answer = _run(world, "CreateMultipartUpload", bucket, key, headers=headers)
        assert isinstance(answer.body, bytes)
        found = re.search(rb"<UploadId>(.*)</UploadId>", answer.body)
        assert found is not None
        told[label] = found[1].decode()

    return step


def part(
    label: str,
    key: str,
    number: int,
    text: str,
    size: int = 5000,
    announced: bool = True,
    bucket: str = BUCKET,
) -> Step:
    """UploadPart, of a size that is said beforehand or not."""
    data = content(text, size)

    def step(world: World, told: Told) -> None:
        query = {"partNumber": str(number), "uploadId": told[label]}
        more: dict[str, Any] = {}
        if not announced:
            more = {"length": None, "headers": {"transfer-encoding": "chunked"}}
        _run(world, "UploadPart", bucket, key, query=query, body=data, **more)

    return step


def part_copy(label: str, key: str, number: int, source: str) -> Step:
    """UploadPartCopy."""

    def step(world: World, told: Told) -> None:
        query = {"partNumber": str(number), "uploadId": told[label]}
        given = {"x-amz-copy-source": f"/{BUCKET}/{quote(source)}"}
        _run(world, "UploadPartCopy", BUCKET, key, query=query, headers=given)

    return step


def parts_document(parts: Iterable[PartInfo]) -> str:
    """What Complete is sent."""
    listed = "".join(
        f"<Part><ETag>{one.etag}</ETag><PartNumber>{one.number}</PartNumber></Part>"
        for one in parts
    )
    return f"<CompleteMultipartUpload>{listed}</CompleteMultipartUpload>"


def complete(
    label: str, key: str, bucket: str = BUCKET, most: int = 10_000, **conditions: str
) -> Step:
    """CompleteMultipartUpload, of all parts that there were before the request of the scene.

    :param most: only so many of them.
    """
    given = _conditions(conditions)

    def step(world: World, told: Told) -> None:
        query = {"uploadId": told[label]}
        body = told.get(label + " parts")
        if body is None:
            page = world.store.uploads.list_parts(bucket, key, told[label], 0, 10_000)
            body = parts_document(page.parts)
        for extra in re.findall("<Part>.*?</Part>", body)[most:]:
            body = body.replace(extra, "")
        name = "CompleteMultipartUpload"
        _run(world, name, bucket, key, query=query, body=body.encode(), headers=given)

    return step


def abort(label: str, key: str, bucket: str = BUCKET) -> Step:
    """AbortMultipartUpload."""

    def step(world: World, told: Told) -> None:
        _run(world, "AbortMultipartUpload", bucket, key, query={"uploadId": told[label]})

    return step


def expire(world: World, told: Told) -> None:
    """What the janitor does."""
    world.store.uploads.expire(FUTURE)


def _done(answer: Answer) -> None:
    assert answer.status in (200, 204), answer


def _conditions(texts: Mapping[str, str]) -> dict[str, str]:
    return {
        name.replace("_", "-"): text
        if text == "*"
        else f'"{hashlib.md5(content(text)).hexdigest()}"'
        for name, text in texts.items()
    }


def _md5(body: bytes) -> dict[str, str]:
    return {"content-md5": _base64(hashlib.md5(body).digest())}


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


@attrs.frozen
class Scene:
    """A request, and those before it.

    :ivar again: whether asking for it a second time succeeds and comes to the same.
    :ivar whole: whether it happens in one step, for all that see it.
    """

    name: str
    before: tuple[Step, ...]
    act: Step
    again: bool = True
    whole: bool = True

    def prepare(self, store: IStore) -> tuple[World, Told]:
        """Everything as it is before the request."""
        world, told = World(store), Told()
        make_bucket(BUCKET)(world, told)
        for step in self.before:
            step(world, told)
        _know_parts(world, told)
        return world, told

    def history(self) -> list[View]:
        """What has to be there after each of all requests, and before them."""
        store = MemoryStore()
        world, told = World(store), Told()
        views = [look(store, WITHIN)]
        for step in (make_bucket(BUCKET), *self.before, self.act):
            step(world, told)
            views.append(look(store, WITHIN))
        return views

    def states(self) -> tuple[View, View]:
        """What has to be there before and after."""
        store = MemoryStore()
        world, told = self.prepare(store)
        old = look(store, WITHIN)
        self.act(world, told)
        return old, look(store, WITHIN)


def _know_parts(world: World, told: Told) -> None:
    """A client remembers the parts that it has put, whatever becomes of the upload."""
    names = {upload_id: label for label, upload_id in told.items()}
    for bucket in (BUCKET, *WITHIN):
        try:
            found = world.store.uploads.list(bucket, UploadsQuery()).uploads
        except NoSuchBucket:
            continue
        for info in found:
            page = world.store.uploads.list_parts(bucket, info.key, info.upload_id, 0, 10_000)
            told[names[info.upload_id] + " parts"] = parts_document(page.parts)


def outcome(step: Step, world: World, told: Told) -> str:
    """Do it; the name of the error, or ""."""
    try:
        step(world, told)
    except (S3Error, StorageError) as error:
        return type(error).__name__
    return ""


_LONG = "l" * 300 + "/" + "m" * 300
_OLD = (put("k", "old"),)
_OLD_LONG = (put("k", "old", LARGE),)
_BESIDE = (put("k/x", "x"), put("k", "old", LARGE))
_EVEN = (
    begin("u", "k", LARGE),
    part("u", "k", 1, "one"),
    part("u", "k", 2, "two"),
    part("u", "k", 3, "end", size=700),
)
#: The second was uploaded again, and the size of the last was not known.
_MOVED = (
    begin("u", "k"),
    part("u", "k", 1, "one"),
    part("u", "k", 2, "bad"),
    part("u", "k", 2, "two"),
    part("u", "k", 3, "end", size=700, announced=False),
)
_UNEVEN = (
    begin("u", "k"),
    part("u", "k", 1, "one", size=1000),
    part("u", "k", 2, "two"),
    part("u", "k", 5, "end", size=700, announced=False),
)
_IN = "bucket:in"
_EVEN_WITHIN = (
    make_bucket(_IN),
    begin("u", "k", bucket=_IN),
    part("u", "k", 1, "one", bucket=_IN),
    part("u", "k", 2, "two", bucket=_IN),
)

SCENES = [
    # PutObject
    Scene("new", (), put("k", "new")),
    Scene("new, empty", (), put("k", "")),
    Scene("new, long record", (), put("k", "new", LARGE)),
    Scene("new, deep", (put("a/z", "z"),), put("a/b/c/k", "new")),
    Scene("new, names that are hashed", (), put(_LONG, "new")),
    Scene("new, names that are escaped", (), put("//..//k", "new")),
    Scene("new, if there is none", (), put("a/k", "new", if_none_match="*"), again=False),
    Scene("over", _OLD, put("k", "new", LARGE)),
    Scene("over a long record", _OLD_LONG, put("k", "new")),
    Scene("over what has parts", (*_EVEN, complete("u", "k")), put("k", "new")),
    Scene("over, if it is this", _OLD_LONG, put("k", "new", if_match="old"), again=False),
    Scene("beside a directory", (put("k/x", "x"),), put("k", "new")),
    Scene("over, beside a directory", _BESIDE, put("k", "new")),
    Scene("below a file", _OLD, put("k/x", "new")),
    Scene("folder", (), put("a/d/", "")),
    Scene("folder, long record", (), put("a/d/", "", LARGE)),
    Scene("folder over", (put("d/", "", LARGE),), put("d/", "")),
    Scene("folder with bytes", (put("d/", "", LARGE),), put("d/", "new")),
    Scene("folder without bytes", (put("d/", "old", LARGE),), put("d/", "")),
    Scene("folder of an object", (put("d/x", "x"),), put("d/", "")),
    # CopyObject
    Scene("copy", (put("s", "source"),), copy("s", "a/k")),
    Scene("copy over", (put("s", "source"), *_OLD_LONG), copy("s", "k")),
    Scene("copy onto itself", _OLD_LONG, copy("k", "k", SMALL)),
    # DeleteObject, DeleteObjects
    Scene("delete", _OLD_LONG, delete("k")),
    Scene("delete, deep", (put("a/b/k", "old"),), delete("a/b/k")),
    Scene("delete, beside a directory", _BESIDE, delete("k")),
    Scene("delete, if it is this", _OLD, delete("k", if_match="old"), again=False),
    Scene("delete a folder", (put("a/d/", "", LARGE),), delete("a/d/")),
    Scene("delete a folder with bytes", (put("d/", "old"),), delete("d/")),
    Scene("delete a folder that is not empty", (put("d/", ""), put("d/x", "x")), delete("d/")),
    Scene(
        "delete many",
        (put("a/1", "1"), put("a/2", "2", LARGE), put("b", "b"), put("c/", ""), put("keep", "k")),
        delete_many("a/1", "a/2", "b", "c/", "never"),
        whole=False,
    ),
    # tags and lists
    Scene("tags", _OLD, tag("k")),
    Scene("tags, long record", _OLD_LONG, tag("k")),
    Scene("tags of a folder", (put("d/", ""),), tag("d/")),
    Scene("no tags", _OLD, untag("k")),
    Scene("list", _OLD_LONG, grant("k")),
    Scene("list, long", _OLD, grant("k", 60)),
    Scene("tags of a bucket", (), tag("")),
    Scene("no tags of a bucket", (tag(""),), untag("")),
    Scene("list of a bucket", (tag(""),), grant("", 60)),
    # CreateBucket, DeleteBucket
    Scene("new bucket", (), make_bucket("other"), again=False),
    Scene("new bucket within", (), make_bucket(_IN), again=False),
    Scene("delete a bucket", (), drop_bucket(BUCKET), again=False),
    Scene(
        "delete a bucket that had much in it",
        (tag(""), *_EVEN, put("a/b/k", "x", LARGE), delete("a/b/k")),
        drop_bucket(BUCKET),
        again=False,
        whole=False,
    ),
    Scene("delete a bucket within", _EVEN_WITHIN, drop_bucket(_IN), again=False, whole=False),
    # multipart
    Scene("begin", (), begin("u", "k", LARGE), again=False),
    Scene("begin another", _EVEN[:2], begin("v", "a/b"), again=False),
    Scene("begin within", (make_bucket(_IN),), begin("u", "k", bucket=_IN), again=False),
    Scene("part, first", _EVEN[:1], part("u", "k", 1, "one")),
    Scene("part, next", _EVEN[:2], part("u", "k", 2, "two")),
    Scene("part, last", _EVEN[:3], part("u", "k", 3, "end", size=700)),
    Scene("part, size unknown", _EVEN[:2], part("u", "k", 2, "two", announced=False)),
    Scene("part again", _EVEN, part("u", "k", 2, "new")),
    Scene("part again and again", _MOVED, part("u", "k", 2, "new")),
    Scene("part copy", (put("s", "source"), *_EVEN[:2]), part_copy("u", "k", 2, "s")),
    Scene("complete in place", _EVEN, complete("u", "k")),
    Scene("complete in place, over", (*_OLD_LONG, *_EVEN), complete("u", "k")),
    Scene(
        "complete in place, deep",
        (begin("u", "a/b/k"), part("u", "a/b/k", 1, "one"), part("u", "a/b/k", 2, "two")),
        complete("u", "a/b/k"),
    ),
    Scene("complete in place, within", _EVEN_WITHIN, complete("u", "k", _IN)),
    Scene("complete, if there is none", _EVEN, complete("u", "k", if_none_match="*")),
    Scene("complete, if it is this", (*_OLD, *_EVEN), complete("u", "k", if_match="old")),
    Scene("complete in place, some moved", _MOVED, complete("u", "k")),
    Scene("complete by copying", _UNEVEN, complete("u", "k")),
    Scene("complete by copying, over", (*_OLD_LONG, *_UNEVEN), complete("u", "k")),
    Scene("abort", _MOVED, abort("u", "k"), again=False),
    Scene("expire", (*_UNEVEN, begin("v", "k2"), part("v", "k2", 1, "v")), expire, whole=False),
    Scene("expire within", _EVEN_WITHIN, expire),
]

BY_NAME = {scene.name: scene for scene in SCENES}
