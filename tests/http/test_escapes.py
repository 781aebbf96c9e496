"""No request leads out of a bucket: whatever names it gives, wherever it gives them.

A gateway over a folder in which somebody has laid symbolic links.  Beside the bucket that the
caller owns there are somebody else's, files outside the root, and the gateway's own files; all
hold the same secret.  After each request it was not told, and nothing but the bucket has changed.
"""

from __future__ import annotations

import base64
import functools
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from s3daemon.actions import tokens
from s3daemon.actions.base import Limits
from s3daemon.store.interfaces import Attributes
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import Probe
from s3daemon.store.posix.store import PosixStore
from tests.support.gateway import make_factory

SECRET = b"the-secret"
#: Somebody else's key, told to nobody.
HIDDEN = "hidden-name"
UPLOAD = "0123456789abcdef0123456789abcdef"
AUTHORIZATION = (
    b"Authorization: AWS4-HMAC-SHA256 Credential=me/20260101/us-east-1/s3/aws4_request, "
    b"SignedHeaders=host, Signature=00\r\n"
)

#: What follows ``/b/`` in the target of a request, or in the source of a copy.
KEYS = [
    "../hers/hidden-name",
    "..%2fhers%2fhidden-name",
    "..%2Fhers/hidden-name",
    "%2e%2e/hers/hidden-name",
    "%2e%2e%2fhers%2fhidden-name",
    "%252e%252e%252fhers%252fhidden-name",
    "%c0%ae%c0%ae/hers/hidden-name",
    "%e2%80%a5/hers/hidden-name",
    "..;/hers/hidden-name",
    "..%00/hers/hidden-name",
    "../../outside/hidden-name",
    "%2e%2e/%2e%2e/outside/hidden-name",
    "x/../../hers/hidden-name",
    "x/%2e%2e/%2e%2e/hers/hidden-name",
    "./../hers/hidden-name",
    "/../hers/hidden-name",
    "//hers/hidden-name",
    "%2fetc/passwd",
    "/etc/passwd",
    "..%5chers%5chidden-name",
    "..\\hers\\hidden-name",
    "%00",
    "a%00/../../hers/hidden-name",
    "%ff%fe",
    "%2e",
    "%2e%2e",
    "..",
    "../",
    "%2e%2e%2f",
    ".s3gate/hidden-name",
    ".s3gate",
    ".s3gate/",
    "%2es3gate/hidden-name",
    ".s3gate%2fhidden-name",
    "./.s3gate/hidden-name",
    ".s3gate%25f+hidden-name",
    ".s3gate%25d+..%2fhers/hidden-name",
    "in/.s3gate/hidden-name",
    f"_s3_multipart_tmp/{UPLOAD}/hidden-name",
    "_s3_multipart_tmp/",
    "%5fs3_multipart_tmp/hidden-name",
    # Links: to a directory, to a file, by an absolute path, to the root, over a link, to nothing.
    "out/hidden-name",
    "out%2fhidden-name",
    "out/",
    "out",
    "file",
    "file/",
    "absolute/hidden-name",
    "up/hers/hidden-name",
    "up/b/.s3gate/hidden-name",
    "up/",
    "tohers/hidden-name",
    "in/again/hidden-name",
    "own/hidden-name",
    "uploads/" + UPLOAD + "/hidden-name",
    "nothing",
    "nothing/x",
    "proc/root/etc/passwd",
    "x" * 255 + "/../../hers/hidden-name",
    "x" * 256,
    "y" * 1025,
    "z/" * 512 + "z",
]

