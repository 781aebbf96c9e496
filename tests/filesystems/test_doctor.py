"""What the doctor says of real file systems, and of shared ones by two mounts of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from s3daemon.store.posix.doctor.examine import examine
from s3daemon.store.posix.doctor.findings import Finding, Verdict
from s3daemon.store.posix.probe import ProbeError
from tests.filesystems.mounting import LOCAL, mounted
from tests.store.posix.disks import tree

pytestmark = pytest.mark.filesystems


def examined(root: Path, other: Path | None = None) -> dict[tuple[str, str], Finding]:
    root.mkdir()
    findings = list(examine(root, other=other))
    assert [one for one in findings if one.verdict is Verdict.FAIL] == []
    assert tree(root) == set()
    return {(one.section, one.what): one for one in findings}


@pytest.mark.parametrize("kind", [kind for kind in LOCAL if kind != "ramfs"])
def test_of_this_machine(kind: str, tmp_path: Path) -> None:
    with mounted(kind, tmp_path / kind) as here:
        found = examined(here.path / "examined")
    assert found["mount", "type"].value == kind
    assert found["data", "shared blocks"].value is (kind in ("xfs", "btrfs"))
    assert str(found["chosen", "records"].value).startswith("extended attributes")
    assert found["locks", "ofd"].value is True


def test_one_without_attributes_and_handles(tmp_path: Path) -> None:
    with mounted("ramfs", tmp_path / "ramfs") as here:
        with pytest.raises(ProbeError, match="does not keep extended attributes"):
            list(examine(here.path))


def test_of_several_nodes(mounts: tuple[Path, Path]) -> None:
    a, b = (mount / "examined" for mount in mounts)
    found = examined(a, b)
    assert found["peer", "mounts"].found == "two clients"
    # As the scripts mount them: nothing is seen late.
    late = {one.what for one in found.values() if one.section == "peer"} & {
        one.what for one in found.values() if one.verdict is Verdict.WARN
    }
    assert late <= {"open version"}
    assert found["peer", "one creator"].value is True
