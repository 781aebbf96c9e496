"""What is mounted where, as the kernel tells it: proc_pid_mountinfo(5)."""

from __future__ import annotations

import re

import attrs

_MOUNTINFO = "/proc/self/mountinfo"
_OCTAL = re.compile(r"\\([0-7]{3})")

#: Types that several nodes can have mounted at a time, apart from those served through FUSE.
_SHARED = frozenset(
    (
        "9p", "afs", "beegfs", "ceph", "cifs", "fhgfs", "gfs2", "glusterfs", "gpfs", "lustre",
        "nfs", "nfs4", "ocfs2", "orangefs", "smb3", "smbfs", "virtiofs", "wekafs",
    )
)  # fmt: skip


@attrs.frozen
class Mount:
    """One mounted file system.

    :ivar number: the kernel's, unique while it is mounted.
    :ivar device: major and minor number, ``8:1``.
    :ivar root: which directory of the file system is mounted.
    :ivar point: where.
    :ivar kind: ``ext4``, ``fuse.juicefs`` ...
    :ivar source: what was mounted.
    :ivar options: of the mount and of the file system, each once.
    """

    number: int
    device: str
    root: str
    point: str
    kind: str
    source: str
    options: tuple[str, ...]

    @property
    def shared(self) -> bool:
        """Whether other nodes may have it mounted too; of FUSE nobody can tell."""
        return self.kind in _SHARED or self.kind.startswith("fuse")

    def option(self, name: str) -> str | None:
        """The value of an option, "" where it has none; None where it is not set."""
        for option in self.options:
            key, _, value = option.partition("=")
            if key == name:
                return value
        return None


def parse(text: str) -> list[Mount]:
    """The mounts of a ``mountinfo``; lines that are something else are left out."""
    found = []
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        fields, rest = before.split(" "), after.split(" ")
        if not dash or len(fields) < 6 or len(rest) < 3 or not _is_number(fields[0]):
            continue
        options = dict.fromkeys(fields[5].split(",") + rest[2].split(","))
        found.append(
            Mount(
                number=int(fields[0]),
                device=fields[2],
                root=_plain(fields[3]),
                point=_plain(fields[4]),
                kind=_plain(rest[0]),
                source=_plain(rest[1]),
                options=tuple(options),
            )
        )
    return found


def mount_of(fd: int) -> Mount | None:
    """The mount that an open file or directory belongs to; None where the kernel does not say."""
    try:
        with open(f"/proc/self/fdinfo/{fd}", encoding="ascii", errors="replace") as file:
            number = _number_in(file.read())
        with open(_MOUNTINFO, encoding="utf-8", errors="surrogateescape") as file:
            mounts = parse(file.read())
    except OSError:
        return None
    return next((mount for mount in mounts if mount.number == number), None)


def _number_in(fdinfo: str) -> int:
    for line in fdinfo.splitlines():
        name, _, value = line.partition(":")
        if name == "mnt_id" and _is_number(value.strip()):
            return int(value)
    return -1


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20


def _plain(text: str) -> str:
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), text)
