"""Results and errors become status, fields and bodies here, and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence

from s3daemon.actions.base import Answer, Slice
from s3daemon.http.request import Request
from s3daemon.streams.pool import IPool
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


async def send(request: Request, answer: Answer, common: WireFields, pool: IPool) -> None:
    """Send an answer; the reader of a :class:`Slice` is closed whatever happens.

    An answer with a document and no Content-Type is XML.
    """
    fields = common + wire_fields(answer.fields)
    body = answer.body
    if isinstance(body, Slice):
        await _send_slice(request, answer.status, fields, body, pool)
        return
    if body and not any(name == b"Content-Type" for name, _ in fields):
        fields.append(_XML)
    request.answer(answer.status, fields, body)


async def _send_slice(
    request: Request, status: int, fields: WireFields, body: Slice, pool: IPool
) -> None:
    reader = body.reader
    try:
        descriptor = reader.fileno()
        if descriptor is not None:
            await request.answer_file(status, fields, descriptor, body.offset, body.length)
        else:
            await request.answer_pieces(
                status,
                fields,
                lambda offset, size: pool.run(reader.read, body.offset + offset, size),
                body.length,
            )
    finally:
        reader.close()


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
