"""The gate: hooks, short writes, copies, and what errors mean."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from s3daemon.store import interfaces
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.errnos import fact, facts
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import FailAt, Trace


@pytest.fixture
def here(tmp_path: Path) -> Iterator[int]:
    """A descriptor of an empty directory."""
    fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield fd
    os.close(fd)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (errno.ENOSPC, interfaces.OutOfSpace),
        (errno.EDQUOT, interfaces.OutOfSpace),
        (errno.EROFS, interfaces.ReadOnly),
        (errno.EACCES, interfaces.AccessRefused),
        (errno.EPERM, interfaces.AccessRefused),
        (errno.EMFILE, interfaces.Busy),
        (errno.ENFILE, interfaces.Busy),
        (errno.EAGAIN, interfaces.Busy),
        (errno.ENAMETOOLONG, interfaces.KeyTooLong),
        (errno.EIO, interfaces.Unavailable),
        (errno.ESTALE, interfaces.Unavailable),
        (errno.ETIMEDOUT, interfaces.Unavailable),
        (errno.ENOTCONN, interfaces.Unavailable),
        (9999, interfaces.Unavailable),
    ],
)
def test_facts(code: int, kind: type[interfaces.StorageError]) -> None:
    assert type(fact(OSError(code, "text"))) is kind

    @facts
    def method() -> None:
        raise OSError(code, "text")

    with pytest.raises(kind, match="text"):
        method()


def test_an_error_without_a_number() -> None:
    assert type(fact(OSError("text"))) is interfaces.Unavailable


def test_hooks_stand_around_a_change_and_may_alter_it(here: int) -> None:
    seen: list[str] = []

    def outer(name: str, call: Callable[..., Any], *args: Any) -> Any:
        seen.append(f"before {name}")
        result = call(*args)
        seen.append(f"after {name}")
        return result

    def inner(name: str, call: Callable[..., Any], *args: Any) -> Any:
        seen.append(f"at {name} {args!r}")
        return call(b"altered", *args[1:])

    Disk(hooks=[outer, inner]).mkdir(b"asked", here)
    assert seen == ["before mkdir", f"at mkdir (b'asked', {here})", "after mkdir"]
    assert os.listdir(here) == ["altered"]


def short(name: str, call: Callable[..., Any], *args: Any) -> Any:
    """Writes at most three bytes at once."""
    if name == "write":
        fd, data = args
        return call(fd, [bytes(data[0])[:3]] if isinstance(data, list) else bytes(data)[:3])
    if name == "pwrite":
        fd, data, offset = args
        return call(fd, bytes(data)[:3], offset)
    return call(*args)


@pytest.mark.parametrize("hooks", [[], [short]])
@pytest.mark.parametrize(
    "pieces",
    [[], [b""], [b"0123456789"], [b"01", b"", b"2345", b"6", b"789"], [b"x"] * 3000],
)
def test_all_pieces_are_written(here: int, hooks: list[Any], pieces: list[bytes]) -> None:
    disk = Disk(hooks=hooks)
    whole = b"".join(pieces)
    fd = disk.create(b"f", here)
    assert disk.write(fd, pieces) == len(whole)
    assert os.pread(fd, 10_000, 0) == whole
    assert disk.pwrite(fd, pieces, 5) == len(whole)
    assert os.pread(fd, 10_000, 5) == whole
    os.close(fd)


def test_other_buffers_are_written(here: int) -> None:
    fd = Disk().create(b"f", here)
    Disk().write(fd, [bytearray(b"ab"), memoryview(b"xcdx")[1:3]])  # type: ignore[list-item]
    assert os.pread(fd, 10, 0) == b"abcd"
    os.close(fd)


def no_copy_range(name: str, call: Callable[..., Any], *args: Any) -> Any:
    """A file system that the kernel cannot copy on."""
    if name == "copy_range":
        raise OSError(errno.EXDEV, "other device")
    return call(*args)


def lying_copy_range(name: str, call: Callable[..., Any], *args: Any) -> Any:
    """A file system that says it has copied nothing."""
    return 0 if name == "copy_range" else call(*args)


@pytest.mark.parametrize("hook", [None, no_copy_range, lying_copy_range, short])
def test_copy(here: int, hook: Any) -> None:
    disk = Disk(hooks=[hook] if hook else [])
    data = bytes(range(256)) * 10
    source, target = disk.create(b"source", here), disk.create(b"target", here)
    os.write(source, data)
    assert disk.copy(source, target, 1000, 100, 7) == 1000
    assert os.pread(target, 5000, 0) == b"\0" * 7 + data[100:1100]
    assert disk.copy(source, target, 5000, 2000) == 560
    assert os.pread(target, 560, 0) == data[2000:]
    os.close(source)
    os.close(target)


def test_an_error_of_a_copy_is_no_reason_to_read(here: int) -> None:
    disk = Disk(hooks=[FailAt(2, errno.ENOSPC)])
    source, target = disk.create(b"source", here), disk.create(b"target", here)
    os.write(source, b"data")
    with pytest.raises(OSError, match="No space"):
        disk.copy(source, target, 4)
    os.close(source)
    os.close(target)


def test_a_failed_fsync_is_counted_and_not_repeated(here: int) -> None:
    trace, fail = Trace(), FailAt(0, errno.EIO)
    disk = Disk(hooks=[trace, fail])
    with pytest.raises(OSError, match="Input/output"):
        disk.fsync(here)
    assert trace.names == ["fsync"]
    assert disk.failed_syncs == 1
    disk.fsync(here)
    assert disk.failed_syncs == 1


def test_relaxed_does_not_sync_but_asks_the_file_system(here: int) -> None:
    trace = Trace()
    disk = Disk("relaxed", [trace])
    fd = disk.create(b"f", here)
    disk.fsync(fd)
    disk.settle(fd)
    assert trace.names == ["create", "flush"]
    disk.close(fd)


def test_names(here: int) -> None:
    disk = Disk()
    fd = disk.open_temp(here)
    disk.write(fd, [b"1"])
    assert os.listdir(here) == []
    disk.link_fd(fd, b"a", here)
    with pytest.raises(FileExistsError):
        disk.link_fd(fd, b"a", here)
    disk.link(b"a", here, b"b", here)
    with pytest.raises(FileExistsError):
        disk.link(b"a", here, b"b", here)
    disk.rename(b"b", here, b"c", here)
    with pytest.raises(FileExistsError):
        disk.rename_new(b"c", here, b"a", here)
    disk.rename_new(b"c", here, b"d", here)
    assert sorted(os.listdir(here)) == ["a", "d"]
    with pytest.raises(FileExistsError):
        disk.create(b"a", here)
    other = disk.open_or_create(b"a", here)
    assert os.path.sameopenfile(fd, other)
    disk.truncate(fd, 0)
    disk.set_modified(fd, 12345)
    assert (os.fstat(fd).st_size, os.fstat(fd).st_mtime_ns) == (0, 12345)
    disk.set_xattr(fd, "user.x", b"1")
    assert os.getxattr(fd, "user.x") == b"1"
    disk.unlink(b"a", here)
    disk.unlink(b"d", here)
    disk.mkdir(b"e", here)
    disk.rmdir(b"e", here)
    assert os.listdir(here) == []
    disk.close(fd)
    disk.close(other)


def test_new_files_are_closed_on_exec_and_follow_no_link(here: int, tmp_path: Path) -> None:
    disk = Disk()
    (tmp_path / "link").symlink_to("/tmp/anywhere")
    for make in (disk.create, disk.open_or_create):
        with pytest.raises(OSError, match=r"."):
            make(b"link", here)
        fd = make(make.__name__.encode(), here)
        assert not os.get_inheritable(fd)
        os.close(fd)


@pytest.mark.parametrize("number", range(5))
def test_trying_a_sync(disk_store: PosixStore, root: Path, number: int) -> None:
    """It fails as the disk does, and leaves nothing, save where removing is what fails."""
    disk_store.try_sync()
    fail = FailAt(number, errno.EIO)
    disk_store.disk.hooks.append(fail)
    with pytest.raises(interfaces.Unavailable):
        disk_store.try_sync()
    disk_store.disk.hooks.clear()
    assert disk_store.disk.failed_syncs == (fail.fired == "fsync")
    left = os.listdir(root / ".s3gate/staging")
    assert bool(left) is (fail.fired == "unlink")
    disk_store.try_sync()
