"""Two mounts of one directory: here always the same one, with caches put in between."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest

from s3daemon.store.posix import lock_kinds, syscalls
from s3daemon.store.posix.doctor import examine, peer, racing
from s3daemon.store.posix.doctor.findings import Finding, Verdict
from s3daemon.store.posix.doctor.patience import PATIENCE, Patience
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.probe import ProbeError
from s3daemon.store.posix.probed import SIDECAR, Probe
from s3daemon.store.posix.trial import Trial, trial
from tests.store.posix.disks import tree

Patch = pytest.MonkeyPatch

KNOWN = Probe(4000, True, True, True, True, True, True, True, 255, False, "ofd")


class Time:
    """Passes when somebody sleeps, and a little whenever somebody looks."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        self.seconds += 1e-6
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@pytest.fixture
def time() -> Time:
    return Time()


def open_beneath(top: Path) -> list[str]:
    """What this process has open there."""
    found = []
    for number in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{number}")
        except FileNotFoundError:
            continue  # that of the listing itself
        if target.startswith(str(top)):
            found.append(target)
    return sorted(found)


@pytest.fixture
def tried(tmp_path: Path) -> Iterator[Trial]:
    root_fd = os.open(tmp_path, os.O_RDONLY)
    with trial(Disk(), tmp_path, root_fd) as made:
        before = open_beneath(tmp_path)
        yield made
        assert os.listdir(made.fd) == []
        assert open_beneath(tmp_path) == before
    os.close(root_fd)
    assert tree(tmp_path) == set()


@pytest.fixture
def there(monkeypatch: Patch) -> list[int]:
    """The descriptor that stands for the other mount, once there is one."""
    found: list[int] = []
    real = peer._other

    def other(*arguments: Any) -> Any:
        answer = real(*arguments)
        found.append(answer[0])
        return answer

    monkeypatch.setattr(peer, "_other", other)
    return found


def compared(tried: Trial, time: Time, known: Probe = KNOWN) -> dict[str, Finding]:
    found = peer.peer(tried, tried.root, known, Patience(time.now, time.sleep))
    return {one.what: one for one in found}


def cached(call: Callable[..., Any], time: Time, keep: float) -> Callable[..., Any]:
    """What a client does that remembers answers for so many seconds."""
    kept: dict[Hashable, tuple[float, Any]] = {}

    def ask(*arguments: Any) -> Any:
        if arguments not in kept or time.seconds - kept[arguments][0] >= keep:
            kept[arguments] = time.seconds, call(*arguments)
        return kept[arguments][1]

    return ask


def test_where_all_is_well(tried: Trial, time: Time) -> None:
    found = compared(tried, time)
    assert found.pop("mounts").verdict is Verdict.WARN
    assert {one.verdict for one in found.values()} == {Verdict.OK}, found
    assert set(found) == {
        "new directory", "new name", "removed name", "new content", "size and time", "listing",
        "directory stamp", "record", "inode and time", "open version", "lock ofd", "lock flock",
        "one creator",
    }  # fmt: skip
    assert "record" not in compared(tried, time, attrs.evolve(KNOWN, metadata=SIDECAR))


def test_two_clients(tried: Trial, time: Time, there: list[int], monkeypatch: Patch) -> None:
    status = os.fstat

    def fstat(fd: int) -> Any:
        st = status(fd)
        return SimpleNamespace(st_dev=-1) if fd in there else st

    monkeypatch.setattr(peer.os, "fstat", fstat)
    found = compared(tried, time)["mounts"]
    assert (found.verdict, found.found) == (Verdict.OK, "two clients")


