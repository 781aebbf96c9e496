"""``s3gate doctor``: whether a directory can hold a store, and what that store would be like."""

from __future__ import annotations

import argparse
import json
import os
import select
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import s3daemon
from s3daemon import config_kinds as kinds
from s3daemon.store.posix import doctor
from s3daemon.store.posix.doctor.findings import Finding, Verdict, worst

_WITHIN = kinds.duration(1, 3600)

#: Seconds in which an examination that is ended may clear away.
_GRACE = 2.0


def register(commands: argparse._SubParsersAction[Any]) -> None:
    """Add ``doctor`` to a parser."""
    parser = commands.add_parser(
        "doctor",
        help="examine the file system of a directory: what it can do, and what that means",
        description="Examine the file system of a directory that holds buckets, or is to.  Gateways"
        " may serve it meanwhile.  Status 0: it can hold a store; 1: it cannot, or a promise would"
        " be broken.",
    )
    parser.add_argument("root", type=Path, help="the directory whose sub-directories are buckets")
    parser.add_argument(
        "--peer",
        type=Path,
        metavar="DIR",
        help="the same directory by another mount, which stands for another node: what one of them"
        " does, is it there for the other?",
    )
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--within",
        type=_duration,
        default=60.0,
        metavar="TIME",
        help="how long one thing may take before it counts as hanging; default: 60s",
    )
    parser.set_defaults(command=run)


def _duration(text: str) -> float:
    try:
        return _WITHIN.read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"has to be {error}") from None


def run(options: argparse.Namespace) -> int:
    """Examine, print, judge."""
    # -P: what lies in the directory where this is started is no module of ours.
    command = [sys.executable, "-P", "-m", doctor.__name__, str(options.root.absolute())]
    if options.peer is not None:
        command.append(str(options.peer.absolute()))
    examination = Examination(command, options.within)
    findings: list[Finding] = []
    table = Table(shutil.get_terminal_size((120, 24)).columns)
    for finding in examination.findings():
        findings.append(finding)
        if not options.json:
            print(table.line(finding), flush=True)
    failed = worst(findings) is Verdict.FAIL or bool(examination.error)
    verdict = Verdict.FAIL if failed else worst(findings)
    if options.json:
        print(_document(options, findings, verdict, examination.error))
    elif examination.error:
        print(f"s3gate: {examination.error}", file=sys.stderr)
    else:
        print(f"\n{summary(findings)}")
    return int(failed)


def _document(
    options: argparse.Namespace, findings: Sequence[Finding], verdict: Verdict, error: str
) -> str:
    told = {
        "version": s3daemon.__version__,
        "root": str(options.root.absolute()),
        "verdict": verdict.value,
        "error": error or None,
        "findings": [finding.as_dict() for finding in findings],
    }
    return json.dumps(told, indent=1)


def summary(findings: Sequence[Finding]) -> str:
    """One sentence on all of them."""
    count = dict.fromkeys(Verdict, 0)
    for finding in findings:
        count[finding.verdict] += 1
    told = f"{count[Verdict.OK]} ok, {count[Verdict.WARN]} warnings, {count[Verdict.FAIL]} failures"
    if count[Verdict.FAIL]:
        return f"{told}: promises would be broken here"
    return f"{told}: it can hold a store"


class Table:
    """Lines of equal columns: verdict, section, what, found, means.

    :param width: characters of a line.
    """

    def __init__(self, width: int) -> None:
        self._found = 26 if width < 140 else 40
        self._means = max(24, width - 42 - self._found)

    def line(self, finding: Finding) -> str:
        """One finding; one line, or more where it is long."""
        # Options and names of mounts are others' text.
        found, means = (
            textwrap.wrap("".join(c if c.isprintable() else "?" for c in text), width) or [""]
            for text, width in ((finding.found, self._found), (finding.means, self._means))
        )
        lines = []
        head = f"{finding.verdict.value:5}{finding.section:8}{finding.what:27}"
        for number in range(max(len(found), len(means))):
            left = found[number] if number < len(found) else ""
            right = means[number] if number < len(means) else ""
            lines.append(f"{head if not number else '':40}{left:{self._found}}  {right}".rstrip())
        return "\n".join(lines)


class Examination:
    """The doctor in a process of its own.

    :param command: see :mod:`s3daemon.store.posix.doctor.__main__`.
    :param within: seconds without anything new after which it is given up.
    :ivar error: why there can be no store; "" while nothing is known against it.
    """

    def __init__(self, command: Sequence[str], within: float) -> None:
        self._command = command
        self._within = within
        self.error = ""

    def findings(self) -> Iterator[Finding]:
        """What is found, as it is found."""
        trying, late = "start", False
        process = subprocess.Popen(self._command, stdout=subprocess.PIPE)
        try:
            for line in _lines(process, self._within):
                told = json.loads(line)
                if "finding" in told:
                    yield Finding.of(told["finding"])
                trying = told.get("trying", trying)
                self.error = told.get("error", self.error)
        except TimeoutError:
            late = True
            yield _late(trying, self._within)
        finally:
            _end(process, at_once=late)
        if process.returncode and not late and not self.error:
            self.error = f"the examination ended in the middle, trying {trying}"


def _lines(process: subprocess.Popen[bytes], within: float) -> Iterator[bytes]:
    """What a process prints, by lines, until it closes its output.

    :raises TimeoutError: for so many seconds nothing came.
    """
    assert process.stdout is not None
    rest = b""
    ready = select.poll()
    ready.register(process.stdout, select.POLLIN)
    while True:
        if not ready.poll(within * 1000):
            raise TimeoutError
        more = os.read(process.stdout.fileno(), 65536)
        if not more:
            return
        *lines, rest = (rest + more).split(b"\n")
        yield from lines


def _end(process: subprocess.Popen[bytes], at_once: bool) -> None:
    """Wait for its end, and bring that about if need be.

    What hangs in the file system cannot be ended by anybody, and is left behind.
    """
    if at_once:
        process.terminate()
    for _ in range(2):
        try:
            process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            process.kill()
        else:
            break
    assert process.stdout is not None
    process.stdout.close()


def _late(section: str, within: float) -> Finding:
    said = kinds.show_duration(within)
    return Finding(
        section,
        "not finished",
        None,
        f"no answer within {said}",
        "the file system hangs, or is very slow (--within)",
        Verdict.FAIL,
    )
