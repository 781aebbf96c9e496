"""A hook that writes down what every change does to the disk, and when what was made durable.

What it gives, a :class:`Log`, is what :mod:`tests.crash.lossy` makes power cuts of.  The changes
are made on a real directory, so that whoever made them can look at what they have done; only
syncing takes no time.

Effects on a file are told apart as a file system may lose them: its bytes, its size, its time of
modification, each attribute.  An effect on directories is one or two entries; a rename is two,
which come about together.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from threading import RLock
from typing import Any

import attrs

from tests.store.tools import name_of

#: Numbers of our own for files and directories, which are never used again.
Node = int

ROOT: Node = 0


@attrs.frozen
class Bytes:
    """Bytes of a file."""

    node: Node
    offset: int
    data: bytes


@attrs.frozen
class Size:
    """The size of a file; what is cut off is gone."""

    node: Node
    size: int


@attrs.frozen
class Modified:
    """The time of modification of a file, in ns."""

    node: Node
    time_ns: int


@attrs.frozen
class Attribute:
    """An extended attribute; None: removed."""

    node: Node
    name: str
    value: bytes | None


@attrs.frozen
class Entries:
    """Entries of directories, all at once: (directory, name, what it leads to or None)."""

    changes: tuple[tuple[Node, bytes, Node | None], ...]

    @property
    def directories(self) -> frozenset[Node]:
        """Whose they are."""
        return frozenset(node for node, _, _ in self.changes)


@attrs.frozen
class Synced:
    """All of a file or a directory is durable, but for what a failed sync has dropped.

    :ivar before: the number of the first event that came too late: the sync had begun.
    """

    node: Node
    before: int


@attrs.frozen
class SyncFailed:
    """What was not durable of it will not become so: the kernel takes it for written."""

    node: Node


Effect = Bytes | Size | Modified | Attribute
Event = Effect | Entries | Synced | SyncFailed


@attrs.define
class Log:
    """What has happened to the disk, in order.

    :ivar kinds: the mode of each file and directory.
    :ivar inodes: the number that each really had.
    :ivar sidecars: what the sidecar of each is called.
    :ivar calls: the name of each change, and where in the events it ends.
    """

    events: list[Event] = attrs.field(factory=list)
    kinds: dict[Node, int] = attrs.field(factory=dict)
    inodes: dict[Node, int] = attrs.field(factory=dict)
    sidecars: dict[Node, str] = attrs.field(factory=dict)
    calls: list[tuple[str, int]] = attrs.field(factory=list)


class UnknownChange(Exception):
    """There is a change that :class:`Recorder` does not know: teach it."""


class Recorder:
    """Put it into the hooks of a store; what is beneath the root by then is durable.

    For any thread: a sync may take its time, in which others make their changes.

    :ivar fail_sync: the n-th fsync from now fails, as of a device that does not take the bytes;
        -1 for none.
    :ivar yields: how often other threads may go on while something is being synced.
    """

    def __init__(self, root: Path) -> None:
        self.log = Log()
        self.fail_sync = -1
        self.yields = 0
        self._guard = RLock()
        self._nodes: dict[tuple[int, int], Node] = {}
        self._held: list[int] = []
        self._state: dict[Node, tuple[int, int]] = {}
        self._take_in(root)

    def close(self) -> None:
        """Let go of what was recorded."""
        for fd in self._held:
            os.close(fd)
        self._held.clear()

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        handler = getattr(self, "_on_" + name, None)
        if handler is None:
            raise UnknownChange(name)
        with self._guard:
            begun = len(self.log.events)
            failing = name == "fsync" and self._fails_now()
        if name == "fsync":
            for _ in range(self.yields):
                os.sched_yield()
        with self._guard:
            if name in ("fsync", "syncfs"):
                handler(args[0], begun, failing)
                result = None
            else:
                result = handler(call, *args)
            self.log.calls.append((name, len(self.log.events)))
        if failing:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return result

    def _fails_now(self) -> bool:
        self.fail_sync -= 1
        return self.fail_sync == -1

    # -------------------------------------------------------- what is there

    def _take_in(self, root: Path) -> None:
        """What is there is durable."""
        fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
        self._register(fd)
        self._children(fd, ROOT)
        os.close(fd)

    def _children(self, fd: int, node: Node) -> None:
        for name in map(os.fsencode, os.listdir(fd)):
            below = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=fd)
            child = self._register(below)
            self.log.events.append(Entries(((node, name, child),)))
            if stat.S_ISDIR(self.log.kinds[child]):
                self._children(below, child)
            else:
                st = os.fstat(below)
                self._bytes(below, 0, st.st_size)
            for attribute in os.listxattr(below):
                value = os.getxattr(below, attribute)
                self.log.events.append(Attribute(child, attribute, value))
            self.log.events.append(Synced(child, len(self.log.events)))
            os.close(below)
        self.log.events.append(Synced(node, len(self.log.events)))

    def _register(self, fd: int) -> Node:
        """The node of an open file, a new one perhaps.  Its number is not used again meanwhile."""
        st = os.fstat(fd)
        key = st.st_dev, st.st_ino
        if key not in self._nodes:
            # Not a duplicate: that would go on holding the locks of the descriptor.
            self._held.append(os.open(f"/proc/self/fd/{fd}", os.O_PATH))
            node = self._nodes[key] = len(self._nodes)
            self.log.kinds[node] = st.st_mode
            self.log.inodes[node] = st.st_ino
            self.log.sidecars[node] = name_of(fd)
            self._state[node] = 0, -1
            self._note(fd)
        return self._nodes[key]

    def _node(self, fd: int) -> Node:
        st = os.fstat(fd)
        return self._nodes[st.st_dev, st.st_ino]

    def _at(self, name: bytes, dir_fd: int) -> Node | None:
        try:
            st = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        return self._nodes[st.st_dev, st.st_ino]

    def _place(self, name: bytes, dir_fd: int) -> tuple[Node, bytes]:
        """The directory of a path, and the name in it."""
        head, _, tail = name.rpartition(b"/")
        parent = self._at(head or b".", dir_fd)
        assert parent is not None
        return parent, tail

    def _note(self, fd: int) -> None:
        """Size and time, if they are other ones by now."""
        node, st = self._node(fd), os.fstat(fd)
        if not stat.S_ISREG(st.st_mode):
            return
        size, modified = self._state[node]
        if size != st.st_size:
            self.log.events.append(Size(node, st.st_size))
        if modified != st.st_mtime_ns:
            self.log.events.append(Modified(node, st.st_mtime_ns))
        self._state[node] = st.st_size, st.st_mtime_ns

    def _bytes(self, fd: int, offset: int, size: int) -> None:
        reading = os.open(f"/proc/self/fd/{fd}", os.O_RDONLY)
        data = os.pread(reading, size, offset)
        os.close(reading)
        self._note(fd)  # before the bytes: where it comes about alone, zeros are seen
        self.log.events.append(Bytes(self._node(fd), offset, data))

    def _entries(self, *changes: tuple[Node, bytes, Node | None]) -> None:
        self.log.events.append(Entries(changes))

    # -------------------------------------------------------- files

    def _on_open_temp(self, call: Callable[..., int], *args: Any) -> int:
        fd = call(*args)
        self._register(fd)
        return fd

    def _on_create(self, call: Callable[..., int], name: bytes, flags: int, dir_fd: int) -> int:
        before = self._at(name, dir_fd)
        fd = call(name, flags, dir_fd)
        if before is None:
            directory, tail = self._place(name, dir_fd)
            self._entries((directory, tail, self._register(fd)))
        return fd

    _on_open_or_create = _on_open_lock = _on_create

    def _on_write(self, call: Callable[..., int], fd: int, data: Any) -> int:
        at = os.lseek(fd, 0, os.SEEK_CUR)
        count = call(fd, data)
        self._bytes(fd, at, count)
        return count

    def _on_pwrite(self, call: Callable[..., int], fd: int, data: Any, offset: int) -> int:
        count = call(fd, data, offset)
        self._bytes(fd, offset, count)
        return count

    def _on_copy_range(self, call: Callable[..., int], *args: int) -> int:
        count = call(*args)
        self._bytes(args[1], args[4], count)
        return count

    def _on_truncate(self, call: Callable[..., None], fd: int, size: int) -> None:
        call(fd, size)
        self._note(fd)

    def _on_punch(self, call: Callable[..., None], fd: int, offset: int, size: int) -> None:
        call(fd, offset, size)
        self._bytes(fd, offset, min(size, max(0, os.fstat(fd).st_size - offset)))

    def _on_set_xattr(self, call: Callable[..., None], fd: int, name: str, value: bytes) -> None:
        call(fd, name, value)
        self.log.events.append(Attribute(self._node(fd), name, value))

    def _on_set_modified(self, call: Callable[..., None], fd: int, time_ns: int) -> None:
        call(fd, time_ns)
        self._note(fd)

    def _on_stamp_changed(self, call: Callable[..., None], fd: int) -> None:
        call(fd)

    def _on_flush(self, call: Callable[..., None], fd: int) -> None:
        call(fd)

    def _on_close(self, call: Callable[..., None], fd: int) -> None:
        call(fd)

    def _on_fsync(self, fd: int, begun: int, failing: bool) -> None:
        node = self._node(fd)
        self.log.events.append(SyncFailed(node) if failing else Synced(node, begun))

    def _on_syncfs(self, fd: int, begun: int, failing: bool) -> None:
        self.log.events += [Synced(node, begun) for node in self.log.kinds]

    # -------------------------------------------------------- names

    def _on_link_fd(self, call: Callable[..., None], fd: int, name: bytes, dir_fd: int) -> None:
        call(fd, name, dir_fd)
        self._entries((*self._place(name, dir_fd), self._node(fd)))

    def _on_link(
        self, call: Callable[..., None], name: bytes, dir_fd: int, new: bytes, new_dir: int
    ) -> None:
        call(name, dir_fd, new, new_dir)
        self._entries((*self._place(new, new_dir), self._at(name, dir_fd)))

    def _on_rename(
        self, call: Callable[..., None], name: bytes, dir_fd: int, new: bytes, new_dir: int
    ) -> None:
        node, there = self._at(name, dir_fd), self._at(new, new_dir)
        call(name, dir_fd, new, new_dir)
        if node != there:  # else both are names of one file, and nothing happens: rename(2)
            self._entries((*self._place(name, dir_fd), None), (*self._place(new, new_dir), node))

    _on_rename_new = _on_rename

    def _on_unlink(self, call: Callable[..., None], name: bytes, dir_fd: int) -> None:
        call(name, dir_fd)
        self._entries((*self._place(name, dir_fd), None))

    _on_rmdir = _on_unlink

    def _on_mkdir(self, call: Callable[..., None], name: bytes, dir_fd: int) -> None:
        call(name, dir_fd)
        fd = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=dir_fd)
        self._entries((*self._place(name, dir_fd), self._register(fd)))
        os.close(fd)
