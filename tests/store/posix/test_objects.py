"""Objects on disk: what is there, what others may do to it, and what is not reachable."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from s3daemon.store.interfaces import (
    Attributes,
    Busy,
    NoSuchBucket,
    NoSuchKey,
    ObjectExists,
    OutOfSpace,
    Replaced,
    Unavailable,
)
from s3daemon.store.memory import MemoryStore
from s3daemon.store.posix import locks, metadata, pruning, syscalls
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import Before, Trace, descriptors, tree
from tests.store.tools import content, copy, get, listed, md5, put

ATTRIBUTES = Attributes({"content-type": "text/x"}, {"m": "1"}, (("t", "1"),))
#: Too long for an attribute on ext4.
LARGE = Attributes(metadata={f"name-{n}": "v" * 100 for n in range(50)})


def bucket_path(root: Path) -> Path:
    return root / "bucket"


# ---------------------------------------------------------------- natural files


def test_an_object_is_a_plain_file(disk_store: PosixStore, root: Path) -> None:
    put(disk_store, "bucket", "a/b c/ü", b"data", ATTRIBUTES)
    path = bucket_path(root) / "a" / "b c" / "ü"
    assert path.read_bytes() == b"data"
    assert path.stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert tree(bucket_path(root)) == {"a", "a/b c", "a/b c/ü"}


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize(
    ("keys", "names"),
    [
        (["a", "a/b"], {"a", ".s3gate%d+a", ".s3gate%d+a/b"}),
        (["a/b", "a"], {"a", "a/b", ".s3gate%f+a"}),
        (["dir/"], {"dir"}),
        (["a//b"], {"a", "a/.s3gate%d+", "a/.s3gate%d+/b"}),
        (["/"], {".s3gate%d+"}),
        (["../x"], {".s3gate%d+..", ".s3gate%d+../x"}),
        ([".s3gate/x"], {".s3gate%d+.s3gate", ".s3gate%d+.s3gate/x"}),
    ],
)
def test_names_on_disk(
    disk_store: PosixStore, root: Path, keys: list[str], names: set[str]
) -> None:
    for key in keys:
        put(disk_store, "bucket", key, b"" if key.endswith("/") else b"1")
    assert tree(bucket_path(root)) == names


def test_data_in_a_directory_key(disk_store: PosixStore, root: Path) -> None:
    put(disk_store, "bucket", "dir/", b"1")
    assert (bucket_path(root) / "dir" / ".s3gate%f+").read_bytes() == b"1"
    put(disk_store, "bucket", "dir/", b"")
    assert tree(bucket_path(root)) == {"dir"}


def test_files_of_others(disk_store: PosixStore, root: Path) -> None:
    (bucket_path(root) / "d").mkdir()
    (bucket_path(root) / "d" / "f").write_bytes(b"theirs")
    info, data = get(disk_store, "bucket", "d/f")
    assert (info.size, info.owner, info.attributes, data) == (6, None, Attributes(), b"theirs")
    assert "-" in info.etag
    assert disk_store.objects.stat("bucket", "d/").folder
    tagged = disk_store.objects.set_tags("bucket", "d/f", (("a", "1"),))
    assert attrs.evolve(tagged, attributes=Attributes()) == info
    assert disk_store.objects.stat("bucket", "d/f") == tagged
    assert disk_store.objects.delete("bucket", "d/f")
    assert (bucket_path(root) / "d").is_dir(), "a directory that S3 did not make is not pruned"


def test_a_change_by_others_shows(disk_store: PosixStore, root: Path) -> None:
    info = put(disk_store, "bucket", "k", b"data", ATTRIBUTES)
    with open(bucket_path(root) / "k", "ab") as file:
        file.write(b"more")
    changed = disk_store.objects.stat("bucket", "k")
    assert (changed.size, changed.attributes, changed.owner) == (8, ATTRIBUTES, "alice")
    assert "-" in changed.etag
    assert content(disk_store, "bucket", "k") == b"datamore"
    assert copy(disk_store, ("bucket", "k"), ("bucket", "c")).etag == md5(b"datamore")
    assert put(disk_store, "bucket", "k", b"data", ATTRIBUTES).etag == info.etag


def test_a_reader_keeps_to_its_version(disk_store: PosixStore, root: Path) -> None:
    path = bucket_path(root) / "k"
    path.write_bytes(b"data")
    reader = disk_store.objects.open("bucket", "k")
    with open(path, "ab") as file:
        file.write(b"appended")
    assert reader.read(0, 100) == b"data"
    assert reader.read(2, 1) == b"t"
    assert reader.read(4, 1) == b""
    assert reader.read(9, 1) == b""
    number = reader.fileno()
    assert number is not None
    assert os.pread(number, 2, 0) == b"da"
    reader.close()
    reader.close()
    assert reader.fileno() is None


def test_a_file_that_shrinks_under_a_reader(disk_store: PosixStore, root: Path) -> None:
    put(disk_store, "bucket", "k", b"data")
    reader = disk_store.objects.open("bucket", "k")
    os.truncate(bucket_path(root) / "k", 1)
    with pytest.raises(Replaced):
        reader.read(0, 4)
    reader.close()


@pytest.mark.parametrize("raw", [b"", b"{", b'{"v":9}', b'{"v":1,"sys":5}'])
def test_a_damaged_record(disk_store: PosixStore, root: Path, raw: bytes) -> None:
    put(disk_store, "bucket", "k", b"data", ATTRIBUTES)
    os.setxattr(bucket_path(root) / "k", "user.s3gate", raw)
    info, data = get(disk_store, "bucket", "k")
    assert (data, info.attributes) == (b"data", Attributes())
    assert "-" in info.etag
    assert disk_store.objects.set_tags("bucket", "k", (("a", "1"),)).etag == info.etag
    assert content(disk_store, "bucket", "k") == b"data"
    put(disk_store, "bucket", "k", b"new", ATTRIBUTES)
    assert disk_store.objects.delete("bucket", "k")


def test_other_attributes_are_left_alone(disk_store: PosixStore, root: Path) -> None:
    put(disk_store, "bucket", "k", b"data")
    os.setxattr(bucket_path(root) / "k", "user.theirs", b"1")
    disk_store.objects.set_tags("bucket", "k", (("a", "1"),))
    assert os.getxattr(bucket_path(root) / "k", "user.theirs") == b"1"


# ---------------------------------------------------------------- what is no object


def make_fifo(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    made = socket.socket(socket.AF_UNIX)
    old = os.getcwd()
    os.chdir(path.parent)  # the names of sockets are short
    try:
        made.bind(path.name)
    finally:
        os.chdir(old)
        made.close()


def make_dangling(path: Path) -> None:
    path.symlink_to("nothing")


def make_outward(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def make_upward(path: Path) -> None:
    (path.parent.parent / "secret").write_bytes(b"1")
    path.symlink_to("../secret")


def make_loop(path: Path) -> None:
    path.symlink_to(path.name)


def make_magic(path: Path) -> None:
    path.symlink_to("/proc/self/environ")


STRANGE = [
    make_fifo,
    make_socket,
    make_dangling,
    make_outward,
    make_upward,
    make_loop,
    make_magic,
]


@pytest.mark.parametrize("make", STRANGE)
def test_what_is_no_object(
    disk_store: PosixStore, root: Path, make: Callable[[Path], None]
) -> None:
    path = bucket_path(root) / "k"
    make(path)
    for ask in (disk_store.objects.open, disk_store.objects.stat):
        with pytest.raises(NoSuchKey):
            ask("bucket", "k")
    with pytest.raises(NoSuchKey):
        disk_store.objects.set_tags("bucket", "k", ())
    assert disk_store.objects.delete("bucket", "k") is False
    assert os.path.lexists(path)
    with pytest.raises(NoSuchKey):
        disk_store.objects.stat("bucket", "k/x")


@pytest.mark.parametrize("make", STRANGE)
def test_put_over_what_is_no_object(
    disk_store: PosixStore, root: Path, make: Callable[[Path], None]
) -> None:
    make(bucket_path(root) / "k")
    put(disk_store, "bucket", "k", b"1")
    assert (bucket_path(root) / "k").read_bytes() == b"1"
    assert not (bucket_path(root) / "k").is_symlink()
    assert (root / "secret").read_bytes() == b"1" if make is make_upward else True


@pytest.mark.parametrize("make", STRANGE)
def test_put_below_what_is_no_directory(
    disk_store: PosixStore, root: Path, make: Callable[[Path], None]
) -> None:
    make(bucket_path(root) / "k")
    put(disk_store, "bucket", "k/x", b"1")
    assert content(disk_store, "bucket", "k/x") == b"1"
    assert disk_store.objects.delete("bucket", "k/x")
    assert tree(bucket_path(root)) == {"k"}


def test_links_that_stay_inside(disk_store: PosixStore, root: Path) -> None:
    top = bucket_path(root)
    put(disk_store, "bucket", "d/target", b"1", ATTRIBUTES)
    (top / "file").symlink_to("d/target")
    (top / "d" / "up").symlink_to("../d/target")
    (top / "dir").symlink_to("d")
    for key in ("file", "d/up", "dir/target"):
        assert content(disk_store, "bucket", key) == b"1"
        assert disk_store.objects.stat("bucket", key).attributes == ATTRIBUTES
    put(disk_store, "bucket", "dir/new", b"2")
    assert (top / "d" / "new").read_bytes() == b"2"
    for key in ("file", "d/up"):
        assert disk_store.objects.delete("bucket", key) is True
    assert content(disk_store, "bucket", "d/target") == b"1"
    assert (top / "dir").is_symlink()


def test_links_that_lead_outside(disk_store: PosixStore, root: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "f").write_bytes(b"secret")
    disk_store.buckets.create("other", "bob")
    put(disk_store, "other", "f", b"bob's")
    for name, target in (("abs", os.fspath(outside)), ("rel", "../other")):
        (bucket_path(root) / name).symlink_to(target)
        with pytest.raises(NoSuchKey):
            disk_store.objects.open("bucket", f"{name}/f")
        with pytest.raises(NoSuchKey):
            disk_store.objects.stat("bucket", f"{name}/")
        assert disk_store.objects.delete("bucket", f"{name}/f") is False
        put(disk_store, "bucket", f"{name}/f", b"mine")
        put(disk_store, "bucket", f"{name}/new", b"mine")
        assert content(disk_store, "bucket", f"{name}/f") == b"mine"
    assert tree(outside) == {"f"}
    assert (outside / "f").read_bytes() == b"secret"
    assert content(disk_store, "other", "f") == b"bob's"


def test_a_bucket_is_no_link(disk_store: PosixStore, root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (root / "link").symlink_to(tmp_path / "outside")
    (bucket_path(root) / "link").symlink_to(tmp_path / "outside")
    for name in ("link", "bucket:link"):
        with pytest.raises(NoSuchBucket):
            disk_store.buckets.get(name)
        with pytest.raises(NoSuchBucket):
            put(disk_store, name, "k")
    assert [info.name for info in disk_store.buckets.list()] == ["bucket"]


# ---------------------------------------------------------------- order of changes


def traced(root: Path, durability: Any = "strict", **can: bool) -> tuple[PosixStore, Trace]:
    trace = Trace()
    store = PosixStore(root, durability, hooks=[trace])
    store._volume.probe = attrs.evolve(store.probe, **can)
    store.buckets.create("bucket", "alice")
    put(store, "bucket", "old", b"1")
    put(store, "bucket", "old", b"2")  # makes staging
    trace.names.clear()
    return store, trace


@pytest.mark.parametrize(
    ("key", "changes"),
    [
        ("new", "open_temp write set_xattr flush fsync link_fd fsync"),
        ("old", "open_temp write set_xattr flush fsync link_fd link_fd rename fsync"),
        (
            "d/new",
            "open_temp write set_xattr flush fsync mkdir set_xattr link_fd fsync fsync",
        ),
        (
            "d/e/new",
            "open_temp write set_xattr flush fsync mkdir set_xattr mkdir set_xattr link_fd"
            " fsync fsync fsync",
        ),
    ],
)
def test_strict(root: Path, key: str, changes: str) -> None:
    store, trace = traced(root)
    put(store, "bucket", key, b"1")
    assert trace.names == changes.split()
    store.close()


def test_strict_with_names(root: Path) -> None:
    store, trace = traced(root, tmpfile=False)
    put(store, "bucket", "a", b"1")
    private = "mkdir mkdir fsync fsync " if "mkdir" in trace.names else ""
    assert trace.names == f"{private}create write set_xattr flush fsync rename fsync".split()
    trace.names.clear()
    put(store, "bucket", "a", b"1")
    assert trace.names == ["create", "write", "set_xattr", "flush", "fsync", "rename", "fsync"]
    trace.names.clear()
    put(store, "bucket", "b", b"1", create_only=True)
    assert trace.names == ["create", "write", "set_xattr", "flush", "fsync", "rename_new", "fsync"]
    store.close()


def test_relaxed(root: Path) -> None:
    store, trace = traced(root, "relaxed")
    put(store, "bucket", "d/new", b"1")
    assert trace.names == [
        "open_temp",
        "write",
        "set_xattr",
        "flush",
        "mkdir",
        "set_xattr",
        "link_fd",
    ]
    trace.names.clear()
    store.objects.delete("bucket", "d/new")
    assert trace.names == ["unlink", "rmdir"]
    store.close()


def test_delete_is_durable_before_it_prunes(root: Path) -> None:
    store, trace = traced(root)
    put(store, "bucket", "d/e/k", b"1")
    trace.names.clear()
    assert store.objects.delete("bucket", "d/e/k")
    assert trace.names == ["unlink", "fsync", "rmdir", "rmdir"]
    store.close()


def test_folders_and_tags_are_durable(root: Path) -> None:
    store, trace = traced(root)
    put(store, "bucket", "d/", b"")
    assert trace.names == ["mkdir", "set_xattr", "set_xattr", "fsync", "fsync"]
    trace.names.clear()
    store.objects.set_tags("bucket", "d/", (("a", "1"),))
    store.objects.set_tags("bucket", "old", (("a", "1"),))
    assert trace.names == ["set_xattr", "fsync", "set_xattr", "fsync"]
    trace.names.clear()
    assert store.objects.delete("bucket", "d/")
    assert trace.names == ["set_xattr", "unlink", "rmdir", "fsync"]
    store.close()


# ---------------------------------------------------------------- file systems that can less


def no_openat2(*_: object) -> int:
    raise OSError(errno.ENOSYS, "no such call")


def no_locks(*_: object) -> None:
    raise OSError(errno.EOPNOTSUPP, "no locks")


VARIANTS: dict[str, dict[str, Any]] = {
    "all": {},
    "named drafts": {"tmpfile": False},
    "named drafts, links": {"tmpfile": False, "noreplace": False},
    "no links": {"tmpfile": False, "hard_links": False, "proc_link": False},
    "no openat2": {"openat2": False},
    "no locks": {"locks": False},
    "short attributes": {"xattr_bytes": 600},
}


@pytest.fixture(params=VARIANTS)
def lesser(
    request: pytest.FixtureRequest, disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch
) -> PosixStore:
    """A store on a file system or a kernel that cannot do something."""
    can = dict(VARIANTS[request.param])
    if can.pop("openat2", True) is False:
        monkeypatch.setattr(syscalls, "openat2", no_openat2)
    if can.pop("locks", True) is False:
        monkeypatch.setattr(fcntl, "flock", no_locks)
    volume = disk_store._volume
    volume.probe = attrs.evolve(disk_store.probe, **can)
    volume.metadata.limit = volume.probe.xattr_bytes  # type: ignore[attr-defined]
    return disk_store


KEYS = ["k", "a", "a/", "a/b", "a//", "/x", "../x", "l" * 300, "l" * 300 + "/m", "d/e/f"]


def test_everywhere_the_same(lesser: PosixStore, root: Path) -> None:
    before = descriptors()
    for number, attributes in enumerate((ATTRIBUTES, Attributes(), LARGE)):
        for data in (b"%d" % number, b"", b"x" * 10_000):
            for key in KEYS:
                info = put(lesser, "bucket", key, data, attributes)
                assert get(lesser, "bucket", key) == (info, data)
                with pytest.raises(ObjectExists):
                    put(lesser, "bucket", key, b"other", create_only=True)
            assert listed(lesser, "bucket") == sorted(KEYS, key=str.encode)
    for key in KEYS:
        info = lesser.objects.set_tags("bucket", key, (("n", "2"),))
        assert info.attributes == attrs.evolve(LARGE, tags=(("n", "2"),))
        again = copy(lesser, ("bucket", key), ("bucket", key), LARGE)
        assert get(lesser, "bucket", key) == (again, b"x" * 10_000)
    for key in KEYS:
        assert lesser.objects.delete("bucket", key) is True
        put(lesser, "bucket", key, b"1", create_only=True)
        assert lesser.objects.delete("bucket", key) is True
    assert tree(bucket_path(root)) == set()
    assert descriptors() == before


def test_an_abandoned_writer_leaves_nothing(lesser: PosixStore, root: Path) -> None:
    before = descriptors()
    writer = lesser.objects.create("bucket", "d/k", LARGE, None)
    writer.write([b"1"])
    writer.abort()
    writer.abort()
    with pytest.raises(Unavailable):
        writer.write([b"2"])
    with pytest.raises(Unavailable):
        writer.commit(md5(b"1"))
    assert tree(bucket_path(root)) == set()
    assert descriptors() == before


def test_a_lost_create_leaves_nothing(lesser: PosixStore, root: Path) -> None:
    put(lesser, "bucket", "k", b"1")
    with pytest.raises(ObjectExists):
        put(lesser, "bucket", "k", b"2", LARGE, create_only=True)
    with pytest.raises(ObjectExists):
        put(lesser, "bucket", "k", b"", create_only=True)
    assert tree(bucket_path(root)) == {"k"}
    assert content(lesser, "bucket", "k") == b"1"


# ---------------------------------------------------------------- races, one step at a time


def meanwhile(store: PosixStore, change: str, action: Callable[[], object]) -> Before:
    hook = Before(change, action)
    store.disk.hooks.append(hook)
    return hook


@pytest.mark.parametrize("key", ["d/e/k", "d/e/"])
def test_a_parent_is_pruned_under_a_put(root: Path, disk_store: PosixStore, key: str) -> None:
    other = PosixStore(root)
    put(other, "bucket", "d/e/x", b"1")
    data = b"" if key.endswith("/") else b"new"
    change = "set_xattr" if key.endswith("/") else "link_fd"
    hook = meanwhile(disk_store, change, lambda: other.objects.delete("bucket", "d/e/x"))
    put(disk_store, "bucket", key, data)
    assert hook.done
    assert content(other, "bucket", key) == data
    assert listed(other, "bucket") == [key]
    other.close()


@pytest.mark.parametrize("change", ["open_temp", "write", "fsync", "link_fd", "mkdir"])
def test_the_bucket_goes_under_a_put(root: Path, disk_store: PosixStore, change: str) -> None:
    other = PosixStore(root)
    hook = meanwhile(disk_store, change, lambda: other.buckets.delete("bucket"))
    with pytest.raises(NoSuchBucket):
        put(disk_store, "bucket", "d/k", b"1")
    assert hook.done
    assert list(other.buckets.list()) == []
    assert tree(root) == set()
    other.close()


def test_the_bucket_goes_and_comes_under_a_put(root: Path, disk_store: PosixStore) -> None:
    other = PosixStore(root)

    def replace() -> None:
        other.buckets.delete("bucket")
        other.buckets.create("bucket", "bob")

    meanwhile(disk_store, "link_fd", replace)
    with pytest.raises(NoSuchBucket):
        put(disk_store, "bucket", "d/k", b"1")
    assert listed(other, "bucket") == []
    other.close()


def test_the_bucket_goes_under_a_folder(root: Path, disk_store: PosixStore) -> None:
    other = PosixStore(root)
    meanwhile(disk_store, "mkdir", lambda: other.buckets.delete("bucket"))
    with pytest.raises(NoSuchBucket):
        put(disk_store, "bucket", "d/", b"")
    other.close()


def test_a_folder_that_is_put_while_it_is_pruned(root: Path, disk_store: PosixStore) -> None:
    """It cannot be locked, so it becomes a file, which the kernel sees."""
    other = PosixStore(root)
    put(other, "bucket", "d/k", b"1")
    hook = meanwhile(disk_store, "rmdir", lambda: put(other, "bucket", "d/", b"", ATTRIBUTES))
    assert disk_store.objects.delete("bucket", "d/k")
    assert hook.done
    info = other.objects.stat("bucket", "d/")
    assert (info.folder, info.size, info.attributes) == (False, 0, ATTRIBUTES)
    assert listed(other, "bucket") == ["d/"]
    assert other.objects.delete("bucket", "d/")
    assert tree(bucket_path(root)) == set()
    other.close()


def test_pruning_goes_round_a_lock(root: Path, disk_store: PosixStore) -> None:
    put(disk_store, "bucket", "d/k", b"1")
    fd = os.open(bucket_path(root) / "d", os.O_RDONLY)
    fcntl.flock(fd, fcntl.LOCK_EX)
    assert disk_store.objects.delete("bucket", "d/k")
    assert tree(bucket_path(root)) == {"d"}
    os.close(fd)


def test_tags_do_not_wait_for_ever(
    root: Path, disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "_PAUSE", 0)
    put(disk_store, "bucket", "d/k", b"1")
    held = [os.open(bucket_path(root) / name, os.O_RDONLY) for name in ("d", "d/k", ".")]
    for fd in held:
        fcntl.flock(fd, fcntl.LOCK_EX)
    with pytest.raises(Busy):
        disk_store.objects.set_tags("bucket", "d/", (("a", "1"),))
    with pytest.raises(Busy):
        disk_store.buckets.set_tags("bucket", (("a", "1"),))
    assert disk_store.objects.set_tags("bucket", "d/k", (("a", "1"),)).attributes.tags
    for fd in held:
        os.close(fd)


def test_directories_that_go_again_and_again(root: Path, disk_store: PosixStore) -> None:
    def vanish(name: str, call: Callable[..., Any], *args: Any) -> Any:
        if name == "link_fd":
            raise FileNotFoundError(errno.ENOENT, "gone")
        return call(*args)

    disk_store.disk.hooks.append(vanish)
    with pytest.raises(Busy):
        put(disk_store, "bucket", "d/k", b"1")
    disk_store.disk.hooks.clear()
    assert tree(bucket_path(root)) == set()


@pytest.fixture
def lockless(root: Path) -> Iterator[PosixStore]:
    """A store with a bucket, where no lock between processes is proved."""
    store = PosixStore(root, known=attrs.evolve(probe(root), locks=""))
    store.buckets.create("bucket", "alice")
    yield store
    store.close()


def test_two_creators(root: Path, lockless: PosixStore) -> None:
    other = PosixStore(root, known=lockless.probe)
    meanwhile(lockless, "link_fd", lambda: put(other, "bucket", "k", b"first", create_only=True))
    with pytest.raises(ObjectExists):
        put(lockless, "bucket", "k", b"second", create_only=True)
    assert content(other, "bucket", "k") == b"first"
    other.close()


def test_two_creators_and_a_directory(root: Path, lockless: PosixStore) -> None:
    """The first takes the escaped name, as a directory has the natural one for a moment."""
    other = PosixStore(root, known=lockless.probe)

    def first() -> None:
        put(other, "bucket", "k/x", b"1")
        put(other, "bucket", "k", b"first", create_only=True)
        other.objects.delete("bucket", "k/x")

    meanwhile(lockless, "link_fd", first)
    with pytest.raises(ObjectExists):
        put(lockless, "bucket", "k", b"second", create_only=True)
    assert content(other, "bucket", "k") == b"first"
    assert tree(bucket_path(root)) == {".s3gate%f+k"}
    put(other, "bucket", "k", b"third")
    assert tree(bucket_path(root)) == {"k"}
    other.close()


@pytest.mark.parametrize("data", [b"", b"1"])
def test_two_creators_of_a_folder(root: Path, lockless: PosixStore, data: bytes) -> None:
    other = PosixStore(root, known=lockless.probe)
    put(other, "bucket", "d/x", b"1")
    change = "open_temp" if data else "set_xattr"
    meanwhile(lockless, change, lambda: put(other, "bucket", "d/", b"first", create_only=True))
    if data:
        with pytest.raises(ObjectExists):
            put(lockless, "bucket", "d/", data, create_only=True)
        assert content(other, "bucket", "d/") == b"first"
    else:
        # The folder is locked from its check on: the other one had to take the way of a file.
        put(lockless, "bucket", "d/", data, create_only=True)
    other.close()


def test_the_file_is_touched_while_it_is_written(root: Path, disk_store: PosixStore) -> None:
    """As a network file system does when it gets the bytes late: the stamp is taken again."""

    def late(name: str, call: Callable[..., Any], *args: Any) -> Any:
        result = call(*args)
        if name == "fsync" and not touched and not os.fstat(args[0]).st_nlink:
            touched.append(os.utime(args[0], ns=(1, 12345)))
        return result

    touched: list[None] = []
    disk_store.disk.hooks.append(late)
    info = put(disk_store, "bucket", "k", b"1", LARGE)
    assert (info.etag, info.modified_ns) == (md5(b"1"), 12345)
    assert disk_store.objects.stat("bucket", "k") == info
    assert len(tree(bucket_path(root))) <= 2


def test_a_file_that_never_rests(disk_store: PosixStore, root: Path) -> None:
    def restless(name: str, call: Callable[..., Any], *args: Any) -> Any:
        result = call(*args)
        if name == "fsync" and not os.fstat(args[0]).st_nlink:
            os.utime(args[0], ns=(1, len(seen)))
            seen.append(1)
        return result

    seen: list[int] = []
    disk_store.disk.hooks.append(restless)
    with pytest.raises(Busy):
        put(disk_store, "bucket", "k", b"1", LARGE)
    assert tree(bucket_path(root)) == set()


def test_a_long_record_that_goes_while_it_is_read(root: Path, disk_store: PosixStore) -> None:
    """A reader that has opened the old version looks again when its record is gone."""
    volume = disk_store._volume
    volume.probe = attrs.evolve(disk_store.probe, xattr_bytes=600)
    volume.metadata.limit = 600  # type: ignore[attr-defined]
    put(disk_store, "bucket", "k", b"old", LARGE)
    load = volume.metadata.load
    replaced: list[object] = []

    def late(fd: int, home: int) -> metadata.Record:
        if not replaced:
            replaced.append(1)
            put(disk_store, "bucket", "k", b"new", ATTRIBUTES)
        return load(fd, home)

    volume.metadata.load = late  # type: ignore[method-assign]
    info, data = get(disk_store, "bucket", "k")
    assert (info.etag, info.attributes, data) == (md5(b"new"), ATTRIBUTES, b"new")


def test_a_full_disk_is_said(disk_store: PosixStore, root: Path) -> None:
    def full(name: str, call: Callable[..., Any], *args: Any) -> Any:
        if name == "write":
            raise OSError(errno.ENOSPC, "full")
        return call(*args)

    before = descriptors()
    put(disk_store, "bucket", "k", b"old")
    disk_store.disk.hooks.append(full)
    writer = disk_store.objects.create("bucket", "k", Attributes(), None)
    with pytest.raises(OutOfSpace):
        writer.write([b"new"])
    with pytest.raises(Unavailable):
        writer.commit(md5(b"new"))
    assert content(disk_store, "bucket", "k") == b"old"
    assert disk_store.objects.delete("bucket", "k"), "what frees space works on a full disk"
    assert tree(bucket_path(root)) == set()
    assert descriptors() == before


# ---------------------------------------------------------------- the rest


def test_copy_from_another_store(disk_store: PosixStore) -> None:
    """A reader without a descriptor is read."""
    memory = MemoryStore()
    memory.buckets.create("m", None)
    put(memory, "m", "k", b"data" * 300_000)
    source = memory.objects.open("m", "k")
    info = disk_store.objects.copy(source, "bucket", "k", ATTRIBUTES, "bob")
    assert info.etag == md5(b"data" * 300_000)
    assert get(disk_store, "bucket", "k") == (info, b"data" * 300_000)


def test_a_directory_that_turns_into_a_file(disk_store: PosixStore, root: Path) -> None:
    """What a writer has just made is removed, and a file takes its name."""
    other = PosixStore(root)

    def replace(name: str, call: Callable[..., Any], *args: Any) -> Any:
        result = call(*args)
        if name == "mkdir" and not done:
            done.append(1)
            (bucket_path(root) / "d").rmdir()
            put(other, "bucket", "d", b"file")
        return result

    done: list[int] = []
    disk_store.disk.hooks.append(replace)
    put(disk_store, "bucket", "d/k", b"1")
    assert done
    assert content(disk_store, "bucket", "d") == b"file"
    assert content(disk_store, "bucket", "d/k") == b"1"
    assert tree(bucket_path(root)) == {"d", ".s3gate%d+d", ".s3gate%d+d/k"}
    other.close()


@pytest.mark.parametrize("segment", ["d", "l" * 300])
def test_two_make_one_directory(disk_store: PosixStore, root: Path, segment: str) -> None:
    other = PosixStore(root)
    hook = meanwhile(
        disk_store, "mkdir", lambda: put(other, "bucket", f"{segment}/first", b"1", ATTRIBUTES)
    )
    put(disk_store, "bucket", f"{segment}/second", b"2")
    assert hook.done
    assert listed(other, "bucket") == [f"{segment}/first", f"{segment}/second"]
    for key in listed(other, "bucket"):
        other.objects.delete("bucket", key)
    assert tree(bucket_path(root)) == set()
    other.close()


def test_a_directory_whose_maker_crashed(disk_store: PosixStore, root: Path) -> None:
    """Its name holds a digest only, and it has no record yet: the next writer sees to that."""
    put(disk_store, "bucket", "l" * 300 + "/k", b"1")
    (directory,) = (path for path in bucket_path(root).iterdir() if path.name != ".s3gate")
    os.removexattr(directory, "user.s3gate")
    put(disk_store, "bucket", "l" * 300 + "/m", b"2")
    fresh = PosixStore(root)
    assert listed(fresh, "bucket") == ["l" * 300 + "/k", "l" * 300 + "/m"]
    fresh.close()


def test_a_folder_that_is_put_while_it_is_made(disk_store: PosixStore, root: Path) -> None:
    """The maker of a directory adds to its record and does not replace it."""
    other = PosixStore(root)

    def put_it(name: str, call: Callable[..., Any], *args: Any) -> Any:
        result = call(*args)
        if name == "mkdir" and not done:
            done.append(put(other, "bucket", "d/", b"", ATTRIBUTES))
        return result

    done: list[object] = []
    disk_store.disk.hooks.append(put_it)
    put(disk_store, "bucket", "d/k", b"1")
    assert done == [other.objects.stat("bucket", "d/")]
    assert other.objects.delete("bucket", "d/k")
    assert listed(other, "bucket") == ["d/"]
    assert other.objects.delete("bucket", "d/")
    assert tree(bucket_path(root)) == set()
    other.close()


def test_a_stale_pruner_spares_a_new_folder(disk_store: PosixStore, root: Path) -> None:
    """It has opened a directory that was removed since; another is there, and an object."""
    other = PosixStore(root)
    put(other, "bucket", "d/k", b"1")
    with disk_store._volume.bucket("bucket") as bucket:
        stale = os.open(bucket_path(root) / "d", os.O_RDONLY)
        other.objects.delete("bucket", "d/k")
        put(other, "bucket", "d/", b"")
        pruning.remove_open(disk_store._volume, bucket, (b"d",), stale, pruning.IMPLICIT)
        os.close(stale)
    assert listed(other, "bucket") == ["d/"]
    other.close()


def test_the_form_that_wins_goes_last(disk_store: PosixStore, root: Path) -> None:
    """No reader sees an older version come to light while a key is deleted."""
    put(disk_store, "bucket", "k/x", b"1")
    put(disk_store, "bucket", "k", b"older")
    (bucket_path(root) / "k" / "x").unlink()
    (bucket_path(root) / "k").rmdir()
    (bucket_path(root) / "k").write_bytes(b"newer")
    seen: list[bytes] = []

    def look(name: str, call: Callable[..., Any], *args: Any) -> Any:
        if name == "unlink":
            seen.append(content(disk_store, "bucket", "k"))
        return call(*args)

    disk_store.disk.hooks.append(look)
    assert disk_store.objects.delete("bucket", "k")
    assert seen == [b"newer", b"newer"]
    assert tree(bucket_path(root)) == set()


@pytest.mark.parametrize("code", [errno.ESTALE, errno.ENOENT])
def test_an_object_that_another_node_replaces_is_found_anew(
    disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """What an open file of a shared file system says when its name was given to another one."""
    put(disk_store, "bucket", "key", b"data")
    metadata = disk_store.objects._volume.metadata
    load, failures = metadata.load, [OSError(code, "gone"), OSError(code, "gone")]

    def stale(fd: int, home: int) -> Any:
        if failures:
            raise failures.pop()
        return load(fd, home)

    monkeypatch.setattr(metadata, "load", stale)
    before = descriptors()
    assert disk_store.objects.stat("bucket", "key").size == 4
    assert failures == []
    assert descriptors() == before


def test_a_file_system_that_is_stale_for_ever(
    disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(disk_store, "bucket", "key", b"data")

    def stale(fd: int, home: int) -> Any:
        raise OSError(errno.ESTALE, "gone")

    monkeypatch.setattr(disk_store.objects._volume.metadata, "load", stale)
    with pytest.raises(Unavailable, match="ESTALE"):
        disk_store.objects.stat("bucket", "key")


@pytest.mark.parametrize(
    ("code", "fact"),
    [(errno.ESTALE, Replaced), (errno.ENOENT, Replaced), (errno.EIO, Unavailable)],
)
def test_bytes_of_a_version_that_is_gone(
    disk_store: PosixStore, monkeypatch: pytest.MonkeyPatch, code: int, fact: type[Exception]
) -> None:
    put(disk_store, "bucket", "key", b"data")
    reader = disk_store.objects.open("bucket", "key")

    def fail(*_: object) -> bytes:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "pread", fail)
    with pytest.raises(Unavailable) as caught:
        reader.read(0, 4)
    reader.close()
    assert type(caught.value) is fact
