"""One S3 request as an action reads it, and the answer it gives: values only.

The HTTP room turns a head into an :class:`S3Request` and an :class:`Answer` into bytes; nothing in
between sees a socket.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Protocol

import attrs


class Personality(enum.Enum):
    """Which S3 an endpoint shows.

    ``AWS`` knows only what was put as an object.  ``ALLUXIO`` shows every directory as a zero-byte
    object ``name/``, as the Alluxio proxy does.
    """

    AWS = "aws"
    ALLUXIO = "alluxio"


class ChunkVerifier(Protocol):
    """Who checks the signatures of a signed aws-chunked body; any method may raise an S3 error.

    For each chunk, the empty last one too: ``begin``, ``data`` for each piece, ``end``.
    """

    def begin(self, signature: str) -> None:
        """A chunk begins that claims this signature: 64 hex digits."""

    def data(self, piece: bytes) -> None:
        """The next bytes of the chunk."""

    def end(self) -> None:
        """The chunk is whole."""

    def trailers(self, fields: Mapping[str, str], signature: str) -> None:
        """The trailers, in order, and the signature over them."""


@attrs.frozen
class Payload:
    """What a verified signature says about the body that follows.

    :ivar sha256: the digest that the body has to have, 32 bytes; None when nothing is said of it.
    :ivar verifier: makes what checks the chunks of one signed aws-chunked body; None when the
        chunks carry no signature, or nobody verifies them.
    """

    sha256: bytes | None = None
    verifier: Callable[[], ChunkVerifier] | None = attrs.field(default=None, repr=False)


#: Nothing is known about the body.
UNVERIFIED = Payload()


@attrs.frozen
class S3Request:
    """The head of one request, decoded; the body is not here.

    :ivar method: ``GET``, ``PUT`` ...
    :ivar bucket: bucket name, percent-decoded; "" at the service.
    :ivar key: object key, percent-decoded once, exactly as sent otherwise; "" at a bucket.
    :ivar query: decoded parameters; of a repeated name the first value; "" for a bare name.
    :ivar headers: lower-case names; values of repeated fields joined by ``,``; text is UTF-8, and
        bytes that are not stand as lone surrogates (PEP 383), so that they can be given back.
    :ivar base: the path in front of the bucket, ``/api/v1/s3`` or "".
    :ivar host: the Host header.
    :ivar length: bytes of the *decoded* body when announced (Content-Length, or
        x-amz-decoded-content-length of an aws-chunked body); None when it is not.
    :ivar chunked_body: the body is aws-chunked.
    :ivar payload: what a signature says about the body; set once it has been verified.
    """

    method: str
    bucket: str = ""
    key: str = ""
    # A signature may stand in either, and a request may be shown.
    query: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    personality: Personality = Personality.AWS
    base: str = ""
    host: str = ""
    secure: bool = False
    length: int | None = None
    chunked_body: bool = False
    payload: Payload = UNVERIFIED

    @property
    def resource(self) -> str:
        """The path an error names: ``/bucket/key``."""
        return "/" + (self.bucket + ("/" + self.key if self.key else "") if self.bucket else "")


#: Header fields of an answer: (name as it goes on the wire, value), in order.
Fields = tuple[tuple[str, str], ...]