#: Whole targets, that name a bucket or try to.
PLACES = [
    "/..",
    "/../",
    "/../outside/hidden-name",
    "/%2e%2e/outside/hidden-name",
    "/%2e%2e%2foutside/hidden-name",
    "/.",
    "/%2e/hers/hidden-name",
    "//hers/hidden-name",
    "/b%2f..%2fhers/hidden-name",
    "/b/../hers/hidden-name",
    "/hers/hidden-name",
    "/hers/",
    "/b:..:hers/hidden-name",
    "/b:%2e%2e:hers/hidden-name",
    "/b:..%2fhers/hidden-name",
    "/b:/hidden-name",
    "/b::hers/hidden-name",
    "/:hers/hidden-name",
    "/hers:/hidden-name",
    "/b:tohers/hidden-name",
    "/b:tohers",
    "/b:out/hidden-name",
    "/b:up:hers/hidden-name",
    "/b:.s3gate/hidden-name",
    "/b:_s3_multipart_tmp/hidden-name",
    "/.s3gate/hidden-name",
    "/.s3gate",
    "/%2es3gate/hidden-name",
    "/_s3_multipart_tmp/hidden-name",
    "/evil/hidden-name",
    "/evil",
    "/alias/hidden-name",
    "/alias",
    "/loose",
    "/loose/",
    "/b%00/hidden-name",
    "/%ff/hidden-name",
    "/b\\..\\hers/hidden-name",
    "/" + "b" * 300 + "/hidden-name",
    "http://evil.example/hers/hidden-name",
]

REQUESTS = [
    ("GET", ""),
    ("HEAD", ""),
    ("GET", "?acl"),
    ("GET", "?tagging"),
    ("GET", "?attributes"),
    ("GET", "?list-type=2"),
    ("GET", "?uploads"),
    ("GET", "?versions"),
    ("GET", f"?uploadId={UPLOAD}"),
    ("PUT", ""),
    ("PUT", "?tagging"),
    ("PUT", "?acl"),
    ("PUT", f"?partNumber=1&uploadId={UPLOAD}"),
    ("POST", "?uploads"),
    ("POST", f"?uploadId={UPLOAD}"),
    ("POST", "?delete"),
    ("DELETE", f"?uploadId={UPLOAD}"),
    ("DELETE", "?tagging"),
    ("DELETE", ""),
]

BODIES = {
    "?tagging": b"<Tagging><TagSet><Tag><Key>a</Key><Value>b</Value></Tag></TagSet></Tagging>",
    "?delete": b"<Delete><Object><Key>hidden-name</Key></Object></Delete>",
    f"?uploadId={UPLOAD}": (
        b"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber>"
        b"<ETag>d41d8cd98f00b204e9800998ecf8427e</ETag></Part></CompleteMultipartUpload>"
    ),
}


@functools.cache
def known() -> Probe:
    """What the file system of the tests can do, tried once."""
    with tempfile.TemporaryDirectory() as root:
        return probe(Path(root))


def hide(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / HIDDEN).write_bytes(SECRET)


class Place:
    """The gateway, and what is around it."""

    def __init__(self, top: Path) -> None:
        self.top = top
        self.root = top / "root"
        self.root.mkdir()
        store = PosixStore(self.root, "relaxed", known())
        for name, owner in [("b", "me"), ("hers", "her")]:
            store.buckets.create(name, owner)
            writer = store.objects.create(name, "in/plain", Attributes(), owner)
            writer.write([b"plain"])
            writer.commit("d41d8cd98f00b204e9800998ecf8427e")
        bucket = self.root / "b"
        hide(top / "outside")
        hide(self.root / "hers")
        hide(self.root / "hers" / "_s3_multipart_tmp" / UPLOAD)
        hide(self.root / ".s3gate")
        hide(bucket / ".s3gate")
        hide(bucket / "_s3_multipart_tmp" / "marker")
        (self.root / "loose").write_bytes(SECRET)
        for name, target in {
            "out": "../../outside",
            "file": f"../../outside/{HIDDEN}",
            "absolute": str(top / "outside"),
            "up": "..",
            "tohers": "../hers",
            "in/again": "../tohers",
            "own": ".s3gate",
            "uploads": "../hers/_s3_multipart_tmp",
            "nothing": "nowhere",
            "proc": "/proc/self",
        }.items():
            (bucket / name).symlink_to(target)
        (self.root / "evil").symlink_to(top / "outside")
        (self.root / "alias").symlink_to("hers")
        self.factory = make_factory(store, Limits(min_part=1, strict_names=False), Clock())
        self.before = self.snapshot()
        self.store = store

    def snapshot(self) -> dict[str, tuple[object, ...]]:
        """Everything but what is in the bucket that the caller may change."""
        found: dict[str, tuple[object, ...]] = {}
        for directory, folders, files in os.walk(self.top):
            path = os.path.relpath(directory, self.top)
            if path.startswith(("root/b/", "root/.s3gate/")) and HIDDEN not in files:
                # Our own: staging and the like come and go.
                continue
            if path == "root/b":
                folders[:] = [name for name in folders if name in (".s3gate", "_s3_multipart_tmp")]
                continue
            for name in (*files, *folders):
                full = os.path.join(directory, name)
                status = os.lstat(full)
                if (path, name) in (("root", "b"), ("root", ".s3gate")) or (
                    path.startswith(("root/.s3gate", "root/b/")) and name != HIDDEN
                ):
                    continue
                content = b""
                if name in files and not os.path.islink(full):
                    with open(full, "rb") as file:
                        content = file.read()
                found[os.path.join(path, name)] = (status.st_ino, status.st_mode, content)
        return found

    def send(self, method: str, target: str, headers: bytes = b"", body: bytes = b"") -> bytes:
        """A request as it is; the answer as it is."""
        transport = StringTransport()
        channel = self.factory.buildProtocol(None)
        channel.makeConnection(transport)
        raw = target.encode("utf-8", "surrogateescape")
        channel.dataReceived(
            method.encode()
            + b" "
            + raw
            + b" HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
            + AUTHORIZATION
            + headers
            + b"Content-Length: %d\r\n\r\n" % len(body)
            + body
        )
        return transport.value()

    def check(self, answer: bytes) -> None:
        """Nothing was told and nothing was changed."""
        line = answer.partition(b"\r\n")[0]
        assert re.match(rb"HTTP/1\.1 (200|204|400|403|404|405|409|411|412|501) ", line), line
        assert SECRET not in answer
        assert b"root:" not in answer
        # A key that was asked for may be named again; that it exists somewhere must not be.
        assert b"<Size>%d</Size>" % len(SECRET) not in answer
        assert b"Content-Length: %d\r\n" % len(SECRET) not in answer
        now = self.snapshot()
        assert now == self.before


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path)
    yield made
    made.store.close()


