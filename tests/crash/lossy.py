"""Power cuts, simulated: of what was not synced, any part may be there afterwards.

Out of a :class:`~tests.crash.recorder.Log` any number of crashes can be made, each with what chance
has left.  What a crash may do, harsher than any one file system does it:

- What was synced is there: the bytes, size, time and attributes of a file, the entries of a
  directory.  Syncing a file does not make its name durable, nor that of a directory its own.
- Of everything else each effect may be there or not, in whatever order.  Bytes are torn at sectors;
  where the size is there and bytes are not, zeros are.
- The entries of one directory come about in their order: one that is there is there with all before
  it.  Those of several come about in any order, but for a rename, which happens as a whole.

After Zhou et al., "FoundationDB: A Distributed Unbundled Transactional Key Value Store" (SIGMOD
2021), section 4, and Pillai et al., "All File Systems Are Not Created Equal" (OSDI 2014).
"""

from __future__ import annotations

import os
import random
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import attrs

from s3daemon.store.posix.sidecars import is_sidecar, path_of
from tests.crash.recorder import (
    ROOT,
    Attribute,
    Bytes,
    Effect,
    Entries,
    Log,
    Modified,
    Node,
    Size,
    Synced,
    SyncFailed,
)
from tests.store.tools import name_of

#: What a device writes in one step.
SECTOR = 512

#: What each seed gives an effect on a name, and one on a file: first the extremes, which find most.
_EXTREMES = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.5, 0.0), (0.5, 1.0))

_STAMP = re.compile(rb'"stamp":\[(\d+),(\d+),(\d+)\]')


@attrs.define
class _File:
    data: bytearray = attrs.field(factory=bytearray)
    modified_ns: int = 0
    attributes: dict[str, bytes] = attrs.field(factory=dict)

    def apply(self, effect: Effect) -> None:
        match effect:
            case Bytes(_, offset, data):
                # What lies behind the end is not seen until the size says so: it is lost here.
                end = min(offset + len(data), len(self.data))
                if end > offset:
                    self.data[offset:end] = data[: end - offset]
            case Size(_, size):
                del self.data[size:]
                self.data.extend(bytes(size - len(self.data)))
            case Modified(_, time_ns):
                self.modified_ns = time_ns
            case Attribute(_, name, None):
                self.attributes.pop(name, None)
            case Attribute(_, name, bytes() as value):
                self.attributes[name] = value

    def frozen(self) -> tuple[object, ...]:
        return bytes(self.data), self.modified_ns, tuple(sorted(self.attributes.items()))


#: What lies on a disk: path -> node, and what it holds.
Tree = dict[bytes, tuple[Node, tuple[object, ...]]]


