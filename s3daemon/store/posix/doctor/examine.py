"""The whole examination of a root."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from s3daemon.store.posix import mounts
from s3daemon.store.posix.doctor import calls, data, mounting, naming, peer, room, stamps
from s3daemon.store.posix.doctor.findings import Finding, Verdict
from s3daemon.store.posix.doctor.patience import Patience
from s3daemon.store.posix.durable import Disk
from s3daemon.store.posix.probe import ProbeError, probe
from s3daemon.store.posix.probed import Probe
from s3daemon.store.posix.strategies import strategies
from s3daemon.store.posix.trial import Trial, trial
from s3daemon.store.posix.watches import is_local

_NO_ROOM = frozenset((errno.ENOSPC, errno.EDQUOT))
_IN_MEMORY = frozenset(("tmpfs", "ramfs"))

Examination = Callable[[], Iterator[Finding]]


def examine(
    root: Path, trying: Callable[[str], None] = lambda _: None, other: Path | None = None
) -> Iterator[Finding]:
    """Try everything, and say it as it is found.

    Takes some seconds; may be done while gateways serve the root.  Whatever is made is in a
    directory of its own, and removed.  The probe's record of the root is written anew.

    :param trying: is told what is tried next.
    :param other: the same root by another mount, to be compared.
    :raises ProbeError: no gateway could serve this root.
    """
    trying("the root")
    known = probe(root)
    root_fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        mount = mounts.mount_of(root_fd)
        yield from mounting.describe(mount)
        try:
            with trial(Disk("strict"), root, root_fd) as tried:
                in_memory = mount is not None and mount.kind in _IN_MEMORY
                examinations = _all(tried, known, in_memory)
                if other is not None:
                    examinations.append((peer.SECTION, partial(_peer, tried, other, known)))
                for section, examination in examinations:
                    trying(section)
                    yield from _guarded(section, examination)
        except OSError as exc:
            raise ProbeError(f"nothing can be tried beneath {root}: {exc.strerror}") from exc
        for choice in strategies(known, is_local(root_fd)):
            means = "the best way" if choice.best else "the best way there is here"
            yield Finding("chosen", choice.purpose, choice.chosen, choice.chosen, means)
    finally:
        os.close(root_fd)


def _peer(tried: Trial, other: Path, known: Probe) -> Iterator[Finding]:
    return peer.peer(tried, other, known, Patience())


def _all(tried: Trial, known: Probe, in_memory: bool) -> list[tuple[str, Examination]]:
    return [
        ("owner", lambda: room.ownership(tried)),
        ("room", lambda: room.space(tried)),
        ("calls", lambda: calls.calls(tried, known)),
        ("locks", lambda: calls.locking(tried)),
        (naming.SECTION, lambda: naming.names(tried, known)),
        (stamps.SECTION, lambda: stamps.stamps(tried)),
        (data.SECTION, lambda: data.data(tried, in_memory)),
    ]


def _guarded(section: str, examination: Examination) -> Iterator[Finding]:
    """What fails is a finding too, and does not keep the rest from being tried."""
    try:
        yield from examination()
    except OSError as exc:
        code = errno.errorcode.get(exc.errno or 0, "no errno")
        full = exc.errno in _NO_ROOM
        yield Finding(
            section,
            "not tried",
            code,
            f"{exc.strerror} ({code})",
            "there is no room to try it: free some space"
            if full
            else "a gateway may meet the same error",
            Verdict.WARN if full else Verdict.FAIL,
        )
