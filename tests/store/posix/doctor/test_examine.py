"""The examination, here and on file systems that lack something."""

from __future__ import annotations

import errno
import os
import shutil
import stat
import tempfile
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from s3daemon.store.posix import clocks, lock_proof, syscalls
from s3daemon.store.posix.doctor import calls, data, examine, room, stamps
from s3daemon.store.posix.doctor.findings import Finding, Verdict, worst
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.probe import ProbeError, probe
from s3daemon.store.posix.probed import SIDECAR, Probe
from s3daemon.store.posix.strategies import strategies
from s3daemon.store.posix.trial import Trial, trial
from s3daemon.store.posix.watches import Watch
from tests.store.posix.disks import descriptors, tree

Patch = pytest.MonkeyPatch


def examined(root: Path) -> dict[tuple[str, str], Finding]:
    return {(one.section, one.what): one for one in examine.examine(root)}


def refuse(code: int) -> Callable[..., Any]:
    def refused(*_: object, **__: object) -> Any:
        raise OSError(code, os.strerror(code))

    return refused


@pytest.fixture
def tried(tmp_path: Path) -> Iterator[Trial]:
    root_fd = os.open(tmp_path, os.O_RDONLY)
    with trial(Disk(), tmp_path, root_fd) as made:
        yield made
    os.close(root_fd)
    assert tree(tmp_path) == set()


def only(findings: Iterator[Finding], what: str) -> Finding:
    (found,) = [one for one in findings if one.what == what]
    return found


@pytest.mark.parametrize("folder", ["/dev/shm", None])
def test_here(folder: str | None) -> None:
    before = descriptors()
    top = Path(tempfile.mkdtemp(dir=folder))
    told: list[str] = []
    try:
        findings = list(examine.examine(top, told.append))
        assert tree(top) == set()
    finally:
        shutil.rmtree(top)
    assert descriptors() == before
    assert worst(findings) is not Verdict.FAIL, findings
    assert len({(one.section, one.what) for one in findings}) == len(findings)
    # Everything is announced before it is tried, so that one that hangs can be named.
    assert told[0] == "the root"
    assert {one.section for one in findings} - {"mount", "chosen"} <= set(told)
    for one in findings:
        assert one.means
        assert "\n" not in one.found + one.means
        assert Finding.of(one.as_dict()) == one


def test_beside_another_examination(tmp_path: Path) -> None:
    first = examine.examine(tmp_path)
    next(first)
    assert worst(list(examine.examine(tmp_path))) is not Verdict.FAIL
    assert worst(list(first)) is not Verdict.FAIL
    assert tree(tmp_path) == set()


@pytest.mark.parametrize("end", [KeyboardInterrupt, SystemExit])
def test_one_that_is_broken_off_leaves_nothing(
    tmp_path: Path, monkeypatch: Patch, end: type[BaseException]
) -> None:
    def stop(*_: object) -> None:
        raise end

    monkeypatch.setattr(os, "copy_file_range", stop)
    monkeypatch.setattr(examine, "probe", lambda root: KNOWN)
    with pytest.raises(end):
        list(examine.examine(tmp_path))
    assert tree(tmp_path) == set()


def test_no_root(tmp_path: Path) -> None:
    with pytest.raises(ProbeError):
        list(examine.examine(tmp_path / "missing"))


def test_a_root_that_becomes_read_only(tmp_path: Path, monkeypatch: Patch) -> None:
    monkeypatch.setattr(examine, "probe", lambda root: KNOWN)
    monkeypatch.setattr(os, "mkdir", refuse(errno.EROFS))
    with pytest.raises(ProbeError, match="Read-only"):
        list(examine.examine(tmp_path))


KNOWN = Probe(4000, True, True, True, True, True, True, True, 255, False, "ofd")


@pytest.mark.parametrize(
    ("code", "verdict", "says"),
    [(errno.ENOSPC, Verdict.WARN, "free some space"), (errno.EIO, Verdict.FAIL, "same error")],
)
def test_what_cannot_be_tried(
    tmp_path: Path, monkeypatch: Patch, code: int, verdict: Verdict, says: str
) -> None:
    """Does not keep the rest from being tried."""
    monkeypatch.setattr(examine, "probe", lambda root: KNOWN)
    monkeypatch.setattr(os, "write", refuse(code))
    found = examined(tmp_path)
    assert found["data", "not tried"].verdict is verdict
    assert says in found["data", "not tried"].means
    assert errno.errorcode[code] == found["data", "not tried"].value
    assert ("names", "depth") in found
    assert ("chosen", "records") in found


