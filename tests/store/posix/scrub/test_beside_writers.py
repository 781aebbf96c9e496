"""A scrub at any moment of what a gateway does finds nothing, and a repair then changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from s3daemon.store.posix.scrub.findings import Finding
from s3daemon.store.posix.scrub.repairing import Repairer, open_to_repair
from s3daemon.store.posix.store import PosixStore
from tests.store.posix.scrub.tools import scrubbed
from tests.store.posix.test_leftovers import ACTIONS, fresh
from tests.store.tools import put_in_parts


class Watcher:
    """Scrubs before each change, as it is done beside gateways: nothing is old enough to be left.

    :ivar found: what was found, and before which change.
    :ivar times: how often.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.found: list[tuple[str, Finding]] = []
        self.times = 0

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        self.times += 1
        self.found += [(name, finding) for finding in scrubbed(self._root, before_ns=1)[0]]
        return call(*args)


def _complete_over(store: PosixStore) -> None:
    put_in_parts(store, "bucket", "old", b"12345", b"1")


@pytest.mark.parametrize("action", [*ACTIONS, _complete_over])
def test_nothing_is_wrong_at_any_moment(
    tmp_path: Path, action: Callable[[PosixStore], None]
) -> None:
    store = fresh(tmp_path / "root")
    watcher = Watcher(tmp_path / "root")
    store.disk.hooks.append(watcher)
    action(store)
    store.close()
    assert watcher.found == []
    assert watcher.times > 2


class Repairing:
    """Repairs, before each change, what looks as if it were left over, but for its age."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        found = [finding for finding in scrubbed(self._root)[0] if finding.kind.repair]
        volume = open_to_repair(self._root)
        try:
            repairer = Repairer(volume, 1)
            for finding in found:
                if finding.kind.level == "leftover":
                    assert repairer.repair(finding) != "repaired", (name, finding)
        finally:
            volume.close()
        return call(*args)


@pytest.mark.parametrize("action", [*ACTIONS, _complete_over])
def test_what_is_at_work_is_not_removed(
    tmp_path: Path, action: Callable[[PosixStore], None]
) -> None:
    """A scrub with the wrong idea of what is old does no harm by what it finds."""
    root = tmp_path / "root"
    store = fresh(root)
    store.disk.hooks.append(Repairing(root))
    action(store)
    store.close()
    assert scrubbed(root, before_ns=1)[0] == []
