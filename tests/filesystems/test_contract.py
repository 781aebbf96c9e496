"""The contract of the store, on each file system that can be mounted here."""

from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.filesystems.mounting import ENGINES, LOCAL, mounted

pytestmark = [pytest.mark.filesystems, pytest.mark.timeout(3600)]

_ROOT = Path(__file__).parent.parent.parent

#: The model needs no disk; ten thousand parts, each on the device before the next, take too long.
_CHOSEN = "not memory and not ten_thousand"

#: What the probe has chosen there, and no other way to keep records; a pass-through in Python takes
#: minutes for keys of a thousand directories.
_BARE = {"ramfs": " and posix", "fuse": " and posix and not test_contract_keys"}


@pytest.mark.parametrize("kind", [*LOCAL, *ENGINES])
def test_the_contract(kind: str, tmp_path: Path) -> None:
    with mounted(kind, tmp_path / kind) as here:
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider"]
        command += [
            "-n",
            "2",
            f"--basetemp={here.path / 'roots'}",
            "-k",
            _CHOSEN + _BARE.get(kind, ""),
        ]
        command += ["--timeout", "600"]
        command += [str(path.relative_to(_ROOT)) for path in _contract()]
        # What the file system can do is tried in a temporary directory.
        done = subprocess.run(
            command,
            cwd=_ROOT,
            env={**os.environ, "TMPDIR": str(here.path)},
            check=False,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-1000:]
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 500
    logging.getLogger(__name__).info("%s: %s", kind, passed[0])


def _contract() -> list[Path]:
    folder = _ROOT / "tests" / "store"
    return [*sorted(folder.glob("test_contract_*.py")), folder / "test_state_machine.py"]
