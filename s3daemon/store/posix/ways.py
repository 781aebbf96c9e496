"""The way to what was put, made durable: its directory, and all above that may not be so far."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from s3daemon.store.posix.directories import Directory
from s3daemon.store.posix.lasting import Identity
from s3daemon.store.posix.paths import DIRECTORY, Place, open_place
from s3daemon.store.posix.volume import Bucket, Volume


def sync(volume: Volume, bucket: Bucket, directory: Directory) -> None:
    """Make the names in a directory durable, and the way to it, deepest first.

    That is more than what was made for it: see :mod:`s3daemon.store.posix.lasting`.
    """
    disk = bucket.disk
    if disk.syncs_names:
        disk.sync_names(directory.fd)
        _sync_way(volume, bucket, directory, disk.sync_names)


def secure(volume: Volume, bucket: Bucket, directory: Directory) -> None:
    """Make the way to a directory durable, but not what is in it.

    Also where names are not synced: for something that must not lose its old name to a new one that
    a power cut takes away with its directory.
    """
    disk = bucket.disk
    if disk.durability != "relaxed":
        _sync_way(volume, bucket, directory, disk.fsync)


def _sync_way(
    volume: Volume, bucket: Bucket, directory: Directory, sync: Callable[[int], None]
) -> None:
    lasting = volume.lasting
    here = lasting.knows(directory.fd)
    found: list[Identity] = []
    for top, place in _above(volume, bucket, directory.place):
        if here is None:
            break
        found.append(here)
        try:
            fd = open_place(top, place, DIRECTORY)
        except FileNotFoundError:
            return  # deleted again, and pruned, by somebody who came after
        try:
            sync(fd)
            here = lasting.knows(fd)
        finally:
            os.close(fd)
    lasting.add(found)


def _above(volume: Volume, bucket: Bucket, place: Place) -> Iterator[tuple[int, Place]]:
    """The directories above one, up to the root: where to open each, and how."""
    for length in reversed(range(len(place))):
        yield bucket.fd, place[:length]
    for length in reversed(range(len(bucket.place))):
        yield volume.fd, bucket.place[:length]
