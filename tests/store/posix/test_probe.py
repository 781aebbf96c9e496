"""The probe: what it finds here, and what it says where something is missing."""

from __future__ import annotations

import errno
import fcntl
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from s3daemon.store.posix import lock_kinds, lock_proof, sidecar_proof, syscalls
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.probe import ProbeError, probe
from s3daemon.store.posix.probed import SIDECAR, STAMPED, XATTR, Probe, recorded
from tests.store.posix.disks import descriptors, tree


def refuse(code: int) -> Callable[..., Any]:
    def refused(*_: object, **__: object) -> Any:
        raise OSError(code, os.strerror(code))

    return refused


def test_here(tmp_path: Path) -> None:
    before = descriptors()
    found = probe(tmp_path)
    assert found.xattr_bytes >= 512
    assert found.hard_links or found.noreplace
    assert 100 <= found.name_bytes <= 255
    assert tree(tmp_path) == set()
    assert descriptors() == before
    assert "\n" not in found.describe()
    assert f"xattrs up to {found.xattr_bytes} bytes" in found.describe()
    assert f"locks between processes ({found.locks})" in found.describe()
    assert found.locks in lock_kinds.KINDS
    assert os.listdir(tmp_path / ".s3gate/locks")


def test_the_size_of_attributes_is_what_fits(tmp_path: Path) -> None:
    size = probe(tmp_path).xattr_bytes
    path = tmp_path / "f"
    path.touch()
    os.setxattr(path, "user.s3gate", b"x" * size)
    with pytest.raises(OSError, match=r"\[Errno"):
        os.setxattr(path, "user.s3gate", b"x" * (size + 1))


@pytest.mark.parametrize("limit", [512, 513, 1000, 2048, 4036, 65535, 65536])
def test_every_limit_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int) -> None:
    values: dict[int, bytes] = {}

    def set_xattr(fd: int, name: str, value: bytes) -> None:
        if len(value) > limit:
            raise OSError(errno.ERANGE, "too long")
        values[fd] = value

    monkeypatch.setattr(os, "setxattr", set_xattr)
    monkeypatch.setattr(os, "getxattr", lambda fd, name: values[fd])
    assert probe(tmp_path).xattr_bytes == limit


def test_without_a_root(tmp_path: Path) -> None:
    with pytest.raises(ProbeError, match="does not exist"):
        probe(tmp_path / "missing")
    (tmp_path / "file").touch()
    with pytest.raises(ProbeError, match="not a directory"):
        probe(tmp_path / "file")


@pytest.mark.parametrize(
    ("code", "says"),
    [
        (errno.ENOTSUP, "no xattrs, records in files of their own, names"),
        (errno.EPERM, "no xattrs, records in files of their own, names"),
    ],
)
def test_without_attributes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, says: str
) -> None:
    monkeypatch.setattr(os, "setxattr", refuse(code))
    found = probe(tmp_path)
    assert (found.metadata, found.xattr_bytes) == (SIDECAR, 0)
    assert says in found.describe()
    assert tree(tmp_path) == set()
    assert probe(tmp_path) == found, "a root with sidecars goes on having them"
    monkeypatch.undo()
    assert probe(tmp_path).metadata == XATTR, "attributes may come later"
    monkeypatch.setattr(os, "setxattr", refuse(code))
    with pytest.raises(ProbeError, match="does not keep any more: mount it with user_xattr"):
        probe(tmp_path)
    assert tree(tmp_path) == set()


@pytest.mark.parametrize("kinds", [(SIDECAR, STAMPED), (STAMPED, SIDECAR)])
def test_sidecars_of_the_other_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, str]
) -> None:
    monkeypatch.setattr(os, "setxattr", refuse(errno.ENOTSUP))
    monkeypatch.setattr(sidecar_proof, "kind", lambda *_: kinds[0])
    assert probe(tmp_path).metadata == kinds[0]
    monkeypatch.setattr(sidecar_proof, "kind", lambda *_: kinds[1])
    with pytest.raises(ProbeError, match="mount it as it was"):
        probe(tmp_path)


def test_attributes_for_which_there_is_no_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "setxattr", refuse(errno.ENOSPC))
    with pytest.raises(ProbeError, match="is full"):
        probe(tmp_path)
    assert tree(tmp_path) == set()


@pytest.mark.parametrize(
    ("kind", "handle", "says"),
    [
        (0x65735546, None, "on FUSE a file has another handle when it is mounted again"),
        (0x4D44, None, "on FAT a file has another handle when it is mounted again"),
        (0xEF53, "same", "handles of files are not theirs alone"),
        (0xEF53, "none", "files have no handles"),
    ],
)
def test_neither_attributes_nor_handles(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: int, handle: str | None, says: str
) -> None:
    monkeypatch.setattr(os, "setxattr", refuse(errno.ENOTSUP))
    monkeypatch.setattr(syscalls, "file_system_type", lambda _: kind)
    if handle == "same":
        monkeypatch.setattr(sidecar_proof, "handle_of", lambda *_: "01")
    if handle == "none":
        monkeypatch.setattr(sidecar_proof, "handle_of", refuse(errno.EOPNOTSUPP))
    assert probe(tmp_path).metadata == STAMPED
    set_mtime = syscalls.set_mtime
    monkeypatch.setattr(syscalls, "set_mtime", lambda fd, ns: set_mtime(fd, ns - ns % 1_000_000))
    coarse = f"{says}.*, and it does not keep times to the nanosecond; mount it with user_xattr"
    with pytest.raises(ProbeError, match=coarse):
        probe(tmp_path)
    monkeypatch.setattr(syscalls, "set_mtime", refuse(errno.EPERM))
    with pytest.raises(ProbeError, match="the time of a file cannot be set"):
        probe(tmp_path)