@pytest.mark.parametrize(
    ("look", "what"),
    [
        ("_is_there", "new name"),
        ("_is_there", "removed name"),
        ("_content", "new content"),
        ("_attribute", "record"),
    ],
)
@pytest.mark.parametrize(
    ("keep", "verdict"), [(0.0, Verdict.OK), (0.3, Verdict.WARN), (100.0, Verdict.FAIL)]
)
def test_caches(
    tried: Trial,
    time: Time,
    monkeypatch: Patch,
    look: str,
    what: str,
    keep: float,
    verdict: Verdict,
) -> None:
    monkeypatch.setattr(peer, look, cached(getattr(peer, look), time, keep))
    found = compared(tried, time)[what]
    assert found.verdict is verdict
    if verdict is Verdict.WARN:
        assert isinstance(found.value, float)
        assert 200 < found.value < 400
        assert "ms" in found.found
    elif verdict is Verdict.FAIL:
        assert found.value is None
        assert "turn the mount's caches off" in found.means


@pytest.mark.parametrize(
    ("keep", "verdict"), [(0.0, Verdict.OK), (0.3, Verdict.WARN), (100.0, Verdict.FAIL)]
)
def test_listings_and_stamps_that_are_kept(
    tried: Trial, time: Time, there: list[int], monkeypatch: Patch, keep: float, verdict: Verdict
) -> None:
    look, names = os.stat, peer.names_in
    slow_look = cached(lambda name, dir_fd: look(name, dir_fd=dir_fd), time, keep)
    slow_names = cached(names, time, keep)

    def stat(name: Any, **how: Any) -> Any:
        if how.get("dir_fd") in there and name == b".":
            return slow_look(name, how["dir_fd"])
        return look(name, **how)

    monkeypatch.setattr(peer, "_ROUNDS", 2)
    monkeypatch.setattr(os, "stat", stat)
    monkeypatch.setattr(peer, "names_in", lambda fd: (slow_names if fd in there else names)(fd))
    found = compared(tried, time)
    assert found["listing"].verdict is verdict
    assert found["directory stamp"].verdict is verdict
    assert found["new name"].verdict is Verdict.OK


def test_another_directory(tmp_path: Path, tried: Trial, time: Time) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(ProbeError, match="the same directory by another mount"):
        list(peer.peer(tried, tmp_path / "other", KNOWN, Patience(time.now, time.sleep)))
    assert time.seconds >= PATIENCE
    (tmp_path / "other").rmdir()


def test_inodes_that_differ(tried: Trial, time: Time, there: list[int], monkeypatch: Patch) -> None:
    look = os.stat

    def stat(name: Any, **how: Any) -> Any:
        st = look(name, **how)
        if how.get("dir_fd") not in there or name == b".":
            return st
        return SimpleNamespace(st_ino=st.st_ino + 1, st_mtime_ns=st.st_mtime_ns, st_size=st.st_size)

    monkeypatch.setattr(os, "stat", stat)
    found = compared(tried, time)
    assert found["inode and time"].verdict is Verdict.FAIL
    assert found["size and time"].verdict is Verdict.OK


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (OSError(errno.ESTALE, "gone"), Verdict.WARN),
        (b"old" * 7, Verdict.WARN),
        (b"new" * 333, Verdict.FAIL),
    ],
)
def test_an_open_version_that_is_replaced(
    tried: Trial, time: Time, monkeypatch: Patch, answer: Any, verdict: Verdict
) -> None:
    read = os.pread

    def pread(fd: int, size: int, offset: int) -> bytes:
        if not offset:
            return read(fd, size, offset)
        if isinstance(answer, OSError):
            raise answer
        return bytes(answer)

    monkeypatch.setattr(os, "pread", pread)
    assert compared(tried, time)["open version"].verdict is verdict


def test_an_open_that_fails(tried: Trial, time: Time, monkeypatch: Patch) -> None:
    monkeypatch.setattr(peer, "_OPEN", os.O_DIRECTORY)
    pair = peer.Pair(tried.disk, tried.fd, tried.fd, Patience(time.now, time.sleep))
    assert peer._stays_open(pair).verdict is Verdict.WARN
    assert peer._attribute(tried.fd) == peer._content(tried.fd) == b""


