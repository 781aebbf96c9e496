"""One directory seen by two mounts: whether what one of them does is there for the other.

Two mounts on one machine have clients and caches of their own, as two nodes have; so what holds
between them holds between nodes that have mounted with the same options.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs

from s3daemon.store.posix import lock_kinds, mounts
from s3daemon.store.posix.doctor.findings import Finding, Verdict, yes
from s3daemon.store.posix.doctor.patience import PATIENCE, Patience
from s3daemon.store.posix.doctor.racing import creators
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.entries import names_in
from s3daemon.store.posix.probe import ProbeError
from s3daemon.store.posix.probed import XATTR, Probe
from s3daemon.store.posix.records import ATTRIBUTE
from s3daemon.store.posix.trial import Trial

SECTION = "peer"

#: How often each thing is tried in each direction, as long as all of it takes no more seconds.
_ROUNDS, _BUDGET = 3, 1.0
#: Milliseconds below which a delay is the time that looking takes.
_AT_ONCE = 5.0

#: Bytes that are looked at of a file, and a third of those of one that is too long for a cache to
#: have all of it.
_MOST, _LONG = 999, 2 << 20

_FILE = b"shared"
_OPEN_DIR = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_OPEN = os.O_RDONLY | os.O_CLOEXEC


@attrs.frozen
class Pair:
    """A directory, by two mounts.

    :ivar disk: the gate for changes.
    :ivar here: descriptor of the directory by one mount; :ivar there: by the other.
    :ivar wait: for what the other mount shows late.
    """

    disk: Disk
    here: int
    there: int
    wait: Patience

    def turned(self) -> Pair:
        """The same, seen from the other side."""
        return Pair(self.disk, self.there, self.here, self.wait)


def peer(trial: Trial, other: Path, probe: Probe, wait: Patience) -> Iterator[Finding]:
    """All of it.

    :param other: the root, by the other mount.
    :raises ProbeError: it is another directory.
    """
    there, seen = _other(trial, other, wait)
    try:
        yield _mounts(trial, there)
        yield _delay("new directory", seen, "a bucket that is made")
        pair = Pair(trial.disk, trial.fd, there, wait)
        for what, trying, thing in (
            ("new name", _new_name, "an object that is put"),
            ("removed name", _removed_name, "an object that is deleted"),
            ("new content", _new_content, "an object that is overwritten"),
            ("size and time", _stamp, "an object that is overwritten"),
            ("listing", _listing, "an object that is put"),
            ("directory stamp", _directory_stamp, "an object that is put"),
        ):
            yield _delay(what, _longest(pair, trying), thing)
        if probe.metadata == XATTR:
            yield _delay("record", _longest(pair, _record), "a tag that is set")
        yield _numbers(pair)
        yield _stays_open(pair)
        yield from _locks(pair, probe)
        yield _creators(pair, probe)
    finally:
        os.close(there)


def _other(trial: Trial, other: Path, wait: Patience) -> tuple[int, float | None]:
    """The directory by the other mount, and after how many milliseconds it was there."""
    path = other / os.fsdecode(trial.name)
    seen = wait.until(path.is_dir)
    if seen is None:
        raise ProbeError(
            f"what is made in {trial.root} does not appear in {other} within {PATIENCE:.0f} s:"
            " --peer is for the same directory by another mount"
        )
    return os.open(path, _OPEN_DIR), seen


def _mounts(trial: Trial, there: int) -> Finding:
    here, other = mounts.mount_of(trial.fd), mounts.mount_of(there)
    same = os.fstat(trial.fd).st_dev == os.fstat(there).st_dev
    return Finding(
        SECTION,
        "mounts",
        not same,
        "one file system, mounted once" if same else "two clients",
        "both see the same caches, so nothing is said of other nodes: mount it once more"
        if same
        else f"of {here.kind if here else 'unknown'} and {other.kind if other else 'unknown'}",
        Verdict.WARN if same else Verdict.OK,
    )


def _longest(pair: Pair, trying: Callable[[Pair], float | None]) -> float | None:
    """The longest delay, in milliseconds; None if it was longer than anybody's patience."""
    longest, begun = 0.0, pair.wait.now()
    for _ in range(_ROUNDS):
        for side in (pair, pair.turned()):
            delay = trying(side)
            if delay is None:
                return None
            longest = max(longest, delay)
        if pair.wait.now() - begun > _BUDGET:
            break
    return longest


