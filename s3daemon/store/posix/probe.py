"""What a file system can do, found out by trying.

Documentation and mount tables tell less than the system call itself: the same NFS server may or may
not keep extended attributes, and a container may hide /proc.  Everything happens in a directory
beneath the root that is removed again.
"""

from __future__ import annotations

import errno
import os
from contextlib import ExitStack, suppress
from pathlib import Path

import attrs

from s3daemon.store.posix import anchors, sidecar_proof, syscalls
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.key_locks import KeyLocks
from s3daemon.store.posix.lock_proof import proved
from s3daemon.store.posix.names import MAX_NAME_BYTES
from s3daemon.store.posix.probed import XATTR, XATTR_MAX, Probe, record, recorded
from s3daemon.store.posix.records import ATTRIBUTE
from s3daemon.store.posix.sidecar_proof import NoSidecars
from s3daemon.store.posix.surroundings import surroundings_of
from s3daemon.store.posix.trial import trial

#: Without this much even the attribute that only names a spill file does not fit.
_XATTR_LEAST = 512


#: f_type of statfs(2) of what a program of its own serves through the kernel (linux/magic.h).
_FUSE = 0x65735546

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT))


class _Full(Exception):
    """There is no room to try anything."""


class ProbeError(Exception):
    """This directory cannot hold a store; the text says why, and what to do."""


def probe(root: Path) -> Probe:
    """Try everything.

    :raises ProbeError: the root is missing, not writable, or lacks what no store can do without.
    """
    disk = Disk("strict")
    try:
        root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ProbeError(f"{root} does not exist: create it, or correct the setting") from None
    except NotADirectoryError:
        raise ProbeError(f"{root} is not a directory") from None
    except OSError as exc:
        raise ProbeError(f"{root} cannot be opened: {exc.strerror}") from exc
    try:
        try:
            found = _probe_in(disk, root, root_fd)
        except _Full as exc:
            known = recorded(root_fd)
            if known is None:
                raise ProbeError(
                    f"the file system of {root} is full, and it has not been tried before:"
                    " free some space"
                ) from exc
            return known
        record(disk, root_fd, found, surroundings_of(root_fd))
        with suppress(OSError):  # then they are made when they are needed
            KeyLocks(disk, root_fd, found.locks).prepare()
        return found
    finally:
        os.close(root_fd)


def _probe_in(disk: Disk, root: Path, root_fd: int) -> Probe:
    with ExitStack() as stack:
        try:
            tried = stack.enter_context(trial(disk, root, root_fd))
        except OSError as exc:
            if exc.errno in _NO_ROOM:
                raise _Full from exc
            raise ProbeError(
                f"{root} is not writable for this user ({exc.strerror}):"
                " mount it read-write, and let the daemon's user own it"
            ) from exc
        found = _try_all(disk, root, tried.fd, recorded(root_fd))
        _check_anchor(root, root_fd)
        return attrs.evolve(found, locks=proved(tried.path / "file"))


def _try_all(disk: Disk, root: Path, dir_fd: int, before: Probe | None) -> Probe:
    try:
        file_fd = disk.create(b"file", dir_fd)
    except OSError as exc:
        if exc.errno in _NO_ROOM:
            raise _Full from exc
        raise ProbeError(f"no file can be made beneath {root}: {exc.strerror}") from exc
    try:
        hard_links = _can(disk.link, b"file", dir_fd, b"link", dir_fd)
        xattr_bytes = _xattr_bytes(disk, root, file_fd, dir_fd if hard_links else None)
        proc_link = _can(disk.link_fd, file_fd, b"proc", dir_fd)
        noreplace = _noreplace(disk, file_fd, dir_fd)
        if not (hard_links or noreplace):
            raise ProbeError(
                f"the file system of {root} has neither hard links nor RENAME_NOREPLACE, so that"
                " two writers of one new object could not be told apart: use another file system"
            )
        return Probe(
            metadata=XATTR if xattr_bytes else _sidecars(disk, root, dir_fd, before),
            xattr_bytes=xattr_bytes,
            tmpfile=_tmpfile(disk, dir_fd),
            proc_link=proc_link,
            hard_links=hard_links,
            noreplace=noreplace,
            openat2=_can(_openat2, dir_fd),
            copy_range=_copy_range(disk, file_fd, dir_fd),
            dir_sync=_can(disk.fsync, dir_fd),
            name_bytes=_name_bytes(disk, dir_fd),
            case_folding=_exists(b"FILE", dir_fd),
            unicode_folding=_unicode_folding(disk, dir_fd),
        )
    finally:
        os.close(file_fd)


def _can(call: object, *args: object) -> bool:
    assert callable(call)
    try:
        call(*args)
    except OSError:
        return False
    return True


def _exists(name: bytes, dir_fd: int) -> bool:
    return _can(lambda: os.stat(name, dir_fd=dir_fd, follow_symlinks=False))


