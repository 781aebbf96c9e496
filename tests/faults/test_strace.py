"""The real daemon, whose system calls fail: what was shown with the calls of Python replaced holds
for those of the kernel too.  strace(1) makes the n-th call of a thread fail, for all n.
"""

from __future__ import annotations

import errno
import http.client
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import pytest

from s3daemon.store.posix.store import PosixStore
from tests.faults.conftest import Count
from tests.faults.daemon import Daemon, daemon, wait_until
from tests.faults.scenarios import OWNER, SCENARIOS, Found, Scenario
from tests.faults.stage import ANSWERS, State, codes, is_between, state
from tests.support.inmemory import Response

pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

#: Call -> the error it gives; those that only look, and those that change something.
CALLS = {
    "openat": errno.EMFILE,
    "openat2": errno.EIO,
    "newfstatat": errno.ESTALE,
    "fgetxattr": errno.EIO,
    "getdents64": errno.EIO,
    "pread64": errno.EIO,
    "fsetxattr": errno.ENOSPC,
    "fsync": errno.EIO,
    "pwrite64": errno.ENOSPC,
    "copy_file_range": errno.EDQUOT,
    "mkdirat": errno.ENOSPC,
    "linkat": errno.EMLINK,
    "renameat": errno.EROFS,
    "renameat2": errno.EIO,
    "unlinkat": errno.EACCES,
}
#: What a signal interrupts is made again where that is safe: nobody must see it.
INTERRUPTED = ("openat", "openat2", "fgetxattr", "fsync", "copy_file_range", "pread64", "pwrite64")

SAMPLE = (
    "CreateBucket",
    "DeleteBucket, with directories",
    "PutObject, deep",
    "PutObject, over",
    "PutObject, if match",
    "PutObject, folder",
    "GetObject",
    "GetObject, large",
    "HeadObject",
    "DeleteObject, deep",
    "DeleteObjects",
    "CopyObject",
    "ListObjectsV2",
    "PutObjectTagging",
    "CreateMultipartUpload",
    "UploadPart",
    "CompleteMultipartUpload, in place",
    "CompleteMultipartUpload, copied",
    "AbortMultipartUpload",
)
_CUT = Response(0, {}, b"")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """A daemon that strace may follow."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")
    folder = tmp_path_factory.mktemp("strace")
    root = folder / "root"
    root.mkdir()
    with daemon(folder / "daemon", root) as running:
        yield running


@contextmanager
def injected(one: Daemon, folder: Path, call: str, error: str, number: int) -> Iterator[Path]:
    """The n-th call of each thread fails; the log of it."""
    log = folder / "strace"
    log.unlink(missing_ok=True)
    command = [
        *("strace", "-f", "-o", log, "-p", str(one.process.pid)),
        *("-e", f"trace={call}", "-e", f"inject={call}:error={error}:when={number}"),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as tracing:
        assert tracing.stderr is not None
        try:
            line = tracing.stderr.readline()
            if b"attached" not in line:
                pytest.skip(f"strace cannot follow: {line.decode()}")
            yield log
        finally:
            tracing.send_signal(signal.SIGINT)
            tracing.stderr.read()


@attrs.define
class Trial:
    """One scenario, again and again, on one root.

    :ivar tried: how many calls have failed.
    """

    one: Daemon
    folder: Path
    scenario: Scenario
    store: PosixStore = attrs.field(init=False)
    found: Found = attrs.field(init=False, factory=Found)
    old: State = attrs.field(init=False)
    new: State = attrs.field(init=False)
    tried: int = 0

    def __attrs_post_init__(self) -> None:
        self.store = PosixStore(self.one.root)
        self.set()
        self.old = state(self.store)
        response = self.send()
        assert response.status < 300, response
        self.new = state(self.store)

    def set(self) -> None:
        """Everything is as before the scenario."""
        for bucket in ("b", "c"):
            shutil.rmtree(self.one.root / bucket, ignore_errors=True)
        self.store.buckets.create("b", OWNER)
        self.found = self.scenario.before(self.store)

    def send(self) -> Response:
        """Send the request."""
        request = self.scenario.request.filled(self.found)
        try:
            return self.one.ask(request.method, request.path, request.bytes, request.headers)
        except (http.client.HTTPException, ConnectionError):
            return _CUT

    def fail(self, call: str, error: int, number: int) -> bool:
        """Send it while a call fails, and judge; whether one has failed."""
        self.set()
        where = (self.scenario.name, call, errno.errorcode[error], number)
        with injected(self.one, self.folder, call, errno.errorcode[error], number) as log:
            response = self.send()
        if "(INJECTED)" not in log.read_text():
            return False
        self.tried += 1
        now = state(self.store)
        assert is_between(now, self.old, self.new), (where, response)
        if response is _CUT:
            assert self.scenario.action == "GetObject", where
        elif response.status < 300 and not codes(response):
            assert now == self.new, where
        else:
            self._judge(error, response, where)
        assert self.send().status < 300 or now == self.new, where
        assert state(self.store) == self.new, where
        wait_until(lambda: not self.one.holds())
        return True

    def _judge(self, error: int, response: Response, where: object) -> None:
        assert error != errno.EINTR, (where, response)
        expected, found = ANSWERS[error], (response.status, *codes(response))
        if self.scenario.request.method == "HEAD":
            expected, found = expected[:1], found[:1]
        elif self.scenario.action == "DeleteObjects" and found[0] == 200:
            expected, found = expected[1:], found[1:]
        gone = error == errno.ESTALE and found == (404, "NoSuchUpload")
        assert gone or found == expected, (where, response)


@pytest.mark.parametrize("name", SAMPLE)
def test_each_call_of_the_kernel_fails(
    one: Daemon, tmp_path: Path, name: str, count: Count
) -> None:
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == name)
    trial = Trial(one, tmp_path, scenario)
    used = _used(trial)
    for call, error in CALLS.items():
        for number in range(1, used.get(call, 0) + 1):
            if not trial.fail(call, error, number):
                break
    for call in INTERRUPTED:
        if used.get(call):
            trial.fail(call, errno.EINTR, 1)
    count("by strace", trial.tried)
    assert trial.tried > 5
    trial.store.close()
    assert b"Traceback" not in one.log.read_bytes()


def _used(trial: Trial) -> dict[str, int]:
    """Which calls a request makes, and how often at most in one thread."""
    trial.set()
    with injected(trial.one, trial.folder, ",".join(CALLS), "EIO", 60_000) as log:
        assert trial.send().status < 300
    counts: dict[tuple[str, str], int] = {}
    for pid, call in re.findall(r"^(\d+) +(\w+)\(", log.read_text(), re.MULTILINE):
        counts[pid, call] = counts.get((pid, call), 0) + 1
    most: dict[str, int] = {}
    for (_, call), count in counts.items():
        most[call] = max(most.get(call, 0), count)
    return most
