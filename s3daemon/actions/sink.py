"""Where the body of an object or a part goes: decoded, hashed, measured, checked, then published.

Nothing is published that is not exactly what the client announced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import attrs

from s3daemon.actions.base import Answer
from s3daemon.actions.checksum_fields import checksum_fields
from s3daemon.actions.digesting import Aside, Digests
from s3daemon.store.interfaces import Checksum, IPartWriter, IWriter
from s3daemon.wire import awschunked, checksums, digests, headers, integrity
from s3daemon.wire.checksums import ALGORITHMS, Algorithm
from s3daemon.wire.errors import EntityTooLarge, IncompleteBody, MissingContentLength
from s3daemon.wire.integrity import Announced
from s3daemon.wire.message import Fields, S3Request

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
    :ivar sha256: of the body as it travels, 32 bytes, which was signed; None when nothing was.
    :ivar checksum: the additional checksum.
    """

    length: int | None
    md5: bytes | None = None
    decoder: awschunked.Decoder | None = None
    largest: int = MAX_OBJECT
    sha256: bytes | None = None
    checksum: Announced = integrity.NOTHING


def expected_body(request: S3Request, largest: int) -> ExpectedBody:
    """Read what the head announces; pure.

    :param largest: bytes that are allowed: :data:`MAX_OBJECT` or :data:`MAX_PART`.
    :raises MissingContentLength, EntityTooLarge, InvalidDigest: and what
        :func:`awschunked.decoder_for` and :func:`integrity.announced` raise.
    """
    length = request.length
    if length is None:
        if request.chunked_body or "transfer-encoding" not in request.headers:
            raise MissingContentLength
    elif length > largest:
        raise _too_large(length, largest)
    return ExpectedBody(
        length,
        digests.content_md5(request.headers),
        awschunked.decoder_for(request),
        largest,
        request.payload.sha256,
        integrity.announced(request),
    )


def _too_large(size: int, largest: int) -> EntityTooLarge:
    return EntityTooLarge(detail={"ProposedSize": str(size), "MaxSizeAllowed": str(largest)})


class ObjectSink:
    """An :class:`~s3daemon.actions.base.ISink` around a writer of the store.

    The answer is 200 with the ETag, which is the MD5 of the body, and the checksum; the store
    publishes both with it.

    :param algorithm: of the checksum that is computed, kept and answered; None for none.
    :param aside: makes digests on another thread; None to make all of them here.
    :raises errors.NotImplemented: the library for the algorithm is not installed here.
    """

    def __init__(
        self,
        writer: IWriter | IPartWriter,
        body: ExpectedBody,
        algorithm: Algorithm | None = None,
        aside: Aside | None = None,
    ) -> None:
        self._writer = writer
        self._body = body
        self._algorithm = algorithm
        self._taken = 0
        wanted = [found for found in (algorithm, body.checksum.algorithm) if found is not None]
        # Of what is taken apart the signed hash is that of the coded bytes, else of the content.
        self._coded = None
        if body.sha256 is not None:
            if body.decoder is None:
                wanted.append(ALGORITHMS["SHA256"])
            else:
                self._coded = hashlib.sha256()
        self._digests = Digests(wanted, aside)

    def write(self, data: Sequence[bytes]) -> None:
        """Take pieces as they came over the wire.

        :raises IncompleteBody: more than was announced; or the framing is broken.
        :raises StorageError: of the writer.
        """
        try:
            data = self._decoded(data)
            body = self._body
            self._taken += sum(map(len, data))
            if body.length is None:
                if self._taken > body.largest:
                    raise _too_large(self._taken, body.largest)
            elif self._taken > body.length:
                raise IncompleteBody
            if data:
                wait = self._digests.take(data)
                try:
                    self._writer.write(data)
                finally:
                    wait()
        except BaseException:
            self.abort()
            raise

    def finish(self) -> Answer:
        """Check the body, publish it, answer.

        :raises IncompleteBody: less than was announced.
        :raises XAmzContentSHA256Mismatch: not what was signed.
        :raises BadDigest: not what Content-MD5 or the checksum says.
        :raises StorageError: of the writer.
        """
        try:
            self._check()
            md5, checksum = self._digests.digest("MD5").hex(), self._checksum(self._algorithm)
            info = self._writer.commit(md5, checksum)
        except BaseException:
            self.abort()
            raise
        return Answer(fields=headers.etag_field(info.etag) + self._checksum_fields())

    def abort(self) -> None:
        """Forget the body."""
        self._writer.abort()

    def _decoded(self, data: Sequence[bytes]) -> Sequence[bytes]:
        decoder = self._body.decoder
        if decoder is None:
            return data
        if self._coded is not None:
            for coded in data:
                self._coded.update(coded)
        return [piece for coded in data for piece in decoder.feed(coded)]

    def _check(self) -> None:
        body, digest = self._body, self._digests.digest
        trailers = {}
        if body.decoder is not None:
            body.decoder.finish()
            trailers = body.decoder.trailers
        if body.length not in (None, self._taken):
            raise IncompleteBody
        if body.sha256 is not None:
            actual = digest("SHA256") if self._coded is None else self._coded.digest()
            digests.check_sha256(body.sha256, actual)
        digests.check(body.md5, digest("MD5"))
        announced = body.checksum.algorithm
        body.checksum.check(b"" if announced is None else digest(announced.name), trailers)

    def _checksum(self, algorithm: Algorithm | None) -> Checksum | None:
        if algorithm is None:
            return None
        return Checksum(algorithm.name, checksums.encode(self._digests.digest(algorithm.name)))

    def _checksum_fields(self) -> Fields:
        return checksum_fields(self._checksum(self._algorithm))


class PartSink(ObjectSink):
    """The same for a part, whose checksum has no type.

    :param algorithm: of the checksum that is computed and kept; None for none.
    :param answered: of the one that is answered: ``algorithm``, or that of the client's own one.
    """

    def __init__(
        self,
        writer: IPartWriter,
        body: ExpectedBody,
        algorithm: Algorithm | None = None,
        answered: Algorithm | None = None,
        aside: Aside | None = None,
    ) -> None:
        super().__init__(writer, body, algorithm, aside)
        self._answered = answered

    def _checksum_fields(self) -> Fields:
        return checksum_fields(self._checksum(self._answered), typed=False)