@pytest.mark.parametrize("base", ["", "/api/v1/s3"], ids=["aws", "alluxio"])
@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:40])
def test_keys(place: Place, base: str, key: str) -> None:
    for method, query in REQUESTS:
        headers = b"x-amz-acl: private\r\n" if query == "?acl" else b""
        if query == "?attributes":
            headers = b"x-amz-object-attributes: ETag,ObjectSize\r\n"
        body = BODIES.get(query, b"evil" if method == "PUT" and query != "?acl" else b"")
        place.check(place.send(method, f"{base}/b/{key}{query}", headers, body))


@pytest.mark.parametrize("base", ["", "/api/v1/s3"], ids=["aws", "alluxio"])
@pytest.mark.parametrize("where", PLACES, ids=lambda where: where[:40])
def test_places(place: Place, base: str, where: str) -> None:
    for method, query in REQUESTS:
        headers = b"x-amz-acl: private\r\n" if query == "?acl" else b""
        body = BODIES.get(query, b"evil" if method == "PUT" and query != "?acl" else b"")
        target = where if where.startswith("http") else base + where
        answer = place.send(method, target + query, headers, body)
        place.check(answer)


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:40])
def test_sources_of_copies(place: Place, key: str) -> None:
    for source in (f"b/{key}", f"/b/{key}", f"/b%2f{key}"):
        field = b"x-amz-copy-source: " + source.encode("utf-8", "surrogateescape") + b"\r\n"
        place.check(place.send("PUT", "/b/copy", field))
        place.check(place.send("PUT", f"/b/copy?partNumber=1&uploadId={UPLOAD}", field))
        place.check(place.send("GET", "/b/copy"))


@pytest.mark.parametrize("where", PLACES, ids=lambda where: where[:40])
def test_places_as_sources_of_copies(place: Place, where: str) -> None:
    for source in (where, where.removeprefix("/"), quote(where)):
        field = b"x-amz-copy-source: " + source.encode() + b"\r\n"
        place.check(place.send("PUT", "/b/copy", field))
        place.check(place.send("GET", "/b/copy"))


def decoded(key: str) -> str:
    """As a document can hold it."""
    text = unquote_to_bytes(key).decode("utf-8", "replace").replace("\0", "")
    return text.replace("&", "&amp;").replace("<", "&lt;")


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key[:40])
def test_keys_of_many_to_delete(place: Place, key: str) -> None:
    for form in (key, decoded(key)):
        body = f"<Delete><Object><Key>{form}</Key></Object></Delete>".encode()
        place.check(place.send("POST", "/b?delete", b"", body))