@pytest.mark.parametrize("used", lock_kinds.KINDS)
def test_locks_that_end_at_a_node(tried: Trial, time: Time, monkeypatch: Patch, used: str) -> None:
    monkeypatch.setattr(lock_kinds, "take", lambda *_, **__: True)
    found = compared(tried, time, attrs.evolve(KNOWN, locks=used))
    for kind in lock_kinds.KINDS:
        one = found[f"lock {kind}"]
        assert one.value is False
        assert one.verdict is (Verdict.FAIL if kind == used else Verdict.OK)
        assert ('store.locks = "none"' in one.means) is (kind == used)


def test_locks_that_are_refused_or_never_let_go(
    tried: Trial, time: Time, monkeypatch: Patch
) -> None:
    def refused(*_: object, **__: object) -> bool:
        raise OSError(errno.ENOLCK, "none")

    monkeypatch.setattr(lock_kinds, "take", refused)
    assert compared(tried, time)["lock ofd"].value is False
    taken: list[int] = []

    def for_ever(kind: str, fd: int, exclusive: bool) -> bool:
        taken.append(fd)
        return len(taken) == 1

    monkeypatch.setattr(lock_kinds, "take", for_ever)
    assert compared(tried, time)["lock ofd"].value is False


# ---------------------------------------------------------------- races


@pytest.mark.parametrize("by_rename", [True, False])
def test_one_creator(tried: Trial, by_rename: bool) -> None:
    assert racing.creators(tried.disk, (tried.fd, tried.fd), by_rename) == (50, 0)


def test_races_that_take_long(tried: Trial) -> None:
    clock = iter(range(0, 1000, 4))
    assert racing.creators(tried.disk, (tried.fd, tried.fd), True, clock.__next__) == (2, 0)


@pytest.mark.parametrize("by_rename", [True, False])
def test_two_creators(tried: Trial, monkeypatch: Patch, by_rename: bool) -> None:
    def replacing(name: bytes, dir_fd: int, new: bytes, new_dir_fd: int) -> None:
        if by_rename:
            os.rename(name, new, src_dir_fd=dir_fd, dst_dir_fd=new_dir_fd)
        else:
            os.link(name, b"." + name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
            os.rename(b"." + name, new, src_dir_fd=dir_fd, dst_dir_fd=new_dir_fd)

    monkeypatch.setattr(syscalls, "rename_noreplace" if by_rename else "link", replacing)
    rounds, wrong = racing.creators(tried.disk, (tried.fd, tried.fd), by_rename)
    assert rounds == wrong == 50


def test_no_creator_at_all(tried: Trial, monkeypatch: Patch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(syscalls, "link", refused)
    assert racing.creators(tried.disk, (tried.fd, tried.fd), False) == (50, 50)


@pytest.mark.parametrize(
    ("tmpfile", "noreplace", "by_rename"),
    [(True, True, False), (False, True, True), (False, False, False)],
)
def test_creators_race_as_the_gateway_does(
    tried: Trial,
    time: Time,
    monkeypatch: Patch,
    tmpfile: bool,
    noreplace: bool,
    by_rename: bool,
) -> None:
    asked: list[bool] = []

    def creators(disk: Disk, at: object, by_rename: bool, now: object) -> tuple[int, int]:
        asked.append(by_rename)
        return 50, 1

    monkeypatch.setattr(peer, "creators", creators)
    known = attrs.evolve(KNOWN, tmpfile=tmpfile, noreplace=noreplace)
    found = compared(tried, time, known)["one creator"]
    assert asked == [by_rename]
    assert (found.verdict, found.found) == (Verdict.FAIL, "in 49 of 50 races")


def test_as_part_of_the_examination(tmp_path: Path) -> None:
    told: list[str] = []
    found = list(examine.examine(tmp_path, told.append, tmp_path))
    assert told[-1] == "peer"
    assert any(one.section == "peer" for one in found)
    assert tree(tmp_path) == set()


def test_patience(time: Time) -> None:
    wait = Patience(time.now, time.sleep)
    assert wait.until(lambda: True) == 0.0
    assert wait.until(lambda: False) is None
    begun = time.seconds
    delay = wait.until(lambda: time.seconds - begun >= 0.5)
    assert delay is not None
    assert 499 < delay < 550
