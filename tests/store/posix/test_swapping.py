"""Compare and swap on disk: exact between threads, processes, and what comes in between."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from s3daemon.store.interfaces import (
    AccessRefused,
    Attributes,
    Busy,
    Condition,
    ConditionConflict,
    ConditionFailed,
    ConditionUnsupported,
    NoSuchKey,
    Unavailable,
)
from s3daemon.store.memory import MemoryStore
from s3daemon.store.posix import key_locks, lock_kinds, swapping
from s3daemon.store.posix.key_locks import lock_number
from s3daemon.store.posix.lock_kinds import FLOCK, OFD
from s3daemon.store.posix.names import dir_name
from s3daemon.store.posix.probe import probe
from s3daemon.store.posix.store import PosixStore
from tests.store.posix import contender
from tests.store.posix.disks import Before, descriptors, tree
from tests.store.posix.test_threads import together
from tests.store.tools import NOTHING, begin, complete, content, get, listed, md5, put, put_part

TOP = Path(__file__).parents[3]


class Process:
    """A contender."""

    def __init__(self, root: Path, what: str, threads: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, contender.__file__, str(root), what, str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(TOP)},
            text=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def end(self) -> list[str]:
        """What its threads have to tell."""
        out, _ = self._process.communicate()
        assert self._process.returncode == 0
        return [item for told in json.loads(out) for item in told]

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(params=[OFD, FLOCK])
def store(request: pytest.FixtureRequest, root: Path) -> Iterator[PosixStore]:
    """A store that takes this kind of lock."""
    made = PosixStore(root, "relaxed", attrs.evolve(probe(root), locks=request.param))
    made.buckets.create("bucket", "alice")
    yield made
    made.close()


def contenders(root: Path, what: str, count: int, threads: int) -> list[str]:
    """Run so many processes at the same time; what all have to tell."""
    processes = [Process(root, what, threads) for _ in range(count)]
    for process in processes:
        process.go()
    return [item for process in processes for item in process.end()]


def test_one_of_a_hundred_swaps(root: Path, disk_store: PosixStore) -> None:
    """Four processes with twenty-five threads, all with the same ETag."""
    put(disk_store, "bucket", contender.KEY, b"first")
    winners = contenders(root, "swap_once", 4, 25)
    assert len(winners) == 1
    assert content(disk_store, "bucket", contender.KEY) == winners[0].encode()
    assert tree(root / "bucket") == {"d", "d/k"}


def test_one_of_a_hundred_creates(root: Path, disk_store: PosixStore) -> None:
    winners = contenders(root, "create", 4, 25)
    assert len(winners) == 1
    assert content(disk_store, "bucket", "new") == winners[0].encode()


def test_a_counter(root: Path, disk_store: PosixStore) -> None:
    """Every success counts, and none counts twice."""
    put(disk_store, "bucket", contender.KEY, b"0")
    numbers = contenders(root, "count", 3, 4)
    assert sorted(map(int, numbers)) == list(range(1, 61))
    assert content(disk_store, "bucket", contender.KEY) == b"60"


def test_writers_without_conditions(root: Path, disk_store: PosixStore) -> None:
    """What is acknowledged is what the swaps go on from: none is undone, nothing is skipped.

    One process puts, copies, completes and deletes without conditions.  As it is the only one, the
    object it finds right after each has to come from what it has just done.
    """
    put(disk_store, "bucket", contender.KEY, b"begin/0")
    others = [Process(root, "follow", 2) for _ in range(2)]
    for other in others:
        other.go()
    try:
        for number in range(60):
            name = f"{number}/0".encode()
            if number % 4 == 0:
                upload = begin(disk_store, "bucket", contender.KEY)
                part = put_part(disk_store, "bucket", upload, 1, name)
                complete(disk_store, "bucket", upload, [(1, part.etag)])
            elif number % 4 == 1:
                assert disk_store.objects.delete("bucket", contender.KEY)
                with pytest.raises(NoSuchKey):
                    disk_store.objects.stat("bucket", contender.KEY)
                put(disk_store, "bucket", contender.KEY, name, create_only=True)
            elif number % 4 == 2:
                put(disk_store, "bucket", contender.KEY, name)
            else:
                put(disk_store, "bucket", "source", name)
                reader = disk_store.objects.open("bucket", "source")
                disk_store.objects.copy(reader, "bucket", contender.KEY, NOTHING, None)
                reader.close()
            found = content(disk_store, "bucket", contender.KEY)
            assert found.split(b"/")[0] == b"%d" % number
    finally:
        put(disk_store, "bucket", contender.KEY, b"stop")
        told = [item for other in others for item in other.end()]
    assert len(told) == len(set(told)), "a version was swapped twice"


def test_a_killed_holder(root: Path, disk_store: PosixStore) -> None:
    """kill -9 of a process that holds the lock: nobody waits for it."""
    info = put(disk_store, "bucket", contender.KEY, b"1")
    holder = Process(root, "hold", 1)
    try:
        volume = disk_store._volume
        fd = os.open(root / ".s3gate/locks/00", os.O_RDWR)
        number = lock_number((b"bucket",), (b"d", b"k"))
        if disk_store.probe.locks == OFD:
            assert not lock_kinds.take(OFD, fd, exclusive=False, offset=number)
        os.close(fd)
        put(disk_store, "bucket", "d/other", b"", condition=Condition(not_etag="x"))
    finally:
        holder.kill()
    put(disk_store, "bucket", contender.KEY, b"2", condition=Condition(etag=info.etag))
    assert volume.locks.exclusive((b"bucket",), (b"d", b"k")).__exit__(None, None, None) is None


@pytest.mark.parametrize("kind", ["memory", OFD, FLOCK])
def test_threads(root: Path, kind: str) -> None:
    """The same within one process, on every store."""
    store: Any = MemoryStore()
    if kind != "memory":
        store = PosixStore(root, "relaxed", attrs.evolve(probe(root), locks=kind))
    store.buckets.create("bucket", "alice")
    put(store, "bucket", contender.KEY, b"0")
    before = descriptors()
    numbers: list[int] = []

    def work(_: int) -> None:
        for _ in range(20):
            while True:
                info, data = get(store, "bucket", contender.KEY)
                following = b"%d" % (int(data) + 1)
                try:
                    put(
                        store,
                        "bucket",
                        contender.KEY,
                        following,
                        condition=Condition(etag=info.etag),
                    )
                except (ConditionFailed, ConditionConflict):
                    continue
                numbers.append(int(following))
                break

    together(5, work)
    assert sorted(numbers) == list(range(1, 101))
    assert descriptors() == before
    store.close()


# ---------------------------------------------------------------- what comes in between


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_locks, "_PATIENCE", -1.0)


def swap(store: PosixStore, key: str, data: bytes, etag: str) -> None:
    put(store, "bucket", key, data, condition=Condition(etag=etag))


def remove(store: PosixStore, key: str, data: bytes, etag: str) -> None:
    store.objects.delete("bucket", key, condition=Condition(etag=etag))


@pytest.mark.parametrize("what", [swap, remove])
@pytest.mark.parametrize("other", ["put", "copy", "complete", "delete", "swap", "remove"])
@pytest.mark.parametrize("key", ["k", "d/"])
@pytest.mark.usefixtures("impatient")
def test_nobody_comes_in_between(
    store: PosixStore, root: Path, what: Callable[..., None], other: str, key: str
) -> None:
    """From the moment that the condition has been found to hold."""
    second = PosixStore(root, "relaxed", store.probe)
    etag = put(store, "bucket", key, b"1").etag
    put(second, "bucket", "source", b"2")
    upload = begin(second, "bucket", key)
    part = put_part(second, "bucket", upload, 1, b"3")

    def meanwhile() -> None:
        reader = second.objects.open("bucket", "source")
        calls: dict[str, Callable[[], object]] = {
            "put": lambda: put(second, "bucket", key, b"2"),
            "copy": lambda: second.objects.copy(reader, "bucket", key, NOTHING, None),
            "complete": lambda: complete(second, "bucket", upload, [(1, part.etag)]),
            "delete": lambda: second.objects.delete("bucket", key),
            "swap": lambda: swap(second, key, b"2", etag),
            "remove": lambda: remove(second, key, b"", etag),
        }
        with pytest.raises(ConditionConflict if other in ("swap", "remove") else Busy):
            calls[other]()
        reader.close()

    hook = Before("rename" if what is swap else "unlink", meanwhile)
    store.disk.hooks.append(hook)
    what(store, key, b"new", etag)
    assert hook.done
    store.disk.hooks.clear()
    if what is swap:
        assert content(store, "bucket", key) == b"new"
    else:
        with pytest.raises(NoSuchKey):
            get(store, "bucket", key)
    second.close()


def test_writers_without_conditions_do_not_wait_for_each_other(
    store: PosixStore, root: Path, impatient: None
) -> None:
    put(store, "bucket", "k", b"1")
    hook = Before("rename", lambda: put(store, "bucket", "k", b"2"))
    store.disk.hooks.append(hook)
    put(store, "bucket", "k", b"3")
    assert hook.done
    assert content(store, "bucket", "k") == b"3"


@pytest.mark.parametrize("what", [swap, remove])
def test_a_better_name(store: PosixStore, what: Callable[..., None]) -> None:
    """The object has the escaped name, and somebody gives the natural one to a new object.

    That needs no lock.  A swap has to notice; a delete removes what it was held against.
    """
    put(store, "bucket", "k/x", b"")
    etag = put(store, "bucket", "k", b"1").etag
    store.objects.delete("bucket", "k/x")

    def meanwhile() -> None:
        put(store, "bucket", "k", b"2")

    judge = swapping.judge
    calls: list[object] = []

    def judged(*args: Any) -> Any:
        found = judge(*args)
        if not calls:
            calls.append(meanwhile())
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(swapping, "judge", judged)
        patch.setattr("s3daemon.store.posix.removing.judge", judged)
        if what is swap:
            with pytest.raises(ConditionFailed):
                swap(store, "k", b"3", etag)
        else:
            # The other one has removed the escaped name as well: it was held against another.
            with pytest.raises(ConditionFailed):
                remove(store, "k", b"", etag)
    assert calls
    assert content(store, "bucket", "k") == b"2"


@pytest.mark.parametrize("what", [swap, remove])
@pytest.mark.parametrize("how", ["replaced", "written", "removed", "link"])
def test_other_programs(store: PosixStore, root: Path, what: Callable[..., None], how: str) -> None:
    """They take no lock; what they did is seen until right before the name changes hands."""
    etag = put(store, "bucket", "k", b"1").etag
    path = root / "bucket" / "k"
    if how == "link":
        (root / "bucket" / "target").write_bytes(b"0")

    def meanwhile() -> None:
        if how == "replaced":
            (root / "new").write_bytes(b"2")
            os.replace(root / "new", path)
        elif how == "written":
            path.write_bytes(b"22")
        elif how == "removed":
            path.unlink()
        else:
            path.unlink()
            path.symlink_to("target")

    judge = swapping.judge
    calls: list[object] = []

    def judged(*args: Any) -> Any:
        found = judge(*args)
        if not calls:
            calls.append(meanwhile())
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(swapping, "judge", judged)
        patch.setattr("s3daemon.store.posix.removing.judge", judged)
        if what is swap and how == "removed":
            # Nothing is lost: as if it had been swapped right before, and then removed, but for
            # the name being there again.
            swap(store, "k", b"3", etag)
            assert path.read_bytes() == b"3"
        else:
            with pytest.raises(NoSuchKey if how == "removed" else ConditionFailed):
                what(store, "k", b"3", etag)
            left = {"replaced": b"2", "written": b"22", "link": b"0"}.get(how)
            assert (path.read_bytes() if path.exists() else None) == left
    assert calls


def test_a_link(store: PosixStore, root: Path) -> None:
    """An object that is a link to a file in the bucket is swapped like any other."""
    (root / "bucket" / "target").write_bytes(b"0")
    (root / "bucket" / "k").symlink_to("target")
    etag = store.objects.stat("bucket", "k").etag
    swap(store, "k", b"1", etag)
    assert content(store, "bucket", "k") == b"1"
    assert (root / "bucket" / "target").read_bytes() == b"0"
    (root / "bucket" / "dangling").symlink_to("nowhere")
    put(store, "bucket", "dangling", b"1", condition=Condition(not_etag="x"))
    assert content(store, "bucket", "dangling") == b"1"


def test_other_programs_again_and_again(
    store: PosixStore, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(store, "bucket", "k", b"1")
    judge = swapping.judge

    def judged(*args: Any) -> Any:
        found = judge(*args)
        (root / "new").write_bytes(b"2")
        os.replace(root / "new", root / "bucket" / "k")
        return found

    monkeypatch.setattr(swapping, "judge", judged)
    monkeypatch.setattr("s3daemon.store.posix.removing.judge", judged)
    with pytest.raises(ConditionConflict):
        swap(store, "k", b"3", "*")
    with pytest.raises(ConditionConflict):
        remove(store, "k", b"", "*")
    assert content(store, "bucket", "k") == b"2"
    assert tree(root / "bucket") == {"k"}


def test_a_new_object_comes_first(store: PosixStore, root: Path) -> None:
    """There was none when the condition was judged, and giving it a free name needs no lock."""
    second = PosixStore(root, "relaxed", store.probe)
    hook = Before("link_fd", lambda: put(second, "bucket", "k", b"1"))
    store.disk.hooks.append(hook)
    with pytest.raises(ConditionFailed):
        put(store, "bucket", "k", b"2", condition=Condition(not_etag=md5(b"1")))
    assert hook.done
    assert content(store, "bucket", "k") == b"1"
    hook = Before("link_fd", lambda: put(second, "bucket", "other", b"1"))
    store.disk.hooks[:] = [hook]
    put(store, "bucket", "other", b"2", condition=Condition(not_etag=md5(b"2")))
    assert hook.done
    assert content(store, "bucket", "other") == b"2"
    second.close()


def test_names_on_the_way(store: PosixStore, root: Path) -> None:
    """What is no object is nobody's object: it is passed over, as readers do."""
    os.mkfifo(root / "bucket" / "k")
    with pytest.raises(NoSuchKey):
        swap(store, "k", b"1", "*")
    put(store, "bucket", "k", b"1", condition=Condition(not_etag="x"))
    assert content(store, "bucket", "k") == b"1"
    (root / "bucket" / "f").write_bytes(b"1")
    with pytest.raises(NoSuchKey):
        store.objects.delete("bucket", "f/k", condition=Condition(etag="*"))


