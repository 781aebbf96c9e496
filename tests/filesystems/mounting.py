"""File systems that are mounted for a test, and what is missing for that."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

_SCRIPTS = Path(__file__).parent
_MISSING = 77

#: On this machine only, by local.sh.
LOCAL = ("ext4", "xfs", "btrfs", "tmpfs", "overlay", "ramfs", "fuse")
#: Of which these can be remounted and filled without harm to the machine.
BOUNDED = ("ext4", "xfs", "btrfs", "tmpfs")
#: Shared between nodes, each by a script of its own, and mounted twice.
ENGINES = ("cephfs", "glusterfs", "juicefs")


@attrs.frozen
class Mounted:
    """A file system.

    :ivar folder: what holds it, and on engines the second mount.
    :ivar path: where it is mounted.
    """

    script: str
    folder: Path
    path: Path

    def do(self, what: str) -> None:
        """One of the commands of local.sh: full, room, again, ro, rw."""
        subprocess.run([self.script, what, str(self.folder)], check=True, timeout=120)


@contextmanager
def mounted(kind: str, folder: Path) -> Iterator[Mounted]:
    """One of the kinds above; skips the test where a part of it is missing."""
    engine = kind in ENGINES
    script = str(_SCRIPTS / f"{kind if engine else 'local'}.sh")
    command = [script, "up", str(folder), *(() if engine else (kind,))]
    made = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    try:
        if made.returncode == _MISSING:
            pytest.skip(made.stderr.strip())
        assert made.returncode == 0, made.stderr
        yield Mounted(script, folder, folder / "a")
    finally:
        subprocess.run([script, "down", str(folder)], check=False, timeout=120)
