"""The walk over a bucket's tree: the same as sorting all keys, at the cost of a page."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from s3daemon.store.interfaces import ListPage, ListQuery
from s3daemon.store.posix import metadata, names, packing, places
from s3daemon.store.posix.chunks import Chunks
from s3daemon.store.posix.dirnames import SegmentOf, Snapshot
from s3daemon.store.posix.entryfacts import EntryFacts
from s3daemon.store.posix.metadata import Record
from s3daemon.store.posix.records import ATTRIBUTE, XattrMetadata
from s3daemon.store.posix.snapshots import Snapshots
from s3daemon.store.posix.walk import list_objects

LONG = "l" * 250
FILE = "%f+"
DIR = "%d+"


class Watched(Snapshots):
    """Snapshots that tell which directories were asked for."""

    def __init__(self, top: Path, **settings: Any) -> None:
        super().__init__(**settings)
        self.top = os.fspath(top)
        self.asked: list[str] = []
        self.most_open = 0

    def of(self, directory: int, segment_of: SegmentOf) -> Snapshot | Chunks:
        path = os.readlink(f"/proc/self/fd/{directory}")
        self.asked.append(os.path.relpath(path, self.top))
        self.most_open = max(self.most_open, open_descriptors(self.top))
        return super().of(directory, segment_of)


def open_descriptors(below: str) -> int:
    """How many descriptors are open of what lies at or below a path."""
    found = 0
    for number in os.listdir("/proc/self/fd"):
        try:
            found += os.readlink(f"/proc/self/fd/{number}").startswith(below)
        except FileNotFoundError:
            pass  # that of the listing itself
    return found


class Bucket:
    """A directory that is listed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        self.facts = EntryFacts(XattrMetadata(4000), self.fd)
        self.watched = Watched(path, window_ns=0)
        self.snapshots: Snapshots = self.watched

    def make(self, *paths: str) -> None:
        for path in paths:
            where = self.path / path
            where.parent.mkdir(parents=True, exist_ok=True)
            if path.endswith("/"):
                where.mkdir(exist_ok=True)
            else:
                where.touch()

    def record(self, path: str, **fields: Any) -> None:
        os.setxattr(self.path / path, ATTRIBUTE, packing.dump(Record(**fields)))

    def page(self, **query: Any) -> ListPage:
        return list_objects(self.fd, ListQuery(**query), self.snapshots, self.facts)

    def keys(self, **query: Any) -> list[str]:
        return [info.key for info in self.page(**query).objects]

    def prefixes(self, **query: Any) -> list[str]:
        page = self.page(delimiter="/", **query)
        return list(page.prefixes)


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Bucket]:
    (tmp_path / "bucket").mkdir()
    made = Bucket(tmp_path / "bucket")
    yield made
    os.close(made.fd)
    assert open_descriptors(os.fspath(tmp_path)) == 0


# ---------------------------------------------------------------- what is listed


def test_files_in_key_order(bucket: Bucket) -> None:
    bucket.make("Z", "aa/1", "aa!", "b/c/d", "b-", "b0", "empty/", "ä")
    assert bucket.keys() == ["Z", "aa!", "aa/1", "b-", "b/c/d", "b0", "ä"]
    assert bucket.keys(folders=True) == [
        *("Z", "aa!", "aa/", "aa/1", "b-", "b/", "b/c/", "b/c/d", "b0", "empty/", "ä")
    ]


def test_facts_come_from_the_file(bucket: Bucket) -> None:
    (bucket.path / "a").write_bytes(b"12345")
    os.utime(bucket.path / "a", ns=(0, 7))
    status = os.stat(bucket.path / "a")
    bucket.record("a", etag="abc", stamp=metadata.stamp(status), owner="me")
    (info,) = bucket.page().objects
    assert (info.size, info.modified_ns, info.etag, info.owner) == (5, 7, "abc", "me")


