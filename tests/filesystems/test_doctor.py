"""What the doctor says of shared file systems, by two mounts of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from s3daemon.store.posix.doctor.examine import examine
from s3daemon.store.posix.doctor.findings import Verdict
from tests.store.posix.disks import tree

pytestmark = pytest.mark.filesystems


def test_no_promise_would_be_broken(mounts: tuple[Path, Path]) -> None:
    a, b = (mount / "examined" for mount in mounts)
    a.mkdir()
    findings = list(examine(a, other=b))
    assert [one for one in findings if one.verdict is Verdict.FAIL] == []
    found = {one.what: one for one in findings if one.section == "peer"}
    assert found["mounts"].found == "two clients"
    # As the scripts mount them: nothing is seen late.
    late = [one for one in found.values() if one.verdict is Verdict.WARN]
    assert {one.what for one in late} <= {"open version"}, late
    assert found["one creator"].value is True
    assert tree(a) == set()
