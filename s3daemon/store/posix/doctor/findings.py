"""What the doctor says: findings, each with a verdict."""

from __future__ import annotations

import enum
from typing import Any

import attrs

#: What a program reads of a finding.
Value = bool | int | float | str | None


class Verdict(enum.StrEnum):
    """How good a finding is.

    ``OK``: as it should be, or does not matter.  ``WARN``: the gateway works; something is slower,
    refused, or weaker than people expect.  ``FAIL``: a promise would be broken.
    """

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@attrs.frozen
class Finding:
    """One thing that was tried.

    :ivar section: what it belongs to.
    :ivar what: its name; within a section there is one of it.
    :ivar value: what was found, for programs; times are in milliseconds, sizes in bytes.
    :ivar found: the same in words.
    :ivar means: what follows from it for whoever runs a gateway there.
    """

    section: str
    what: str
    value: Value
    found: str
    means: str
    verdict: Verdict = Verdict.OK

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {**attrs.asdict(self), "verdict": self.verdict.value}

    @classmethod
    def of(cls, found: dict[str, Any]) -> Finding:
        """The same, read again.

        :raises KeyError, TypeError, ValueError: it is something else.
        """
        return cls(**{**found, "verdict": Verdict(found["verdict"])})


def worst(findings: list[Finding]) -> Verdict:
    """The verdict on all of them."""
    verdicts = {finding.verdict for finding in findings}
    for verdict in (Verdict.FAIL, Verdict.WARN):
        if verdict in verdicts:
            return verdict
    return Verdict.OK


def yes(can: bool) -> str:
    """A yes or no, in words."""
    return "yes" if can else "no"