def test_a_key_whose_names_are_all_taken(store: PosixStore, root: Path) -> None:
    """By directories of other programs: there is nothing to swap, and nowhere to put it."""
    for name in ("k", ".s3gate%f+k"):
        (root / "bucket" / name).mkdir()
    with pytest.raises(ConditionConflict):
        put(store, "bucket", "k", b"1", condition=Condition(not_etag="x"))
    with pytest.raises(Unavailable):
        put(store, "bucket", "k", b"1")
    assert tree(root / "bucket") == {"k", ".s3gate%f+k"}


def test_from_the_escaped_to_the_natural_name(store: PosixStore, root: Path) -> None:
    put(store, "bucket", "k/x", b"")
    etag = put(store, "bucket", "k", b"1").etag
    store.objects.delete("bucket", "k/x")
    swap(store, "k", b"2", etag)
    assert tree(root / "bucket") == {"k"}
    assert content(store, "bucket", "k") == b"2"


def test_below_another_form_of_a_directory(store: PosixStore, root: Path) -> None:
    """The object is in an escaped directory; the swap takes the natural one, a delete all."""
    put(store, "bucket", "x", b"")
    etag = put(store, "bucket", "x/k", b"1").etag
    store.objects.delete("bucket", "x")
    swap(store, "x/k", b"2", etag)
    assert content(store, "bucket", "x/k") == b"2"
    with pytest.raises(ConditionFailed):
        remove(store, "x/k", b"", etag)
    remove(store, "x/k", b"", md5(b"2"))
    assert listed(store, "bucket", folders=True) == []


