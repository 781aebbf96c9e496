"""The tree: who is in it, and in which order it ends."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import capturedLogs, formatEvent

from s3daemon import config, service
from s3daemon.actions.base import Limits
from s3daemon.auth.users import Directory
from s3daemon.http.factory import S3Factory
from s3daemon.http.settings import Pools
from s3daemon.ops import announcing
from s3daemon.ops.listening import Listeners
from s3daemon.service import SETTLE, Root, Storage
from s3daemon.store.interfaces import Unavailable
from s3daemon.store.posix import PosixStore
from s3daemon.store.posix.buckets import PosixBuckets
from s3daemon.store.posix.probe import ProbeError
from s3daemon.streams.aside import Aside
from s3daemon.streams.pool import Pool, SynchronousPool
from s3daemon.toml_file import SettingError
from s3daemon.wire.forwarded import Networks
from tests.support.gateway import make_factory
from tests.support.inmemory import Response, Wire
from tests.support.tlsclient import Socket


def settings(tmp_path: Path, **sections: dict[str, Any]) -> config.Config:
    sections["auth"] = {"mode": "simple", **sections.get("auth", {})}
    given = {
        (section, key): (value, "test")
        for section, values in sections.items()
        for key, value in values.items()
    }
    return config.freeze({("store", "root"): (str(tmp_path), "test"), **given})


def build(tmp_path: Path, **sections: dict[str, Any]) -> Root:
    return service.build(settings(tmp_path, **sections), MemoryReactorClock())


def test_the_order_of_the_tree(tmp_path: Path) -> None:
    root = build(tmp_path)
    assert [child.name for child in root] == ["storage", "hang-up", "janitor", "listeners", "alone"]


def test_the_janitor_is_there_also_when_uploads_never_expire(tmp_path: Path) -> None:
    root = build(tmp_path, store={"multipart_expiry": "0"})
    janitor: Any = root.getServiceNamed("janitor")
    assert janitor.expiry == 0


def test_settings_reach_their_places(tmp_path: Path) -> None:
    root = build(
        tmp_path,
        server={
            "head_timeout": "1s",
            "body_timeout": "2s",
            "idle_timeout": "3s",
            "write_timeout": "4s",
            "drain": "5s",
            "listen": ["tcp:7:interface=127.0.0.1"],
        },
        store={"multipart_expiry": "2h", "sweep_interval": "30s"},
        limits={"head_bytes": "9000B", "fields": 21, "connections": 22},
    )
    listeners: Any = root.getServiceNamed("listeners")
    assert listeners.drain == 5
    assert [place.listen.description for place in listeners.places] == ["tcp:7:interface=127.0.0.1"]
    factory = listeners._factory
    assert isinstance(factory, S3Factory)
    timeouts = factory.timeouts
    assert (timeouts.head, timeouts.body, timeouts.idle, timeouts.write) == (1, 2, 3, 4)
    assert factory.limits.head.head == 9000
    assert factory.limits.head.fields == 21
    assert factory.limits.connections == 22
    janitor: Any = root.getServiceNamed("janitor")
    assert (janitor.expiry, janitor.interval, janitor.first) == (7200, 30, 30)


def test_what_is_risky_is_said_aloud(tmp_path: Path) -> None:
    with capturedLogs() as events:
        build(tmp_path, store={"durability": "relaxed"}, auth={"allow_remote_simple": True})
    said = [formatEvent(event) for event in events if event["log_level"].name == "warn"]
    assert any("durability is relaxed: a power cut may" in text for text in said)
    assert any("auth is simple on any address" in text for text in said)


def test_what_is_to_be_said_of_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said() -> list[str]:
        with capturedLogs() as events:
            build(tmp_path)
        return [formatEvent(event) for event in events if event["log_level"].name == "warn"]

    tmp_path.chmod(0o777)
    assert any("anybody on this machine" in text for text in said())

    def gone(*_: object) -> None:
        raise OSError(5, "gone")

    monkeypatch.setattr(announcing, "concerns", gone)
    assert any("cannot be looked at: [Errno 5] gone" in text for text in said())


def test_buckets_that_are_not_strict_are_named(tmp_path: Path) -> None:
    store = PosixStore(tmp_path)
    for number in range(13):
        store.buckets.create(f"b{number:02d}", "alice")
        if number:
            store.buckets.set_durability(f"b{number:02d}", "data" if number == 1 else "relaxed")
    store.close()
    with capturedLogs() as events:
        build(tmp_path)
    said = [formatEvent(event) for event in events if event["log_level"].name == "warn"]
    names = ", ".join(f"b{number:02d}" for number in range(2, 12))
    assert any(text.startswith("durability is data in b01: ") for text in said)
    assert any(text.startswith(f"durability is relaxed in {names} and 1 more: ") for text in said)


def test_a_root_whose_buckets_cannot_be_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: object) -> None:
        raise Unavailable("broken")

    monkeypatch.setattr(PosixBuckets, "list", refuse)
    with capturedLogs() as events:
        build(tmp_path)
    said = [formatEvent(event) for event in events if event["log_level"].name == "warn"]
    assert "which buckets are not strict cannot be read: broken" in said


def test_a_root_that_cannot_hold_a_store(tmp_path: Path) -> None:
    with pytest.raises(ProbeError):
        build(tmp_path / "none")


def test_a_credentials_file_that_cannot_be_used(tmp_path: Path) -> None:
    users = tmp_path / "users.toml"
    users.touch(mode=0o644)
    with pytest.raises(SettingError, match="chmod 600"):
        build(tmp_path, auth={"credentials": str(users)})


def test_users_are_known_from_the_start(tmp_path: Path) -> None:
    users = tmp_path / "users.toml"
    users.touch(mode=0o600)
    users.write_text('[[user]]\nname = "alice"\nid = "0f"\n')
    root = build(tmp_path, auth={"credentials": str(users)})
    assert [child.name for child in root] == [
        "storage", "hang-up", "watcher", "janitor", "listeners", "alone",
    ]  # fmt: skip
    hang_up: Any = root.getServiceNamed("hang-up")
    (credentials,) = hang_up._reloads
    assert credentials.use(()) == ["gone: alice"]


# ---------------------------------------------------------------- the end


class Slow(Service):
    """Stops when it is told to."""

    def __init__(self, log: list[str]) -> None:
        self.log = log
        self.stopped: Deferred[None] = Deferred()

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        self.log.append(str(self.name))
        return self.stopped


def test_children_stop_one_after_the_other_last_one_first() -> None:
    root, log = Root(), list[str]()
    children = [Slow(log) for _ in range(3)]
    for name, child in zip("abc", children, strict=True):
        child.setName(name)
        child.setServiceParent(root)
    done = root.stopService()
    assert log == ["c"]
    children[2].stopped.errback(ZeroDivisionError())
    assert log == ["c", "b"], "what fails to stop keeps nobody running"
    children[1].stopped.callback(None)
    assert log == ["c", "b", "a"]
    assert not done.called
    children[0].stopped.callback(None)
    assert done.called


@attrs.define
class Closing:
    """A store that knows whether it was closed."""

    closed: int = 0

    def close(self) -> None:
        self.closed += 1


class Threads(MemoryReactorClock):
    """Calls from threads wait until they are let through."""

    def __init__(self) -> None:
        super().__init__()
        self.from_threads: list[Any] = []
        self.called = threading.Event()

    def callFromThread(self, call: Any, *args: Any) -> None:
        self.from_threads.append(call)
        self.called.set()

    def let_through(self) -> None:
        assert self.called.wait(60)
        while self.from_threads:
            self.from_threads.pop()()


def test_the_store_is_closed_after_its_last_job() -> None:
    reactor, store = Threads(), Closing()
    pool = Pool(reactor, 1, "test")
    go_on = threading.Event()
    pool.run(go_on.wait, 60)
    aside = Aside(1)
    done = Storage(store, [pool], reactor, aside).stopService()
    reactor.advance(1)
    assert not store.closed
    aside(lambda: None)()
    go_on.set()
    reactor.let_through()
    reactor.advance(1)
    assert done.called
    assert store.closed == 1
    with pytest.raises(RuntimeError):
        aside(lambda: None)


def test_a_store_in_use_stays_open() -> None:
    reactor, store = Threads(), Closing()
    pool = Pool(reactor, 1, "test")
    go_on = threading.Event()
    pool.run(go_on.wait, 60)
    done = Storage(store, [pool], reactor).stopService()
    with capturedLogs() as events:
        reactor.pump([SETTLE / 2, SETTLE])
    assert done.called
    assert not store.closed
    assert "do not come back" in events[0]["log_format"]
    go_on.set()


def test_requests_that_the_stop_cuts_off_are_logged(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    reactor = MemoryReactorClock()
    factory = make_factory(PosixStore(tmp_path), Limits(strict_names=False), reactor)
    listeners = Listeners(reactor, factory, [], 30.0, Networks(), 10.0)
    socket = Socket(reactor)
    socket.protocol = factory.buildProtocol(None)
    socket.protocol.makeConnection(socket)
    head = "PUT /b/k HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
    signed = "Authorization: AWS4-HMAC-SHA256 Credential=alice/x\r\n\r\n"
    socket.protocol.dataReceived((head + signed + "some").encode())
    stopped = listeners.stopService()
    before: list[str] = []
    with capturedLogs() as events:
        stopped.addCallback(
            lambda _: before.extend(event["line"] for event in events if "line" in event)
        )
        reactor.pump([1] * 30)
    (line,) = before
    assert "operation=PutObject method=PUT target=/b/k status=- error=ClientGone" in line


# ---------------------------------------------------------------- settings, seen by a client


def client(tmp_path: Path, **sections: dict[str, Any]) -> Wire:
    """A client of the factory that these settings make."""
    found = settings(tmp_path, **sections)
    clock = Clock()
    pools = Pools(SynchronousPool(), SynchronousPool())
    factory = service.build_factory(found, PosixStore(tmp_path), Directory(), pools, clock)
    return Wire(factory, clock)


def ask(
    wire: Wire, method: str, path: str, body: bytes = b"", **headers: str
) -> tuple[int, str, Response]:
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=alice/x"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    got = wire.request(method, path, signed, body)
    code = got.body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()
    return got.status, code, got


@pytest.mark.parametrize(("least", "status"), [("0B", 200), ("1024TiB", 503)])
def test_room_that_has_to_be_free(tmp_path: Path, least: str, status: int) -> None:
    wire = client(tmp_path, store={"min_free": least})
    got = wire.request("GET", "/readyz?verbose")
    told = json.loads(got.body)
    assert (got.status, told["ready"]) == (status, status == 200)
    assert told["now"]["free_bytes"] > 0
    assert told["file_system"]["name_bytes"] > 0
    assert told["chosen"]["conditional writes"].startswith("a lock for each key")
    assert str(tmp_path) not in got.body.decode()


def test_who_may_use_a_directory_without_an_owner(tmp_path: Path) -> None:
    (tmp_path / "found").mkdir()
    assert ask(client(tmp_path), "GET", "/found")[0] == 200
    assert ask(client(tmp_path, auth={"unowned": "everyone"}), "GET", "/found")[0] == 200
    status, code, _ = ask(client(tmp_path, auth={"unowned": "nobody"}), "GET", "/found")
    assert (status, code) == (403, "AccessDenied")


def test_base_paths_and_what_they_show(tmp_path: Path) -> None:
    (tmp_path / "buck" / "sub").mkdir(parents=True)
    wire = client(tmp_path, server={"endpoints": {"/": "alluxio", "/s3": "aws"}})
    assert b"<Key>sub/</Key>" in ask(wire, "GET", "/buck")[2].body
    assert b"<Key>" not in ask(wire, "GET", "/s3/buck")[2].body


def test_a_bucket_in_the_host_name(tmp_path: Path) -> None:
    (tmp_path / "gateway").mkdir()
    (tmp_path / "gateway" / "key").write_bytes(b"content")
    assert ask(client(tmp_path, server={"domains": ["test"]}), "GET", "/key")[2].body == b"content"
    assert ask(client(tmp_path), "GET", "/key")[1] == "NoSuchBucket"


def test_the_region(tmp_path: Path) -> None:
    (tmp_path / "buck").mkdir()
    answer = ask(client(tmp_path, server={"region": "eu-north-7"}), "HEAD", "/buck")[2]
    assert answer.headers["x-amz-bucket-region"] == "eu-north-7"


@pytest.mark.parametrize(
    ("limits", "code"), [({}, "InvalidBucketName"), ({"strict_bucket_names": False}, "")]
)
def test_names_of_buckets(tmp_path: Path, limits: dict[str, Any], code: str) -> None:
    assert ask(client(tmp_path, limits=limits), "PUT", "/Up_per")[1] == code


@pytest.mark.parametrize(
    ("limits", "code"), [({}, ""), ({"metadata_bytes": "5B"}, "MetadataTooLarge")]
)
def test_metadata(tmp_path: Path, limits: dict[str, Any], code: str) -> None:
    (tmp_path / "buck").mkdir()
    wire = client(tmp_path, limits=limits)
    assert ask(wire, "PUT", "/buck/key", b"x", x_amz_meta_name="value")[1] == code


@pytest.mark.parametrize(
    ("limits", "code"),
    [({}, "MalformedXML"), ({"document_bytes": "64KiB"}, "MaxMessageLengthExceeded")],
)
def test_documents(tmp_path: Path, limits: dict[str, Any], code: str) -> None:
    (tmp_path / "buck").mkdir()
    wire = client(tmp_path, limits=limits)
    assert ask(wire, "POST", "/buck?delete", b"x" * 65537)[1] == code


@pytest.mark.parametrize(("limits", "code"), [({}, "EntityTooSmall"), ({"min_part_size": 1}, "")])
def test_parts(tmp_path: Path, limits: dict[str, Any], code: str) -> None:
    (tmp_path / "buck").mkdir()
    wire = client(tmp_path, limits=limits)
    begun = ask(wire, "POST", "/buck/key?uploads")[2].body
    upload = begun.partition(b"<UploadId>")[2].partition(b"</UploadId>")[0].decode()
    parts = ""
    for number in (1, 2):
        path = f"/buck/key?partNumber={number}&uploadId={upload}"
        etag = ask(wire, "PUT", path, b"part")[2].headers["etag"]
        parts += f"<Part><PartNumber>{number}</PartNumber><ETag>{etag}</ETag></Part>"
    document = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    assert ask(wire, "POST", f"/buck/key?uploadId={upload}", document)[1] == code


# ---------------------------------------------------------------- who is asked


def test_further_checkers_are_asked_and_need_no_file_of_users(tmp_path: Path) -> None:
    given: config.Given = {
        ("store", "root"): (str(tmp_path), "test"),
        ("auth", "checkers"): (["http"], "test"),
        ("checker.http", "url"): ("https://keys.example.com/", "test"),
    }
    with capturedLogs() as events:
        root = service.build(config.freeze(given), MemoryReactorClock(), environ={})
    assert any(", checker http" in event.get("further", "") for event in events)
    listeners: Any = root.getServiceNamed("listeners")
    assert isinstance(listeners._factory, S3Factory)


def test_a_checker_whose_settings_cannot_be_used(tmp_path: Path) -> None:
    given: config.Given = {
        ("store", "root"): (str(tmp_path), "test"),
        ("auth", "checkers"): (["http"], "test"),
    }
    with pytest.raises(SettingError, match=r"checker\.http\.url: is missing"):
        service.build(config.freeze(given), MemoryReactorClock(), environ={})


def test_without_users_and_checkers_nobody_could_come_in(tmp_path: Path) -> None:
    given: config.Given = {("store", "root"): (str(tmp_path), "test")}
    with pytest.raises(SettingError, match=r"auth\.credentials: is missing"):
        service.build(config.freeze(given), MemoryReactorClock(), environ={})
    keys = {"S3GATE_ACCESS_KEY": "AK1", "S3GATE_SECRET_KEY": "hush-hush"}
    with capturedLogs() as events:
        service.build(config.freeze(given), MemoryReactorClock(), environ=keys)
    assert any("S3GATE_ACCESS_KEY" in str(event.get("file", "")) for event in events)
    assert not any("hush" in str(event) for event in events)