def _xattr_bytes(disk: Disk, root: Path, fd: int, dir_fd: int | None) -> int:
    """The longest value with which a file can still be given a name, by bisection.

    0 where there are none.  GlusterFS keeps an attribute for each name, which needs room as well.

    :param dir_fd: the directory, where names can be given; else None.
    """
    fits, too_long = 0, XATTR_MAX + 1
    size = _XATTR_LEAST
    while too_long - fits > 1:
        try:
            disk.set_xattr(fd, ATTRIBUTE, b"x" * size)
        except OSError as exc:
            if exc.errno in _NO_ROOM and size <= _XATTR_LEAST:
                raise _Full from exc
            if size <= _XATTR_LEAST:
                return 0
            too_long = size
        else:
            if os.getxattr(fd, ATTRIBUTE) != b"x" * size:
                raise ProbeError(f"the file system of {root} does not give back what it was given")
            if dir_fd is None or _can_be_named(disk, dir_fd):
                fits = size
            else:
                too_long = size
        size = min((fits + too_long) // 2 if too_long <= XATTR_MAX else fits * 4, XATTR_MAX)
    return fits


def _check_anchor(root: Path, root_fd: int) -> None:
    """:raises ProbeError: the root is a copy, and what is known of its files has stayed behind."""
    try:
        holds = anchors.holds(root_fd)
    except OSError as exc:
        raise ProbeError(f".s3gate/records in {root} cannot be read: {exc.strerror}") from exc
    if not holds:
        raise ProbeError(
            f"{root} is a copy: what S3 knew of its objects, in .s3gate/records, belongs to the"
            " files that it was copied from. Copy the volume block by block, or the objects through"
            " S3; to serve it without owners and metadata, remove .s3gate/records"
        )


def _sidecars(disk: Disk, root: Path, dir_fd: int, before: Probe | None) -> str:
    """:raises ProbeError: there can be none, or they would not be all."""
    remedy = (
        "mount it with user_xattr (JuiceFS: --enable-xattr; NFS: version 4.2 on both sides), or use"
        " another file system"
    )
    if before is not None and before.metadata == XATTR:
        raise ProbeError(
            f"what S3 knows of the objects in {root} is in extended attributes, which its file"
            f" system does not keep any more: {remedy}"
        )
    try:
        found = sidecar_proof.kind(disk, dir_fd)
    except NoSidecars as why:
        raise ProbeError(
            f"the file system of {root} does not keep extended attributes, which hold what S3 knows"
            f" of an object, and files beside it cannot do so either: {why}; {remedy}"
        ) from None
    if before is not None and before.metadata != found:
        raise ProbeError(
            f"what S3 knows of the objects in {root} is in files that are found by what its file"
            " system does not say now (handles, or exact times): mount it as it was"
        )
    return found


def _can_be_named(disk: Disk, dir_fd: int) -> bool:
    if not _can(disk.link, b"file", dir_fd, b"named", dir_fd):
        return False
    disk.unlink(b"named", dir_fd)
    return True


def _noreplace(disk: Disk, fd: int, dir_fd: int) -> bool:
    """Whether it renames to a free name, and only to one."""
    os.close(disk.create(b"from", dir_fd))
    os.close(disk.create(b"to", dir_fd))
    try:
        disk.rename_new(b"from", dir_fd, b"to", dir_fd)
        return False
    except FileExistsError:
        return _can(disk.rename_new, b"from", dir_fd, b"fresh", dir_fd)
    except OSError:
        return False


def _tmpfile(disk: Disk, dir_fd: int) -> bool:
    """Whether there are unnamed files, and one that is given a name keeps it.

    Not tried on FUSE: JuiceFS 1.4.1 loses such a file when its descriptor is closed, name, content
    and all, and after that its directory cannot be removed any more.
    """
    if syscalls.file_system_type(dir_fd) == _FUSE:
        return False
    try:
        fd = disk.open_temp(dir_fd)
    except OSError:
        return False
    try:
        linked = _can(disk.link_fd, fd, b"unnamed", dir_fd)
    finally:
        os.close(fd)
    return linked and _exists(b"unnamed", dir_fd)


def _openat2(dir_fd: int) -> None:
    os.close(syscalls.openat2(dir_fd, b"file", os.O_RDONLY, syscalls.RESOLVE_BENEATH))


def _copy_range(disk: Disk, fd: int, dir_fd: int) -> bool:
    disk.pwrite(fd, [b"x"], 0)
    target = disk.create(b"copy", dir_fd)
    try:
        return os.copy_file_range(fd, target, 1) == 1
    except OSError:
        return False
    finally:
        os.close(target)


def _unicode_folding(disk: Disk, dir_fd: int) -> bool:
    """Whether two ways to write one accented letter, which are two keys, are one name."""
    composed, decomposed = "\u00e9".encode(), "e\u0301".encode()
    try:
        os.close(disk.create(composed, dir_fd))
    except OSError:
        return False  # there are no such names
    return _exists(decomposed, dir_fd)


def _name_bytes(disk: Disk, dir_fd: int) -> int:
    """The longest name, as the kernel says, or less where that is not true."""
    size = min(os.fpathconf(dir_fd, "PC_NAME_MAX"), MAX_NAME_BYTES)
    while size > 1:
        try:
            os.close(disk.create(b"n" * size, dir_fd))
        except OSError as exc:
            if exc.errno != errno.ENAMETOOLONG:
                raise
            size -= 1
        else:
            return size
    return size