def test_a_node_that_is_told_late(store: PosixStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system that says of an open file that another node has replaced it: look again."""
    etag = put(store, "bucket", "k", b"1").etag
    look = swapping._look
    calls: list[int] = []

    def late(*args: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE))
        return None if len(calls) == 2 else look(*args)

    monkeypatch.setattr(swapping, "_look", late)
    swap(store, "k", b"2", etag)
    assert len(calls) == 3
    monkeypatch.setattr(swapping, "_look", lambda *_: None)
    with pytest.raises(ConditionConflict):
        swap(store, "k", b"3", "*")

    def broken(*_: Any) -> Any:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(swapping, "_look", broken)
    with pytest.raises(Unavailable):
        swap(store, "k", b"3", "*")


@pytest.mark.parametrize("number", [0, 1])
def test_what_cannot_be_looked_at(
    store: PosixStore, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The directory, or the file: one that has just gone is looked for again, else it is said."""
    etag = put(store, "bucket", "d/k", b"1").etag
    real = swapping.open_place
    calls: list[int] = []

    def failing(code: int) -> Callable[..., int]:
        def open_place(*args: Any) -> int:
            calls.append(1)
            if len(calls) == number + 1:
                raise OSError(code, os.strerror(code))
            return real(*args)

        return open_place

    monkeypatch.setattr(swapping, "open_place", failing(errno.EACCES))
    with pytest.raises(AccessRefused):
        swap(store, "d/k", b"2", etag)
    calls.clear()
    monkeypatch.setattr(swapping, "open_place", failing(errno.ENOENT))
    swap(store, "d/k", b"2", etag)


def test_a_long_record_that_is_replaced(root: Path) -> None:
    """Its long form goes with the object, and no other stays."""
    known = attrs.evolve(probe(root), xattr_bytes=600)
    store = PosixStore(root, "relaxed", known)
    store.buckets.create("bucket", "alice")
    long = Attributes(metadata={"m": "v" * 1500})
    etag = put(store, "bucket", "k", b"1", long).etag
    for data in (b"2", b"3"):
        etag = put(store, "bucket", "k", data, long, condition=Condition(etag=etag)).etag
        with pytest.raises(ConditionFailed):
            put(store, "bucket", "k", data, long, condition=Condition(etag=md5(b"1")))
        assert len(os.listdir(root / "bucket/.s3gate/spill")) == 1
    assert store.objects.stat("bucket", "k").attributes == long
    store.close()


# ---------------------------------------------------------------- locks


def test_without_locks(root: Path) -> None:
    """Refused before the body is there; and what needs no lock works."""
    store = PosixStore(root, "relaxed", locks=False)
    store.buckets.create("bucket", "alice")
    put(store, "bucket", "k", b"1", create_only=True)
    put(store, "bucket", "k", b"2")
    condition = Condition(etag=md5(b"2"))
    with pytest.raises(ConditionUnsupported):
        store.objects.create("bucket", "k", NOTHING, None, condition)
    with pytest.raises(ConditionUnsupported):
        store.objects.delete("bucket", "k", condition=condition)
    reader = store.objects.open("bucket", "k")
    with pytest.raises(ConditionUnsupported):
        store.objects.copy(reader, "bucket", "k", NOTHING, None, condition)
    reader.close()
    upload = begin(store, "bucket", "k")
    part = put_part(store, "bucket", upload, 1, b"3")
    with pytest.raises(ConditionUnsupported):
        store.uploads.complete(
            "bucket", "k", upload.upload_id, [(1, part.etag)], condition=condition
        )
    assert content(store, "bucket", "k") == b"2"
    assert "no locks" in store.probe.describe()
    store.close()


def test_a_lock_server_that_is_gone(store: PosixStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an answer nothing is replaced; new keys need none."""
    etag = put(store, "bucket", "k", b"1").etag

    def refuse(*_: object) -> object:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    before = descriptors()
    monkeypatch.setattr(fcntl, "fcntl", refuse)
    monkeypatch.setattr(fcntl, "flock", refuse)
    for run in (
        lambda: swap(store, "k", b"2", etag),
        lambda: put(store, "bucket", "k", b"2"),
        lambda: store.objects.delete("bucket", "k"),
    ):
        with pytest.raises(Unavailable):
            run()
    put(store, "bucket", "new", b"1")
    assert listed(store, "bucket") == ["k", "new"]
    assert descriptors() == before


def test_waiting(store: PosixStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who does not get a lock looks again, more and more seldom."""
    etag = put(store, "bucket", "k", b"1").etag
    held = store._volume.locks.shared((b"bucket",), (b"k",))
    pauses: list[float] = []

    def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 12:
            held.__exit__(None, None, None)

    monkeypatch.setattr(key_locks.time, "sleep", sleep)
    swap(store, "k", b"2", etag)
    assert len(pauses) == 12
    assert pauses == sorted(pauses)
    assert pauses[-1] == key_locks._LONGEST_PAUSE


def test_the_files_are_few_and_made_again(store: PosixStore, root: Path) -> None:
    for number in range(100):
        put(store, "bucket", f"{number}", b"")
        store.objects.delete("bucket", f"{number}")
    files = os.listdir(root / ".s3gate/locks")
    assert 1 <= len(files) <= 64
    for name in files:
        os.unlink(root / ".s3gate/locks" / name)
    etag = put(store, "bucket", "k", b"1").etag
    swap(store, "k", b"2", etag)
    assert content(store, "bucket", "k") == b"2"


LONG = b"l" * 250
LONGER = b"l" * 300


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (((b"a",), (b"b", b"c")), ((b"a", b"b"), (b"c",)), True),
        (((b"a",), (b"b", b"c")), ((b"a", dir_name(b"b")), (b"c",)), True),
        (((b"a",), (LONG, b"c")), ((b"a", LONG), (b"c",)), True),
        (((b"a",), (LONG, b"c")), ((b"a", dir_name(LONG)), (b"c",)), True),
        (((b"a",), (LONGER, b"c")), ((b"a", dir_name(LONGER)), (b"c",)), True),
        (((b"a",), (b"b", LONG)), ((b"a", b"b"), (LONG,)), True),
        (((b"a",), (b"d", b"")), ((b"a", b"d"), (b"",)), True),
        (((b"a",), (b"d", b"")), ((b"a",), (b"d",)), False),
        (((b"a",), (b"k",)), ((b"b",), (b"k",)), False),
        (((b"a",), (b"k",)), ((b"a",), (b"K",)), False),
    ],
)
def test_lock_number(one: Any, other: Any, same: bool) -> None:
    """However a key is reached, its lock is the same; and it is the same in every process."""
    assert (lock_number(*one) == lock_number(*other)) is same
    assert 0 <= lock_number(*one) < 2**32


def test_lock_numbers_do_not_change() -> None:
    """Versions of the gateway that run side by side have to agree."""
    assert lock_number((b"bucket",), (b"d", b"k")) == 0x70E10129
    assert lock_number((b"bucket", b"in"), (LONG, b"k")) == 0x3E7FEB82


def test_threads_wait_for_a_holder(store: PosixStore) -> None:
    """And go on when it is done."""
    etag = put(store, "bucket", "k", b"1").etag
    held = store._volume.locks.exclusive((b"bucket",), (b"k",))
    waiting = threading.Thread(target=lambda: swap(store, "k", b"2", etag))
    waiting.start()
    held.__exit__(None, None, None)
    waiting.join()
    assert content(store, "bucket", "k") == b"2"
