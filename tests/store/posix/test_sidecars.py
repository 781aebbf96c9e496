"""Records in files of their own, and those of a root that has gained extended attributes."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from s3daemon.store.interfaces import Attributes, BucketNotEmpty, Unavailable
from s3daemon.store.posix import (
    anchors,
    handles,
    keeping,
    metadata,
    packing,
    private,
    records,
    sidecars,
)
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.entryfacts import EntryFacts
from s3daemon.store.posix.metadata import BucketRecord, Record
from s3daemon.store.posix.probe import ProbeError, probe
from s3daemon.store.posix.probed import SIDECAR, Probe
from s3daemon.store.posix.records import ATTRIBUTE
from s3daemon.store.posix.sidecars import SidecarMetadata, is_sidecar, path_of
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import Before, FailAt, Fails, Trace, descriptors, tree
from tests.store.tools import content, listed, md5, name_of, put, put_in_parts

TAGGED = Attributes(system={"content-type": "text/x"}, tags=(("a", "b"),))
LONG_KEY = "k" * 300


@pytest.fixture
def known(root: Path) -> Probe:
    """A file system without attributes."""
    return attrs.evolve(probe(root), metadata=SIDECAR, xattr_bytes=0)


@pytest.fixture
def store(root: Path, known: Probe) -> Iterator[PosixStore]:
    """A store on it, with a bucket."""
    made = PosixStore(root, known=known)
    made.buckets.create("bucket", "alice")
    yield made
    made.close()


def kept(root: Path) -> set[str]:
    """The names of all sidecars."""
    return {path.name for path in (root / ".s3gate" / "records").glob("*/*")}


def of(path: Path) -> Path:
    """The sidecar of an entry."""
    fd = os.open(path, os.O_RDONLY)
    try:
        found = path_of(name_of(fd))
    finally:
        os.close(fd)
    for above in path.parents:
        if (above / os.fsdecode(found)).exists():
            return above / os.fsdecode(found)
    raise FileNotFoundError(path)


def test_a_record_is_a_file_named_by_the_handle(store: PosixStore, root: Path) -> None:
    put(store, "bucket", "k", b"x", TAGGED)
    path = root / "bucket" / "k"
    assert ATTRIBUTE not in os.listxattr(path)
    record = packing.parse(of(path).read_bytes())
    assert record.etag == md5(b"x")
    assert record.tags == TAGGED.tags
    assert packing.parse(of(root / "bucket").read_bytes()).bucket is not None
    assert len(kept(root)) == 2


def test_handles(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    (tmp_path / "l").symlink_to("a")
    directory = os.open(tmp_path, os.O_RDONLY)
    fd = os.open(tmp_path / "a", os.O_RDONLY)
    first = handles.handle_of(fd)
    assert handles.handle_of(directory, b"a") == first
    assert handles.handle_of(directory, b"l") != first
    os.rename(tmp_path / "a", tmp_path / "b")
    assert handles.handle_of(fd) == first
    with pytest.raises(FileNotFoundError):
        handles.handle_of(directory, b"a")
    os.close(fd)
    os.close(directory)


@pytest.mark.parametrize(
    ("codes", "flags", "error"),
    [
        ([0], [0x1000], 0),
        ([errno.EOPNOTSUPP, 0], [0x1000, 0x1200], 0),
        ([errno.EOPNOTSUPP, errno.EINVAL], [0x1000, 0x1200], errno.EOPNOTSUPP),
        ([errno.ESTALE], [0x1000], errno.ESTALE),
    ],
)
def test_handles_of_file_systems_that_cannot_be_exported(
    monkeypatch: pytest.MonkeyPatch, codes: list[int], flags: list[int], error: int
) -> None:
    asked: list[int] = []

    def ask(fd: int, name: bytes, handle: Any, with_flags: int) -> int:
        asked.append(with_flags)
        handle.size, handle.kind = 1, 0x81
        return codes[len(asked) - 1]

    monkeypatch.setattr(handles, "_ask", ask)
    if error:
        with pytest.raises(OSError) as failed:
            handles.handle_of(0)
        assert failed.value.errno == error
    else:
        assert handles.handle_of(0) == "8100"
    assert asked == flags


@pytest.mark.parametrize(
    "change",
    [
        lambda store: put(store, "bucket", "k", b"new"),
        lambda store: put_in_parts(store, "bucket", "k", b"new"),
        lambda store: store.objects.delete("bucket", "k"),
        lambda store: put(store, "bucket", "d/e", b"new"),
        lambda store: store.objects.delete("bucket", "d/e"),
        lambda store: store.objects.delete("bucket", "d/"),
        lambda store: store.objects.set_tags("bucket", "k", (("c", "d"),)),
        lambda store: store.objects.set_tags("bucket", "d/", (("c", "d"),)),
        lambda store: store.buckets.set_tags("bucket", (("c", "d"),)),
        lambda store: store.buckets.delete("bucket:within"),
    ],
)
def test_there_is_one_for_each_entry(
    store: PosixStore, root: Path, change: Callable[[PosixStore], Any]
) -> None:
    put(store, "bucket", "k", b"old", TAGGED)
    put(store, "bucket", "d/")
    put(store, "bucket", "d/e", b"old")
    store.buckets.create("bucket:within", "bob")
    change(store)
    expected = {of(path).name for path in (root / "bucket").rglob("*") if is_entry(path)}
    assert kept(root) == expected | {of(root / "bucket").name}


def is_entry(path: Path) -> bool:
    """Whether the store keeps a record for it."""
    return ".s3gate" not in path.parts and "_s3_multipart_tmp" not in path.parts


def test_all_are_gone_with_the_bucket(store: PosixStore, root: Path) -> None:
    put(store, "bucket", LONG_KEY + "/" + LONG_KEY, b"old")
    assert listed(store, "bucket") == [LONG_KEY + "/" + LONG_KEY]
    store.objects.delete("bucket", LONG_KEY + "/" + LONG_KEY)
    store.buckets.delete("bucket")
    assert kept(root) == set()


def test_moved_files_keep_their_records(store: PosixStore, root: Path) -> None:
    put(store, "bucket", "k", b"x", TAGGED)
    store.buckets.create("other", "bob")
    (root / "bucket" / "k").rename(root / "other" / "moved")
    found = store.objects.stat("other", "moved")
    assert (found.etag, found.attributes) == (md5(b"x"), TAGGED)
    (root / "bucket").rename(root / "renamed")
    assert store.buckets.get("renamed").owner == "alice"


def test_copies_and_later_files_have_none(store: PosixStore, root: Path) -> None:
    put(store, "bucket", "k", b"x", TAGGED)
    shutil.copy2(root / "bucket" / "k", root / "bucket" / "copy")
    for key in ("copy", "k"):
        found = store.objects.stat("bucket", key)
        assert (found.attributes == TAGGED) is (key == "k")
        assert metadata.is_token(found.etag) is (key == "copy")
    st = os.stat(root / "bucket" / "k")
    os.unlink(root / "bucket" / "k")
    (root / "bucket" / "k").write_bytes(b"y")  # with the same inode, perhaps
    os.utime(root / "bucket" / "k", ns=(st.st_mtime_ns, st.st_mtime_ns))
    assert store.objects.stat("bucket", "k").attributes == Attributes()


def test_a_file_that_is_changed_keeps_what_is_said_of_it(store: PosixStore, root: Path) -> None:
    put(store, "bucket", "k", b"x", TAGGED)
    (root / "bucket" / "k").write_bytes(b"longer")
    found = store.objects.stat("bucket", "k")
    assert metadata.is_token(found.etag)
    assert found.attributes == TAGGED


@pytest.mark.parametrize("raw", [b"", b"{", b'{"v":1,"etag":7}', b"\xff" * 1000])
def test_a_damaged_one(store: PosixStore, root: Path, raw: bytes) -> None:
    put(store, "bucket", "k", b"x", TAGGED)
    of(root / "bucket" / "k").write_bytes(raw)
    found = store.objects.stat("bucket", "k")
    assert metadata.is_token(found.etag)
    assert content(store, "bucket", "k") == b"x"
    assert listed(store, "bucket") == ["k"]
    store.objects.set_tags("bucket", "k", (("n", "w"),))
    assert store.objects.stat("bucket", "k").attributes.tags == (("n", "w"),)
    store.objects.delete("bucket", "k")
    assert len(kept(root)) == 1
    of(root / "bucket").write_bytes(raw)
    assert store.buckets.get("bucket").owner == "", "nobody's"


def test_what_changes_only_the_record_is_seen_by_the_stamps(store: PosixStore, root: Path) -> None:
    put(store, "bucket", "k", b"x")
    path = root / "bucket" / "k"
    for entry, change in (
        (path, lambda: store.objects.set_tags("bucket", "k", (("a", "b"),))),
        (root / "bucket", lambda: store.buckets.set_tags("bucket", (("a", "b"),))),
    ):
        before, trace = os.stat(entry), Trace()
        store.disk.hooks.append(trace)
        change()
        store.disk.hooks.remove(trace)
        names = [name for name in trace.names if name in ("stamp_changed", "rename")]
        assert names == ["stamp_changed", "rename", "stamp_changed"]
        after = os.stat(entry)
        assert after.st_ctime_ns >= before.st_ctime_ns
        assert (after.st_mtime_ns, after.st_mode) == (before.st_mtime_ns, before.st_mode)


def test_the_order_of_a_put(store: PosixStore, root: Path) -> None:
    for number in range(256):
        (root / ".s3gate" / "records" / f"{number:02x}").mkdir(exist_ok=True)
    put(store, "bucket", "k", b"x")
    put(store, "bucket", "k", b"y")
    trace = Trace()
    store.disk.hooks.append(trace)
    put(store, "bucket", "k", b"z")
    # The sidecar is durable before the object; the old one goes when the old file is durably gone.
    sealed = "open_temp write create write flush fsync rename fsync flush fsync"
    assert " ".join(trace.names) == f"{sealed} link_fd link_fd rename fsync unlink fsync"


def test_a_shard_is_made_durably(store: PosixStore, root: Path) -> None:
    for shard in (root / ".s3gate" / "records").glob("??"):
        shutil.rmtree(shard)
    trace = Trace()
    store.disk.hooks.append(trace)
    put(store, "bucket", "k", b"x")
    made = "mkdir mkdir fsync fsync mkdir fsync"
    assert f"write create write flush fsync rename {made} rename fsync" in " ".join(trace.names)


def test_a_directory_that_a_power_cut_may_bring_back_keeps_its_record(store: PosixStore) -> None:
    put(store, "bucket", "d/e/f", b"x")
    trace = Trace()
    store.disk.hooks.append(trace)
    store.objects.delete("bucket", "d/e/f")
    assert " ".join(trace.names).endswith("rmdir fsync unlink rmdir fsync unlink")


def test_each_change_of_a_save_fails(root: Path) -> None:
    directory = os.open(root, os.O_RDONLY)
    (root / "k").touch()
    fd = os.open(root / "k", os.O_RDONLY)
    open_before = descriptors()
    for number in range(100):
        shutil.rmtree(root / ".s3gate", ignore_errors=True)
        records = SidecarMetadata(directory)
        records.save(Disk("strict"), fd, directory, Record(etag="old"))
        if number % 2:
            shutil.rmtree(root / ".s3gate")
        old = records.load(fd, directory).etag
        fail = FailAt(number // 2, errno.EIO)
        try:
            records.save(Disk("strict", [fail]), fd, directory, Record(etag="new"))
        except OSError:
            assert records.load(fd, directory).etag in (old, "new")
        else:
            assert not fail.fired
            assert records.load(fd, directory).etag == "new"
        assert (
            fail.fired == "unlink"
            or not (root / ".s3gate" / "staging").exists()
            or not (os.listdir(root / ".s3gate" / "staging"))
        )
        assert descriptors() == open_before
        if not fail.fired and number % 2:
            break
    assert number > 20
    os.close(fd)
    os.close(directory)


def test_an_entry_of_somebody_else_cannot_be_tagged(store: PosixStore, root: Path) -> None:
    (root / "bucket" / "k").write_bytes(b"theirs")
    store.disk.hooks.append(Fails("stamp_changed", errno.EPERM))
    with pytest.raises(Exception, match="EPERM"):
        store.objects.set_tags("bucket", "k", (("a", "b"),))
    assert store.objects.stat("bucket", "k").attributes.tags == ()
    assert len(kept(root)) == 1


def test_a_reader_that_loses_its_record_looks_again(
    store: PosixStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object is replaced, and its sidecar removed, between its opening and its reading."""
    put(store, "bucket", LONG_KEY, b"old", TAGGED)
    load = SidecarMetadata.load
    replaced: list[str] = []

    def late(self: SidecarMetadata, fd: int, home: int) -> Record:
        if not replaced and os.fstat(fd).st_size == 3:
            replaced.append("yes")
            put(store, "bucket", LONG_KEY, b"newer")
        return load(self, fd, home)

    monkeypatch.setattr(SidecarMetadata, "load", late)
    for look in (
        lambda: store.objects.stat("bucket", LONG_KEY).etag,
        lambda: next(iter(store.objects.list("bucket", _query()).objects)).etag,
    ):
        replaced.append("not now")
        put(store, "bucket", LONG_KEY, b"old")
        replaced.clear()
        assert look() == md5(b"newer")
        assert replaced == ["yes"]
    put(store, "bucket", LONG_KEY, b"old")
    replaced.clear()
    store.objects.set_tags("bucket", LONG_KEY, (("a", "b"),))
    found = store.objects.stat("bucket", LONG_KEY)
    assert (found.etag, found.attributes.tags) == (md5(b"newer"), (("a", "b"),))


