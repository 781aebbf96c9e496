"""What is mounted, as the kernel says it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3daemon.store.posix import mounts
from s3daemon.store.posix.mounts import Mount, mount_of, parse

LINE = "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n"


def test_a_line_of_the_manual() -> None:
    (found,) = parse(LINE)
    assert found == Mount(
        36, "98:0", "/mnt1", "/mnt2", "ext3", "/dev/root", ("rw", "noatime", "errors=continue")
    )
    assert found.option("errors") == "continue"
    assert found.option("noatime") == ""
    assert found.option("relatime") is None


def test_no_or_many_optional_fields_and_escapes() -> None:
    text = (
        "1 0 0:1 / /a\\040b\\134c rw - fuse.juicefs JuiceFS:x\\011y rw,user_id=0\n"
        "2 0 0:2 / /d rw shared:1 master:2 unbindable - nfs4 server:/x ro,rw\n"
    )
    first, second = parse(text)
    assert (first.point, first.source, first.shared) == ("/a b\\c", "JuiceFS:x\ty", True)
    assert (second.options, second.shared) == (("rw", "ro"), True)


@pytest.mark.parametrize(
    ("kind", "shared"),
    [("ext4", False), ("xfs", False), ("fuse.glusterfs", True), ("ceph", True), ("cifs", True)],
)
def test_shared(kind: str, shared: bool) -> None:
    assert parse(f"1 0 0:1 / / rw - {kind} x rw")[0].shared is shared


@pytest.mark.parametrize(
    "line", ["", "x", "36 35 98:0 /", LINE.replace(" - ", " + "), LINE.replace("36 ", "x ")]
)
def test_what_is_something_else(line: str) -> None:
    assert parse(line) == []


@given(st.text())
def test_anything(text: str) -> None:
    parse(text)
    parse(LINE + text)


def test_of_a_directory(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        found = mount_of(fd)
    finally:
        os.close(fd)
    assert found is not None
    device = tmp_path.stat().st_dev
    if not found.kind.startswith(("btrfs", "overlay")):
        assert found.device == f"{os.major(device)}:{os.minor(device)}"
    assert tmp_path.is_relative_to(found.point)
    assert "rw" in found.options


def test_without_proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mounts, "_MOUNTINFO", str(tmp_path / "missing"))
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        assert mount_of(fd) is None
    finally:
        os.close(fd)


def test_a_kernel_that_does_not_say_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "mountinfo"
    other.write_text(LINE)
    monkeypatch.setattr(mounts, "_MOUNTINFO", str(other))
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        assert mount_of(fd) is None
    finally:
        os.close(fd)
    assert mounts._number_in("pos:\t0\nflags:\t0\n") == -1
