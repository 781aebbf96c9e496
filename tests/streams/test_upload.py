"""Bodies on their way into a sink."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred, ensureDeferred

from s3daemon.streams.pool import SynchronousPool
from s3daemon.streams.upload import (
    BATCH,
    CROWDED_BATCH,
    CROWDED_HIGH,
    HIGH,
    SMALL,
    Held,
    Upload,
)


class MemorySink:
    def __init__(self, fail_at: int | None = None) -> None:
        self.calls: list = []
        self.fail_at = fail_at

    def write(self, data):
        if self.fail_at is not None and len(self.calls) >= self.fail_at:
            raise OSError("full")
        self.calls.append(b"".join(data))

    def finish(self):
        self.calls.append("finish")
        return b"".join(c for c in self.calls if isinstance(c, bytes))

    def abort(self):
        self.calls.append("abort")


class HandPool:
    """Runs a job when the test says so."""

    def __init__(self) -> None:
        self.jobs: list = []

    def run(self, call, *args):
        done: Deferred = Deferred()
        self.jobs.append((call, args, done))
        return done

    ask = run

    def step(self) -> None:
        call, args, done = self.jobs.pop(0)
        try:
            result = call(*args)
        except Exception:
            done.errback()
        else:
            done.callback(result)


class Producer:
    def __init__(self) -> None:
        self.log: list[str] = []

    def pauseProducing(self):
        self.log.append("pause")

    def resumeProducing(self):
        self.log.append("resume")

    def stopProducing(self):
        self.log.append("stop")


def outcome(coroutine):
    got: list = []
    ensureDeferred(coroutine).addBoth(got.append)
    return got


def test_small_body_is_one_job():
    pool, sink = HandPool(), MemorySink()
    upload: Upload = Upload(pool, lambda: sink, Held())
    upload.write(b"a" * 1000)
    upload.write(b"b")
    got = outcome(upload.finish())
    assert len(pool.jobs) == 1
    pool.step()
    assert got == [b"a" * 1000 + b"b"]
    assert sink.calls == [b"a" * 1000 + b"b", "finish"]


def test_empty_body_still_begins_and_finishes():
    sink = MemorySink()
    upload: Upload = Upload(SynchronousPool(), lambda: sink, Held())
    assert outcome(upload.finish()) == [b""]
    assert sink.calls == ["finish"]


def test_large_body_goes_in_batches_in_order_one_job_at_a_time():
    pool, sink = HandPool(), MemorySink()
    upload: Upload = Upload(pool, lambda: sink, Held())
    pieces = [bytes([n]) * (BATCH // 2) for n in range(7)]
    for piece in pieces:
        upload.write(piece)
    assert len(pool.jobs) == 1
    got = outcome(upload.finish())
    while pool.jobs:
        assert len(pool.jobs) == 1
        pool.step()
    assert got == [b"".join(pieces)]


def test_back_pressure_is_bounded_and_let_go():
    pool, producer = HandPool(), Producer()
    upload: Upload = Upload(pool, MemorySink, Held())
    upload.registerProducer(producer, True)
    sent = 0
    while "pause" not in producer.log:
        upload.write(b"x" * 65536)
        sent += 65536
        assert sent <= HIGH + 65536
    while pool.jobs:
        pool.step()
    assert producer.log == ["pause", "resume"]


def test_failure_while_the_body_arrives_is_told_at_once_and_aborts():
    pool, producer = HandPool(), Producer()
    sink = MemorySink(fail_at=1)
    upload: Upload = Upload(pool, lambda: sink, Held())
    upload.registerProducer(producer, True)
    upload.write(b"x" * BATCH)
    pool.step()
    upload.write(b"x" * BATCH)
    assert not upload.failed
    pool.step()
    assert upload.failed
    assert producer.log == ["stop"]
    assert sink.calls[-1] == "abort"
    upload.write(b"ignored")
    assert pool.jobs == []
    (failure,) = outcome(upload.finish())
    assert failure.check(OSError)


def test_failure_of_begin_reaches_open_and_finish():
    def refuse():
        raise PermissionError("no")

    upload: Upload = Upload(SynchronousPool(), refuse, Held())
    got: list = []
    upload.open().addErrback(lambda f: got.append(f.type))
    assert got == [PermissionError]
    (failure,) = outcome(upload.finish())
    assert failure.check(PermissionError)


def test_failing_last_write_aborts():
    sink = MemorySink(fail_at=0)
    upload: Upload = Upload(SynchronousPool(), lambda: sink, Held())
    upload.write(b"abc")
    (failure,) = outcome(upload.finish())
    assert failure.check(OSError)
    assert sink.calls == ["abort"]


@pytest.mark.parametrize("running", [False, True])
def test_abort_waits_for_the_job_under_way(running):
    pool, sink = HandPool(), MemorySink()
    upload: Upload = Upload(pool, lambda: sink, Held())
    upload.write(b"x" * BATCH)
    if not running:
        pool.step()
    upload.write(b"y" * BATCH)
    got = outcome(upload.abort())
    assert got == []
    while pool.jobs:
        pool.step()
    assert got == [None]
    assert sink.calls[-1] == "abort"


def test_abort_before_anything_touches_nothing():
    sink = MemorySink()
    upload: Upload = Upload(SynchronousPool(), lambda: sink, Held())
    assert outcome(upload.abort()) == [None]
    assert sink.calls == []


def test_framing_of_any_length_around_a_small_body_is_taken_in():
    """Chunks of one byte make a hundred of each; nobody may wait for ever because of that."""
    pool, sink, producer = HandPool(), MemorySink(), Producer()
    upload: Upload = Upload(pool, lambda: sink, Held())
    upload.registerProducer(producer, True)
    for _ in range(3 * HIGH // SMALL):
        upload.write(b"x" * SMALL)
        if producer.log[-1:] == ["pause"]:
            while pool.jobs:
                pool.step()
            assert producer.log[-1] == "resume"
    assert sink.calls


def test_a_crowd_keeps_less_each():
    pool, held = HandPool(), Held(crowded=CROWDED_HIGH)
    crowd = [Upload(pool, MemorySink, held) for _ in range(20)]
    producers = [Producer() for _ in crowd]
    for upload, producer in zip(crowd, producers, strict=True):
        upload.registerProducer(producer, True)
    paused = 0
    while paused < len(crowd):
        for upload, producer in zip(crowd, producers, strict=True):
            if producer.log[-1:] != ["pause"]:
                upload.write(b"x" * 16384)
        paused = sum(producer.log[-1:] == ["pause"] for producer in producers)
    assert held.bytes <= len(crowd) * (CROWDED_HIGH + 16384)
    while pool.jobs:
        pool.step()
    assert {tuple(producer.log) for producer in producers} == {("pause", "resume")}
    assert held.bytes < len(crowd) * CROWDED_BATCH


def test_who_is_alone_in_the_crowd_writes_smaller_batches_and_goes_on():
    pool, held, producer = HandPool(), Held(crowded=-1), Producer()
    sink = MemorySink()
    upload: Upload = Upload(pool, lambda: sink, held)
    upload.registerProducer(producer, True)
    for _ in range(10):
        upload.write(b"x" * CROWDED_BATCH)
        pool.step()
    assert sink.calls == [b"x" * CROWDED_BATCH] * 10
    assert producer.log == []


@pytest.mark.parametrize("end", ["finish", "abort", "fail"])
def test_nothing_is_counted_of_what_is_over(end):
    pool, held = HandPool(), Held()
    upload: Upload = Upload(pool, lambda: MemorySink(0 if end == "fail" else None), held)
    upload.write(b"x" * BATCH)
    upload.write(b"y" * 5)
    assert held.bytes == BATCH + 5
    if end == "fail":
        pool.step()
    got = outcome(upload.abort() if end == "abort" else upload.finish())
    while pool.jobs:
        pool.step()
    assert len(got) == 1
    assert held.bytes == 0
