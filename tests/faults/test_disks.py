"""Disks that are full, by bytes, inodes and quota, and one that the kernel has made read-only:
real ones, under a real daemon."""

from __future__ import annotations

import http.client
import os
import resource
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

from tests.faults.daemon import Daemon, daemon, wait_until
from tests.faults.mounts import image, need, set_quota
from tests.faults.scenarios import AUTHORIZATION

FULL = (507, "StorageFull")
pytestmark = [pytest.mark.faults, pytest.mark.timeout(600)]


@attrs.frozen
class Limited:
    """A file system with little room.

    :ivar step: bytes of an object that fills it; :ivar rest: those of the last ones.
    :ivar capabilities: what the daemon must not have.
    """

    root: Path
    step: int
    rest: int
    before: tuple[str, ...] = ()


@contextmanager
def _limited(kind: str, folder: Path) -> Iterator[Limited]:
    if kind == "inodes":
        with image(folder, "-N", "256") as (path, _):
            yield Limited(path, 10, 10)
    elif kind == "bytes":
        with image(folder) as (path, _):
            yield Limited(path, 1 << 20, 4096)
    else:
        need("setpriv")
        with image(folder, "-O", "quota", "-E", "quotatype=usrquota") as (path, device):
            set_quota(device, 0, 6 << 20)
            # Quotas bind root only without this capability (capabilities(7)).
            yield Limited(path, 1 << 20, 4096, ("setpriv", "--bounding-set=-sys_resource"))


def _fill(one: Daemon, disk: Limited) -> list[str]:
    """Put objects until there is no room for the smallest; their names."""
    names = []
    for size in (disk.step, disk.rest):
        for _ in range(2000):
            name = f"/b/fill/{len(names)}"
            said = one.said("PUT", name, os.urandom(size))
            if said == FULL:
                break
            assert said == (200, "")
            names.append(name)
        else:
            raise AssertionError("it does not become full")
    return names


@pytest.mark.parametrize("kind", ["bytes", "inodes", "quota"])
def test_full_and_back(kind: str, tmp_path: Path) -> None:
    with (
        _limited(kind, tmp_path / "disk") as disk,
        daemon(tmp_path / "daemon", disk.root, disk.before) as one,
    ):
        assert one.said("PUT", "/b") == (200, "")
        kept = os.urandom(300_000)
        assert one.said("PUT", "/b/kept", kept) == (200, "")
        upload = one.ask("POST", "/b/upload?uploads").body.split(b"UploadId>")[1][:32].decode()
        part = f"/b/upload?partNumber=1&uploadId={upload}"
        etag = one.ask("PUT", part, b"part").headers["etag"]
        assert one.ready()[0] == 200
        for _ in range(3):
            names = _fill(one, disk)
            status, reason = one.ready()
            assert status == 503, reason
            refused = [
                ("PUT", "/b/new", os.urandom(disk.step), {}),
                ("PUT", "/b/deep/er/new", os.urandom(disk.step), {}),
                ("PUT", "/c", b"", {}),
                ("PUT", "/b/copy", b"", {"x-amz-copy-source": "/b/kept"}),
                ("POST", "/b/other?uploads", b"", {}),
            ]
            if kind != "inodes":  # of which replacing takes none in the end, but one meanwhile
                refused.append(("PUT", part, os.urandom(disk.step), {}))
            refused.append(("PUT", "/b/kept", os.urandom(disk.step + 300_000), {}))
            for method, path, body, headers in refused:
                said = one.said(method, path, body, headers=headers)
                # A directory's last block may take one more name, which needs no room.
                assert said == FULL or (said == (200, "") and not body), (method, path, said)
            assert one.ask("GET", "/b/kept").body == kept
            assert one.said("HEAD", "/b/kept") == (200, "")
            assert one.ask("GET", "/b?list-type=2").body.count(b"<Key>") >= len(names)
            # Deleting needs no room, and makes some.
            for name in names:
                assert one.said("DELETE", name) == (204, "")
            one.said("DELETE", "/b/copy")
            one.said("DELETE", "/c")
            begin = time.monotonic()
            assert one.said("PUT", "/b/kept", kept) == (200, "")
            wait_until(lambda: one.ready()[0] == 200, 5)
            assert time.monotonic() - begin < 5
        document = (
            f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{etag}</ETag>"
            "</Part></CompleteMultipartUpload>"
        )
        done = one.said("POST", f"/b/upload?uploadId={upload}", document.encode())
        assert done == (200, "")
        assert one.ask("GET", "/b/upload").body == b"part"
        wait_until(lambda: not one.holds())
        staged = [*disk.root.glob(".s3gate/staging/*"), *disk.root.glob("*/.s3gate/staging/*")]
        assert not staged
        assert b"Traceback" not in one.log.read_bytes()


def test_the_kernel_makes_it_read_only(tmp_path: Path) -> None:
    """As it does after an error of the device (ext4, ``errors=remount-ro``)."""
    with image(tmp_path / "disk", "-e", "remount-ro") as (root, device):
        with daemon(tmp_path / "daemon", root) as one:
            assert one.said("PUT", "/b") == (200, "")
            assert one.said("PUT", "/b/kept", b"kept") == (200, "")
            subprocess.run(["mount", "-o", "remount,abort", device, root], check=True)
            assert one.said("PUT", "/b/new", b"new") == (503, "ServiceUnavailable")
            assert one.said("PUT", "/b/kept", b"new") == (503, "ServiceUnavailable")
            assert one.said("DELETE", "/b/kept") == (503, "ServiceUnavailable")
            status, reason = one.ready()
            assert status == 503, reason
            assert one.ask("GET", "/b/kept").body == b"kept"
            assert one.said("GET", "/b?list-type=2") == (200, "")
            assert b"Traceback" not in one.log.read_bytes()


def test_no_descriptors_are_left(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with daemon(tmp_path / "daemon", root) as one:
        assert one.said("PUT", "/b") == (200, "")
        assert one.said("PUT", "/b/kept", b"kept" * 50_000) == (200, "")
        client = http.client.HTTPConnection("127.0.0.1", one.port, timeout=30)

        def ask(method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
            signed = {} if path == "/healthz" else {"Authorization": AUTHORIZATION}
            client.request(method, path, body, signed)
            answer = client.getresponse()
            return answer.status, answer.read()

        assert ask("GET", "/b/kept")[0] == 200
        wait_until(lambda: not one.holds())
        pid, kind = one.process.pid, resource.RLIMIT_NOFILE
        before = resource.prlimit(pid, kind)
        resource.prlimit(pid, kind, (3, before[1]))
        try:
            for method, path in (("PUT", "/b/new"), ("PUT", "/b/kept"), ("DELETE", "/b/kept")):
                status, document = ask(method, path, b"new" if method == "PUT" else b"")
                assert (status, b"SlowDown" in document) == (503, True)
            assert ask("GET", "/b?list-type=2")[0] == 503
            assert ask("GET", "/healthz")[0] == 200
        finally:
            resource.prlimit(pid, kind, before)
        assert ask("GET", "/b/kept") == (200, b"kept" * 50_000)
        assert ask("PUT", "/b/new", b"new")[0] == 200
        client.close()
        assert b"Traceback" not in one.log.read_bytes()
