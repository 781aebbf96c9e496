"""The store, broken on purpose: each break is a mistake that was made once, or could be.

:mod:`tests.crash.test_rebreak` shows that the tests of crashes see them.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest

from s3daemon.store.posix import completing, drafts, publishing, ways, writer
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.key_locks import Held, KeyLocks
from s3daemon.store.posix.records import XattrMetadata
from s3daemon.store.posix.settling import Settling
from s3daemon.store.posix.upload_state import UploadDir

Patch = pytest.MonkeyPatch
Break = Callable[[Patch], None]


def no_sync_of_files(patch: Patch) -> None:
    """Content is published without being synced."""
    patch.setattr(Disk, "settle", lambda self, fd: None)


def no_sync_of_directories(patch: Patch) -> None:
    """Names are not synced."""
    patch.setattr(Disk, "sync_names", lambda self, fd: None)


def no_sync_of_made_directories(patch: Patch) -> None:
    """Of a directory that was made only what is in it is synced."""
    patch.setattr(ways, "_sync_way", lambda volume, bucket, directory, sync: None)


def no_sync_of_deletions(patch: Patch) -> None:
    """A name is removed, and that is not synced."""
    patch.setattr(Settling, "_sync", lambda self, changed: True)


def no_sync_of_long_records(patch: Patch) -> None:
    """An attribute names what is not durable, and its predecessor goes before it is so itself."""
    save = XattrMetadata.save

    def careless(self: XattrMetadata, disk: Disk, *args: Any) -> None:
        unsynced: Any = copy.copy(disk)
        unsynced.fsync = lambda fd: None
        save(self, unsynced, *args)

    patch.setattr(XattrMetadata, "save", careless)


def published_before_its_record(patch: Patch) -> None:
    """Content gets its name first, and then its record."""

    def publish_with(
        volume: Any, bucket: Any, segments: Any, draft: Any, record_of: Any, condition: Any
    ) -> Any:
        publishing.publish(volume, bucket, segments, draft, condition)
        return writer.seal(volume, bucket, draft, record_of)

    patch.setattr(writer, "publish_with", publish_with)
    patch.setattr(completing, "publish_with", publish_with)


def published_before_its_sync(patch: Patch) -> None:
    """Content gets its name first, and is synced then."""
    settle = Disk.settle

    def publish(volume: Any, bucket: Any, segments: Any, draft: Any, condition: Any) -> None:
        publishing.publish(volume, bucket, segments, draft, condition)
        settle(bucket.disk, draft.fd)

    patch.setattr(Disk, "settle", lambda self, fd: None)
    patch.setattr(writer, "publish", publish)


def long_record_goes_first(patch: Patch) -> None:
    """What a record keeps elsewhere goes before the name of its file is durably gone."""

    def forget(self: Any) -> None:
        if self._fd >= 0:
            record = self._volume.metadata.load(self._fd, self._bucket.home)
            self._volume.metadata.forget(self._volume.disk, self._bucket.home, record)

    patch.setattr(drafts._Replaced, "forget", forget)


def upload_moves_into_the_void(patch: Patch) -> None:
    """An upload's file is moved into a directory that is not durable yet."""
    patch.setattr(ways, "secure", lambda volume, bucket, directory: None)


def old_name_goes_first(patch: Patch) -> None:
    """What is to be replaced is removed before."""
    replace = drafts.replace

    def after_removal(volume: Any, bucket: Any, dir_fd: int, name: bytes, draft: Any) -> bool:
        with suppress(FileNotFoundError):
            volume.disk.unlink(name, dir_fd)
        return replace(volume, bucket, dir_fd, name, draft)

    patch.setattr(publishing, "replace", after_removal)


def failed_sync_is_tried_again(patch: Patch) -> None:
    """An fsync that fails is tried again, and the second one says that all is well."""
    fsync = Disk._fsync

    def again(self: Disk, fd: int) -> None:
        try:
            fsync(self, fd)
        except OSError:
            fsync(self, fd)

    patch.setattr(Disk, "_fsync", again)


def failed_sync_is_ignored(patch: Patch) -> None:
    """An fsync that fails is no reason not to answer."""
    fsync = Disk._fsync

    def ignore(self: Disk, fd: int) -> None:
        with suppress(OSError):
            fsync(self, fd)

    patch.setattr(Disk, "_fsync", ignore)


def no_lock_of_uploads(patch: Patch) -> None:
    """Completing and aborting do not wait for each other."""
    patch.setattr(UploadDir, "try_lock", lambda self, kind: True)


def no_lock_of_keys(patch: Patch) -> None:
    """Who judges an object does not keep others from replacing it meanwhile."""
    patch.setattr(KeyLocks, "exclusive", lambda self, place, segments: Held())
    patch.setattr(KeyLocks, "shared", lambda self, place, segments: Held())


#: What the power cut of a scene shows.
BY_POWER: list[tuple[Break, str]] = [
    (no_sync_of_files, "over"),
    (no_sync_of_files, "part, next"),
    (no_sync_of_directories, "new"),
    (no_sync_of_directories, "new bucket"),
    (no_sync_of_directories, "part, next"),
    (no_sync_of_directories, "folder of an object"),
    (no_sync_of_made_directories, "new, deep"),
    (no_sync_of_deletions, "delete, if it is this"),
    (no_sync_of_deletions, "delete many"),
    (no_sync_of_long_records, "new, long record"),
    (no_sync_of_long_records, "tags, long record"),
    (published_before_its_record, "over"),
    (published_before_its_sync, "over"),
    (long_record_goes_first, "over a long record"),
    (long_record_goes_first, "delete, beside a directory"),
    (upload_moves_into_the_void, "complete in place, deep"),
]

#: What an fsync that fails shows, and then the power cut.
BY_FAILED_SYNC: list[tuple[Break, str]] = [
    (failed_sync_is_tried_again, "over"),
    (failed_sync_is_tried_again, "part, next"),
    (failed_sync_is_ignored, "new"),
]

#: What kill -9 shows.
BY_KILL: list[tuple[Break, str]] = [
    (published_before_its_record, "new"),
    (published_before_its_record, "complete in place"),
    (old_name_goes_first, "over"),
]

#: What two processes show, of which one is killed.
BY_RACE: list[tuple[Break, str]] = [
    (no_lock_of_uploads, "complete, complete"),
    (no_lock_of_keys, "swap, swap"),
]

#: By name, for processes that are to be broken.
BREAKS: dict[str, Break] = {one.__name__: one for one, _ in (*BY_KILL, *BY_RACE)}
