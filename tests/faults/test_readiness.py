"""What /readyz says while storage fails, and afterwards."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.web.client import ResponseFailed

from s3daemon.store.posix import reader
from tests.faults import kernel
from tests.faults.kernel import CHANGES, ERRORS, GROWS, Fault, Kernel
from tests.faults.scenarios import LARGE, SMALL, Found, Request, Scenario, objects
from tests.faults.stage import Stage, wire_to

SCENARIO = Scenario("", "", objects(k=(b"old", SMALL), big=(LARGE, SMALL)), Request("GET", "/"))
PUT = Request("PUT", "/b/new", body=b"new")
GET = Request("GET", "/b/k")


@pytest.fixture(scope="module")
def machine() -> Iterator[Kernel]:
    """The kernel that fails."""
    with kernel.installed() as one:
        yield one


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A store with two objects."""
    one = Stage(tmp_path / "stage", "best")
    one.set(SCENARIO)
    return one


@pytest.mark.parametrize(
    ("kinds", "code", "asked", "status", "why"),
    [
        (GROWS, errno.ENOSPC, PUT, 507, b"No space left on device"),
        (GROWS, errno.EDQUOT, PUT, 507, b"Disk quota exceeded"),
        (CHANGES, errno.EROFS, PUT, 503, b"Read-only file system"),
        (frozenset({"fsync"}), errno.EIO, PUT, 503, b"Input/output error"),
        (frozenset(ERRORS) - {"close"}, errno.EIO, GET, 503, b"Input/output error"),
        (frozenset({"getxattr", "read"}), errno.EIO, GET, 503, b"Input/output error"),
    ],
    ids=["full", "quota", "read-only", "no syncs", "broken", "no reads"],
)
def test_the_truth(
    machine: Kernel,
    stage: Stage,
    kinds: frozenset[str],
    code: int,
    asked: Request,
    status: int,
    why: bytes,
) -> None:
    store = stage.open()
    wire = wire_to(store, stage.root)

    def ready() -> tuple[int, bytes]:
        response = wire.request("GET", "/readyz")
        return response.status, response.body

    assert ready() == (200, b"ready\n")
    with machine.armed():
        assert asked.send(wire, Found()).status == 200
        number = next(n for n, name in enumerate(machine.calls) if name in kinds)
    with machine.armed(Fault(number, code, kinds)):
        assert asked.send(wire, Found()).status == status
        for _ in range(2):
            answered, reason = ready()
            assert answered == 503
            assert why in reason
            assert b"/" not in reason.replace(b"Input/output", b"")
    assert ready() == (200, b"ready\n")
    assert asked.send(wire, Found()).status == 200
    store.close()


def test_one_file_that_cannot_be_read(
    machine: Kernel, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client is cut off, the readiness check hears of it, and all else goes on."""
    monkeypatch.setattr(reader, "_QUIET_NS", 1 << 62)  # read, and not sent by the kernel
    store = stage.open()
    wire = wire_to(store, stage.root)
    get = Request("GET", "/b/big")
    with machine.armed():
        assert get.send(wire, Found()).body == LARGE
        last = max(n for n, name in enumerate(machine.calls) if name == "read")
    broken = Fault(last, errno.EIO, frozenset({"read"}))  # also when it is read with patience
    with machine.armed(broken), pytest.raises(ResponseFailed):
        get.send(wire, Found())
    with machine.armed():
        assert wire.request("GET", "/readyz").status == 200
        assert "fsync" in machine.calls
    assert get.send(wire, Found()).body == LARGE
    store.close()
