"""A small world to run actions in: the memory store, two callers, and botocore to read answers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import attrs
import botocore.awsrequest
import botocore.parsers
import botocore.session
import pytest

from s3daemon.actions.base import (
    Action,
    Answer,
    AnyAction,
    Context,
    DocumentAction,
    Limits,
    Slice,
    UploadAction,
)
from s3daemon.auth.identity import Identity
from s3daemon.store.interfaces import Attributes, BucketInfo, ListQuery, ObjectInfo
from s3daemon.store.memory import MemoryStore
from s3daemon.wire.errors import AccessDenied
from s3daemon.wire.message import Personality, S3Request
from tests.support.actions import People

ALICE = Identity("alice-id", "alice", "Alice")
BOB = Identity("bob-id", "bob", "Bob")
#: 2026-11-24T04:12:42.627Z, when the first thing in a world is made; each later one a second later.
START_NS = 1_795_493_562_627_000_000


class Pair(People):
    """Alice and Bob, and nobody else."""

    def display_name(self, canonical_id: str) -> str:
        """Their names."""
        return {ALICE.id: "Alice", BOB.id: "Bob"}[canonical_id]


PEOPLE = Pair()


class World:
    """A store with the bucket ``b`` of Alice's, and everything needed to run an action on it."""

    alice = ALICE
    bob = BOB
    start_ns = START_NS

    def __init__(self) -> None:
        ticks = itertools.count(START_NS, 1_000_000_000)
        self.store = MemoryStore(lambda: next(ticks))
        self.caller = ALICE
        self.limits = Limits()
        self.expected_owner: str | None = None
        self.asked: list[tuple[str, str, str, str]] = []
        self.store.buckets.create("b", ALICE.id)

    def may(
        self,
        caller: Identity,
        operation: str,
        bucket: BucketInfo,
        key: str = "",
        find: object = None,
    ) -> None:
        """Owners may do everything with what they own, except with keys that begin ``secret``."""
        self.asked.append((caller.name, operation, bucket.name, key))
        if bucket.owner not in (None, caller.id) or key.startswith("secret"):
            raise AccessDenied

    def context(self, operation: str) -> Context:
        """The context of one request of the present caller."""
        return Context(
            self.store.buckets,
            self.store.objects,
            self.store.uploads,
            self.caller,
            operation,
            self.may,
            PEOPLE,
            self.limits,
            now_ns=START_NS,
            expected_owner=self.expected_owner,
        )

    def perform(self, action: AnyAction, request: S3Request, body: bytes = b"") -> Answer:
        """Parse, run, answer.  An upload without an announced length gets that of its body."""
        context = self.context(action.name)
        if isinstance(action, UploadAction):
            if request.length is None:
                request = attrs.evolve(request, length=len(body))
            sink = action.begin(context, action.parse(request))
            if body:
                sink.write([body])
            return sink.finish()
        if isinstance(action, DocumentAction):
            return action.run(context, action.parse(request), body)
        assert isinstance(action, Action)
        return action.run(context, action.parse(request))

    def put(
        self, key: str, content: bytes = b"", bucket: str = "b", **attributes: Any
    ) -> ObjectInfo:
        """An object, by-passing the actions; keywords are fields of Attributes."""
        writer = self.store.objects.create(bucket, key, Attributes(**attributes), self.caller.id)
        writer.write([content])
        etag = "md5-of-" + (content.hex() if len(content) < 20 else str(len(content)))
        info: ObjectInfo = writer.commit(etag)
        return info

    def content(self, key: str, bucket: str = "b") -> bytes:
        """The bytes of an object."""
        reader = self.store.objects.open(bucket, key)
        found: bytes = reader.read(0, reader.info.size)
        reader.close()
        return found

    def keys(self, bucket: str = "b") -> list[str]:
        """The keys of a bucket."""
        return [info.key for info in self.store.objects.list(bucket, ListQuery()).objects]


def request(
    method: str = "GET",
    bucket: str = "b",
    key: str = "",
    *,
    query: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    personality: Personality = Personality.AWS,
    length: int | None = None,
    **more: Any,
) -> S3Request:
    """A head."""
    return S3Request(
        method=method,
        bucket=bucket,
        key=key,
        query=query or {},
        headers=headers or {},
        personality=personality,
        length=length,
        **more,
    )


def body_of(answer: Answer) -> bytes:
    """The bytes of an answer; the reader of a slice is closed."""
    if isinstance(answer.body, Slice):
        piece = answer.body
        found: bytes = piece.reader.read(piece.offset, piece.length)
        piece.reader.close()
        return found
    return answer.body


@pytest.fixture
def world() -> World:
    """A fresh world."""
    return World()


@pytest.fixture
def make_request() -> Any:
    """:func:`request`, for test modules."""
    return request


@pytest.fixture
def read_body() -> Any:
    """:func:`body_of`, for test modules."""
    return body_of


@pytest.fixture(scope="session")
def s3_model() -> Any:
    """The S3 service model that botocore ships."""
    return botocore.session.get_session().get_service_model("s3")


@pytest.fixture
def parsed(s3_model: Any) -> Any:
    """``parsed(operation, answer)``: the answer as botocore hands it to a program."""
    parser = botocore.parsers.create_parser("rest-xml")

    def parse(operation: str, answer: Answer) -> dict[str, Any]:
        shape = s3_model.operation_model(operation).output_shape
        content = body_of(answer)
        if operation == "GetObject":
            # A streamed body stays a stream, which the parser does not touch.
            content = b""
        found: dict[str, Any] = parser.parse(
            {
                "status_code": answer.status,
                "headers": botocore.awsrequest.HeadersDict(answer.fields),
                "body": content,
            },
            shape,
        )
        return found

    return parse
