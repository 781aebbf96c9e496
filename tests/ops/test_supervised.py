"""A daemon of several processes, put together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs

from s3daemon import config
from s3daemon.ops import crew, orders, supervised
from s3daemon.ops.crew import Worker
from s3daemon.ops.root import Root
from s3daemon.ops.slots import CannotChange
from s3daemon.ops.supervisor import Supervisor
from s3daemon.store.posix.probe import ProbeError
from s3daemon.toml_file import SettingError, decode


def settings(root: Path, **sections: dict[str, Any]) -> config.Config:
    sections["auth"] = {"mode": "simple", **sections.get("auth", {})}
    sections["server"] = {"workers": 3, **sections.get("server", {})}
    given = {
        (section, key): (value, "test")
        for section, values in sections.items()
        for key, value in values.items()
    }
    return config.freeze({("store", "root"): (str(root), "test"), **given})


def built(now: config.Config, then: config.Config | SettingError | None = None) -> Supervisor:
    def reload() -> config.Config:
        if isinstance(then, SettingError):
            raise then
        return then or now

    root = supervised.build(now, MemoryReactorClock(), Root, reload, True, lambda: None, {})
    found = root.getServiceNamed("supervisor")
    assert isinstance(found, Supervisor)
    return found


class Hearing:
    """A supervisor of no workers."""

    def ready(self, worker: Worker) -> None: ...
    def reloaded(self, worker: Worker) -> None: ...
    def ended(self, worker: Worker, how: str) -> None: ...


def test_what_workers_are_started_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[tuple[orders.Start, list[int], bool]] = []
    monkeypatch.setattr(
        crew, "spawn", lambda worker, start, sockets, own, _: started.append((start, sockets, own))
    )
    now = settings(
        tmp_path, limits={"read_rate": 3000, "connections": 3000}, server={"drain": "9s"}
    )
    with capturedLogs() as events:
        found = built(now)
    assert any(event.get("workers") == 3 for event in events)
    assert (found.plan.workers, found.plan.drain) == (3, 9.0)
    found.plan.spawn(Worker(Hearing(), 2), [7, 8])
    ((start, sockets, own),) = started
    assert (start.number, start.sockets, sockets, own) == (2, 2, [7, 8], True)
    assert start.root == (tmp_path.stat().st_dev, tmp_path.stat().st_ino)
    given = config.from_document(decode(start.settings.encode(), "x"), Path("/"))
    limits = config.freeze(given).limits
    assert (limits.read_rate, limits.connections) == (1000, 1095)


def test_what_is_wrong_is_found_before_there_are_workers(tmp_path: Path) -> None:
    with pytest.raises(ProbeError):
        built(settings(tmp_path / "none"))
    with pytest.raises(SettingError, match="cannot be read"):
        built(settings(tmp_path, server={"listen": ["ssl:1:privateKey=/none:interface=127.0.0.1"]}))
    users = tmp_path / "users.toml"
    users.touch(mode=0o644)
    with pytest.raises(SettingError, match="chmod 600"):
        built(settings(tmp_path, auth={"credentials": str(users)}))


def test_settings_that_have_changed(tmp_path: Path) -> None:
    now = settings(tmp_path)
    then = settings(tmp_path, server={"workers": 5, "drain": "2s"})
    plan = built(now, then).renew()
    assert (plan.workers, plan.drain) == (5, 2.0)


def test_settings_that_cannot_be_changed_under_way(tmp_path: Path) -> None:
    now = settings(tmp_path)
    (tmp_path / "other").mkdir()
    cases: list[tuple[config.Config | SettingError, str]] = [
        (settings(tmp_path, server={"listen": ["unix:/x"]}), "server.listen has changed"),
        (settings(tmp_path / "other"), "store.root has changed"),
        (SettingError("f", "k", "is wrong"), "k: is wrong"),
    ]
    for then, says in cases:
        with pytest.raises(CannotChange, match=says):
            built(now, then).renew()


def test_a_root_that_is_gone(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    found = built(settings(root))
    root.rename(tmp_path / "elsewhere")
    with pytest.raises(CannotChange, match="No such file"):
        found.renew()