class Crashes:
    """The crashes that a log can end in."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._known: dict[int, set[int]] = {}

    def after(self, count: int, seed: int) -> Tree:
        """What is there when the power goes after so many events; the first seeds are extremes."""
        chance = random.Random(f"{count} {seed}")
        of_name, of_file = (
            _EXTREMES[seed] if seed < len(_EXTREMES) else (chance.random(), chance.random())
        )
        durable = self._durable(count)
        files: dict[Node, _File] = {}
        kept: list[Entries] = []
        lost: set[Node] = set()
        for number, event in enumerate(self._log.events[:count]):
            if isinstance(event, Entries):
                if number in durable or (
                    not event.directories & lost and _happens(chance, of_name)
                ):
                    kept.append(event)
                else:
                    lost |= event.directories
            elif not isinstance(event, Synced | SyncFailed):
                file = files.setdefault(event.node, _File())
                if number in durable:
                    file.apply(event)
                else:
                    for piece in _torn(event):
                        if _happens(chance, of_file):
                            file.apply(piece)
        return self._tree(kept, files)

    def _durable(self, count: int) -> set[int]:
        """Numbers of the events that no crash undoes."""
        if count in self._known:
            return self._known[count]
        durable = self._known[count] = set()
        synced: set[Node] = set()
        needed: set[Node] = set()
        too_late: list[Synced] = []  # all events are, for these syncs
        for number in range(count - 1, -1, -1):
            event = self._log.events[number]
            if too_late:
                synced |= {sync.node for sync in too_late if sync.before > number}
                too_late = [sync for sync in too_late if sync.before <= number]
            if isinstance(event, Synced):
                too_late.append(event)
            elif isinstance(event, SyncFailed):
                synced.discard(event.node)
                too_late = [sync for sync in too_late if sync.node != event.node]
            elif isinstance(event, Entries):
                # What comes before something durable is so, too.
                if event.directories & (synced | needed):
                    durable.add(number)
                    needed |= event.directories
            elif event.node in synced:
                durable.add(number)
        return durable

    def _tree(self, kept: list[Entries], files: dict[Node, _File]) -> Tree:
        directories: dict[Node, dict[bytes, Node]] = {}
        for entries in kept:
            for directory, name, node in entries.changes:
                names = directories.setdefault(directory, {})
                if node is None:
                    names.pop(name, None)
                else:
                    names[name] = node
        tree: Tree = {}
        todo = [(b"", ROOT)]
        while todo:
            path, node = todo.pop()
            tree[path] = node, files.get(node, _File()).frozen()
            todo += [
                (path + b"/" + name, below) for name, below in directories.get(node, {}).items()
            ]
        return tree

    def put(self, tree: Tree, root: Path) -> None:
        """Make a directory of it, which is not there yet.

        What stamps say of a file's own inode is made true of its new one, and so are the names of
        sidecars.
        """
        made: dict[Node, bytes] = {}
        sidecars: list[bytes] = []
        for path, (node, held) in sorted(tree.items()):
            at = os.fsencode(root) + path
            if is_sidecar(os.fsdecode(os.path.basename(path))):
                sidecars.append(path)
            data, modified_ns, attributes = held
            if node in made:
                os.link(made[node], at)
                continue
            made[node] = at
            if stat.S_ISDIR(self._log.kinds[node]):
                os.mkdir(at)
                fd = os.open(at, os.O_RDONLY)
            else:
                fd = os.open(at, os.O_RDWR | os.O_CREAT | os.O_EXCL)
                os.write(fd, data)  # type: ignore[arg-type]
            inode = os.fstat(fd).st_ino
            for name, value in attributes:  # type: ignore[attr-defined]
                os.setxattr(fd, name, _restamp(value, self._log.inodes[node], inode))
            if stat.S_ISREG(self._log.kinds[node]):
                os.utime(fd, ns=(modified_ns, modified_ns))  # type: ignore[arg-type]
            os.close(fd)
        owners = {name.encode(): node for node, name in self._log.sidecars.items()}
        for path in sidecars:
            node = owners.get(os.path.basename(path), -1)  # what it was of may be long gone
            if node in made:
                self._rename(os.fsencode(root) + path, os.fsencode(root), node, made[node])

    def _rename(self, sidecar: bytes, root: bytes, node: Node, entry: bytes) -> None:
        """Give a sidecar to the entry that is what its own was."""
        fd = os.open(entry, os.O_RDONLY)
        new, inode = root + b"/" + path_of(name_of(fd)), os.fstat(fd).st_ino
        os.close(fd)
        with open(sidecar, "rb+") as file:
            raw = _restamp(file.read(), self._log.inodes[node], inode)
            file.seek(0)
            file.truncate()
            file.write(raw)
        os.makedirs(os.path.dirname(new), exist_ok=True)
        os.rename(sidecar, new)


def _happens(chance: random.Random, probability: float) -> bool:
    return probability == 1.0 or (probability > 0.0 and chance.random() < probability)


def _torn(effect: Effect) -> Iterator[Effect]:
    """What of it a device does in one step each."""
    if not isinstance(effect, Bytes):
        yield effect
        return
    at, end = effect.offset, effect.offset + len(effect.data)
    while at < end:
        after = min((at // SECTOR + 1) * SECTOR, end)
        yield Bytes(effect.node, at, effect.data[at - effect.offset : after - effect.offset])
        at = after


def _restamp(value: bytes, old: int, new: int) -> bytes:
    def stamp(match: re.Match[bytes]) -> bytes:
        return (
            match[0] if int(match[3]) != old else b'"stamp":[%b,%b,%d]' % (*match.group(1, 2), new)
        )

    return _STAMP.sub(stamp, value)