def test_a_directory_that_was_put_is_an_object(bucket: Bucket) -> None:
    bucket.make("d/", "e/x", "f/")
    bucket.record("d", put_ns=5)
    bucket.record("e", put_ns=6, owner="me")
    bucket.record("f", implicit=True)
    assert bucket.keys() == ["d/", "e/", "e/x"]
    assert [(info.key, info.folder) for info in bucket.page(folders=True).objects] == [
        *(("d/", False), ("e/", False), ("e/x", False), ("f/", True))
    ]


def test_a_directory_whose_key_has_content_is_listed_once(bucket: Bucket) -> None:
    bucket.make("d/.s3gate%f+", "d/x")
    (bucket.path / "d" / ".s3gate%f+").write_bytes(b"123")
    bucket.record("d", put_ns=5)
    for folders in (True, False):
        page = bucket.page(folders=folders)
        assert [(info.key, info.size) for info in page.objects] == [("d/", 3), ("d/x", 0)]


def test_both_directories_of_a_segment_are_one(bucket: Bucket) -> None:
    """And so on below them; what is in both is that of the natural one."""
    bucket.make("a/k", "a/m/1", ".s3gate%d+a/l", ".s3gate%d+a/m/1", ".s3gate%d+a/.s3gate%d+m/2")
    (bucket.path / "a" / "m" / "1").write_bytes(b"natural")
    assert bucket.keys() == ["a/k", "a/l", "a/m/1", "a/m/2"]
    assert bucket.keys(folders=True) == ["a/", "a/k", "a/l", "a/m/", "a/m/1", "a/m/2"]
    assert bucket.page(prefix="a/m/1").objects[0].size == 7
    assert bucket.keys(after="a/l") == ["a/m/1", "a/m/2"]
    assert bucket.prefixes() == ["a/"]
    assert bucket.prefixes(prefix="a/") == ["a/m/"]


def test_the_root_has_no_key_of_its_own(bucket: Bucket) -> None:
    bucket.make(".s3gate%f+", ".s3gate%d+/x", "a")
    bucket.record("", put_ns=5)
    assert bucket.keys() == ["/x", "a"]


def test_reserved_names_are_never_listed(bucket: Bucket) -> None:
    bucket.make("_s3_multipart_tmp/a", ".s3gate/b", "n/_s3_multipart_tmp/c", "n/.s3gate/d", "n/e")
    assert bucket.keys() == ["n/e"]
    assert bucket.prefixes() == ["n/"]
    bucket.make("only/.s3gate/d")
    assert bucket.prefixes() == ["n/"]


def test_keys_that_would_be_too_long_are_left_out(bucket: Bucket) -> None:
    deep = "d" * 255 + "/"
    bucket.make(deep * 3 + "d" * 255 + "/" + "g", deep * 3 + "e/" + "f" * 255)
    assert bucket.keys() == []
    assert bucket.prefixes() == []
    bucket.make(deep * 4)
    bucket.record(deep * 4, put_ns=1)
    bucket.make(deep * 3 + "h" * 200)
    assert bucket.keys() == [deep * 4, deep * 3 + "h" * 200]
    bucket.make(deep * 3 + "e" * 254 + "/x")
    assert bucket.keys(prefix=deep * 3 + "e") == [deep * 3 + "e" * 254 + "/x"]


def test_links(bucket: Bucket) -> None:
    bucket.make("dir/file", "x/.s3gate%f+to")
    (bucket.path / "dir" / "file").write_bytes(b"123")
    (bucket.path.parent / "outside").touch()
    for link, target in (
        ("x/to-file", "../dir/file"),
        ("x/to-dir", "../dir"),
        ("x/to-nothing", "nothing"),
        ("x/to-outside", "../../outside"),
        ("x/to-absolute", os.fspath(bucket.path / "dir" / "file")),
        ("x/to-itself", "to-itself"),
        ("x/to", "nothing"),
    ):
        (bucket.path / link).symlink_to(target)
    found = bucket.page(prefix="x/")
    assert [(info.key, info.size) for info in found.objects] == [("x/to", 0), ("x/to-file", 3)]
    bucket.make("y/")
    (bucket.path / "y" / "broken").symlink_to("nothing")
    assert bucket.prefixes() == ["dir/", "x/"]
    assert list(bucket.page(delimiter="-", prefix="x/").prefixes) == ["x/to-"]


