"""Times and inodes: what tells one version of a file from another."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator

from s3daemon.store.posix.clocks import skew_ms
from s3daemon.store.posix.doctor.findings import Finding, Verdict, yes
from s3daemon.store.posix.entries import entries
from s3daemon.store.posix.snapshots import DEFAULT_WINDOW_NS
from s3daemon.store.posix.trial import Trial

SECTION = "stamps"

#: A time that no coarser clock can keep: odd in each of its digits.
_ODD_NS = 1_234_567_891_357_913_579
#: Seconds for which changes of a file are made to see how often its stamp moves.
_WATCHED = 0.1
#: Seconds for which listings distrust the stamp of a directory, and between two looks at one.
_WINDOW = DEFAULT_WINDOW_NS / 1e9
_PAUSE = 0.005
#: Milliseconds of difference between clocks that are worth a word.
SKEW = 1000.0


def stamps(trial: Trial) -> Iterator[Finding]:
    """Clock, resolution, and stability of inode numbers."""
    skew = skew_ms(trial.disk, trial.fd)
    off = skew is None or abs(skew) >= SKEW
    yield Finding(
        SECTION,
        "clock",
        None if skew is None else round(skew, 1),
        "cannot be told" if skew is None else f"{skew:+.0f} ms from this machine's",
        "forgotten uploads and changed directories are judged by both clocks: synchronise them"
        if off
        else "stamps can be compared with the time",
        Verdict.WARN if off else Verdict.OK,
    )
    yield _kept(trial)
    yield _moves(trial)
    yield _directory(trial)
    yield _inodes(trial)


def _kept(trial: Trial) -> Finding:
    fd = trial.disk.create(b"dated", trial.fd)
    try:
        trial.disk.set_modified(fd, _ODD_NS)
        kept = os.fstat(fd).st_mtime_ns
    finally:
        os.close(fd)
        trial.disk.unlink(b"dated", trial.fd)
    unit = next((unit for unit in _UNITS if kept == _ODD_NS // unit * unit), None)
    coarse = unit is None or unit >= 10**9
    return Finding(
        SECTION,
        "resolution",
        None if unit is None else unit / 10**6,
        "unknown" if unit is None else f"{_UNITS[unit]}",
        "a file that another program changes twice in that time, to the same length, looks the same"
        if coarse
        else "a change by another program is noticed",
        Verdict.WARN if coarse else Verdict.OK,
    )


_UNITS = {
    1: "1 ns",
    100: "100 ns",
    1000: "1 us",
    10**6: "1 ms",
    10**7: "10 ms",
    10**9: "1 s",
    2 * 10**9: "2 s",
}


def _moves(trial: Trial) -> Finding:
    """How long a stamp stays the same while a file is written: the tick of the clock behind it."""
    fd = trial.disk.create(b"ticking", trial.fd)
    seen: list[int] = []
    try:
        end = time.monotonic() + _WATCHED
        while time.monotonic() < end:
            trial.disk.pwrite(fd, [b"x"], 0)
            seen.append(os.fstat(fd).st_mtime_ns)
        trial.disk.fsync(fd)
        synced = os.fstat(fd).st_mtime_ns
    finally:
        os.close(fd)
        trial.disk.unlink(b"ticking", trial.fd)
    stamps = sorted(set(seen))
    steps = [(later - former) / 1e6 for former, later in itertools.pairwise(stamps)]
    value: float | None = None
    verdict = Verdict.OK
    if seen != sorted(seen):
        found, verdict = "goes back", Verdict.WARN
        means = "stamps of later changes are earlier: the clock was set, or servers disagree"
    elif steps:
        value = round(min(steps), 6)
        found, means = f"{value:g} ms", "changes further apart than that have different stamps"
    elif synced != seen[0]:
        found, means = "when synced", "a stamp moves when what was written is synced or closed"
    else:
        found, verdict = f"over {_WATCHED * 1000:.0f} ms", Verdict.WARN
        means = "stamps are slow; changes within one look like one"
    return Finding(SECTION, "tick", value, found, means, verdict)


def _directory(trial: Trial) -> Finding:
    """For how long a change in a directory that follows another one may leave its stamp as it is.

    JuiceFS saves itself the stamp when the last one is less than 100 ms old.
    """
    trial.disk.mkdir(b"stamped", trial.fd)
    fd = os.open(b"stamped", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=trial.fd)
    try:
        begun = time.monotonic()
        first = _change(trial, fd)
        while _change(trial, fd) == first and time.monotonic() - begun < _WINDOW:
            time.sleep(_PAUSE)
        passed = (time.monotonic() - begun) * 1000
    finally:
        os.close(fd)
        trial.disk.rmdir(b"stamped", trial.fd)
    late = passed >= _WINDOW * 1000
    return Finding(
        SECTION,
        "tick of directories",
        round(passed, 1),
        f"up to {passed:,.0f} ms" if passed >= 1 else "under 1 ms",
        "listings miss what comes soon after another change: mount so that directories are stamped"
        if late
        else "a directory that has changed is read anew for two seconds, which covers that",
        Verdict.FAIL if late else Verdict.OK,
    )


def _change(trial: Trial, directory: int) -> int:
    """Change what is in a directory; its stamp."""
    os.close(trial.disk.create(b"entry", directory))
    trial.disk.unlink(b"entry", directory)
    return os.fstat(directory).st_mtime_ns


def _inodes(trial: Trial) -> Finding:
    """Whether a file keeps its number: open, closed, renamed, linked, and as its directory says."""
    disk, here = trial.disk, trial.fd
    fd = disk.create(b"first", here)
    number = os.fstat(fd).st_ino
    os.close(fd)
    other = disk.create(b"second", here)
    distinct = os.fstat(other).st_ino != number
    os.close(other)
    disk.rename(b"first", here, b"renamed", here)
    numbers = {os.stat(b"renamed", dir_fd=here, follow_symlinks=False).st_ino}
    with entries(here) as found:
        listed = {entry.inode() for entry in found if entry.name == "renamed"}
    fd = os.open(b"renamed", os.O_RDONLY | os.O_CLOEXEC, dir_fd=here)
    numbers.add(os.fstat(fd).st_ino)
    os.close(fd)
    disk.unlink(b"renamed", here)
    disk.unlink(b"second", here)
    stable = numbers == {number} and distinct
    agrees = listed == {number}
    return Finding(
        SECTION,
        "inode numbers",
        stable,
        yes(stable) + ("" if agrees else ", but directories show others"),
        "a file is known again"
        if stable
        else "ETags turn into tokens when a file's number changes: mount so that they stay",
        Verdict.OK if stable else Verdict.FAIL,
    )
