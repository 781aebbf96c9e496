"""Driving an action without HTTP, and reading its answer as botocore does."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from typing import Any

import attrs
import botocore.session
from botocore.awsrequest import HeadersDict
from botocore.parsers import create_parser
from lxml import etree

from s3daemon.actions.base import Action, Answer, AnyAction, Context, DocumentAction, Limits
from s3daemon.auth.identity import Identity
from s3daemon.auth.policy import Policy
from s3daemon.store.interfaces import Attributes, IStore
from s3daemon.wire.message import Personality, S3Request

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


def identity(name: str) -> Identity:
    """A caller whose canonical id is ``id-NAME``."""
    return Identity(f"id-{name}", name, name.title())


class People:
    """The users of the tests: whoever has an id that begins with ``id-``, and an address."""

    def display_name(self, canonical_id: str) -> str:
        """``id-alice`` is Alice."""
        return canonical_id.removeprefix("id-").title()

    def knows(self, canonical_id: str) -> bool:
        """Whether it looks like an id."""
        return canonical_id.startswith("id-")

    def by_email(self, address: str) -> str | None:
        """``alice@example.com`` is ``id-alice``."""
        name, _, host = address.partition("@")
        return f"id-{name}" if host == "example.com" else None


PEOPLE = People()


@attrs.frozen
class World:
    """A store, and what the actions find around it."""

    store: IStore
    limits: Limits = attrs.field(factory=lambda: Limits(min_part=5))
    region: str = "us-east-1"
    may: Any = attrs.field(factory=lambda: Policy().may)

    def context(self, operation: str, caller: str) -> Context:
        """The context of one request."""
        return Context(
            buckets=self.store.buckets,
            objects=self.store.objects,
            uploads=self.store.uploads,
            caller=identity(caller),
            operation=operation,
            may=self.may,
            users=PEOPLE,
            limits=self.limits,
            region=self.region,
        )

    def run(
        self,
        action: AnyAction,
        bucket: str = "",
        key: str = "",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        length: int | None = -1,
        caller: str = "alice",
        personality: Personality = Personality.AWS,
        host: str = "s3.example.com",
        base: str = "",
        secure: bool = False,
    ) -> Answer:
        """Parse and run; ``length`` is the announced one, that of the body unless given."""
        request = S3Request(
            method="",
            bucket=bucket,
            key=key,
            query=dict(query or {}),
            headers=dict(headers or {}),
            personality=personality,
            host=host,
            base=base,
            secure=secure,
            length=len(body) if length == -1 else length,
        )
        given = action.parse(request)
        context = self.context(action.name, caller)
        if isinstance(action, Action):
            return action.run(context, given)
        if isinstance(action, DocumentAction):
            return action.run(context, given, body)
        sink = action.begin(context, given)
        sink.write((body,))
        return sink.finish()

    def put(self, bucket: str, key: str, content: bytes = b"", owner: str | None = None) -> None:
        """Store an object, by the store's own means."""
        writer = self.store.objects.create(bucket, key, Attributes(), owner)
        if content:
            writer.write((content,))
        writer.commit(hashlib.md5(content).hexdigest())


@functools.cache
def _output_shape(operation: str) -> Any:
    model = botocore.session.get_session().get_service_model("s3")
    return model.operation_model(operation).output_shape


def parsed(operation: str, answer: Answer) -> dict[str, Any]:
    """What a botocore client makes of an answer."""
    assert isinstance(answer.body, bytes)
    found: dict[str, Any] = create_parser("rest-xml").parse(
        {
            "status_code": answer.status,
            "headers": HeadersDict(dict(answer.fields)),
            "body": answer.body,
        },
        _output_shape(operation),
    )
    del found["ResponseMetadata"]
    return found


def outline(answer: Answer) -> list[str]:
    """The root of an answer's document and its children, in order; repeated names once."""
    assert isinstance(answer.body, bytes)
    root = etree.fromstring(answer.body)
    assert root.tag.startswith("{" + NAMESPACE + "}")
    names = [etree.QName(element).localname for element in (root, *root)]
    return list(dict.fromkeys(names))
