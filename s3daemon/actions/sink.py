"""Where the body of an object or a part goes: decoded, hashed, measured, checked, then published.

Nothing is published that is not exactly what the client announced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import attrs

from s3daemon.actions.base import Answer
from s3daemon.store.interfaces import IPartWriter, IWriter
from s3daemon.wire import awschunked, digests, headers
from s3daemon.wire.errors import EntityTooLarge, IncompleteBody, MissingContentLength
from s3daemon.wire.message import S3Request

#: The largest object, and the largest part (S3 user guide, "Multipart upload limits").
MAX_OBJECT = 5 * 1024**4
MAX_PART = 5 * 1024**3


@attrs.frozen
class ExpectedBody:
    """What the head announces about the body.

    :ivar length: bytes of the decoded body; None when its end is the last chunk's
        (Transfer-Encoding: chunked, which S3 itself does not take; ``curl -T -`` sends it).
    :ivar md5: of Content-MD5, 16 bytes; None when it says nothing.
    :ivar decoder: takes aws-chunked apart, None for a plain body; good for one body.
    :ivar largest: bytes that a body of unknown length may have.
    """

    length: int | None
    md5: bytes | None = None
    decoder: awschunked.Decoder | None = None
    largest: int = MAX_OBJECT


def expected_body(request: S3Request, largest: int) -> ExpectedBody:
    """Read what the head announces; pure.

    ``x-amz-checksum-*`` fields and trailers are accepted, and neither checked nor kept.

    :param largest: bytes that are allowed: :data:`MAX_OBJECT` or :data:`MAX_PART`.
    :raises MissingContentLength, EntityTooLarge, InvalidDigest: and what
        :func:`awschunked.decoder_for` raises.
    """
    length = request.length
    if length is None:
        if request.chunked_body or "transfer-encoding" not in request.headers:
            raise MissingContentLength
    elif length > largest:
        raise _too_large(length, largest)
    return ExpectedBody(
        length, digests.content_md5(request.headers), awschunked.decoder_for(request), largest
    )


def _too_large(size: int, largest: int) -> EntityTooLarge:
    return EntityTooLarge(detail={"ProposedSize": str(size), "MaxSizeAllowed": str(largest)})


class ObjectSink:
    """An :class:`~s3daemon.actions.base.ISink` around a writer of the store.

    The answer is 200 with the ETag: the MD5 of the body, which the store publishes with it.
    """

    def __init__(self, writer: IWriter | IPartWriter, body: ExpectedBody) -> None:
        self._writer = writer
        self._body = body
        self._taken = 0
        # MD5 names the content here; it vouches for nothing.
        self._md5 = hashlib.md5(usedforsecurity=False)

    def write(self, data: Sequence[bytes]) -> None:
        """Take pieces as they came over the wire.

        :raises IncompleteBody: more than was announced; or the framing is broken.
        :raises StorageError: of the writer.
        """
        try:
            decoder = self._body.decoder
            if decoder is not None:
                data = [piece for coded in data for piece in decoder.feed(coded)]
            for piece in data:
                self._md5.update(piece)
                self._taken += len(piece)
            body = self._body
            if body.length is None:
                if self._taken > body.largest:
                    raise _too_large(self._taken, body.largest)
            elif self._taken > body.length:
                raise IncompleteBody
            if data:
                self._writer.write(data)
        except BaseException:
            self.abort()
            raise

    def finish(self) -> Answer:
        """Check the body, publish it, answer.

        :raises IncompleteBody: less than was announced.
        :raises BadDigest: not what Content-MD5 says.
        :raises StorageError: of the writer.
        """
        try:
            if self._body.decoder is not None:
                self._body.decoder.finish()
            if self._body.length not in (None, self._taken):
                raise IncompleteBody
            digests.check(self._body.md5, self._md5.digest())
            info = self._writer.commit(self._md5.hexdigest())
        except BaseException:
            self.abort()
            raise
        return Answer(fields=headers.etag_field(info.etag))

    def abort(self) -> None:
        """Forget the body."""
        self._writer.abort()
