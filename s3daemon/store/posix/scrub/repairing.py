"""What can be done about a finding, one step at a time.

Every step looks again, under the lock that a gateway would hold, whether it still is as it was
found, and then changes one thing, so that it may be ended at any point and run beside gateways of
any node.  Content is never touched; what is removed is what no reader sees.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Literal

import attrs

from s3daemon.store.interfaces import (
    Busy,
    ConditionConflict,
    NoSuchBucket,
    NoSuchUpload,
)
from s3daemon.store.posix import locks, metadata, names, pointers, private, pruning
from s3daemon.store.posix.completing import remove_upload
from s3daemon.store.posix.drafts import unlink_object
from s3daemon.store.posix.durable import Disk, Hook
from s3daemon.store.posix.errnos import GONE
from s3daemon.store.posix.key_locks import Held
from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.paths import DIRECTORY, NOTHING_THERE, READ, Place, open_place
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.probed import recorded
from s3daemon.store.posix.scrub import findings
from s3daemon.store.posix.scrub.entries import has_spill, winner_of
from s3daemon.store.posix.scrub.findings import Finding, Kind
from s3daemon.store.posix.upload_names import SEALED, STATE
from s3daemon.store.posix.upload_state import UploadDir, open_upload
from s3daemon.store.posix.volume import Bucket, Volume

#: ``gone``: it is not (any more) as it was found.  ``busy``: somebody is at work there.
Outcome = Literal["repaired", "gone", "busy"]

_NAMED = DIRECTORY | os.O_NOFOLLOW


def open_to_repair(root: Path, hooks: Sequence[Hook] = ()) -> Volume:
    """Open a root as a gateway does, on the level "strict"; close it afterwards.

    :param hooks: stand around every change of the disk.
    :raises ProbeError, OSError: it cannot hold a store.
    """
    fd = os.open(root, DIRECTORY)
    try:
        known = recorded(fd)
    finally:
        os.close(fd)
    return Volume(root, Disk("strict", hooks), known or probe(root))


class Repairer:
    """Repairs what a scrub of the same root has found.

    :param volume: open for changes.
    :param before_ns: the age of leftovers, as of the scrub.
    """

    def __init__(self, volume: Volume, before_ns: int) -> None:
        self._volume = volume
        self._before_ns = before_ns
        self._ways: dict[Kind, Callable[[Bucket, Finding], Outcome]] = {
            findings.STALE_STAMP: self._stamp,
            findings.DAMAGED_RECORD: self._drop_record,
            findings.LOST_SPILL: self._drop_spill,
            findings.HIDDEN: self._remove_hidden,
            findings.ORPHAN_SPILL: self._remove_tree,
            findings.ORPHAN_SIDECAR: self._remove_tree,
            findings.STAGED: self._remove_tree,
            findings.GONE_UPLOAD: self._remove_tree,
            findings.STATELESS_UPLOAD: self._remove_upload,
            findings.FINISHED_UPLOAD: self._remove_upload,
            findings.ABANDONED_SEAL: self._remove_seal,
            findings.ORPHAN_CONTENT: self._remove_orphan,
            findings.STALE_POINTER: self._remove_pointer,
            findings.EMPTY_DIRECTORY: self._remove_directory,
        }

    def repair(self, finding: Finding) -> Outcome:
        """Do what :attr:`Kind.repair` says, durably.

        :raises KeyError: nothing can be done about such a finding.
        :raises OSError: it could not be done.
        """
        if not finding.kind.repair:
            raise KeyError(finding.kind.name)
        try:
            if finding.bucket is None:
                return self._clear(self._volume.fd, finding)
            with self._volume.bucket(finding.bucket) as bucket:
                if finding.path != (*bucket.place, *finding.place):
                    return "gone"
                return self._ways[finding.kind](bucket, finding)
        except (NoSuchBucket, NoSuchUpload):
            return "gone"
        except (Busy, ConditionConflict):
            return "busy"
        except OSError as exc:
            if exc.errno in GONE:
                return "gone"
            raise

    # ------------------------------------------------------------ records

    def _stamp(self, bucket: Bucket, finding: Finding) -> Outcome:
        def stamped(record: Record, st: os.stat_result) -> Record | None:
            now = metadata.stamp(st)
            if now != finding.seen or record.damaged or record.stamp == now:
                return None
            verified = finding.record
            if verified is None or metadata.content_of(record) != metadata.content_of(verified):
                return None
            return attrs.evolve(record, stamp=now)

        return self._change(bucket, finding, stamped)

    def _drop_record(self, bucket: Bucket, finding: Finding) -> Outcome:
        def dropped(record: Record, _: os.stat_result) -> Record | None:
            if not record.damaged or record.later or has_spill(record):
                return None
            return metadata.EMPTY

        return self._change(bucket, finding, dropped)

    def _drop_spill(self, bucket: Bucket, finding: Finding) -> Outcome:
        def dropped(record: Record, _: os.stat_result) -> Record | None:
            if not record.damaged or not has_spill(record):
                return None
            return attrs.evolve(record, damaged=False, spill=None)

        return self._change(bucket, finding, dropped)

    def _change(
        self,
        bucket: Bucket,
        finding: Finding,
        change: Callable[[Record, os.stat_result], Record | None],
    ) -> Outcome:
        """Replace the record of an entry; None leaves it as it is."""
        fd = _open(bucket, finding.place, READ | os.O_NOFOLLOW)
        if fd is None:
            return "gone"
        try:
            if locks.lock(fd) is False:
                return "busy"
            st = os.fstat(fd)
            old = self._volume.metadata.load(fd, bucket.home)
            new = change(old, st)
            if new is None or not st.st_nlink:
                return "gone"
            self._volume.metadata.save(bucket.disk, fd, bucket.home, new, old)
            bucket.disk.fsync(fd)
            return "repaired"
        finally:
            os.close(fd)

    # ------------------------------------------------------------ forms of a key

    def _remove_hidden(self, bucket: Bucket, finding: Finding) -> Outcome:
        place = finding.place
        segments = names.segments(finding.key or "")
        with self._alone(bucket, segments):
            parent = _open(bucket, place[:-1], DIRECTORY)
            if parent is None:
                return "gone"
            try:
                st = os.stat(place[-1], dir_fd=parent, follow_symlinks=False)
                winner = winner_of(bucket.fd, segments)
                if metadata.stamp(st) != finding.seen or winner in (None, place):
                    return "gone"
                if not unlink_object(self._volume, bucket, place[-1], parent):
                    return "gone"
                bucket.disk.fsync(parent)
            finally:
                os.close(parent)
        pruning.prune(self._volume, bucket, place[:-1])
        return "repaired"

    def _alone(self, bucket: Bucket, segments: Place) -> Held | nullcontext[None]:
        if not self._volume.locks:
            return nullcontext()
        return self._volume.locks.exclusive(bucket.place, segments)

    # ------------------------------------------------------------ leftovers

    def _is_old(self, st: os.stat_result) -> bool:
        return max(st.st_mtime_ns, st.st_ctime_ns) < self._before_ns

    def _remove_tree(self, bucket: Bucket, finding: Finding) -> Outcome:
        return self._clear(bucket.fd, finding)

    def _clear(self, dir_fd: int, finding: Finding) -> Outcome:
        path = b"/".join(finding.place)
        if not self._is_old(os.stat(path, dir_fd=dir_fd, follow_symlinks=False)):
            return "busy"
        private.remove_tree(self._volume.disk, path, dir_fd)
        return "repaired"

    def _remove_pointer(self, bucket: Bucket, finding: Finding) -> Outcome:
        path = b"/".join(finding.place)
        if not pointers.is_stale(self._volume, bucket, path):
            return "gone"
        pointers.remove(self._volume, bucket, path)
        return "repaired"

    def _remove_directory(self, bucket: Bucket, finding: Finding) -> Outcome:
        place = finding.place
        fd = _open(bucket, place, _NAMED)
        if fd is None:
            return "gone"
        try:
            if not self._is_old(os.fstat(fd)):
                return "busy"
            bare = self._volume.metadata.load(fd, bucket.home) == metadata.EMPTY
        finally:
            os.close(fd)
        ours = bare and place[-1].startswith(names.ESCAPE)
        which = pruning.NO_BUCKET if ours else pruning.IMPLICIT
        if not pruning.remove(self._volume, bucket, place, which):
            return "busy"
        pruning.prune(self._volume, bucket, place[:-1])
        return "repaired"

    # ------------------------------------------------------------ uploads

    def _locked(
        self, bucket: Bucket, finding: Finding, do: Callable[[UploadDir], Outcome]
    ) -> Outcome:
        with open_upload(bucket, os.fsdecode(finding.place[1])) as upload:
            if upload.try_lock(self._volume.locks.kind) is False:
                return "busy"
            return do(upload) if upload.is_current() else "gone"

    def _remove_upload(self, bucket: Bucket, finding: Finding) -> Outcome:
        def remove(upload: UploadDir) -> Outcome:
            if not self._is_old(os.fstat(upload.fd)):
                return "busy"
            if upload.has(STATE) and not upload.was_published():
                return "gone"
            remove_upload(self._volume, upload)
            return "repaired"

        return self._locked(bucket, finding, remove)

    def _remove_seal(self, bucket: Bucket, finding: Finding) -> Outcome:
        def remove(upload: UploadDir) -> Outcome:
            if not upload.has(SEALED) or upload.was_published():
                return "gone"
            private.remove_tree(bucket.disk, SEALED, upload.fd)
            return "repaired"

        return self._locked(bucket, finding, remove)

    def _remove_orphan(self, bucket: Bucket, finding: Finding) -> Outcome:
        name = finding.place[2]
        with open_upload(bucket, os.fsdecode(finding.place[1])) as upload:
            st = os.stat(name, dir_fd=upload.fd, follow_symlinks=False)
            # Its writer lives if it has grown, and has made a record if it lived until then.
            if metadata.stamp(st) != finding.seen or not self._is_old(st):
                return "busy"
            if any(part.file == name for part in upload.scan().all):
                return "gone"
            private.remove_tree(bucket.disk, name, upload.fd)
            return "repaired"


def _open(bucket: Bucket, place: Place, flags: int) -> int | None:
    """Open an entry; None if it is gone, or is another by now."""
    try:
        return open_place(bucket.fd, place, flags)
    except OSError as exc:
        if exc.errno in NOTHING_THERE:
            return None
        raise