def _delay(what: str, delay: float | None, thing: str) -> Finding:
    if delay is None:
        return Finding(
            SECTION,
            what,
            None,
            f"not within {PATIENCE:.0f} s",
            f"{thing} through one gateway is missed by others: turn the mount's caches off",
            Verdict.FAIL,
        )
    at_once = delay < _AT_ONCE
    return Finding(
        SECTION,
        what,
        round(delay, 1),
        "at once" if at_once else f"after up to {delay:,.0f} ms",
        "what one gateway has answered, the others know"
        if at_once
        else f"{thing} through one gateway is seen late by others: turn the mount's caches off",
        Verdict.OK if at_once else Verdict.WARN,
    )


# ---------------------------------------------------------------- names


def _new_name(pair: Pair) -> float | None:
    _is_there(pair.there)  # a client may remember that there was nothing
    _put(pair, b"first")
    try:
        return pair.wait.until(lambda: _is_there(pair.there))
    finally:
        _remove(pair)


def _removed_name(pair: Pair) -> float | None:
    _put(pair, b"first")
    pair.wait.until(lambda: _is_there(pair.there))
    _remove(pair)
    return pair.wait.until(lambda: not _is_there(pair.there))


def _listing(pair: Pair) -> float | None:
    names_in(pair.there)
    _put(pair, b"first")
    try:
        return pair.wait.until(lambda: _FILE in names_in(pair.there))
    finally:
        _remove(pair)


def _directory_stamp(pair: Pair) -> float | None:
    """Listings are kept for as long as the stamp of the directory says that it has not changed."""
    before = os.stat(b".", dir_fd=pair.there).st_mtime_ns

    def change() -> bool:
        _put(pair, b"first")
        _remove(pair)
        return os.stat(b".", dir_fd=pair.here).st_mtime_ns != before

    # A change that follows another one closely may leave the stamp as it is (see stamps.py).
    pair.wait.until(change)
    return pair.wait.until(
        lambda: (
            os.stat(b".", dir_fd=pair.there).st_mtime_ns
            == os.stat(b".", dir_fd=pair.here).st_mtime_ns
        )
    )


# ---------------------------------------------------------------- content


def _new_content(pair: Pair) -> float | None:
    _put(pair, b"first")
    try:
        pair.wait.until(lambda: _content(pair.there) == b"first")
        _put(pair, b"another")
        return pair.wait.until(lambda: _content(pair.there) == b"another")
    finally:
        _remove(pair)


def _stamp(pair: Pair) -> float | None:
    _put(pair, b"first")
    try:
        pair.wait.until(lambda: _content(pair.there) == b"first")
        _put(pair, b"another")
        made = os.stat(_FILE, dir_fd=pair.here)
        return pair.wait.until(lambda: _same(made, pair.there))
    finally:
        _remove(pair)


def _same(made: os.stat_result, directory: int) -> bool:
    try:
        seen = os.stat(_FILE, dir_fd=directory)
    except OSError:
        return False
    return (seen.st_size, seen.st_mtime_ns) == (made.st_size, made.st_mtime_ns)


def _record(pair: Pair) -> float | None:
    _put(pair, b"first", b"one")
    try:
        pair.wait.until(lambda: _attribute(pair.there) == b"one")
        fd = os.open(_FILE, os.O_RDWR | os.O_CLOEXEC, dir_fd=pair.here)
        try:
            pair.disk.set_xattr(fd, ATTRIBUTE, b"other")
        finally:
            os.close(fd)
        return pair.wait.until(lambda: _attribute(pair.there) == b"other")
    finally:
        _remove(pair)


def _numbers(pair: Pair) -> Finding:
    _put(pair, b"numbered")
    made = os.stat(_FILE, dir_fd=pair.here)

    def agrees() -> bool:
        try:
            seen = os.stat(_FILE, dir_fd=pair.there)
        except OSError:
            return False
        return (seen.st_ino, seen.st_mtime_ns) == (made.st_ino, made.st_mtime_ns)

    same = pair.wait.until(agrees) is not None
    _remove(pair)
    return Finding(
        SECTION,
        "inode and time",
        same,
        "the same" if same else "different",
        "an ETag is the same through all gateways"
        if same
        else "each node takes the others' objects for changed, and gives them ETags of its own",
        Verdict.OK if same else Verdict.FAIL,
    )


