"""System calls: what the probe has found, and what it does not need to know."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator

from s3daemon.store.posix import lock_kinds, locks, syscalls
from s3daemon.store.posix.doctor.findings import Finding, Verdict, yes
from s3daemon.store.posix.lock_proof import holds
from s3daemon.store.posix.probed import XATTR, XATTR_MAX, Probe
from s3daemon.store.posix.trial import Trial
from s3daemon.store.posix.watches import Watch, is_local

SECTION = "calls"


def calls(trial: Trial, probe: Probe) -> Iterator[Finding]:
    """All of them."""
    yield _xattr(probe)
    for what, can, good, bad, verdict in (
        (
            "O_TMPFILE",
            probe.tmpfile,
            "an object has no name before it is whole",
            "objects are made in .s3gate/staging; a crash leaves them there, and they are swept",
            Verdict.OK,
        ),
        (
            "link through /proc",
            probe.proc_link,
            "an open file can be given a name",
            "unnamed files are of no use here",
            Verdict.OK,
        ),
        (
            "link",
            probe.hard_links,
            "two creators of a key: one wins",
            "RENAME_NOREPLACE decides between two creators of a key",
            Verdict.OK,
        ),
        (
            "RENAME_NOREPLACE",
            probe.noreplace,
            "directories take a name only where it is free",
            "links decide between two creators of a key, and buckets are made in two steps",
            Verdict.OK,
        ),
        (
            "openat2",
            probe.openat2,
            "the kernel keeps paths within their bucket",
            "paths are resolved directory by directory, which is slower",
            Verdict.WARN,
        ),
        (
            "fsync of directories",
            probe.dir_sync,
            "names survive a power cut",
            "a power cut may lose the name of an object that was acknowledged",
            Verdict.FAIL,
        ),
    ):
        yield Finding(
            SECTION, what, can, yes(can), good if can else bad, Verdict.OK if can else verdict
        )
    yield from _in_memory(trial)
    yield _watching(trial)


def _xattr(probe: Probe) -> Finding:
    if probe.metadata != XATTR:
        return Finding(
            SECTION,
            "extended attributes",
            0,
            "no",
            "records are kept in files beneath .s3gate, which other tools do not copy along",
            Verdict.WARN,
        )
    size = probe.xattr_bytes
    return Finding(
        SECTION,
        "extended attributes",
        size,
        f"up to {size:,} bytes",
        "records fit whatever they hold" if size >= XATTR_MAX else "longer records have a file",
    )


def _in_memory(trial: Trial) -> Iterator[Finding]:
    local = is_local(trial.fd)
    fd = trial.disk.create(b"cached", trial.fd)
    try:
        trial.disk.write(fd, [b"x" * 4096])
        flags = syscalls.RESOLVE_BENEATH | syscalls.RESOLVE_CACHED
        opens = _can(lambda: os.close(syscalls.openat2(trial.fd, b"cached", os.O_RDONLY, flags)))
        buffer = bytearray(4096)
        reads = _can(lambda: os.preadv(fd, [buffer], 0, os.RWF_NOWAIT))
    finally:
        os.close(fd)
        trial.disk.unlink(b"cached", trial.fd)
    for what, can in (("RESOLVE_CACHED", opens), ("RWF_NOWAIT", reads)):
        used = can and local
        yield Finding(
            SECTION,
            what,
            can,
            yes(can),
            "what is in memory is answered without a thread"
            if used
            else "answers take a thread: on this type, opening may ask a server"
            if can
            else "answers take a thread",
        )


def _can(call: object) -> bool:
    """Whether there is such a call; that nothing is in memory just now is no answer."""
    assert callable(call)
    try:
        call()
    except OSError as exc:
        return exc.errno == errno.EAGAIN
    return True


def _watching(trial: Trial) -> Finding:
    if not is_local(trial.fd):
        return Finding(
            SECTION,
            "inotify",
            False,
            "of no use",
            "it tells of this node's changes only: large directories that change are read anew",
        )
    watch = Watch.of(trial.fd)
    tells = False
    if watch is not None:
        os.close(trial.disk.create(b"watched", trial.fd))
        tells = b"watched" in (watch.changes() or ())
        trial.disk.unlink(b"watched", trial.fd)
        watch.close()
    return Finding(
        SECTION,
        "inotify",
        tells,
        yes(tells),
        "large directories that change are followed"
        if tells
        else "large directories are read anew when they change: raise"
        " fs.inotify.max_user_instances",
        Verdict.OK if tells else Verdict.WARN,
    )


def locking(trial: Trial) -> Iterator[Finding]:
    """Which locks hold between two processes."""
    os.close(trial.disk.create(b"locked", trial.fd))
    kinds = {kind: holds(trial.path / "locked", kind) for kind in lock_kinds.KINDS}
    trial.disk.unlink(b"locked", trial.fd)
    some = any(kinds.values())
    for kind, can in kinds.items():
        yield Finding(
            "locks",
            kind,
            can,
            "holds between processes" if can else "no",
            "conditional writes (If-Match) are exact"
            if can
            else "the other kind is used"
            if some
            else "conditional writes (If-Match) are refused",
            Verdict.OK if some else Verdict.WARN,
        )
    yield _of_directories(trial)


def _of_directories(trial: Trial) -> Finding:
    first = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=trial.fd)
    second = os.open(b".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=trial.fd)
    try:
        can = locks.try_lock(first) is True and locks.try_lock(second) is False
    finally:
        os.close(first)
        os.close(second)
    return Finding(
        "locks",
        "of directories",
        can,
        yes(can),
        "an upload is locked by its directory" if can else "an upload is locked by a file in it",
    )
