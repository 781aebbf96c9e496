"""Whether the sidecars of a root are those of the files in it.

Whoever copies a root, or restores one from a backup of files, copies the sidecars as well; but the
copies have other handles, so that all of it is out of sight: objects without metadata, and buckets
that are nobody's.  That must not be served unnoticed.  So beside the sidecars lies a file that says
which handle their directory had when it was made.
"""

from __future__ import annotations

import os
from contextlib import suppress

from s3daemon.store.posix import private
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.handles import handle_of
from s3daemon.store.posix.records import read_whole

_ANCHOR = private.RECORDS + b"/anchor"


def drop(disk: Disk, root: int) -> None:
    """Write it down, if it is not there yet.

    :param root: descriptor of the root, in which there is the directory of sidecars.
    :raises OSError:
    """
    if read_whole(_ANCHOR, root) is not None:
        return
    private.make(disk, root, private.STAGING)
    staged = private.STAGING + b"/" + private.unique()
    fd = disk.create(staged, root)
    try:
        disk.write(fd, [handle_of(root, private.RECORDS).encode()])
        disk.settle(fd)
        disk.rename(staged, root, _ANCHOR, root)
    except OSError:
        with suppress(OSError):  # with the other leftovers, then
            disk.unlink(staged, root)
        raise
    finally:
        os.close(fd)


def holds(root: int) -> bool:
    """False if the sidecars of a root are those of another one's files.

    :raises OSError: nobody can say.
    """
    said = read_whole(_ANCHOR, root)
    return said is None or said == handle_of(root, private.RECORDS).encode()
