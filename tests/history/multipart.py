"""One key, its uploads, and all that can be done to them: on the model and on the store on disk.

A *way* is a sequence of steps.  It is gone on both; each step gives the same result, and what can
be seen afterwards is the same.  What is on disk then, but for what is chance or time in it, is the
*state* that the way leads to: ways to the same state go on alike, so one of them is gone on with.

A step may be cut short at its n-th change of the disk, as by a crash; then it has happened or not.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import attrs

from s3daemon.store.interfaces import IPartWriter, IStore, NoSuchKey, StorageError, UploadInfo
from s3daemon.store.memory import MemoryStore
from s3daemon.store.posix import packing
from s3daemon.store.posix.probed import Probe
from s3daemon.store.posix.records import ATTRIBUTE
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.disks import CutAt, PowerCut
from tests.store.tools import begin, complete, get, md5, put, put_part, uploads_page

BUCKET, KEY = "bucket", "key"
#: After everything that has happened.
_LATER_NS = 1 << 62


class Side:
    """A store, and what its client knows.

    :ivar upload: the one that was begun last.
    :ivar under_way: a part that was begun.
    :ivar before_ns: what nobody has touched since then is old.
    """

    def __init__(self, store: IStore, before_ns: int = _LATER_NS) -> None:
        self.store = store
        self.before_ns = before_ns
        self.upload: UploadInfo | None = None
        self.under_way: IPartWriter | None = None

    def do(self, move: str) -> tuple[str, object]:
        """The result of a move, or the name of its error."""
        try:
            return "done", MOVES[move](self)
        except StorageError as exc:
            return "error", type(exc).__name__

    def seen(self) -> object:
        """All that can be seen of the key and its uploads."""
        shown = sorted(map(self._parts, uploads_page(self.store, BUCKET).uploads))
        ours = () if self.upload is None else self._parts(self.upload)
        try:
            info, data = get(self.store, BUCKET, KEY)
        except NoSuchKey:
            return shown, ours, None
        return shown, ours, (info.etag, info.part_sizes, data)

    def _parts(self, upload: UploadInfo) -> tuple[object, ...]:
        try:
            self.store.uploads.get(BUCKET, KEY, upload.upload_id)
            page = self.store.uploads.list_parts(BUCKET, KEY, upload.upload_id, 0, 100)
        except StorageError as exc:
            return (type(exc).__name__,)
        return tuple((part.number, part.size, part.etag) for part in page.parts)


def moment(root: Path) -> int:
    """One that is after all that was ever changed beneath a root, and before all that will be.

    The clock of a file system stands still for some milliseconds.
    """
    made = [Path(above) / name for above, _, names in os.walk(root) for name in names]
    newest = max(os.lstat(path).st_ctime_ns for path in made)
    clock = root / ".s3gate" / "clock"
    while newest >= (now := _touched(clock)):
        pass
    clock.unlink()
    return now


def _touched(path: Path) -> int:
    path.touch()
    return path.stat().st_mtime_ns


# ---------------------------------------------------------------- moves


def _begin(side: Side) -> None:
    side.upload = begin(side.store, BUCKET, KEY)


def _part(number: int, data: bytes) -> Callable[[Side], str]:
    def move(side: Side) -> str:
        assert side.upload is not None
        return put_part(side.store, BUCKET, side.upload, number, data).etag

    return move


def _start(number: int, data: bytes) -> Callable[[Side], None]:
    def move(side: Side) -> None:
        assert side.upload is not None
        where = (BUCKET, KEY, side.upload.upload_id)
        writer = side.store.uploads.write_part(*where, number, len(data))
        try:
            writer.write([data])
        except StorageError:
            writer.abort()
            raise
        side.under_way = writer

    return move


def _finish(data: bytes) -> Callable[[Side], str | None]:
    def move(side: Side) -> str | None:
        writer, side.under_way = side.under_way, None
        if writer is None:
            return None  # it was not begun, as there was no upload
        try:
            return writer.commit(md5(data)).etag
        finally:
            writer.abort()

    return move


def _complete(*parts: tuple[int, bytes]) -> Callable[[Side], str]:
    def move(side: Side) -> str:
        assert side.upload is not None
        listed = [(number, md5(data)) for number, data in parts]
        return complete(side.store, BUCKET, side.upload, listed).etag

    return move


def _abort(side: Side) -> None:
    assert side.upload is not None
    side.store.uploads.abort(BUCKET, KEY, side.upload.upload_id)


def _expire(side: Side) -> None:
    side.store.uploads.expire(side.before_ns)


def _put(side: Side) -> str:
    return put(side.store, BUCKET, KEY, b"put").etag


def _delete(side: Side) -> bool:
    return side.store.objects.delete(BUCKET, KEY)


#: Parts of one size and of others, the last one short, and one that is begun and ended apart.
MOVES: dict[str, Callable[[Side], object]] = {
    "begin": _begin,
    "part 1a": _part(1, b"aaaa"),
    "part 1b": _part(1, b"bbbb"),
    "part 1c": _part(1, b"cccccc"),
    "part 2": _part(2, b"dd"),
    "start": _start(2, b"eeee"),
    "finish": _finish(b"eeee"),
    "complete 1a": _complete((1, b"aaaa")),
    "complete 1a 2": _complete((1, b"aaaa"), (2, b"dd")),
    "complete 1b 2": _complete((1, b"bbbb"), (2, b"dd")),
    "complete 1c 2e": _complete((1, b"cccccc"), (2, b"eeee")),
    "complete 2": _complete((2, b"dd")),
    "abort": _abort,
    "expire": _expire,
    "put": _put,
    "delete": _delete,
    "restart": lambda _: None,
}
#: Moves that a crash may cut short.  Of ``begin`` the client would not learn the upload's id.
CUT = ("part 1a", "part 1b", "finish", "complete 1a 2", "complete 1b 2", "abort", "expire")


@attrs.frozen
class Step:
    """A move, perhaps cut short.

    :ivar cut: the number of changes that were made; None: all of them.
    :ivar happened: whether it has happened all the same.
    """

    move: str
    cut: int | None = None
    happened: bool = True


Way = tuple[Step, ...]


def may_follow(way: Way, move: str) -> bool:
    """Whether there is any sense in a move after these."""
    under_way = False
    for step in way:
        if step.move == "start":
            under_way = True
        elif step.move in ("finish", "restart") or step.cut is not None:
            under_way = False
    if move in ("start", "finish"):
        return under_way == (move == "finish")
    return not (move == "restart" and way[-1].move == "restart")


def may_be_cut(way: Way, move: str) -> bool:
    """Whether a crash in a move leaves it done or not done: several uploads expire one by one."""
    uploads = sum(step.move == "begin" for step in way)
    return move in CUT and (uploads == 1 or move != "expire")


# ---------------------------------------------------------------- the two sides


def model(way: Sequence[Step]) -> Side:
    """The model after a way."""
    store = MemoryStore()
    store.buckets.create(BUCKET, "alice")
    side = Side(store)
    for step in way:
        if step.happened:
            side.do(step.move)
        if step.cut is not None or step.move == "restart":
            side.under_way = None
    return side


class OnDisk:
    """The store on disk, which can be cut off from its disk and opened again."""

    def __init__(self, root: Path, known: Probe) -> None:
        self._root = root
        self._known = known
        self._store = PosixStore(root, "relaxed", known)
        self._store.buckets.create(BUCKET, "alice")
        self.side = Side(self._store)

    def close(self) -> None:
        """As when the process ends: nothing is changed any more, and no lock is held."""
        self.side.under_way = None
        self._store.close()
        for number in os.listdir("/proc/self/fd"):
            with suppress(OSError):
                if os.readlink(f"/proc/self/fd/{number}").startswith(f"{self._root}/"):
                    os.close(int(number))

    def reopen(self) -> None:
        """As after a crash."""
        self.close()
        self._store = PosixStore(self._root, "relaxed", self._known)
        self.side.store = self._store

    def do(self, step: Step) -> tuple[str, object] | None:
        """The result of a step; None where it was cut short."""
        if step.cut is None:
            result = self.side.do(step.move)
            if step.move == "restart":
                self.reopen()
            return result
        hook = CutAt(step.cut)
        self._store.disk.hooks.append(hook)
        try:
            result = self.side.do(step.move)
        except PowerCut:
            self.reopen()
            return None
        if hook.fired:
            self.reopen()
            return None  # what was cut off was cleaning up
        self._store.disk.hooks.remove(hook)
        return result

    def state(self) -> tuple[object, ...]:
        """What is on disk but for chance and time; and whether a part is under way."""
        mine = self.side.upload.upload_id if self.side.upload is not None else ""
        writer = self.side.under_way
        part = "" if writer is None else "ours" if writer.upload.upload_id == mine else "old"
        return (part, *sorted(_entries(self._root, mine)))

    def leftovers(self) -> list[str]:
        """What is left of uploads, and in staging, after a restart when all have expired."""
        self.reopen()
        _expire(self.side)
        bucket = self._root / BUCKET
        places = [bucket / "_s3_multipart_tmp", bucket / ".s3gate/staging"]
        return [entry.name for place in places if place.is_dir() for entry in place.iterdir()]


_HEX = re.compile(r"[0-9a-f]{32}")
_RECORD = re.compile(r"(part\.\d{5}\.)(\d+)(\..*)")


def _entries(root: Path, mine: str) -> Iterator[tuple[str, ...]]:
    for above, _, names in os.walk(root / BUCKET):
        where = os.path.relpath(above, root).replace(mine or "?", "mine")
        times = sorted(int(found[2]) for name in names if (found := _RECORD.fullmatch(name)))
        for name in names:
            found = _RECORD.fullmatch(name)
            if found:
                name = f"{found[1]}{times.index(int(found[2]))}{found[3]}"
                # That the content has a name of its own is told by the ``o``; whose it is, by MD5.
                yield where, re.sub(r"\.o[0-9a-f]{32}", ".o", name)
                continue
            path = os.path.join(above, name)
            content = "" if name == "upload.json" else Path(path).read_bytes().hex()
            yield _HEX.sub("*", where), _HEX.sub("*", name), content, _record(path, mine)
        yield _HEX.sub("*", where), "/"


def _record(path: str, mine: str) -> str:
    try:
        raw = os.getxattr(path, ATTRIBUTE)
    except OSError:
        return ""
    record = packing.parse(raw)
    status = os.stat(path)
    is_true = record.stamp == (status.st_size, status.st_mtime_ns, status.st_ino)
    return f"{record.etag} {record.parts} {is_true} {record.upload_id == mine}"


# ---------------------------------------------------------------- exploring


@attrs.define
class Tally:
    """What has been gone through.

    :ivar steps: that were taken last on some way; :ivar cuts: those of them that were cut short.
    :ivar states: different ones that were met.
    """

    steps: int = 0
    cuts: int = 0
    states: int = 0


class Explorer:
    """Goes the ways of a length, of which at most ``crashes`` steps are cut short.

    :param width: at most so many ways of each length are gone on with, chosen by chance; None: all.
    """

    def __init__(
        self,
        scratch: Path,
        known: Probe,
        crashes: int = 0,
        width: int | None = None,
        chance: random.Random | None = None,
    ) -> None:
        self._scratch = scratch
        self._known = known
        self._crashes = crashes
        self._width = width
        self._chance = chance or random.Random(0)
        self._met: set[tuple[object, ...]] = set()
        self._count = 0
        self._fired = False
        self.tally = Tally()

    def explore(self, length: int) -> Tally:
        """Take every step on every way; the first contradiction is an AssertionError."""
        ways: list[Way] = [(Step("begin"),)]
        for _ in range(length - 1):
            if self._width is not None and len(ways) > self._width:
                ways = self._chance.sample(ways, self._width)
            ways = [longer for way in ways for longer in self._longer(way)]
        return self.tally

    def _longer(self, way: Way) -> Iterator[Way]:
        for move in MOVES:
            if not may_follow(way, move):
                continue
            if (taken := self._take(way, Step(move))) is not None:
                yield (*way, taken)
            if sum(step.cut is not None for step in way) >= self._crashes:
                continue
            if not may_be_cut(way, move):
                continue
            for cut in range(1000):
                self._fired = False
                if (taken := self._take(way, Step(move, cut))) is not None:
                    yield (*way, taken)
                if not self._fired:
                    break

    def _take(self, way: Way, step: Step) -> Step | None:
        """Take a step at the end of a way; None where that leads nowhere new."""
        self._count += 1
        root = self._scratch / str(self._count)
        root.mkdir()
        disk = OnDisk(root, self._known)
        try:
            for one in way:
                disk.do(one)
            said = f"{way}, {step}"
            result = disk.do(step)
            if result is None:
                self._fired = True
                self.tally.cuts += 1
                seen = disk.side.seen()
                step = attrs.evolve(step, happened=False)
                if seen != model((*way, step)).seen():
                    step = attrs.evolve(step, happened=True)
                    assert seen == model((*way, step)).seen(), said
            elif step.cut is not None:
                return None  # it was over before
            else:
                expected = model(way)
                assert result == expected.do(step.move), said
                assert disk.side.seen() == model((*way, step)).seen(), said
            self.tally.steps += 1
            state = (sum(one.cut is not None for one in (*way, step)), disk.state())
            if state in self._met:
                return None
            self._met.add(state)
            self.tally.states += 1
            assert disk.leftovers() == [], said
            return step
        finally:
            disk.close()
            shutil.rmtree(root)