def _query() -> Any:
    from s3daemon.store.interfaces import ListQuery

    return ListQuery()


def test_an_object_that_is_replaced_while_it_is_tagged_leaves_nothing(
    store: PosixStore, root: Path
) -> None:
    put(store, "bucket", "k", b"old")
    replace = Before("rename", lambda: put(store, "bucket", "k", b"new"))
    store.disk.hooks.append(replace)
    store.objects.set_tags("bucket", "k", (("a", "b"),))
    assert replace.done
    assert store.objects.stat("bucket", "k").attributes.tags == ()
    assert len(kept(root)) == 2


@pytest.mark.parametrize(
    ("code", "stale", "gone"),
    [(errno.ESTALE, True, True), (errno.ESTALE, False, False), (errno.ENOENT, False, True)],
)
def test_a_file_that_is_stale_may_be_there_again(
    monkeypatch: pytest.MonkeyPatch, code: int, stale: bool, gone: bool
) -> None:
    def refuse_to_look(fd: int) -> os.stat_result:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fstat", refuse_to_look)
    found = records.is_gone(0, stale=stale)
    monkeypatch.undo()
    assert found is gone


def test_a_bucket_that_does_not_come_about_leaves_nothing(store: PosixStore, root: Path) -> None:
    before = kept(root)
    for name in ("rename_new", "fsync"):
        fail = Fails(name, errno.EIO)
        store.disk.hooks.append(fail)
        with pytest.raises(Unavailable):
            store.buckets.create("other", "bob")
        store.disk.hooks.remove(fail)
        assert kept(root) == before
        assert not {path for path in tree(root) if "staging/" in path}


