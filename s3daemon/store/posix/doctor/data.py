"""Bytes: copying, sharing, holes, long files, and what a sync costs."""

from __future__ import annotations

import os
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

from s3daemon.store.posix import syscalls
from s3daemon.store.posix.doctor.findings import Finding, Verdict, yes
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.trial import Trial

SECTION = "data"

_MIB = 1 << 20
_COPIED = 8 * _MIB
#: Where a file can have holes, one is made that needs more than 32 bits.
_SPARSE, _LONG = 64 * _MIB, 5 << 30

#: Syncs that are timed, and the milliseconds they may take together.
_SYNCS, _SYNC_BUDGET = 32, 2000.0
#: A device that answers sooner than this, in milliseconds, has not written anything.
_TOO_GOOD = 0.02
_SLOW = 50.0


def data(trial: Trial, in_memory: bool) -> Iterator[Finding]:
    """All of it.

    :param in_memory: nothing is ever written to a device.
    """
    yield from _copying(trial)
    yield from _holes(trial)
    yield from _syncing(trial, in_memory)
    yield _sending(trial)


class _Counted:
    """A hook that adds up what the kernel copies."""

    def __init__(self) -> None:
        self.by_kernel = 0

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        result = call(*args)
        if name == "copy_range":
            self.by_kernel += result
        return result


def _copying(trial: Trial) -> Iterator[Finding]:
    counted = _Counted()
    disk = Disk("strict", [counted])
    source, target = (disk.create(name, trial.fd) for name in (b"source", b"target"))
    try:
        content = os.urandom(_MIB) * (_COPIED // _MIB)
        disk.write(source, [content])
        disk.fsync(source)
        disk.copy(source, target, _COPIED)
        same = _content(target, _COPIED) == content
        if counted.by_kernel == _COPIED:
            found, means = "whole", "copies and irregular parts never come to the gateway's memory"
        elif counted.by_kernel:
            found = f"stops after {counted.by_kernel} bytes"
            means = "the rest is read and written, which is correct and slower"
        else:
            found, means = "no", "copies are read and written, which is slower"
        verdict = Verdict.OK if counted.by_kernel == _COPIED else Verdict.WARN
        if not same:
            verdict = Verdict.FAIL
            found, means = "wrong bytes", "what is copied is not what it was: do not use it"
        yield Finding(SECTION, "copy_file_range", counted.by_kernel, found, means, verdict)
        disk.fsync(target)
        shared = same and syscalls.shares_blocks(target)
        yield Finding(
            SECTION,
            "shared blocks",
            shared,
            yes(shared),
            "copies cost no space and no time"
            if shared
            else "every copy takes the space of its source",
        )
    finally:
        os.close(source)
        os.close(target)
        for name in (b"source", b"target"):
            disk.unlink(name, trial.fd)


def _content(fd: int, size: int) -> bytes:
    pieces, at = [], 0
    while at < size and (piece := os.pread(fd, _MIB, at)):
        pieces.append(piece)
        at += len(piece)
    return b"".join(pieces)


def _holes(trial: Trial) -> Iterator[Finding]:
    disk = trial.disk
    fd = disk.create(b"holes", trial.fd)
    try:
        disk.write(fd, [b"x" * _MIB])
        disk.fsync(fd)
        try:
            disk.punch(fd, 0, _MIB)
            punched = not any(_content(fd, _MIB))
        except OSError:
            punched = False
        yield Finding(
            SECTION,
            "holes punched",
            punched,
            yes(punched),
            "a part that turns out longer than announced gives its first place back"
            if punched
            else "a part that turns out longer than announced takes its space twice for a while",
        )
        before = _free(fd)
        disk.truncate(fd, _SPARSE)
        disk.pwrite(fd, [b"y"], _SPARSE - 1)
        disk.fsync(fd)
        # Some only say that a file has as many blocks as it would have without holes.
        taken = min(os.fstat(fd).st_blocks * 512, before - _free(fd))
        sparse = taken < _SPARSE // 2
        yield Finding(
            SECTION,
            "sparse files",
            sparse,
            yes(sparse),
            "parts take their place in an upload in any order"
            if sparse
            else "a part that comes before others takes their space as well",
        )
        if sparse:  # else it would take all that space
            yield _long(trial, fd)
    finally:
        os.close(fd)
        disk.unlink(b"holes", trial.fd)


def _free(fd: int) -> int:
    st = os.fstatvfs(fd)
    return st.f_bfree * st.f_frsize


def _long(trial: Trial, fd: int) -> Finding:
    try:
        trial.disk.truncate(fd, _LONG)
        trial.disk.pwrite(fd, [b"z"], _LONG - 1)
        can = os.fstat(fd).st_size == _LONG and os.pread(fd, 2, _LONG - 1) == b"z"
    except OSError:
        can = False
    finally:
        trial.disk.truncate(fd, 0)
    return Finding(
        SECTION,
        "files over 4 GiB",
        can,
        yes(can),
        "objects may be as long as S3 allows" if can else "longer objects are refused",
        Verdict.OK if can else Verdict.WARN,
    )


def _syncing(trial: Trial, in_memory: bool) -> Iterator[Finding]:
    files: list[float] = []
    directories: list[float] = []
    while len(files) < _SYNCS and sum(files) + sum(directories) < _SYNC_BUDGET:
        fd = trial.disk.create(b"synced", trial.fd)
        try:
            trial.disk.write(fd, [b"x" * 4096])
            files.append(_timed(trial.disk.fsync, fd))
        finally:
            os.close(fd)
        try:
            directories.append(_timed(trial.disk.fsync, trial.fd))
        except OSError:
            directories.append(0.0)
        trial.disk.unlink(b"synced", trial.fd)
    whole = [file + directory for file, directory in zip(files, directories, strict=True)]
    usual = statistics.median(whole)
    means = f"one client puts about {max(1, round(1000 / max(usual, 0.01))):,} objects a second"
    verdict = Verdict.OK
    if usual > _SLOW:
        means, verdict = means + "; the device is slow", Verdict.WARN
    elif usual < _TOO_GOOD and not in_memory:
        means = "no device is that fast: something only says that it has written"
        verdict = Verdict.WARN
    elif in_memory:
        means = "there is no device to wait for"
    yield Finding(
        SECTION,
        "sync of an object",
        round(usual, 4),
        f"{usual:.2f} ms, of {len(whole)} at most {max(whole):.1f}",
        means,
        verdict,
    )


def _timed(call: Callable[[int], None], fd: int) -> float:
    begun = time.perf_counter()
    call(fd)
    return (time.perf_counter() - begun) * 1000


def _sending(trial: Trial) -> Finding:
    content = os.urandom(4096)
    fd = trial.disk.create(b"sent", trial.fd)
    here, there = socket.socketpair()
    try:
        trial.disk.write(fd, [content])
        there.settimeout(5)
        try:
            can = os.sendfile(here.fileno(), fd, 0, 4096) == 4096 and there.recv(4096) == content
        except OSError:
            can = False
    finally:
        os.close(fd)
        here.close()
        there.close()
        trial.disk.unlink(b"sent", trial.fd)
    return Finding(
        SECTION,
        "sendfile",
        can,
        yes(can),
        "downloads do not come to the gateway's memory" if can else "downloads cost more",
        Verdict.OK if can else Verdict.WARN,
    )
