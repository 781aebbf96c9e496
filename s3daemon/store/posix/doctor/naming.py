"""Names: which of them a file system holds, keeps apart, and gives back as they were given."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator

from s3daemon.store.posix.doctor.findings import Finding, Verdict, yes
from s3daemon.store.posix.entries import names_in
from s3daemon.store.posix.names import MAX_NAME_BYTES
from s3daemon.store.posix.probed import Probe
from s3daemon.store.posix.trial import Trial

SECTION = "names"

#: Names that are refused or changed somewhere: FAT, NTFS, SMB, HFS+, and servers behind FUSE.
_AWKWARD = (
    "a\x01b", "a\x7fb", "a\\b", "a:b", 'a"b', "a*b", "a?b", "a<b", "a>b", "a|b", "ends.", "ends ",
    " begins", "con", "~a", "a%2Fb", "\u00e9", "e\u0301", "\u212b", "\u4e2d", "\U0001f600",
    "\ufeffa",
)  # fmt: skip

#: The longest key there is, in segments of nine bytes.
_DEEP = (b"segment-",) * 113


def names(trial: Trial, probe: Probe) -> Iterator[Finding]:
    """Length, depth, folding, and awkward characters."""
    short = probe.name_bytes < MAX_NAME_BYTES
    yield Finding(
        SECTION,
        "longest name",
        probe.name_bytes,
        f"{probe.name_bytes} bytes",
        "segments of keys that are longer are kept under a digest"
        if not short
        else "segments of keys between this and 255 bytes are refused",
        Verdict.WARN if short else Verdict.OK,
    )
    yield _deep(trial)
    yield Finding(
        SECTION,
        "case",
        probe.case_folding,
        "folded" if probe.case_folding else "kept apart",
        "keys that differ only in case are one object: the later one replaces the other"
        if probe.case_folding
        else "A and a are two keys",
        Verdict.FAIL if probe.case_folding else Verdict.OK,
    )
    yield Finding(
        SECTION,
        "Unicode",
        probe.unicode_folding,
        "folded" if probe.unicode_folding else "kept apart",
        "keys that differ only in how accents are composed are one object"
        if probe.unicode_folding
        else "names are bytes",
        Verdict.FAIL if probe.unicode_folding else Verdict.OK,
    )
    yield _awkward(trial)
    yield _no_utf8(trial)


def _deep(trial: Trial) -> Finding:
    deepest = 0
    for depth in range(1, len(_DEEP) + 1):
        try:
            trial.disk.mkdir(b"/".join(_DEEP[:depth]), trial.fd)
        except OSError:
            break
        deepest = depth
    # From below: not to need a descriptor for each.
    for depth in range(deepest, 0, -1):
        trial.disk.rmdir(b"/".join(_DEEP[:depth]), trial.fd)
    whole = deepest == len(_DEEP)
    return Finding(
        SECTION,
        "depth",
        deepest,
        f"{deepest} directories in one another" + ("" if whole else ", and no more"),
        "the longest key can be this deep" if whole else "deeper keys are refused",
        Verdict.OK if whole else Verdict.WARN,
    )


def _awkward(trial: Trial) -> Finding:
    refused, altered = [], []
    trial.disk.mkdir(b"awkward", trial.fd)
    there = os.open(b"awkward", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=trial.fd)
    try:
        for name in _AWKWARD:
            raw = name.encode()
            try:
                os.close(trial.disk.create(raw, there))
            except OSError:
                refused.append(name)
                continue
            if (found := names_in(there)) != [raw]:
                altered.append(name)
            for entry in found:
                trial.disk.unlink(entry, there)
    finally:
        os.close(there)
    wrong = " ".join(map(_shown, refused + altered))
    means = "every key has a file of its name"
    verdict = Verdict.OK
    if refused:
        means, verdict = "keys with these are refused", Verdict.WARN
    if altered:
        means, verdict = "keys with these are listed as others than they were put", Verdict.FAIL
    return Finding(
        SECTION,
        "awkward names",
        wrong,
        f"{len(_AWKWARD) - len(refused) - len(altered)} of {len(_AWKWARD)} kept as given"
        + (f"; not {wrong}" if wrong else ""),
        means,
        verdict,
    )


def _shown(name: str) -> str:
    return "'" + "".join(_name_of(char) for char in name) + "'"


def _name_of(char: str) -> str:
    if char.isascii() and char.isprintable():
        return char
    return f"<{unicodedata.name(char, f'U+{ord(char):04X}').lower()}>"


def _no_utf8(trial: Trial) -> Finding:
    try:
        os.close(trial.disk.create(b"\xff\xfe", trial.fd))
        can = True
    except OSError:
        can = False
    return Finding(
        SECTION,
        "names that are not UTF-8",
        can,
        yes(can),
        "other programs may make them; they are no keys of S3, and are not listed"
        if can
        else "nobody can make any; S3 does not need them",
    )
