"""Files over real sockets, turned by hand; and the output of a slow client."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred, ensureDeferred, fail, succeed

from s3daemon.http import sendfile
from s3daemon.http.limits import Timeouts
from s3daemon.http.request import BodyCutShort, ClientGone
from s3daemon.http.sendfile import TAIL, fill_cache, is_cached

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"
SIZE = 6 * 1024 * 1024 + 123
CONTENT = os.urandom(SIZE)


@pytest.fixture
def file(tmp_path: Path) -> Iterator[int]:
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    descriptor = os.open(path, os.O_RDWR)
    yield descriptor
    os.close(descriptor)


@pytest.fixture
def cached(monkeypatch: pytest.MonkeyPatch) -> list[bool | None]:
    """What is said about the page cache, in turn; the last of it for ever."""
    says: list[bool | None] = [True]
    monkeypatch.setattr(
        sendfile, "is_cached", lambda *window: says.pop(0) if len(says) > 1 else says[0]
    )
    return says


def outcome(deferred: Deferred[Any]) -> list[Any]:
    """Gets the result, or the type of the error, when there is one."""
    results: list[Any] = []
    deferred.addCallbacks(results.append, lambda failure: results.append(failure.type))
    return results


def answer_file(request: Any, file: int, offset: int, length: int) -> Any:
    """Sends a part of a file that nobody writes into."""

    def produce(at: int, size: int) -> Deferred[bytes]:
        return succeed(os.pread(file, size, offset + at))

    return request.answer_file(200, [], file, offset, length, produce)


def read_head(client: Any) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += client.receive(1)
    return head


def ask(serve: Any, over_socket: Any, **options: Any) -> tuple[Any, Any, Any]:
    server = serve(**options)
    client = over_socket(server)
    client.send(GET)
    return server, client, server.requests[0]


@pytest.mark.parametrize(
    ("offset", "length"), [(0, SIZE), (1000, 3 * 1024 * 1024), (SIZE - 1, 1), (5, 0)]
)
@pytest.mark.parametrize("says", [[True], [False], [None], [True, None], [False, True, None]])
def test_a_range_of_a_file(
    serve: Any,
    over_socket: Callable[[Any], Any],
    file: int,
    cached: list[bool | None],
    says: list[bool | None],
    offset: int,
    length: int,
) -> None:
    cached[:] = says
    server, client, request = ask(serve, over_socket)
    done = outcome(ensureDeferred(answer_file(request, file, offset, length)))
    head = read_head(client)
    assert b"\r\nContent-Length: %d\r\n" % length in head
    assert client.receive(length) == CONTENT[offset : offset + length]
    assert (done, request.sentLength) == ([True], length)
    # The connection lives on.
    client.send(GET)
    server.requests[1].answer(200, [], b"ok")
    assert read_head(client) + client.receive(2)


def test_over_memory(serve: Any, file: int) -> None:
    server = serve()
    client = server.connect()
    client.send(GET)
    (request,) = server.requests
    assert outcome(ensureDeferred(answer_file(request, file, 10, 300000))) == [True]
    assert client.received().endswith(b"\r\n\r\n" + CONTENT[10:300010])


def test_a_cold_file_is_read_on_a_thread_and_not_before_the_client_takes_it(
    serve: Any,
    over_socket: Callable[[Any], Any],
    file: int,
    cached: list[bool | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cached[:] = [False]
    server, client, request = ask(serve, over_socket)
    jobs: list[tuple[Any, Deferred[Any]]] = []

    def run_blocking(*call: Any) -> Deferred[Any]:
        jobs.append((call, Deferred()))
        return jobs[-1][1]

    server.factory.run_blocking = run_blocking
    outcome(ensureDeferred(answer_file(request, file, 0, SIZE)))
    read_head(client)
    assert [call for call, _ in jobs] == [(fill_cache, file, 0, 1048576)]
    jobs[0][1].callback(None)
    assert len(jobs) == 1
    assert client.receive(1048576) == CONTENT[:1048576]
    client.write()
    assert [call for call, _ in jobs[1:]] == [(fill_cache, file, 1048576, 2097152)]


def test_others_get_their_turn(
    serve: Any,
    over_socket: Callable[[Any], Any],
    file: int,
    cached: list[bool | None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "sendfile", lambda out, descriptor, offset, size: size)
    server, _, request = ask(serve, over_socket)
    done = outcome(ensureDeferred(answer_file(request, file, 0, SIZE)))
    assert done == []
    server.clock.advance(0)
    assert done == [True]


def test_a_file_that_turns_out_shorter_cuts_the_connection(
    serve: Any, over_socket: Callable[[Any], Any], file: int, cached: list[bool | None]
) -> None:
    for says in (True, None):
        cached[:] = [says]
        server, _, request = ask(serve, over_socket)
        done = outcome(ensureDeferred(answer_file(request, file, SIZE - 100, TAIL + 200)))
        assert (done, request.sentLength) == ([BodyCutShort], 100)
        server.clock.advance(0)
        assert server.factory.connections == 0


@pytest.mark.parametrize("length", [SIZE, TAIL, 5])
def test_a_file_that_was_written_into_is_never_whole(
    serve: Any, over_socket: Callable[[Any], Any], file: int, cached: list[bool | None], length: int
) -> None:
    """The last bytes are asked for when all others have gone, and that tells."""
    server, client, request = ask(serve, over_socket)
    asked: list[tuple[int, int]] = []

    def produce(*piece: int) -> Deferred[bytes]:
        asked.append(piece)
        return fail(BodyCutShort("another program"))

    done = outcome(ensureDeferred(request.answer_file(200, [], file, 0, length, produce)))
    assert b"\r\nContent-Length: %d\r\n" % length in read_head(client)
    before = max(length - TAIL, 0)
    assert client.receive(before) == CONTENT[:before]
    server.clock.advance(0)
    assert asked == [(before, length - before)]
    assert (done, request.sentLength) == ([BodyCutShort], before)
    client.write()
    assert client.socket.recv(1) == b""


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (errno.EINVAL, True),
        (errno.EIO, BodyCutShort),
        (errno.EPIPE, ClientGone),
        (errno.ECONNRESET, ClientGone),
    ],
)
def test_what_sendfile_says(
    serve: Any,
    over_socket: Callable[[Any], Any],
    file: int,
    cached: list[bool | None],
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    expected: Any,
) -> None:
    def failing(*args: Any) -> int:
        raise OSError(number, "no")

    monkeypatch.setattr(os, "sendfile", failing)
    _, client, request = ask(serve, over_socket)
    done = outcome(ensureDeferred(answer_file(request, file, 0, TAIL + 100)))
    assert done == [expected]
    if expected is True:
        assert read_head(client)
        assert client.receive(TAIL + 100) == CONTENT[: TAIL + 100]


def test_a_client_that_stalls_is_cut(
    serve: Any, over_socket: Callable[[Any], Any], file: int, cached: list[bool | None]
) -> None:
    server, client, request = ask(serve, over_socket, timeouts=Timeouts(write=5))
    done = outcome(ensureDeferred(answer_file(request, file, 0, SIZE)))
    server.after(4)
    client.receive(1048576)
    server.after(4)
    assert done == []
    server.after(3)
    assert done == [ClientGone]
    assert server.factory.connections == 0


def test_a_client_that_vanishes(
    serve: Any, over_socket: Callable[[Any], Any], file: int, cached: list[bool | None]
) -> None:
    server, client, request = ask(serve, over_socket)
    done = outcome(ensureDeferred(answer_file(request, file, 0, SIZE)))
    client.socket.close()  # with unread bytes: a reset
    client.read()
    client.write()
    assert done == [ClientGone]
    assert server.factory.connections == 0


def test_a_large_answer_to_a_slow_client(serve: Any, over_socket: Callable[[Any], Any]) -> None:
    server, client, request = ask(serve, over_socket, timeouts=Timeouts(write=5))
    client.send(GET)
    request.answer(200, [], CONTENT)
    assert len(server.requests) == 1
    read_head(client)
    for begin in range(0, SIZE, 700000):
        assert client.receive(min(700000, SIZE - begin)) == CONTENT[begin : begin + 700000]
        server.after(3)
    client.write()
    assert len(server.requests) == 2
    server.requests[1].answer(200, [], b"ok")
    assert read_head(client)
    assert client.receive(2) == b"ok"


def test_the_last_answer_is_followed_by_the_end(
    serve: Any, over_socket: Callable[[Any], Any]
) -> None:
    server = serve()
    client = over_socket(server)
    client.send(GET.replace(b"Host", b"Connection: close\r\nHost"))
    server.requests[0].answer(200, [], CONTENT)
    read_head(client)
    assert client.receive(SIZE) == CONTENT
    client.write()
    client.write()
    assert client.socket.recv(1) == b""
    assert server.factory.connections == 0


def test_a_refused_upload_is_read_on_so_that_the_answer_arrives(
    serve: Any, over_socket: Callable[[Any], Any]
) -> None:
    server = serve(lambda request: request.answer(403, [], b"no"))
    client = over_socket(server)
    client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 1000)
    client.write()
    client.send(b"x" * 10000)
    assert read_head(client).startswith(b"HTTP/1.1 403 ")
    assert client.receive(99) == b"no"
    assert server.factory.connections == 1
    client.socket.close()
    client.read()
    client.read()
    assert server.factory.connections == 0


def test_a_client_that_only_stops_sending(serve: Any, over_socket: Callable[[Any], Any]) -> None:
    server, client, request = ask(serve, over_socket)
    client.socket.shutdown(1)
    client.read()
    request.answer(200, [], b"ok")
    assert b"\r\nConnection: close\r\n" in read_head(client)
    assert client.receive(2) == b"ok"
    client.write()
    assert server.factory.connections == 0


def test_big_bodies_are_received_in_big_reads(
    serve: Any, over_socket: Callable[[Any], Any]
) -> None:
    server = serve()
    client = over_socket(server)
    client.send(b"PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: 2000000\r\n\r\n")
    assert client.transport.bufferSize == 262144
    server.requests[0].answer(200, [])
    assert client.transport.bufferSize == 65536


# -- the page cache ----------------------------------------------------------------------------


def test_a_file_just_written_is_cached_or_nobody_can_tell(file: int) -> None:
    assert is_cached(file, 0, SIZE) in (True, None)
    assert is_cached(file, SIZE, SIZE + 10) in (True, None)


@pytest.mark.parametrize(
    ("number", "answer"),
    [(errno.EAGAIN, False), (errno.EOPNOTSUPP, None), (errno.ENOSYS, None)],
)
def test_what_preadv2_says(
    monkeypatch: pytest.MonkeyPatch, number: int, answer: bool | None
) -> None:
    asked: list[int] = []

    def preadv(descriptor: int, buffers: Any, offset: int, flags: int) -> int:
        assert flags == os.RWF_NOWAIT
        asked.append(offset)
        if offset == 299999:
            raise OSError(number, "no")
        return 1

    monkeypatch.setattr(os, "preadv", preadv)
    assert is_cached(9, 10, 300000) is answer
    assert asked == [131082, 262154, 299999]


def test_a_file_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def preadv(*args: Any) -> int:
        raise OSError(errno.EIO, "no")

    monkeypatch.setattr(os, "preadv", preadv)
    with pytest.raises(OSError, match="no"):
        is_cached(9, 0, 1)


def test_filling_the_cache_reads_what_is_there(file: int) -> None:
    fill_cache(file, 0, SIZE)
    fill_cache(file, SIZE - 10, SIZE + 10)
