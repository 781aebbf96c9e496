"""Times and inodes: what tells one version of a file from another."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator

from s3daemon.store.posix.clocks import skew_ms
from s3daemon.store.posix.doctor.findings import Finding, Verdict, yes
from s3daemon.store.posix.trial import Trial

SECTION = "stamps"

#: A time that no coarser clock can keep: odd in each of its digits.
_ODD_NS = 1_234_567_891_357_913_579
#: Seconds for which changes of a file are made to see how often its stamp moves.
_WATCHED = 0.1
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
    finally:
        os.close(fd)
        trial.disk.unlink(b"ticking", trial.fd)
    stamps = sorted(set(seen))
    steps = [(later - former) / 1e6 for former, later in itertools.pairwise(stamps)]
    backwards = seen != sorted(seen)
    if backwards:
        found, value, verdict = "goes back", None, Verdict.WARN
        means = "stamps of later changes are earlier: the clock was set, or servers disagree"
    elif steps:
        value = round(min(steps), 6)
        found, verdict = f"{value:g} ms", Verdict.OK
        means = "directories that have just changed are read anew for two seconds"
    else:
        found, value = f"over {_WATCHED * 1000:.0f} ms", None
        means, verdict = "stamps are slow; changes within one look like one", Verdict.WARN
    return Finding(SECTION, "tick", value, found, means, verdict)


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
    with os.scandir(here) as entries:
        listed = {entry.inode() for entry in entries if entry.name == "renamed"}
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