# ---------------------------------------------------------------- what the probe knows


@pytest.mark.parametrize(
    ("change", "where", "verdict"),
    [
        ({"dir_sync": False}, ("calls", "fsync of directories"), Verdict.FAIL),
        ({"case_folding": True}, ("names", "case"), Verdict.FAIL),
        ({"unicode_folding": True}, ("names", "Unicode"), Verdict.FAIL),
        ({"name_bytes": 143}, ("names", "longest name"), Verdict.WARN),
        ({"openat2": False}, ("calls", "openat2"), Verdict.WARN),
        ({"tmpfile": False}, ("calls", "O_TMPFILE"), Verdict.OK),
        ({"hard_links": False}, ("calls", "link"), Verdict.OK),
        ({"metadata": SIDECAR, "xattr_bytes": 0}, ("calls", "extended attributes"), Verdict.WARN),
    ],
)
def test_what_the_probe_found(
    tmp_path: Path,
    monkeypatch: Patch,
    change: dict[str, Any],
    where: tuple[str, str],
    verdict: Verdict,
) -> None:
    monkeypatch.setattr(examine, "probe", lambda root: KNOWN)
    before = examined(tmp_path)[where]
    monkeypatch.setattr(examine, "probe", lambda root: attrs.evolve(KNOWN, **change))
    after = examined(tmp_path)[where]
    assert before.verdict is Verdict.OK
    assert after.verdict is verdict
    assert (after.found, after.means) != (before.found, before.means)


@pytest.mark.parametrize(
    ("change", "purpose", "chosen"),
    [
        ({}, "records", "extended attributes, long ones in spill files"),
        ({"xattr_bytes": 65536}, "records", "extended attributes"),
        ({"metadata": SIDECAR}, "records", "sidecar files, by handles"),
        ({}, "new objects", "unnamed files (O_TMPFILE)"),
        ({"tmpfile": False}, "new objects", "named files in .s3gate/staging"),
        ({}, "create-only writes", "linkat through /proc"),
        ({"tmpfile": False}, "create-only writes", "renameat2, RENAME_NOREPLACE"),
        ({"tmpfile": False, "noreplace": False}, "create-only writes", "linkat"),
        ({"locks": "flock"}, "conditional writes", "a lock for each key (flock)"),
        ({"locks": ""}, "conditional writes", "refused: no lock holds"),
        ({"openat2": False}, "staying in a bucket", "directory by directory"),
        ({"openat2": False}, "small reads", "on a thread"),
        ({"copy_range": False}, "copies", "reading and writing"),
        ({"dir_sync": False}, "names on the device", "left to the file system"),
    ],
)
def test_strategies(change: dict[str, Any], purpose: str, chosen: str) -> None:
    found = {one.purpose: one.chosen for one in strategies(attrs.evolve(KNOWN, **change), True)}
    assert found[purpose] == chosen
    assert len(found) == 9


def test_strategies_of_a_shared_one() -> None:
    found = {one.purpose: one for one in strategies(KNOWN, False)}
    assert found["small reads"].chosen == "on a thread"
    assert not found["large directories"].best


# ---------------------------------------------------------------- names


def test_names_that_are_refused(tmp_path: Path, monkeypatch: Patch) -> None:
    create = Disk.create

    def picky(self: Disk, name: bytes, dir_fd: int) -> int:
        if b":" in name or name.endswith(b".") or b"\xff" in name:
            raise OSError(errno.EINVAL, "no such names")
        return create(self, name, dir_fd)

    monkeypatch.setattr(Disk, "create", picky)
    found = examined(tmp_path)
    assert found["names", "awkward names"].value == "'a:b' 'ends.'"
    assert found["names", "awkward names"].verdict is Verdict.WARN
    assert found["names", "names that are not UTF-8"].value is False


def test_names_that_are_changed(tmp_path: Path, monkeypatch: Patch) -> None:
    """HFS+ keeps accents apart from their letters, and finds them either way."""
    create, look = Disk.create, os.stat

    def apart(name: Any) -> Any:
        if not isinstance(name, bytes):
            return name
        try:
            return unicodedata.normalize("NFD", name.decode()).encode()
        except UnicodeDecodeError:
            return name

    monkeypatch.setattr(Disk, "create", lambda self, name, at: create(self, apart(name), at))
    monkeypatch.setattr(os, "stat", lambda name, **how: look(apart(name), **how))
    found = examined(tmp_path)
    assert found["names", "Unicode"].verdict is Verdict.FAIL
    awkward = found["names", "awkward names"]
    assert awkward.verdict is Verdict.FAIL
    assert "latin small letter e with acute" in str(awkward.value)
    assert probe(tmp_path).unicode_folding
    assert "folds Unicode" in probe(tmp_path).describe()


