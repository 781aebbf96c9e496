"""Results and errors become status, fields and bodies here, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus
from types import MappingProxyType

from twisted.internet.defer import Deferred, succeed

from s3daemon.actions.base import Answer, Slice
from s3daemon.http.request import Request
from s3daemon.http.sendfile import BodyCutShort, Pace
from s3daemon.store.interfaces import IReader, StorageError, WouldBlock
from s3daemon.streams.pool import IPool, PoolStopped
from s3daemon.wire import error_document
from s3daemon.wire.errors import S3Error

#: Header fields as they go on the wire.
WireFields = list[tuple[bytes, bytes]]

_XML = (b"Content-Type", b"application/xml")


def wire_fields(fields: Sequence[tuple[str, str]]) -> WireFields:
    """Text to bytes: what came in a header field goes out as the same bytes."""
    return [
        (name.encode("ascii"), value.encode("utf-8", "surrogateescape")) for name, value in fields
    ]


async def send(
    request: Request, answer: Answer, common: WireFields, pool: IPool, pace: Pace | None = None
) -> None:
    """Send an answer; the reader of a :class:`Slice` is closed whatever happens.

    An answer with a document and no Content-Type is XML.

    :param pace: bounds the rate at which a body leaves.
    """
    fields = common + wire_fields(answer.fields)
    body = answer.body
    if isinstance(body, Slice):
        await _send_slice(request, answer.status, fields, body, pool, pace)
        return
    if body and not any(name == b"Content-Type" for name, _ in fields):
        fields.append(_XML)
    if pace is not None and body:
        await pace(len(body))
    request.answer(answer.status, fields, body)


async def _send_slice(
    request: Request,
    status: int,
    fields: WireFields,
    body: Slice,
    pool: IPool,
    pace: Pace | None,
) -> None:
    reader = body.reader.patient()

    def produce(offset: int, size: int) -> Deferred[bytes]:
        offset += body.offset
        try:
            return succeed(reader.read_at_once(offset, size))
        except WouldBlock:
            return pool.run(_read, reader, offset, size)

    try:
        descriptor = reader.fileno()
        if descriptor is not None and reader.is_quiet():
            await request.answer_file(
                status, fields, descriptor, body.offset, body.length, produce, pace
            )
        else:
            await request.answer_pieces(status, fields, produce, body.length, pace)
    finally:
        # A server behind the file system may be asked before a file is closed (NFS, FUSE).
        if body.reader.closes_at_once:
            reader.close()
        else:
            _close_aside(reader, pool)


def _close_aside(reader: IReader, pool: IPool) -> None:
    """Close a reader without waiting for it."""
    try:
        pool.run(reader.close)
    except PoolStopped:
        reader.close()


def _read(reader: IReader, offset: int, size: int) -> bytes:
    """:raises BodyCutShort: the object is another by now, or cannot be read."""
    try:
        return reader.read(offset, size)
    except StorageError as error:
        raise BodyCutShort(str(error)) from error


def error_answer(
    error: S3Error, resource: str, request_id: str, host_id: str, is_head: bool
) -> Answer:
    """The error document of S3; an answer to HEAD, and 304, have no body."""
    fields = tuple(error.headers.items())
    if is_head or error.status == 304:
        return Answer(error.status, fields)
    document = error_document.render(
        error.code,
        str(error),
        resource if error.resource is None else error.resource,
        request_id,
        host_id,
        error.detail,
    )
    return Answer(error.status, (*fields, ("Content-Type", "application/xml")), document)


#: S3's code for what is no HTTP request, by HTTP's status; what is not here is a BadRequest.
_NO_REQUEST = MappingProxyType(
    {
        408: "RequestTimeout",
        431: "RequestHeaderSectionTooLarge",
        500: "InternalError",
        501: "NotImplemented",
        503: "SlowDown",
    }
)


def bad_request(status: int, reason: str) -> bytes:
    """The whole answer to what is no HTTP request; the connection ends with it."""
    code = _NO_REQUEST.get(status, "BadRequest")
    if status == 431:
        status = 400  # S3's own for it (S3 API reference, "Error responses")
    document = error_document.render(code, reason, "", "", "", {})
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/xml\r\n"
        f"Content-Length: {len(document)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + document