def test_attributes_that_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getxattr", lambda *_: b"")
    with pytest.raises(ProbeError, match="does not give back"):
        probe(tmp_path)


def test_read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "mkdir", refuse(errno.EROFS))
    with pytest.raises(
        ProbeError, match=r"not writable .*Read-only file system.*mount it"
    ) as caught:
        probe(tmp_path)
    assert os.fspath(tmp_path) in str(caught.value)


def test_neither_links_nor_renames(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", refuse(errno.EPERM))
    monkeypatch.setattr(syscalls, "rename_noreplace", refuse(errno.EINVAL))
    with pytest.raises(ProbeError, match="use another file system"):
        probe(tmp_path)
    assert tree(tmp_path) == set()


@pytest.mark.parametrize(
    ("module", "name", "field"),
    [
        (syscalls, "link_fd", "proc_link"),
        (syscalls, "link", "hard_links"),
        (syscalls, "rename_noreplace", "noreplace"),
        (syscalls, "openat2", "openat2"),
        (os, "copy_file_range", "copy_range"),
        (os, "fsync", "dir_sync"),
    ],
)
def test_what_is_missing_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, field: str
) -> None:
    whole = probe(tmp_path)
    assert getattr(whole, field)
    monkeypatch.setattr(module, name, refuse(errno.EOPNOTSUPP))
    lesser = probe(tmp_path)
    assert not getattr(lesser, field)
    assert lesser.describe() != whole.describe()
    assert tree(tmp_path) == set()


def test_no_unnamed_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where they cannot be given a name: then they are of no use."""
    monkeypatch.setattr(syscalls, "link_fd", refuse(errno.ENOENT))
    assert not probe(tmp_path).tmpfile


def test_unnamed_files_that_lose_their_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a name, and gone when the descriptor is closed."""
    given: list[tuple[bytes, int]] = []
    link_fd, close = syscalls.link_fd, os.close

    def link(fd: int, name: bytes, dir_fd: int) -> None:
        link_fd(fd, name, dir_fd)
        if name == b"unnamed":
            given.append((name, dir_fd))

    def close_and_lose(fd: int) -> None:
        close(fd)
        while given:
            name, dir_fd = given.pop()
            os.unlink(name, dir_fd=dir_fd)

    monkeypatch.setattr(syscalls, "link_fd", link)
    monkeypatch.setattr(os, "close", close_and_lose)
    found = probe(tmp_path)
    assert not found.tmpfile
    assert found.proc_link


