"""Small file systems of one's own, which can be filled and broken; they need root."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

#: quotactl(2) and linux/quota.h.
_Q_SETQUOTA, _USRQUOTA, _QIF_LIMITS = 0x800008, 0, 5
_BLOCK = 1024


def need(*programs: str) -> None:
    """Skip the test where it cannot run."""
    if os.geteuid():
        pytest.skip("mounting needs root")
    for program in programs:
        if shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin") is None:
            pytest.skip(f"{program} is not installed")


@contextmanager
def image(folder: Path, *options: str, size: int = 16 << 20) -> Iterator[tuple[Path, str]]:
    """A new ext4 file system in a file, mounted: where, and the device."""
    need("mkfs.ext4", "losetup", "mount")
    folder.mkdir()
    file, mountpoint = folder / "image", folder / "mnt"
    mountpoint.mkdir()
    with file.open("wb") as empty:
        empty.truncate(size)
    _run("mkfs.ext4", "-q", "-m", "0", *options, str(file))
    made = subprocess.run(
        ["losetup", "--find", "--show", str(file)], check=False, capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"no loop device: {made.stderr.strip()}")
    device = made.stdout.strip()
    try:
        mounted = subprocess.run(
            ["mount", device, mountpoint], check=False, capture_output=True, text=True
        )
        if mounted.returncode:
            pytest.skip(f"this kernel does not mount it: {mounted.stderr.strip()}")
        try:
            yield mountpoint, device
        finally:
            _unmount(mountpoint)
    finally:
        _run("losetup", "--detach", device)


def set_quota(device: str, user: int, size: int) -> None:
    """Bound the bytes that a user has on a file system; 0 for no bound.  quotactl(2)"""
    limits = (ctypes.c_uint64 * 9)(size // _BLOCK, size // _BLOCK, 0, 0, 0, 0, 0, 0, _QIF_LIMITS)
    command = ctypes.c_int(_Q_SETQUOTA << 8 | _USRQUOTA)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.quotactl(command, device.encode(), user, limits):
        pytest.skip(f"no quota: {os.strerror(ctypes.get_errno())}")


class Faulty:
    """A mount that fails as it is told to; see :mod:`tests.faults.fusefs`.

    :ivar path: where it is mounted; :ivar below: the same without faults.
    """

    def __init__(self, path: Path, below: Path, table: Path) -> None:
        self.path = path
        self.below = below
        self._table = table

    def set(self, **faults: object) -> None:
        """What is to go wrong from now on; nothing, without."""
        new = self._table.with_suffix(".new")
        new.write_text(json.dumps(faults))
        new.replace(self._table)


@contextmanager
def faulty(folder: Path) -> Iterator[Faulty]:
    """A file system through FUSE."""
    need("fusermount3", "mount")
    python = shutil.which("python3", path="/usr/bin") or ""
    has = subprocess.run([python, "-c", "import fusepy"], check=False, capture_output=True)
    if has.returncode or not os.path.exists("/dev/fuse"):
        pytest.skip("it takes /dev/fuse and fusepy (Debian: python3-fusepy)")
    mount = Faulty(folder / "mnt", folder / "below", folder / "table.json")
    for path in (folder, mount.path, mount.below):
        path.mkdir()
    mount.set()
    program = Path(__file__).with_name("fusefs.py")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [python, program, mount.below, mount.path, folder / "table.json"],
            stdout=log,
            stderr=log,
        )
    try:
        for _ in range(500):
            if os.path.ismount(mount.path):
                break
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.02)
        yield mount
    finally:
        mount.set()
        _unmount(mount.path)
        process.terminate()
        process.wait()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=60)


def _unmount(path: Path) -> None:
    # A daemon that was just killed may need a moment to let go.
    for _ in range(100):
        if not subprocess.run(["umount", path], check=False, capture_output=True).returncode:
            return
        time.sleep(0.05)
    _run("umount", "--lazy", str(path))
