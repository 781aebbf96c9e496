"""The same store again and again, a gateway over it, and what must be so after a fault."""

from __future__ import annotations

import errno
import os
import re
import shutil
import time
from pathlib import Path

import attrs
from twisted.internet.task import Clock

from s3daemon.actions.base import Limits
from s3daemon.ops.readiness import RootCheck
from s3daemon.store.health import Troubles
from s3daemon.store.interfaces import BucketInfo, ListQuery, NoSuchBucket, ObjectInfo, UploadsQuery
from s3daemon.store.posix import lock_kinds
from s3daemon.store.posix.orphans import Orphans
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import SIDECAR, Probe
from s3daemon.store.posix.spills import Spills
from s3daemon.store.posix.store import PosixStore
from tests.faults.scenarios import OWNER, Found, Scenario
from tests.store.posix.disks import tree
from tests.store.tools import get
from tests.support.gateway import make_factory
from tests.support.inmemory import Response, Wire

Answer = tuple[int, str]

FULL: Answer = (507, "StorageFull")
BROKEN: Answer = (503, "ServiceUnavailable")
BUSY: Answer = (503, "SlowDown")
REFUSED: Answer = (403, "AccessDenied")
LONG: Answer = (400, "KeyTooLongError")

#: The table of docs/operations.md: what a client hears of an error of the kernel.
ANSWERS: dict[int, Answer] = {
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EMLINK: FULL,
    errno.EFBIG: FULL,
    errno.EROFS: BROKEN,
    errno.EIO: BROKEN,
    errno.EINTR: BROKEN,
    errno.ESTALE: BROKEN,
    errno.ETIMEDOUT: BROKEN,
    errno.ENOLCK: BROKEN,
    errno.EACCES: REFUSED,
    errno.EPERM: REFUSED,
    errno.EMFILE: BUSY,
    errno.ENFILE: BUSY,
    errno.ENOMEM: BUSY,
    errno.EBUSY: BUSY,
    errno.ENAMETOOLONG: LONG,
}

#: Everything a client can see but times: buckets, objects with their content, uploads with parts.
State = tuple[dict[str, BucketInfo], dict[str, tuple[ObjectInfo, bytes]], dict[str, object]]


class Stage:
    """Makes stores.

    :param kind: ``least``: without unnamed files and renames that replace nothing, and with
        flock(2); ``sidecars``: without extended attributes; ``best``: with all there is.
    """

    def __init__(self, path: Path, kind: str) -> None:
        self._path = path
        self._count = 0
        self.root = path / "probe"
        self.root.mkdir(parents=True)
        known = attrs.evolve(probe(self.root), xattr_bytes=600)
        if kind == "sidecars":
            known = attrs.evolve(known, metadata=SIDECAR, xattr_bytes=0)
        if kind == "least":
            known = attrs.evolve(known, tmpfile=False, noreplace=False, locks=lock_kinds.FLOCK)
        self.probe: Probe = known
        self.found = Found()

    def set(self, scenario: Scenario) -> None:
        """A new root in which everything is as before the scenario."""
        self.clear()
        self._count += 1
        self.root = self._path / str(self._count)
        self.root.mkdir()
        store = self.open()
        store.buckets.create("b", OWNER)
        self.found = scenario.before(store)
        store.close()

    def clear(self) -> None:
        """Remove the root."""
        shutil.rmtree(self.root)

    def open(self) -> PosixStore:
        """A store that remembers nothing."""
        return PosixStore(self.root, known=self.probe)

    def debris(self, store: PosixStore) -> set[str]:
        """What lies in the gateway's own directories, belongs to nothing, and is not removed."""
        before = time.time_ns() + 3600 * 10**9
        store.uploads._spills = Spills(store.disk, interval_ns=0)  # type: ignore[attr-defined]
        store.uploads._orphans = Orphans(store.disk, interval_ns=0)  # type: ignore[attr-defined]
        for _ in range(3):
            store.uploads.expire(before)
        used = set()
        for path in [self.root, *self.root.rglob("*")]:
            fd = os.open(path, os.O_RDONLY)
            spill = store._volume.metadata.load(fd, store._volume.fd).spill
            os.close(fd)
            used.add(f"/{spill}")
        return {
            name
            for name in tree(self.root)
            if (".s3gate/" in name or "_s3_multipart_tmp/" in name)
            and "/locks/" not in name
            and not any(name.endswith(one) for one in used)
        }


def wire_to(store: PosixStore, root: Path | None = None) -> Wire:
    """A client of a gateway over the store, which looks at its root where that is given."""
    clock = Clock()
    limits = Limits(min_part=1, strict_names=False)
    if root is None:
        return Wire(make_factory(store, limits, clock), clock)
    troubles = Troubles()
    ready = RootCheck(
        root,
        failed_syncs=lambda: store.disk.failed_syncs,
        troubles=lambda: troubles.met,
        try_sync=store.try_sync,
    )
    return Wire(make_factory(store, limits, clock, ready=ready, troubles=troubles), clock)


def state(store: PosixStore) -> State:
    """All that a client can see, but for times, tokens and ids that depend on the moment."""
    names = [info.name for info in store.buckets.list()]
    objects: dict[str, tuple[ObjectInfo, bytes]] = {}
    uploads: dict[str, object] = {}
    if "b" in names:
        try:
            store.buckets.get("b:in")
        except NoSuchBucket:
            pass
        else:
            names.append("b:in")
        for info in store.objects.list("b", ListQuery()).objects:
            found, data = get(store, "b", info.key)
            assert found == info, "a listing and the object itself disagree"
            objects[info.key] = (attrs.evolve(found, modified_ns=0, upload_id=None), data)
        for upload in store.uploads.list("b", UploadsQuery()).uploads:
            parts = store.uploads.list_parts("b", upload.key, upload.upload_id, 0, 100).parts
            seen = uploads.setdefault(upload.key, [])
            assert isinstance(seen, list)
            one = (
                attrs.evolve(upload, upload_id="", initiated_ns=0),
                [(part.number, part.size, part.etag) for part in parts],
            )
            if one not in seen:  # who begins an upload twice has two that are alike
                seen.append(one)
    buckets = {name: attrs.evolve(store.buckets.get(name), created_ns=0) for name in names}
    return buckets, objects, uploads


def is_between(now: State, old: State, new: State) -> bool:
    """Whether each bucket, object and upload is as it was, or as it was to be."""
    for is_now, was, is_to_be in zip(now, old, new, strict=True):
        for key in {*is_now, *was, *is_to_be}:
            value = is_now.get(key)  # type: ignore[attr-defined]
            if value not in (was.get(key), is_to_be.get(key)):  # type: ignore[attr-defined]
                return False
    return True


_CODE = re.compile(b"<Code>([A-Za-z]+)</Code>")
_MOMENT = re.compile(b"<(RequestId|HostId)>[^<]*<")


def codes(response: Response) -> set[str]:
    """The codes of the errors in an answer; DeleteObjects has one for each key."""
    return {found.decode() for found in _CODE.findall(response.body)}


def said(response: Response) -> tuple[int, bytes]:
    """Status and body without what is different each time."""
    return response.status, _MOMENT.sub(b"", response.body)