def test_paths_that_are_too_deep(tmp_path: Path, monkeypatch: Patch) -> None:
    mkdir = syscalls.mkdir

    def shallow(name: bytes, dir_fd: int) -> None:
        if name.count(b"/") > 50:
            raise OSError(errno.ENAMETOOLONG, "too deep")
        mkdir(name, dir_fd)

    monkeypatch.setattr(syscalls, "mkdir", shallow)
    found = examined(tmp_path)["names", "depth"]
    assert (found.value, found.verdict) == (51, Verdict.WARN)
    assert tree(tmp_path) == set()


# ---------------------------------------------------------------- data


def test_a_copy_that_stops(tried: Trial, monkeypatch: Patch) -> None:
    """Some answer 0 where they cannot go on."""
    copy, done = os.copy_file_range, [0]

    def stops(source: int, target: int, count: int, *offsets: int) -> int:
        if done[0] >= 1 << 20:
            return 0
        done[0] += copy(source, target, min(count, 1 << 20), *offsets)
        return done[0]

    monkeypatch.setattr(os, "copy_file_range", stops)
    found = only(data.data(tried, False), "copy_file_range")
    assert (found.value, found.verdict) == (1 << 20, Verdict.WARN)
    assert found.found == "stops after 1048576 bytes"


def test_no_copy(tried: Trial, monkeypatch: Patch) -> None:
    monkeypatch.setattr(os, "copy_file_range", refuse(errno.EOPNOTSUPP))
    found = only(data.data(tried, False), "copy_file_range")
    assert (found.value, found.verdict) == (0, Verdict.WARN)


def test_a_copy_of_something_else(tried: Trial, monkeypatch: Patch) -> None:
    def wrong(source: int, target: int, count: int, at: int, to: int) -> int:
        return os.pwrite(target, b"?" * count, to)

    monkeypatch.setattr(os, "copy_file_range", wrong)
    assert only(data.data(tried, False), "copy_file_range").verdict is Verdict.FAIL


@pytest.mark.parametrize("answer", [True, False])
def test_shared_blocks(tried: Trial, monkeypatch: Patch, answer: bool) -> None:
    monkeypatch.setattr(syscalls, "shares_blocks", lambda fd: answer)
    assert only(data.data(tried, False), "shared blocks").value is answer