def _stays_open(pair: Pair) -> Finding:
    """Whether a version that is being read stays readable while the other mount replaces it."""
    old, new = b"old" * _LONG, b"new" * _LONG
    _put(pair, old)
    pair.wait.until(lambda: _content(pair.there) == old[:_MOST])
    stays = torn = False
    try:
        fd = os.open(_FILE, _OPEN, dir_fd=pair.there)
        try:
            _put(pair, new)
            pair.wait.until(lambda: _content(pair.there) == new[:_MOST])
            # What nobody has read yet is in no cache.
            rest = os.pread(fd, _MOST, len(old) - _MOST)
            stays, torn = rest == old[-_MOST:], rest == new[-_MOST:]
        finally:
            os.close(fd)
    except OSError:
        pass  # the open version is gone
    finally:
        _remove(pair)
    return Finding(
        SECTION,
        "open version",
        stays,
        "stays" if stays else "becomes the new one" if torn else "is gone",
        "a download under way is not disturbed by an overwrite"
        if stays
        else "a download that another node overwrites would be of two versions"
        if torn
        else "a download that another node overwrites breaks off; a small one is tried again",
        Verdict.OK if stays else Verdict.FAIL if torn else Verdict.WARN,
    )


# ---------------------------------------------------------------- locks and races


def _locks(pair: Pair, probe: Probe) -> Iterator[Finding]:
    _put(pair, b"locked")
    pair.wait.until(lambda: _content(pair.there) == b"locked")
    try:
        for kind in lock_kinds.KINDS:
            can = all(_excludes(side, kind) for side in (pair, pair.turned()))
            used = probe.locks == kind
            yield Finding(
                SECTION,
                f"lock {kind}",
                can,
                yes(can),
                "conditional writes are exact between these nodes"
                if can
                else 'conditional writes would race: set store.locks = "none" on all nodes'
                if used
                else "it is not used",
                Verdict.OK if can or not used else Verdict.FAIL,
            )
    finally:
        _remove(pair)


def _excludes(pair: Pair, kind: str) -> bool:
    """Whether a lock by one mount keeps the other out, and lets it in when it is gone."""
    mine = os.open(_FILE, os.O_RDWR | os.O_CLOEXEC, dir_fd=pair.here)
    try:
        theirs = os.open(_FILE, os.O_RDWR | os.O_CLOEXEC, dir_fd=pair.there)
    except OSError:
        os.close(mine)
        return False
    try:
        held = lock_kinds.take(kind, mine, exclusive=True)
        out = held and not lock_kinds.take(kind, theirs, exclusive=True)
        os.close(mine)
        mine = -1
        return out and pair.wait.until(lambda: lock_kinds.take(kind, theirs, True)) is not None
    except OSError:
        return False
    finally:
        if mine >= 0:
            os.close(mine)
        os.close(theirs)


def _creators(pair: Pair, probe: Probe) -> Finding:
    by_rename = not probe.tmpfile and probe.noreplace
    rounds, wrong = creators(pair.disk, (pair.here, pair.there), by_rename, pair.wait.now)
    return Finding(
        SECTION,
        "one creator",
        not wrong,
        f"in {rounds - wrong} of {rounds} races",
        "If-None-Match: * is exact between these nodes"
        if not wrong
        else "two nodes can both be told that they have created a key",
        Verdict.FAIL if wrong else Verdict.OK,
    )


# ---------------------------------------------------------------- small things


def _put(pair: Pair, content: bytes, attribute: bytes = b"") -> None:
    """Write a file as the gateway does: made under another name, and renamed."""
    fd = pair.disk.create(b"staged", pair.here)
    try:
        pair.disk.write(fd, [content])
        if attribute:
            pair.disk.set_xattr(fd, ATTRIBUTE, attribute)
        pair.disk.fsync(fd)
    finally:
        os.close(fd)
    pair.disk.rename(b"staged", pair.here, _FILE, pair.here)


def _remove(pair: Pair) -> None:
    pair.disk.unlink(_FILE, pair.here)


def _is_there(directory: int) -> bool:
    try:
        os.stat(_FILE, dir_fd=directory)
    except OSError:
        return False
    return True


def _content(directory: int) -> bytes:
    try:
        fd = os.open(_FILE, _OPEN, dir_fd=directory)
    except OSError:
        return b""
    try:
        return os.pread(fd, _MOST, 0)
    except OSError:
        return b""
    finally:
        os.close(fd)


def _attribute(directory: int) -> bytes:
    try:
        fd = os.open(_FILE, _OPEN, dir_fd=directory)
    except OSError:
        return b""
    try:
        return os.getxattr(fd, ATTRIBUTE)
    except OSError:
        return b""
    finally:
        os.close(fd)
