"""A disk whose writes are logged, and disks as they are after a power cut, mounted.

qemu-storage-daemon shows an image as a file, by FUSE, and logs what is written to it; a loop device
makes a disk of that.  A log needs no support by the kernel that way.
"""

from __future__ import annotations

import mmap
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs

from tests.crash.power.writelog import SECTOR

_MIB = 1024 * 1024

#: Behind the file system: room for marks, and how much one takes.
SPARE = _MIB
BLOCK = mmap.PAGESIZE


@attrs.frozen
class Engine:
    """A file system.

    :ivar size: of its device, in MiB, without the spare room.
    :ivar make: the command that makes one, of the file that is named behind it.
    :ivar options: of the mount.
    :ivar atom: what its device has to write whole or not at all, in bytes.  XFS does not mount with
        a block of metadata of which a part is new: what is torn there is not the store's.
    """

    name: str
    size: int
    make: tuple[str, ...]
    options: str = "defaults"
    atom: int = SECTOR

    @property
    def missing(self) -> str:
        """Why it cannot be used here; "" if it can."""
        if shutil.which(self.make[0]) is None:
            return f"{self.make[0]} is not installed"
        if self.name not in Path("/proc/filesystems").read_text().split():
            return f"the kernel does not have {self.name}"
        return ""


ENGINES = (
    Engine("ext4", 63, ("mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096")),
    Engine("xfs", 300, ("mkfs.xfs", "-q", "-f"), atom=4096),
    Engine("btrfs", 128, ("mkfs.btrfs", "-q", "-f")),
)


def missing() -> str:
    """Why there can be no such disk here; "" if there can."""
    if os.geteuid() != 0:
        return "only root may mount"
    for program in ("qemu-storage-daemon", "losetup", "mount", "fallocate"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    for device in ("/dev/loop-control", "/dev/fuse"):
        if not Path(device).exists():
            return f"there is no {device}"
    return ""


def make_image(engine: Engine, path: Path) -> None:
    """An empty file system, with spare room behind it."""
    with path.open("wb") as file:
        file.truncate(engine.size * _MIB)
    subprocess.run([*engine.make, str(path)], check=True, stdout=subprocess.DEVNULL)
    os.truncate(path, engine.size * _MIB + SPARE)
    # It is going to be copied often, and some write zeros in great number.
    subprocess.run(["fallocate", "--dig-holes", str(path)], check=True)


class NotMounted(Exception):
    """The kernel does not take it; the text is what mount(8) says."""


@attrs.define
class LoggedDisk:
    """A mounted file system whose device is logged.

    :ivar path: where it is mounted.
    :ivar device: its loop device.
    """

    path: Path
    device: str
    _fd: int
    _spare: int
    _slot: int = 0
    _lock: threading.Lock = attrs.field(factory=threading.Lock)

    def mark(self, text: bytes) -> None:
        """Write a block of its own into the spare room: it stands in the log from now on.

        May be called from any thread.
        """
        block = mmap.mmap(-1, BLOCK)  # O_DIRECT wants memory that begins at a page
        block[: len(text)] = text
        with self._lock:
            slot = self._slot = (self._slot + 1) % (SPARE // BLOCK)
        os.pwrite(self._fd, block, self._spare + slot * BLOCK)


@contextmanager
def logged(engine: Engine, image: Path, log: Path, work: Path) -> Iterator[LoggedDisk]:
    """Mount an image, logging.  When this returns, the log is complete."""
    export, mount = work / "export", work / "logged"
    export.touch()
    log.touch()
    mount.mkdir()
    command = [
        "qemu-storage-daemon",
        "--blockdev", f"driver=file,node-name=image,filename={image}",
        "--blockdev", f"driver=file,node-name=log,filename={log}",
        "--blockdev", "driver=blklogwrites,node-name=logged,file=image,log=log",
        "--export", f"type=fuse,id=export,node-name=logged,mountpoint={export},writable=on",
    ]  # fmt: skip
    with ExitStack() as stack:
        daemon = stack.enter_context(subprocess.Popen(command))
        stack.callback(daemon.terminate)
        while not os.path.ismount(export):
            assert daemon.poll() is None, "qemu-storage-daemon does not start"
            time.sleep(0.01)
        # The FUSE export takes the data of one write for those of another when requests overlap
        # (qemu 7.2): so no requests ahead, and none at the same time, which direct ones would be.
        number = os.stat(export).st_dev
        ahead = Path(f"/sys/class/bdi/{os.major(number)}:{os.minor(number)}/read_ahead_kb")
        ahead.write_text("0")
        found = subprocess.run(
            ["losetup", "--direct-io=off", "--find", "--show", str(export)],
            check=True,
            capture_output=True,
            text=True,
        )
        device = found.stdout.strip()
        stack.callback(subprocess.run, ["losetup", "--detach", device], check=True)
        fd = os.open(device, os.O_WRONLY | os.O_DIRECT)
        stack.callback(os.close, fd)
        with _mounted(engine, device, mount):
            yield LoggedDisk(mount, device, fd, engine.size * _MIB)


@contextmanager
def revived(engine: Engine, image: Path, mount: Path) -> Iterator[Path]:
    """Mount an image as it is after a power cut: the file system recovers as it can.

    :raises NotMounted: it cannot.
    """
    mount.mkdir(exist_ok=True)
    with _mounted(engine, str(image), mount, "loop,"):
        yield mount


@contextmanager
def _mounted(engine: Engine, what: str, where: Path, options: str = "") -> Iterator[None]:
    mounting = subprocess.run(
        ["mount", "-t", engine.name, "-o", options + engine.options, what, str(where)],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounting.returncode != 0:
        raise NotMounted(mounting.stderr.strip())
    try:
        yield
    finally:
        subprocess.run(["umount", str(where)], check=True)