def test_a_bucket_that_is_not_deleted_is_still_somebodys(store: PosixStore) -> None:
    store.buckets.create("bucket:within", "bob")
    for step in ("rmdir", "rename"):
        write = Before(step, lambda: put(store, "bucket", "k", b"x"))
        store.disk.hooks.append(write)
        with pytest.raises(BucketNotEmpty):
            store.buckets.delete("bucket")
        store.disk.hooks.remove(write)
        assert store.buckets.get("bucket").owner == "alice"
        assert store.buckets.get("bucket:within").owner == "bob"
        store.objects.delete("bucket", "k")


def test_a_mounted_bucket_has_its_own(
    root: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Handles mean something on one file system only."""
    fds = {path: os.open(path, os.O_RDONLY) for path in (root, tmp_path)}
    (root / "d").mkdir()
    inner = os.open(root / "d", os.O_RDONLY)
    fstat = os.fstat
    other = {fds[root]: 1, fds[tmp_path]: 2, inner: 3}

    def lie(fd: int) -> Any:
        st = fstat(fd)
        values = list(st)
        values[2] = other.get(fd, st.st_dev)
        return os.stat_result(values)

    monkeypatch.setattr(sidecars.os, "fstat", lie)
    records = SidecarMetadata(fds[root])
    disk = Disk("relaxed")
    said = Record(bucket=BucketRecord("alice", 1))
    records.save(disk, fds[tmp_path], fds[tmp_path], said)
    assert not (root / ".s3gate").exists()
    assert records.load(fds[tmp_path], fds[tmp_path]).bucket == said.bucket
    # A directory on which yet another one is mounted has no record and gets none.
    assert records.load(inner, fds[root]) is metadata.EMPTY
    with pytest.raises(OSError, match="Invalid cross-device"):
        records.save(disk, inner, fds[root], said)
    for fd in (*fds.values(), inner):
        os.close(fd)


# ---------------------------------------------------------------- attributes that come later


def test_a_root_that_gains_attributes(root: Path, known: Probe) -> None:
    old = PosixStore(root, known=known)
    old.buckets.create("bucket", "alice")
    put(old, "bucket", "k", b"x", TAGGED)
    put(old, "bucket", LONG_KEY, b"y", TAGGED)
    put(old, "bucket", "d/e/f", b"z")
    old.close()
    new = PosixStore(root)
    assert new.probe.metadata == "xattr"
    assert new.buckets.get("bucket").owner == "alice"
    assert new.objects.stat("bucket", "k").attributes == TAGGED
    assert listed(new, "bucket") == ["d/e/f", "k", LONG_KEY]
    before = len(kept(root))
    new.objects.set_tags("bucket", "k", (("n", "w"),))
    assert len(kept(root)) == before - 1
    assert ATTRIBUTE in os.listxattr(root / "bucket" / "k")
    assert new.objects.stat("bucket", "k").attributes.system == TAGGED.system
    put(new, "bucket", LONG_KEY, b"newer")
    assert len(kept(root)) == before - 2
    new.objects.delete("bucket", "d/e/f")
    assert len(kept(root)) == before - 5
    new.close()


def test_where_there_are_both_the_attribute_counts(root: Path, known: Probe) -> None:
    put_both(root, known)
    store = PosixStore(root)
    assert store.objects.stat("bucket", "k").attributes.tags == (("n", "w"),)
    store.objects.delete("bucket", "k")
    store.close()


def put_both(root: Path, known: Probe) -> None:
    """An object with two records: a crash came between writing one and removing the other."""
    store = PosixStore(root, known=known)
    store.buckets.create("bucket", "alice")
    put(store, "bucket", "k", b"x", TAGGED)
    store.close()
    raw = of(root / "bucket" / "k").read_bytes()
    record = attrs.evolve(packing.parse(raw), tags=(("n", "w"),))
    os.setxattr(root / "bucket" / "k", ATTRIBUTE, packing.dump(record))


def test_the_attribute_is_durable_before_the_sidecar_goes(root: Path, known: Probe) -> None:
    store = PosixStore(root, known=known)
    store.buckets.create("bucket", "alice")
    put(store, "bucket", "k", b"x", TAGGED)
    store.close()
    store = PosixStore(root)
    trace = Trace()
    store.disk.hooks.append(trace)
    store.objects.set_tags("bucket", "k", (("n", "w"),))
    assert trace.names == ["set_xattr", "fsync", "unlink", "fsync"]
    store.close()


def test_a_root_without_sidecars_does_not_look_for_any(root: Path) -> None:
    found = keeping.store_of(Disk("strict"), os.open(root, os.O_RDONLY), probe(root))
    assert type(found).__name__ == "XattrMetadata"


def test_a_copied_root_is_refused(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "setxattr", refuse)
    for _ in range(2):
        store = PosixStore(root)
        assert store.probe.metadata == SIDECAR
        store.close()
    copied = tmp_path / "copied"
    shutil.copytree(root, copied)
    with pytest.raises(ProbeError, match=r"is a copy.*block by block"):
        probe(copied)
    monkeypatch.undo()
    with pytest.raises(ProbeError, match="is a copy"):
        probe(copied)  # also where it has attributes by now: some records are only in sidecars
    root.rename(tmp_path / "moved")
    probe(tmp_path / "moved")
    shutil.rmtree(copied / ".s3gate" / "records")
    probe(copied)
    monkeypatch.setattr(anchors, "read_whole", refuse)
    with pytest.raises(ProbeError, match="cannot be read"):
        probe(copied)


def refuse(*_: Any) -> bytes:
    """It is not supported."""
    raise OSError(errno.ENOTSUP, "not supported")


def test_an_anchor_that_cannot_be_written_leaves_nothing(root: Path, known: Probe) -> None:
    store = PosixStore(root, known=known, hooks=[Fails("rename", errno.EIO)])
    assert os.listdir(root / ".s3gate" / "staging") == []
    assert not (root / ".s3gate" / "records" / "anchor").exists()
    store.buckets.create("bucket", "alice")
    store.close()
    PosixStore(root, known=known).close()
    assert (root / ".s3gate" / "records" / "anchor").exists()


@pytest.mark.parametrize(
    ("name", "yes"), [(None, False), ("h01ab", True), ("0" * 32, False), ("h../../k", False)]
)
def test_names_of_sidecars(name: str | None, yes: bool) -> None:
    assert is_sidecar(name) is yes


def test_a_root_that_is_full_gets_its_directory_later(root: Path, known: Probe) -> None:
    store = PosixStore(root, known=known, hooks=[Fails("mkdir", errno.ENOSPC)])
    store.buckets.create("bucket", "alice")
    assert store.buckets.get("bucket").owner == "alice"
    store.close()
    assert private.RECORDS.decode()


def test_facts_of_a_segment_that_goes_away_again_and_again(
    store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "bucket", LONG_KEY, b"x")
    (name,) = [path.name for path in (root / "bucket").iterdir() if is_entry(path)]
    home = os.open(root / "bucket", os.O_RDONLY)
    records = store._volume.metadata
    assert EntryFacts(records, home).segment(home, name.encode()) == LONG_KEY.encode()
    monkeypatch.setattr("s3daemon.store.posix.entryfacts.is_lost", lambda *_: True)
    assert EntryFacts(records, home).segment(home, name.encode()) is None
    os.close(home)