def test_a_link_is_no_way_out(bucket: Bucket) -> None:
    (bucket.path.parent / "outside").mkdir()
    (bucket.path.parent / "outside" / "x").touch()
    bucket.make("a/x")
    assert bucket.keys() == ["a/x"]
    shutil.rmtree(bucket.path / "a")
    (bucket.path / "a").symlink_to("../outside")
    assert bucket.keys() == bucket.keys(folders=True) == bucket.prefixes() == []


def test_hashed_names(bucket: Bucket) -> None:
    long = "x" * 300
    directory = names.dir_name(long.encode()).decode()
    file = names.file_name(long.encode()).decode()
    bucket.make(f"{directory}/{file}", f"{directory}/a", file)
    for path in (directory, file, f"{directory}/{file}"):
        bucket.record(path, name=long)
    assert bucket.keys() == [long, f"{long}/a", f"{long}/{long}"]
    assert bucket.prefixes() == [f"{long}/"]
    assert bucket.keys(after=f"{long}/a") == [f"{long}/{long}"]


@contextmanager
def unprivileged() -> Iterator[None]:
    """As somebody whom permissions bind."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_what_may_not_be_read(bucket: Bucket) -> None:
    bucket.make("a", "b", "lost+found/x", "z")
    bucket.path.chmod(0o755)
    (bucket.path / "a").write_bytes(b"123")
    (bucket.path / "a").chmod(0)
    (bucket.path / "lost+found").chmod(0)
    bucket.record("a", etag="abc", stamp=metadata.stamp(os.stat(bucket.path / "a")))
    (bucket.path / "b").chmod(0)
    bucket.snapshots = Snapshots()
    with unprivileged():
        page = bucket.page()
    assert [(info.key, info.size) for info in page.objects] == [("a", 3), ("b", 0), ("z", 0)]
    assert "-" in page.objects[0].etag
    bucket.make("d/x")
    (bucket.path / "d").chmod(0)
    with unprivileged(), pytest.raises(PermissionError):
        bucket.page()
    for name in ("d", "lost+found"):
        (bucket.path / name).chmod(0o700)


# ---------------------------------------------------------------- what it costs


def test_only_what_the_page_needs_is_read(bucket: Bucket) -> None:
    bucket.make(*(f"{one}/{two}/{three}" for one in "abcd" for two in "xyz" for three in "12"))
    asked = bucket.watched.asked
    for query, read in (
        ({"prefix": "b/y/"}, [".", "b", "b/y"]),
        ({"prefix": "b/y"}, [".", "b", "b/y"]),
        ({"prefix": "b/y/2", "after": "b/y/1"}, [".", "b", "b/y"]),
        ({"prefix": "nothing/at/all"}, ["."]),
        ({"prefix": "b/q"}, [".", "b"]),
        ({"prefix": "b/", "delimiter": "/"}, [".", "b"]),
        ({"after": "d/y/1"}, [".", "d", "d/y", "d/z"]),
        ({"after": "d/y0"}, [".", "d", "d/z"]),
        ({"max_keys": 1}, [".", "a", "a/x"]),
        ({"max_keys": 2}, [".", "a", "a/x", "a/y"]),
        ({"max_keys": 2, "delimiter": "/", "folders": True}, ["."]),
        ({"max_keys": 0}, []),
    ):
        asked.clear()
        bucket.page(**query)
        read_of_query = asked if query.get("delimiter") != "/" else list(dict.fromkeys(asked))[:2]
        assert read_of_query[: len(read)] == read, query
        if "delimiter" not in query:
            assert asked == read, query


def test_a_common_prefix_costs_no_more_than_one_object(bucket: Bucket) -> None:
    bucket.make("a/x/1/2/3", "a/y", "b/z/", "c/w")
    asked = bucket.watched.asked
    assert bucket.prefixes() == ["a/", "c/"]
    assert asked == [".", "b", "b/z"]
    asked.clear()
    bucket.make("d/e/f/g", "d/e/h/i", "d/j/k")
    bucket.watched.asked.clear()
    assert bucket.prefixes(prefix="d") == ["d/"]
    assert asked == [".", "d", "d/e", "d/e/f"]


def test_an_empty_directory_is_a_prefix_only_where_folders_count(bucket: Bucket) -> None:
    bucket.make("a/b/", "c/d/e", "f/")
    bucket.record("f", put_ns=1)
    assert bucket.prefixes() == ["c/", "f/"]
    assert bucket.prefixes(folders=True) == ["a/", "c/", "f/"]


def test_deep_trees_need_few_descriptors(bucket: Bucket) -> None:
    """As deep as keys go; what comes after a directory needs the closed ones again."""
    depth = 500
    where = os.open(bucket.path, os.O_RDONLY)
    expected = []
    for level in range(depth):
        for name in ("a", "c"):
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=where))
            expected.append("b/" * level + name)
        os.mkdir("b", dir_fd=where)
        below = os.open("b", os.O_RDONLY, dir_fd=where)
        os.close(where)
        where = below
    os.close(where)
    assert bucket.keys() == sorted(expected)
    assert bucket.watched.most_open <= places.MAX_OPEN + 3
    assert bucket.keys(after="b/" * (depth - 1) + "a", max_keys=2) == [
        *("b/" * (depth - 1) + "c", "b/" * (depth - 2) + "c")
    ]


# ---------------------------------------------------------------- what happens meanwhile


class Meddling(EntryFacts):
    """Facts that change the tree when the first file is loaded."""

    def __init__(self, bucket: Bucket, change: Any) -> None:
        super().__init__(XattrMetadata(4000), bucket.fd)
        self.change = change

    def file(self, key: str, fd: int, status: os.stat_result) -> Any:
        change, self.change = self.change, lambda: None
        change()
        return super().file(key, fd, status)


def test_what_vanishes_is_left_out(bucket: Bucket) -> None:
    bucket.make("a", "b", "c/d", "e/f/g", "h")

    def change() -> None:
        (bucket.path / "b").unlink()
        shutil.rmtree(bucket.path / "c")
        shutil.rmtree(bucket.path / "e" / "f")

    bucket.facts = Meddling(bucket, change)
    assert bucket.keys(max_keys=2) == ["a", "h"]


def test_what_turns_into_something_else_is_left_out(bucket: Bucket) -> None:
    bucket.make("a", "b", "c/d", "e", "f")

    def change() -> None:
        (bucket.path / "b").unlink()
        (bucket.path / "b").mkdir()
        shutil.rmtree(bucket.path / "c")
        (bucket.path / "c").symlink_to("..")
        (bucket.path / "e").unlink()
        os.mkfifo(bucket.path / "e")

    bucket.facts = Meddling(bucket, change)
    assert bucket.keys() == ["a", "f"]


def test_a_file_that_was_moved_to_its_natural_name_is_there_all_the_while(bucket: Bucket) -> None:
    bucket.make("a", "k/x", ".s3gate%f+k", ".s3gate%d+d/.s3gate%f+l", ".s3gate%d+d/l/x", "d")

    def change() -> None:
        for path, name in ((bucket.path, "k"), (bucket.path / ".s3gate%d+d", "l")):
            shutil.rmtree(path / name)
            (path / name).write_bytes(b"new")
            (path / f".s3gate%f+{name}").unlink()

    bucket.facts = Meddling(bucket, change)
    assert bucket.keys() == ["a", "d", "d/l", "k"]


def test_an_empty_object_that_has_taken_the_place_of_content_is_there_all_the_while(
    bucket: Bucket,
) -> None:
    bucket.make("d/.s3gate%f+", "d/x")

    class Emptied(Watched):
        def of(self, directory: int, segment_of: SegmentOf) -> Snapshot | Chunks:
            snapshot = super().of(directory, segment_of)
            if self.asked[-1] == "d":
                bucket.record("d", put_ns=5, owner="me")
                (bucket.path / "d/.s3gate%f+").unlink()
            return snapshot

    bucket.snapshots = Emptied(bucket.path)
    page = bucket.page()
    assert [(info.key, info.owner) for info in page.objects] == [("d/", "me"), ("d/x", None)]


def test_a_way_that_was_moved_is_not_followed(bucket: Bucket) -> None:
    """Far up, a directory that had to be closed is now another one."""
    deep = "d/" * (places.MAX_OPEN + 10)
    bucket.make(deep + "a", "d/z", "d/d/y", "z", "new/d/y", "new/z")

    def change() -> None:
        (bucket.path / "d").rename(bucket.path / "old")
        (bucket.path / "new").rename(bucket.path / "d")

    bucket.facts = Meddling(bucket, change)
    assert bucket.keys() == [deep + "a", "z"]


class Stale(EntryFacts):
    """Facts of files that another machine has removed, as NFS tells it."""

    def file(self, key: str, fd: int, status: os.stat_result) -> Any:
        if key.endswith("stale"):
            raise OSError(errno.ESTALE, "stale")
        if key.endswith("broken"):
            raise OSError(errno.EIO, "broken")
        return super().file(key, fd, status)


def test_stale_files_have_vanished_and_broken_ones_have_not(bucket: Bucket) -> None:
    bucket.make("a", "a-stale", "b")
    bucket.facts = Stale(XattrMetadata(4000), bucket.fd)
    assert bucket.keys() == ["a", "b"]
    bucket.make("c-broken")
    with pytest.raises(OSError, match="broken"):
        bucket.page()


def test_a_file_that_another_node_replaces_has_not_vanished(bucket: Bucket) -> None:
    class Replaced(EntryFacts):
        left = 3

        def file(self, key: str, fd: int, status: os.stat_result) -> Any:
            self.left -= 1
            if self.left >= 0:
                raise OSError(errno.ESTALE, "stale")
            return super().file(key, fd, status)

    bucket.make("a")
    bucket.facts = Replaced(XattrMetadata(4000), bucket.fd)
    assert bucket.keys() == ["a"]


@pytest.mark.parametrize(("code", "fails"), [(errno.ESTALE, False), (errno.EIO, True)])
def test_stale_directories_have_vanished_and_broken_ones_have_not(
    bucket: Bucket, code: int, fails: bool
) -> None:
    class Failing(Watched):
        def of(self, directory: int, segment_of: SegmentOf) -> Snapshot | Chunks:
            if super().of(directory, segment_of) and self.asked[-1] == "d":
                raise OSError(code, "failed")
            return super().of(directory, segment_of)

    bucket.make("a/b", "d/x/y", "e/f")
    bucket.snapshots = Failing(bucket.path)
    for query in ({}, {"delimiter": "/"}):
        if fails:
            with pytest.raises(OSError, match="failed"):
                bucket.page(**query)
        else:
            assert items(bucket.page(**query)) == (["a/", "e/"] if query else ["a/b", "e/f"])


# ---------------------------------------------------------------- against a plain reference

NAMES = st.sampled_from(
    [
        *("a", "b", "a-", "a0", "ä", "a.b", " ", "%", "\n", ".s3gate", "_s3_multipart_tmp"),
        *(".s3gate%f+a", ".s3gate%d+a", ".s3gate%d+b", ".s3gate%f+", ".s3gate%d+", ".s3gate%d+.."),
        *(".s3gate%f+.s3gate%f+a", ".s3gate%x", "\udcff"),
        names.file_name(LONG.encode()).decode(),
        names.dir_name(LONG.encode()).decode(),
        LONG,
    ]
)
LEAVES = st.sampled_from(["file", "file", "file", "good link", "bad link", "fifo", "object"])
TREES = st.recursive(
    LEAVES, lambda below: st.dictionaries(NAMES, below, max_size=5), max_leaves=25
).filter(lambda tree: isinstance(tree, dict))
Tree = dict[str, Any]


def build(where: Path, tree: Tree, up: str) -> None:
    for name, what in tree.items():
        path = where / name
        if isinstance(what, dict) or what == "object":
            path.mkdir()
            put_ns = 1 if what == "object" or len(what) % 2 else None
            record = Record(put_ns=put_ns, name=LONG)
            os.setxattr(path, ATTRIBUTE, packing.dump(record))
            build(path, what if isinstance(what, dict) else {}, "../" + up)
        elif what == "file":
            path.touch()
            os.setxattr(path, ATTRIBUTE, packing.dump(Record(name=LONG)))
        elif what == "fifo":
            os.mkfifo(path)
        else:
            path.symlink_to(up + ("target" if what == "good link" else "nothing"))


def reference(tree: Tree, folders: bool) -> set[str]:
    """All keys of a tree, by definition."""
    found: set[str] = set()

    def visit(below: Tree, path: str) -> None:
        for name, what in below.items():
            decoded = names.decode(os.fsencode(name))
            is_directory = isinstance(what, dict) or what == "object"
            if decoded is None or decoded.kind == ("file" if is_directory else "dir"):
                continue
            if decoded.segment is None and not is_directory and what != "file":
                continue
            segment = LONG if decoded.segment is None else decoded.segment.decode()
            if is_directory:
                inner = what if isinstance(what, dict) else {}
                if folders or what == "object" or len(inner) % 2:
                    found.add(path + segment + "/")
                visit(inner, path + segment + "/")
            elif what in ("file", "good link"):
                found.add(path + segment)

    visit(tree, "")
    found.discard("")
    return {key for key in found if len(key.encode()) <= 1024}


def listing(keys: set[str], prefix: str, delimiter: str) -> list[str]:
    """The whole listing, by definition."""

    def group(key: str) -> str:
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        return key if cut < 0 else key[: cut + len(delimiter)]

    chosen = sorted((key for key in keys if key.startswith(prefix)), key=str.encode)
    return [name for name, _ in groupby(chosen, group)]


def items(page: ListPage) -> list[str]:
    return sorted([info.key for info in page.objects] + list(page.prefixes), key=str.encode)


@settings(
    deadline=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
@given(
    tree=TREES,
    folders=st.booleans(),
    prefix=st.sampled_from(["", "a", "a/", "a/b", "/", "ä", "a/.", "b/a/"]),
    delimiter=st.sampled_from(["", "/", "/", "-", "a", "/a", "//"]),
    after=st.sampled_from(["", "a", "a/", "a/a", "a/b/\xff", "b", "a0", "/", "l"]),
    size=st.sampled_from([1, 2, 3, 1000]),
    keep=st.sampled_from(
        [{"window_ns": 0}, {"watch_from": 10_000}, {"watch_from": 1, "now_ns": lambda: 0}]
    ),
)
@example({"a": {}, ".s3gate%d+a": {"a": "file"}}, False, "", "/", "", 1, {})
@example({"a": {".s3gate%f+": "file"}, ".s3gate%d+a": "object"}, True, "a/", "", "", 1, {})
@example({".s3gate%d+": {".s3gate%d+": {"a": "file"}}}, False, "", "//", "", 1, {})
def test_a_walk_equals_sorting_all_keys(
    tree: Tree,
    folders: bool,
    prefix: str,
    delimiter: str,
    after: str,
    size: int,
    keep: dict[str, Any],
) -> None:
    tree = {**tree, "target": "file"}
    top = Path(tempfile.mkdtemp())
    try:
        build(top, tree, "")
        bucket = Bucket(top)
        bucket.snapshots = Snapshots(**keep)
        expected = [
            name
            for name in listing(reference(tree, folders), prefix, delimiter)
            if name.encode() > after.encode()
        ]
        query = ListQuery(prefix, delimiter, after, size, folders)
        found: list[str] = []
        while True:
            page = list_objects(bucket.fd, query, bucket.snapshots, bucket.facts)
            found += items(page)
            if page.next_after is None:
                break
            assert len(items(page)) == size
            query = attrs.evolve(query, after=page.next_after)
        os.close(bucket.fd)
        assert found == expected
    finally:
        shutil.rmtree(top)