def test_no_holes(tried: Trial, monkeypatch: Patch) -> None:
    """Then no long file is made either: it would take all that space."""
    frees = iter((1 << 40, (1 << 40) - (64 << 20)))
    monkeypatch.setattr(data, "_free", lambda fd: next(frees))
    monkeypatch.setattr(syscalls, "punch_hole", refuse(errno.EOPNOTSUPP))
    status = os.fstat

    def full(fd: int) -> Any:
        st = status(fd)
        return SimpleNamespace(st_blocks=st.st_size // 512, st_size=st.st_size)

    monkeypatch.setattr(data.os, "fstat", full)
    found = {one.what: one.value for one in data._holes(tried)}
    assert found == {"holes punched": False, "sparse files": False}


def test_no_long_files(tried: Trial, monkeypatch: Patch) -> None:
    truncate = os.ftruncate

    def short(fd: int, size: int) -> None:
        if size >= 1 << 32:
            raise OSError(errno.EFBIG, "too long")
        truncate(fd, size)

    monkeypatch.setattr(os, "ftruncate", short)
    found = only(data.data(tried, False), "files over 4 GiB")
    assert (found.value, found.verdict) == (False, Verdict.WARN)


@pytest.mark.parametrize(
    ("milliseconds", "in_memory", "verdict", "says"),
    [
        (0.0005, True, Verdict.OK, "no device to wait for"),
        (0.0005, False, Verdict.WARN, "only says that it has written"),
        (2.5, False, Verdict.OK, "about 200 objects a second"),
        (100.0, False, Verdict.WARN, "the device is slow"),
    ],
)
def test_what_a_sync_costs(
    tried: Trial,
    monkeypatch: Patch,
    milliseconds: float,
    in_memory: bool,
    verdict: Verdict,
    says: str,
) -> None:
    """Two of them for an object; never more than some seconds in all."""
    times: list[int] = []

    def timed(call: object, fd: int) -> float:
        times.append(fd)
        return milliseconds

    monkeypatch.setattr(data, "_timed", timed)
    found = only(data._syncing(tried, in_memory), "sync of an object")
    assert found.verdict is verdict
    assert says in found.means
    assert len(times) == 2 * min(32, -(-2000 // (2 * max(milliseconds, 1))))


def test_directories_that_cannot_be_synced(tried: Trial, monkeypatch: Patch) -> None:
    sync = os.fsync

    def files_only(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "no")
        sync(fd)

    monkeypatch.setattr(os, "fsync", files_only)
    assert only(data._syncing(tried, True), "sync of an object").found


def test_no_sendfile(tried: Trial, monkeypatch: Patch) -> None:
    monkeypatch.setattr(os, "sendfile", refuse(errno.EINVAL))
    assert data._sending(tried).verdict is Verdict.WARN


# ---------------------------------------------------------------- stamps


@pytest.mark.parametrize(
    ("unit", "found", "verdict"),
    [
        (1, "1 ns", Verdict.OK),
        (100, "100 ns", Verdict.OK),
        (1000, "1 us", Verdict.OK),
        (10**9, "1 s", Verdict.WARN),
        (2 * 10**9, "2 s", Verdict.WARN),
        (10**12, "unknown", Verdict.WARN),
    ],
)
def test_resolution(
    tried: Trial, monkeypatch: Patch, unit: int, found: str, verdict: Verdict
) -> None:
    plain = syscalls.set_mtime
    monkeypatch.setattr(syscalls, "set_mtime", lambda fd, ns: plain(fd, ns // unit * unit))
    told = stamps._kept(tried)
    assert (told.found, told.verdict) == (found, verdict)


@pytest.mark.parametrize(
    ("ahead", "verdict"),
    [(0, Verdict.OK), (200, Verdict.OK), (5000, Verdict.WARN), (-5000, Verdict.WARN)],
)
def test_clock(tried: Trial, monkeypatch: Patch, ahead: int, verdict: Verdict) -> None:
    plain = clocks.skew_ms

    def skewed(disk: Disk, fd: int) -> float | None:
        return plain(disk, fd, lambda: clocks.time.time_ns() - ahead * 10**6)

    monkeypatch.setattr(stamps, "skew_ms", skewed)
    found = only(stamps.stamps(tried), "clock")
    assert found.verdict is verdict
    assert isinstance(found.value, float)
    assert abs(found.value - ahead) < 100


def test_a_clock_that_cannot_be_read(tried: Trial, monkeypatch: Patch) -> None:
    monkeypatch.setattr(Disk, "create", refuse(errno.ENOSPC))
    assert clocks.skew_ms(tried.disk, tried.fd) is None


@pytest.mark.parametrize(
    ("given", "found", "verdict"),
    [
        ([1, 2, 3, 3], "1e-06 ms", Verdict.OK),
        ([7, 7, 7, 7], "over 100 ms", Verdict.WARN),
        ([7, 7, 7, 9], "when synced", Verdict.OK),
        ([1, 3, 2, 3], "goes back", Verdict.WARN),
    ],
)
def test_tick(
    tried: Trial, monkeypatch: Patch, given: list[int], found: str, verdict: Verdict
) -> None:
    left = list(given)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", lambda fd: SimpleNamespace(st_mtime_ns=left.pop(0)))
        patched.setattr(stamps.time, "monotonic", lambda: 0.0 if len(left) > 1 else 1.0)
        told = stamps._moves(tried)
    assert (told.found, told.verdict) == (found, verdict)


@pytest.mark.parametrize(
    ("milliseconds", "verdict", "says"),
    [(0, Verdict.OK, "under 1 ms"), (100, Verdict.OK, "up to "), (3000, Verdict.FAIL, "up to ")],
)
def test_tick_of_directories(
    tried: Trial, monkeypatch: Patch, milliseconds: int, verdict: Verdict, says: str
) -> None:
    """One that saves itself the stamp when the last one is so young."""
    clock = [0.0]
    kept = [0.0]

    def change(trial: Trial, fd: int) -> int:
        if clock[0] - kept[0] > milliseconds / 1000:
            kept[0] = clock[0]
        clock[0] += 1e-6
        return int(kept[0] * 1e9)

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    monkeypatch.setattr(stamps, "_change", change)
    monkeypatch.setattr(stamps.time, "monotonic", lambda: clock[0])
    monkeypatch.setattr(stamps.time, "sleep", sleep)
    told = stamps._directory(tried)
    assert told.verdict is verdict
    assert told.found.startswith(says)


def test_inodes_that_change(tried: Trial, monkeypatch: Patch) -> None:
    look = os.stat

    def another(name: Any, **how: Any) -> Any:
        st = look(name, **how)
        return SimpleNamespace(st_ino=st.st_ino + 1)

    assert stamps._inodes(tried).verdict is Verdict.OK
    monkeypatch.setattr(stamps.os, "stat", another)
    assert stamps._inodes(tried).verdict is Verdict.FAIL


# ---------------------------------------------------------------- calls, locks, room


def test_what_is_in_memory(tried: Trial, monkeypatch: Patch) -> None:
    monkeypatch.setattr(calls, "is_local", lambda fd: True)
    monkeypatch.setattr(os, "preadv", refuse(errno.EAGAIN))
    assert only(calls._in_memory(tried), "RWF_NOWAIT").means.startswith("what is in memory")
    monkeypatch.setattr(os, "preadv", refuse(errno.EOPNOTSUPP))
    assert only(calls._in_memory(tried), "RWF_NOWAIT").value is False
    monkeypatch.setattr(calls, "is_local", lambda fd: False)
    assert "ask a server" in only(calls._in_memory(tried), "RESOLVE_CACHED").means


def test_watching(tried: Trial, monkeypatch: Patch) -> None:
    monkeypatch.setattr(calls, "is_local", lambda fd: False)
    assert calls._watching(tried).found == "of no use"
    monkeypatch.setattr(calls, "is_local", lambda fd: True)
    monkeypatch.setattr(Watch, "of", lambda fd: None)
    assert calls._watching(tried).verdict is Verdict.WARN


@pytest.mark.parametrize(
    ("holding", "verdict", "says"),
    [
        ({"ofd", "flock"}, Verdict.OK, "are exact"),
        ({"flock"}, Verdict.OK, "other kind"),
        (set(), Verdict.WARN, "are refused"),
    ],
)
def test_locks(
    tried: Trial, monkeypatch: Patch, holding: set[str], verdict: Verdict, says: str
) -> None:
    monkeypatch.setattr(calls, "holds", lambda path, kind: kind in holding)
    found = only(calls.locking(tried), "ofd")
    assert found.verdict is verdict
    assert says in found.means
    assert lock_proof.holds is not calls.holds


def test_little_room(tried: Trial, monkeypatch: Patch) -> None:
    st = SimpleNamespace(f_bavail=1, f_frsize=4096, f_blocks=1000, f_files=0, f_favail=0)
    monkeypatch.setattr(os, "fstatvfs", lambda fd: st)
    left, inodes = room.space(tried)
    assert left.verdict is Verdict.WARN
    assert inodes.found == "not counted"
    st.f_files, st.f_favail, st.f_bavail = 1000, 10, 900
    left, inodes = room.space(tried)
    assert left.verdict is Verdict.OK
    assert inodes.verdict is Verdict.WARN


def test_a_root_for_everybody(tmp_path: Path) -> None:
    assert examined(tmp_path)["owner", "root"].verdict is Verdict.OK
    tmp_path.chmod(0o777)
    assert examined(tmp_path)["owner", "root"].verdict is Verdict.WARN


def test_files_of_somebody_else(tried: Trial, monkeypatch: Patch) -> None:
    status = os.fstat

    def squashed(fd: int) -> Any:
        st = status(fd)
        return SimpleNamespace(st_uid=65534, st_gid=65534, st_mode=st.st_mode & ~0o400)

    monkeypatch.setattr(room.os, "fstat", squashed)
    found = only(room.ownership(tried), "new files")
    assert "root_squash" in found.means
    assert found.verdict is Verdict.FAIL
    monkeypatch.undo()
    umask = os.umask(0o477)
    try:
        found = only(room.ownership(tried), "new files")
    finally:
        os.umask(umask)
    assert "umask" in found.means
    assert found.verdict is Verdict.FAIL


def test_shared_extents_are_read(tmp_path: Path, monkeypatch: Patch) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x" * 10000)
    fd = os.open(path, os.O_RDONLY)
    try:
        assert not syscalls.shares_blocks(fd)

        def mapped(fd: int, request: int, block: bytearray) -> None:
            assert len(block) == 32 + 32 * 56
            block[20] = 2  # two extents
            block[32 + 56 + 40 : 32 + 56 + 44] = (0x2001).to_bytes(4, "little")

        monkeypatch.setattr(syscalls.fcntl, "ioctl", mapped)
        assert syscalls.shares_blocks(fd)
        monkeypatch.setattr(syscalls.fcntl, "ioctl", refuse(errno.EOPNOTSUPP))
        assert not syscalls.shares_blocks(fd)
    finally:
        os.close(fd)
