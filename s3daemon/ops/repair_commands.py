"""``s3gate repair``: say what would be repaired, and with ``--apply`` repair it.

Status 0: nothing is left to do; 3: something would be done, or cannot be, or somebody was at work
there; 1: it failed, or was stopped before the end.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from s3daemon.ops.as_owner import as_owner
from s3daemon.ops.scrub_commands import FOUND, facts, line, stoppable
from s3daemon.store.interfaces import NoSuchBucket
from s3daemon.store.posix.scrub.findings import Finding, Totals
from s3daemon.store.posix.scrub.pacing import Pacer, Stopped
from s3daemon.store.posix.scrub.repairing import Repairer, open_to_repair
from s3daemon.store.posix.scrub.round import Round, Scope
from s3daemon.store.posix.scrub.scrubbing import open_to_read, scrub
from s3daemon.store.posix.volume import Volume
from s3daemon.toml_file import SettingError

#: What became of a finding, beside :data:`repairing.Outcome`.
_WOULD, _FAILED, _NOTHING, _LEFT = "would", "failed", "not possible", "left alone"


def run_repair(options: argparse.Namespace) -> int:
    """Repair; see :mod:`s3daemon.ops.scrub_arguments`."""
    bucket, _, prefix = options.target.partition("/")
    scope = Scope(
        before_ns=time.time_ns() - int(options.older * 1e9),
        prefix=prefix.encode("utf-8", "surrogateescape"),
        contents=False,
    )
    with _opened(options) as volume:
        work = _Work(options, Repairer(volume, scope.before_ns))
        try:
            with stoppable() as should_stop:
                pacer = Pacer(options.rate, should_stop)
                scrub(Round(volume, scope, pacer, Totals(), work.take), bucket or None)
        except Stopped:
            print("s3gate: stopped before the end; start it again", file=sys.stderr)
            return 1
        except NoSuchBucket:
            raise SettingError("", "", f"there is no bucket {bucket!r} in {options.root}") from None
    return work.end()


@contextmanager
def _opened(options: argparse.Namespace) -> Iterator[Volume]:
    """The root: one that cannot be changed where nothing is to be."""
    if not options.apply:
        volume = open_to_read(options.root)
        try:
            yield volume
        finally:
            volume.close()
        return
    with as_owner(options.root):
        volume = open_to_repair(options.root)
        try:
            yield volume
        finally:
            volume.close()


class _Work:
    """Repairs one finding after the other, and says so."""

    def __init__(self, options: argparse.Namespace, repairer: Repairer) -> None:
        self._options = options
        self._repairer = repairer
        self._outcomes: Counter[str] = Counter()

    def take(self, finding: Finding) -> None:
        """Do what is to be done about a finding."""
        outcome, why = self._do(finding)
        if finding.kind.level == "note":
            return
        self._outcomes[outcome] += 1
        if self._options.json:
            print(json.dumps({**facts(finding), "outcome": outcome, "error": why}), flush=True)
            return
        step = finding.kind.repair or "nothing can be done"
        said = f"{outcome} ({why})" if why else outcome
        print(f"{said}: {step}: {line(finding)}", flush=True)

    def _do(self, finding: Finding) -> tuple[str, str | None]:
        kind, options = finding.kind, self._options
        if not kind.repair:
            return _NOTHING, None
        if options.only and kind.name not in options.only:
            return _LEFT, None
        if not options.apply:
            return _WOULD, None
        try:
            return self._repairer.repair(finding), None
        except OSError as exc:
            return _FAILED, exc.strerror or str(exc)

    def end(self) -> int:
        """Say how much it was; the exit status."""
        counts = self._outcomes
        if self._options.json:
            print(json.dumps({"summary": dict(counts)}), flush=True)
        else:
            parts = [f"{outcome} {count}" for outcome, count in sorted(counts.items())]
            print(", ".join(parts) or "there is nothing to repair")
            if counts[_WOULD]:
                print("nothing has been changed: --apply does it")
        if counts[_FAILED]:
            return 1
        return FOUND if set(+counts) - {"repaired", "gone"} else 0
