"""The parts of an upload become one file: in place where they allow it, else by copying.

Parts of one size lie in one file at their offsets, so that file is the object once it is cut to its
length.  The last part, and parts that were uploaded again, are copied to their places first.
Anything irregular is copied into a file of its own, part after part: other sizes, numbers that are
left out, somebody who still writes.

Whoever calls this holds the upload's lock and has sealed it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress

from s3daemon.store.interfaces import InvalidPart
from s3daemon.store.posix.drafts import Draft
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.upload_names import PUBLISHING, WHOLE, Part, Scan
from s3daemon.store.posix.upload_state import UploadDir


def assemble(disk: Disk, upload: UploadDir, chosen: Sequence[Part], scan: Scan) -> Draft:
    """The file that is to be the object; it has a name in the upload's directory until then.

    That the name is gone tells a later reader of the directory that the file was published.

    :raises InvalidPart: the content of a part is not there, or not whole.
    """
    if is_regular(chosen, scan):
        return _in_place(disk, upload, chosen)
    return _copied(disk, upload, chosen)


def keep(disk: Disk, upload: UploadDir, draft: Draft) -> None:
    """The draft was not published: the upload is what it was.  Never fails."""
    if draft.name == WHOLE:
        try:
            with suppress(FileNotFoundError):
                disk.unlink(PUBLISHING, upload.fd)
                disk.fsync(upload.fd)
        except OSError:
            draft.name = None  # the upload would pass for completed
    else:
        draft.name = None  # it is the upload's
    draft.discard(disk)


def is_regular(chosen: Sequence[Part], scan: Scan) -> bool:
    """Whether a ``data`` file can become the object as it is.

    It has to be nobody's who still writes, and must hold nothing that is wanted if this fails: it
    is going to be cut.
    """
    stride, count = chosen[0].size, len(chosen)
    if not stride or chosen[-1].number != count:
        return False
    if any(part.size != stride for part in chosen[:-1]):
        return False
    if not any(part.stride == stride for part in chosen):
        return False
    if scan.unfinished:
        return False
    return not any(part.stride == stride and part.number > count for part in scan.all)


def _in_place(disk: Disk, upload: UploadDir, chosen: Sequence[Part]) -> Draft:
    """The ``data`` file with every part at its offset; parts that are elsewhere are copied."""
    stride = chosen[0].size
    total = stride * (len(chosen) - 1) + chosen[-1].size
    moved = [part for part in chosen if part.stride != stride]
    if moved:
        # What these take the place of may be an older part of the same number.  That it is older
        # has to be durable before it is written over.
        disk.fsync(upload.fd)
    name = b"data.%d" % stride
    draft = Draft(_open(upload, name, os.O_RDWR), name, upload.fd)
    try:
        length = os.fstat(draft.fd).st_size
        for part in chosen:
            if part.stride == stride and part.offset + part.size > length:
                raise InvalidPart(f"the content of part {part.number} is not whole")
        for part in moved:
            _copy(disk, upload, part, draft.fd, stride * (part.number - 1))
        disk.truncate(draft.fd, total)
    except BaseException:
        keep(disk, upload, draft)
        raise
    return draft


def _copied(disk: Disk, upload: UploadDir, chosen: Sequence[Part]) -> Draft:
    """A file of its own with the parts one after the other."""
    for leftover in (PUBLISHING, WHOLE):
        with suppress(FileNotFoundError):
            disk.unlink(leftover, upload.fd)
            disk.fsync(upload.fd)
    draft = Draft(disk.create(WHOLE, upload.fd), WHOLE, upload.fd)
    try:
        offset = 0
        for part in chosen:
            _copy(disk, upload, part, draft.fd, offset)
            offset += part.size
        disk.create_empty(PUBLISHING, upload.fd)
        disk.fsync(upload.fd)
    except BaseException:
        keep(disk, upload, draft)
        raise
    return draft


def _copy(disk: Disk, upload: UploadDir, part: Part, target: int, offset: int) -> None:
    if not part.size:
        return
    source = _open(upload, part.file, os.O_RDONLY)
    try:
        if disk.copy(source, target, part.size, part.offset, offset) != part.size:
            raise InvalidPart(f"the content of part {part.number} is not whole")
    finally:
        os.close(source)


def _open(upload: UploadDir, name: bytes, flags: int) -> int:
    try:
        return os.open(name, flags | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=upload.fd)
    except FileNotFoundError as exc:
        raise InvalidPart("the content of a part is not there") from exc