TEXTS = ["", "..", "../", "../hers/", "/", "//", "out/", "up/", "tohers/", "up/hers/", ".s3gate/"]
TEXTS += ["_s3_multipart_tmp/", ".", "./", "\\", "\ud7ff", "x" * 2000, "own/", "proc/", "in/again/"]
LISTS = [
    ("list-type=2", ("prefix", "start-after", "delimiter", "continuation-token")),
    ("", ("prefix", "marker", "delimiter")),
    ("versions", ("prefix", "key-marker", "delimiter")),
    ("uploads", ("prefix", "key-marker", "upload-id-marker", "delimiter")),
]


@pytest.mark.parametrize("base", ["", "/api/v1/s3"], ids=["aws", "alluxio"])
@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:20])
def test_lists(place: Place, base: str, text: str) -> None:
    """Links are not followed, and what is outside has no name in the bucket."""
    for what, names in LISTS:
        for name in names:
            value = tokens.encode(text) if "token" in name else text
            for more in ("", "&delimiter=/", "&encoding-type=url"):
                query = f"?{what}&{name}={quote(value, safe='')}{more}".replace("?&", "?")
                answer = place.send("GET", f"{base}/b{query}")
                place.check(answer)
                assert HIDDEN.encode() not in answer
                for inside in (b"passwd", b"marker", UPLOAD.encode()):
                    assert inside not in answer.partition(b"\r\n\r\n")[2].replace(
                        quote(value, safe="").encode(), b""
                    )


@pytest.mark.parametrize(
    "token", ["..", "../hers", base64.b64encode(b"../hers").decode(), "%00", "A" * 3000]
)
def test_tokens_that_nobody_gave(place: Place, token: str) -> None:
    for target in (f"/b?list-type=2&continuation-token={token}", f"/?continuation-token={token}"):
        answer = place.send("GET", target)
        place.check(answer)
        assert HIDDEN.encode() not in answer


@pytest.mark.parametrize(
    "upload_id",
    [
        "",
        ".",
        "..",
        "../..",
        "../../hers",
        "%2e%2e%2f%2e%2e%2fhers",
        f"../../hers/_s3_multipart_tmp/{UPLOAD}",
        UPLOAD,
        UPLOAD.upper(),
        UPLOAD + "%00",
        "marker",
        ".gone-" + UPLOAD,
        ".within-" + UPLOAD,
        "/" + UPLOAD,
        "x" * 5000,
        "%ff",
    ],
)
def test_upload_ids(place: Place, upload_id: str) -> None:
    for method, query, body in [
        ("GET", f"uploadId={upload_id}", b""),
        ("PUT", f"partNumber=1&uploadId={upload_id}", b"evil"),
        ("POST", f"uploadId={upload_id}", BODIES[f"?uploadId={UPLOAD}"]),
        ("DELETE", f"uploadId={upload_id}", b""),
    ]:
        answer = place.send(method, f"/b/in/plain?{query}", b"", body)
        place.check(answer)
        assert not answer.startswith(b"HTTP/1.1 2")


def test_buckets_that_are_listed(place: Place) -> None:
    answer = place.send("GET", "/")
    place.check(answer)
    assert re.findall(rb"<Name>(.*?)</Name>", answer) == [b"b"]


@pytest.mark.parametrize(
    "key",
    ["../hers/hidden-name", "/etc/passwd", "..\\x", ".s3gate/hidden-name", "out/x", "..", "%2e"],
)
def test_it_is_a_key_like_any_other(place: Place, key: str) -> None:
    """What has the look of a way out can be put, is found again, and is in the bucket."""
    target = "/b/" + quote(key, safe="")
    answer = place.send("PUT", target, b"", b"evil")
    place.check(answer)
    if answer.startswith(b"HTTP/1.1 200"):
        assert place.send("GET", target).endswith(b"\r\n\r\nevil")
        assert quote(key, safe="/") in place.send("GET", "/b?encoding-type=url").decode()
        assert place.send("DELETE", target).startswith(b"HTTP/1.1 204")
        assert place.send("GET", target).startswith(b"HTTP/1.1 404")
    else:
        assert key == "out/x"
    place.check(b"HTTP/1.1 200 ")