def test_unnamed_files_are_not_tried_on_fuse(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(syscalls, "file_system_type", lambda fd: 0x65735546)
    tried = []
    monkeypatch.setattr(Disk, "open_temp", lambda *_: tried.append("open_temp"))
    assert not probe(tmp_path).tmpfile
    assert tried == []


def test_attributes_leave_room_for_what_a_name_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GlusterFS keeps an attribute of its own for each name of a file."""
    plain, held = syscalls.link, {"size": 0}
    set_xattr = os.setxattr

    def set_and_note(fd: int, name: str, value: bytes) -> None:
        set_xattr(fd, name, value)
        held["size"] = len(value)

    def link(*names: Any) -> None:
        if held["size"] > 2000:
            raise OSError(errno.ENOSPC, "no room for the name")
        plain(*names)

    monkeypatch.setattr(os, "setxattr", set_and_note)
    monkeypatch.setattr(syscalls, "link", link)
    found = probe(tmp_path)
    assert found.xattr_bytes == 2000
    assert found.hard_links


def test_renames_that_replace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that ignores the flag is worse than one that refuses it."""
    monkeypatch.setattr(
        syscalls,
        "rename_noreplace",
        lambda source, source_dir, target, target_dir: os.rename(
            source, target, src_dir_fd=source_dir, dst_dir_fd=target_dir
        ),
    )
    assert not probe(tmp_path).noreplace


def test_description_of_a_poor_one() -> None:
    poor = Probe(512, *([False] * 7), name_bytes=143, case_folding=True)
    assert poor.spills
    said = poor.describe()
    assert said.startswith("xattrs up to 512 bytes, names up to 143 bytes, no O_TMPFILE")
    assert "differ only in case" in said


@pytest.mark.parametrize("call", ["mkdir", "create", "set_xattr"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_file_system_is_served_as_it_was_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int
) -> None:
    def full(*args: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Disk, call, full)
    with pytest.raises(ProbeError, match=r"is full.*free some space"):
        probe(tmp_path)
    monkeypatch.undo()
    known = probe(tmp_path)
    monkeypatch.setattr(Disk, call, full)
    assert probe(tmp_path) == known


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"xattr_bytes": 1}', b"\xff", b"null"])
def test_a_record_that_cannot_be_read_is_none(tmp_path: Path, raw: bytes) -> None:
    probe(tmp_path)
    (tmp_path / ".s3gate" / "probe.json").write_bytes(raw)
    fd = os.open(tmp_path, os.O_RDONLY)
    assert recorded(fd) is None
    os.close(fd)


# ---------------------------------------------------------------- locks


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.touch()
    return path


def test_both_kinds_hold_here(file: Path) -> None:
    before = descriptors()
    for kind in lock_kinds.KINDS:
        assert lock_proof.holds(file, kind)
    assert lock_proof.proved(file) == lock_kinds.OFD
    assert descriptors() == before


def test_locks_that_are_missing(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next kind is tried; and without any there is none."""
    monkeypatch.setattr(fcntl, "fcntl", refuse(errno.EINVAL))
    assert lock_proof.proved(file) == lock_kinds.FLOCK
    monkeypatch.setattr(fcntl, "flock", refuse(errno.ENOSYS))
    assert lock_proof.proved(file) == ""


@pytest.mark.parametrize("kind", lock_kinds.KINDS)
def test_locks_that_exclude_nobody(file: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """As where each process, or each node, keeps them to itself."""
    monkeypatch.setattr(fcntl, "fcntl", lambda *_: 0)
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    assert not lock_proof.holds(file, kind)


#: What another process answers in turn, where all is as it should be.
RIGHT = ["held", "held", "taken", "held", "taken"]


@pytest.mark.parametrize("wrong", range(len(RIGHT)))
def test_every_answer_counts(file: Path, monkeypatch: pytest.MonkeyPatch, wrong: int) -> None:
    answers = list(RIGHT)
    answers[wrong] = "none"
    real = lock_proof._Other.ask

    def ask(other: Any, what: str) -> str:
        real(other, what)
        return answers.pop(0)

    monkeypatch.setattr(lock_proof._Other, "ask", ask)
    assert not lock_proof.holds(file, lock_kinds.OFD)


def test_a_lock_that_stays_after_its_holder(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = descriptors()
    real = lock_proof._Other.kill
    calls: list[object] = []

    def kill(other: Any) -> None:
        if calls:
            real(other)
        calls.append(other)

    monkeypatch.setattr(lock_proof._Other, "kill", kill)
    assert not lock_proof.holds(file, lock_kinds.OFD)
    assert descriptors() == before


def test_without_a_second_process(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere")
    assert lock_proof.proved(file) == ""
    # One that ends at once, and one that says nothing.
    monkeypatch.setattr(sys, "executable", "/bin/true")
    assert lock_proof.proved(file) == ""
    monkeypatch.setattr(sys, "executable", "/bin/cat")
    assert lock_proof.proved(file) == ""


def test_a_process_that_hangs(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Silence:
        def register(self, *arguments: object) -> None: ...

        def poll(self, timeout: int) -> list[object]:
            return []

    before = descriptors()
    other = lock_proof._Other(file, lock_kinds.OFD)
    monkeypatch.setattr(lock_proof.select, "poll", Silence)
    assert other.ask("exclusive") == ""
    other.kill()
    # One that does not come to its first word.
    assert not lock_proof.holds(file, lock_kinds.OFD)
    assert descriptors() == before


def test_the_program(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the other process runs."""
    held = os.open(file, os.O_RDWR)
    assert lock_kinds.take(lock_kinds.OFD, held, exclusive=False)
    out = io.StringIO()
    monkeypatch.setattr(sys, "argv", ["", str(file), lock_kinds.OFD])
    monkeypatch.setattr(sys, "stdin", io.StringIO("exclusive\nshared\n"))
    monkeypatch.setattr(sys, "stdout", out)
    lock_kinds.main()
    monkeypatch.setattr(fcntl, "fcntl", refuse(errno.EINVAL))
    monkeypatch.setattr(sys, "stdin", io.StringIO("exclusive\n"))
    lock_kinds.main()
    assert out.getvalue() == "ready\nheld\ntaken\nready\nnone\n"
    os.close(held)


def test_a_record_of_before(tmp_path: Path) -> None:
    """A root whose probe knew nothing of locks, or says what cannot be: no lock is taken for
    proved."""
    found = probe(tmp_path)
    path = tmp_path / ".s3gate/probe.json"
    fields = json.loads(path.read_text())
    fd = os.open(tmp_path, os.O_RDONLY)
    assert recorded(fd) == found
    del fields["locks"]
    path.write_text(json.dumps(fields))
    assert recorded(fd) == attrs.evolve(found, locks="")
    path.write_text(json.dumps({**fields, "locks": "hope"}))
    assert recorded(fd) is None
    path.write_text(json.dumps({**fields, "metadata": "elsewhere"}))
    assert recorded(fd) is None
    path.write_text(json.dumps({**fields, "metadata": SIDECAR}))
    assert recorded(fd) == attrs.evolve(found, locks="", metadata=SIDECAR)
    os.close(fd)
