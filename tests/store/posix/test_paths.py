"""Places: what is opened lies beneath the bucket, and in its right order."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.store.posix import names, paths, syscalls
from s3daemon.store.posix.paths import DIRECTORY, READ


@pytest.fixture
def top(tmp_path: Path) -> Iterator[int]:
    """A directory with things in and beside it."""
    (tmp_path / "secret").write_bytes(b"1")
    path = tmp_path / "top"
    (path / "a" / "b").mkdir(parents=True)
    (path / "a" / "f").write_bytes(b"f")
    (path / "a" / "up").symlink_to("../../secret")
    (path / "a" / "in").symlink_to("../a/f")
    (path / "a" / "abs").symlink_to("/etc")
    (path / "out").symlink_to("..")
    (path / "proc").symlink_to("/proc/self/root")
    fd = os.open(path, DIRECTORY)
    yield fd
    os.close(fd)


def old_kernel(*_: object) -> int:
    raise OSError(errno.ENOSYS, "no openat2")


def filtered(*_: object) -> int:
    raise OSError(errno.EPERM, "no openat2 in this container")


@pytest.fixture(params=[None, old_kernel, filtered])
def kernel(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> object:
    """With and without openat2."""
    if request.param is not None:
        monkeypatch.setattr(syscalls, "openat2", request.param)
    return request.param


OUTSIDE = [
    "a/up",
    "a/abs/passwd",
    "a/abs",
    "out",
    "out/secret",
    "..",
    "../secret",
    "a/../..",
    "proc",
]


@pytest.mark.parametrize("path", OUTSIDE)
def test_nothing_outside_is_opened(kernel: object, top: int, path: str) -> None:
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        paths.open_beneath(top, path.encode(), READ)
    assert caught.value.errno in paths.NOTHING_THERE
    with pytest.raises(OSError, match=r"\[Errno"):
        paths.open_place(top, path.encode().split(b"/"), READ)


@pytest.mark.parametrize("path", ["a/f", "a", "a/b"])
def test_inside(kernel: object, top: int, path: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    fd = paths.open_beneath(top, path.encode(), READ)
    assert not os.get_inheritable(fd)
    os.close(fd)
    assert len(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize("path", ["x", "x/y", "a/f/x", "a/b/x"])
def test_missing(kernel: object, top: int, path: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        paths.open_beneath(top, path.encode(), READ)
    assert caught.value.errno in (errno.ENOENT, errno.ENOTDIR)
    assert len(os.listdir("/proc/self/fd")) == before


def test_links_inside_are_followed(top: int) -> None:
    fd = paths.open_beneath(top, b"a/in", READ)
    assert os.read(fd, 9) == b"f"
    os.close(fd)


@pytest.mark.parametrize("ours", [".s3gate", "_s3_multipart_tmp"])
def test_links_to_what_is_ours_are_not(top: int, tmp_path: Path, ours: str) -> None:
    """Half-made objects are there; a key leads to them in no other way either."""
    bucket = Path(os.readlink(f"/proc/self/fd/{top}"))
    (bucket / "a" / ours / "in").mkdir(parents=True)
    (bucket / "a" / ours / "in" / "f").write_text("half-made")
    (bucket / "link").symlink_to(f"a/{ours}")
    (bucket / "deep").symlink_to(f"a/{ours}/in/f")
    (bucket / "twice").symlink_to("link")
    (bucket / "natural").mkdir()
    (bucket / "natural" / f"{ours}x").write_text("g")
    (bucket / "fine").symlink_to("natural")
    before = len(os.listdir("/proc/self/fd"))
    for path in (b"link", b"link/in/f", b"deep", b"twice/in", b"fine/../link/in/f"):
        with pytest.raises(OSError, match=r"\[Errno") as caught:
            paths.open_beneath(top, path, READ)
        assert caught.value.errno == errno.ELOOP
    os.close(paths.open_beneath(top, b"fine/" + ours.encode() + b"x", READ))
    assert len(os.listdir("/proc/self/fd")) == before


def test_where_the_kernel_does_not_say_no_link_is_followed(
    top: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(path: object) -> bytes:
        raise FileNotFoundError(path)

    monkeypatch.setattr(os, "readlink", gone)
    with pytest.raises(OSError, match=r"\[Errno"):
        paths.open_beneath(top, b"a/in", READ)
    os.close(paths.open_beneath(top, b"a/f", READ))


def test_it_tries_again_when_told(top: int, monkeypatch: pytest.MonkeyPatch) -> None:
    real = syscalls.openat2
    left = [1] * 5

    def unsure(*args: object) -> int:
        if left:
            left.pop()
            raise OSError(errno.EAGAIN, "try again")
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(syscalls, "openat2", unsure)
    os.close(paths.open_beneath(top, b"a/f", READ))
    left.extend([1] * 1000)
    with pytest.raises(BlockingIOError):
        paths.open_beneath(top, b"a/f", READ)


def test_places_longer_than_a_path(top: int) -> None:
    place = tuple(b"%03d" % (n % 7) + b"x" * 100 for n in range(100))
    at = os.dup(top)
    for name in place:
        os.mkdir(name, dir_fd=at)
        below = os.open(name, DIRECTORY, dir_fd=at)
        os.close(at)
        at = below
    before = len(os.listdir("/proc/self/fd"))
    fd = paths.open_place(top, place, DIRECTORY)
    assert os.path.sameopenfile(fd, at)
    assert paths.stat_place(top, place).st_ino == os.fstat(at).st_ino
    assert list(paths.directories(top, place)) == [place]
    assert list(paths.directories(top, (*place, b"x"))) == []
    os.close(fd)
    assert len(os.listdir("/proc/self/fd")) == before
    while place:
        parent = paths.open_place(top, place[:-1], DIRECTORY)
        os.rmdir(place[-1], dir_fd=parent)
        os.close(parent)
        place = place[:-1]
    os.close(at)


def test_the_bucket_itself(top: int) -> None:
    fd = paths.open_place(top, (), DIRECTORY)
    assert os.path.sameopenfile(fd, top)
    os.close(fd)
    assert paths.stat_place(top, ()).st_ino == os.fstat(top).st_ino


def test_order_of_places(tmp_path: Path) -> None:
    for place in ("d/e", "d/.s3gate%d+e", ".s3gate%d+d/e", ".s3gate%d+d/.s3gate%d+e"):
        (tmp_path / place).mkdir(parents=True)
    (tmp_path / "d" / "f").touch()
    fd = os.open(tmp_path, DIRECTORY)
    found = [b"/".join(place).decode() for place in paths.directories(fd, (b"d", b"e"))]
    assert found == ["d/e", "d/.s3gate%d+e", ".s3gate%d+d/e", ".s3gate%d+d/.s3gate%d+e"]
    assert list(paths.directories(fd, (b"d", b"f"))) == []
    assert list(paths.directories(fd, ())) == [()]
    assert list(paths.directories(fd, (b"",))) == []
    os.close(fd)


segments = st.sampled_from(
    [
        "",
        ".",
        "..",
        "a",
        "..a",
        ".a",
        "_s3_multipart_tmp",
        ".s3gate",
        ".s3gate%f+",
        "s" * 255,
        "s" * 256,
    ]
) | st.text(max_size=3)


@given(st.lists(segments, min_size=1, max_size=4).map("/".join))
def test_a_plain_key_is_its_own_path(key: str) -> None:
    """The quick test must never take a key for plain that is not."""
    try:
        parts = names.segments(key)
    except Exception:
        return
    if paths.is_plain(key.encode()):
        assert all(map(names.is_natural, parts))


@pytest.mark.parametrize("key", ["a", "a/b", "photos/2024/a b.jpg", "ü/é", "a..b/c.", "-", "~"])
def test_usual_keys_are_plain(key: str) -> None:
    assert paths.is_plain(key.encode())
