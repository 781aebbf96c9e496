"""The aws-chunked coding of a request body: chunks with signatures, and trailers.

Source: S3 API reference, "Signature calculations for the Authorization header: transferring
payload in multiple chunks" and "... including trailing headers".

::

    body    = *( chunk ) last *( trailer ) CRLF
    chunk   = size [ ";chunk-signature=" 64HEXDIG ] CRLF data CRLF     ; size in hex, above 0
    last    = "0"  [ ";chunk-signature=" 64HEXDIG ] CRLF
    trailer = name ":" value CRLF                 ; the last one may be x-amz-trailer-signature

What is no chunk is answered as S3 does, like a body that was cut short: a client whose framing is
off has most likely lost bytes.

Signatures are parsed and kept out of the data here; who can verify them listens as a
:class:`~s3daemon.wire.message.ChunkVerifier`.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping

from s3daemon.wire import errors
from s3daemon.wire.errors import (
    IncompleteBody,
    InvalidArgument,
    MalformedTrailerError,
    MissingContentLength,
)
from s3daemon.wire.message import ChunkVerifier, S3Request

_SIGNED = re.compile(rb"([0-9a-fA-F]{1,16});chunk-signature=([0-9a-fA-F]{64})")
# What extensions an unsigned chunk has is nothing to us (RFC 9112 section 7.1.1: ignore them).
_UNSIGNED = re.compile(rb"([0-9a-fA-F]{1,16})(?:;[\t\x20-\x7e]*)?")
# S3's own description ends a trailer with LF before the CRLF, and so do some clients.
_TRAILER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):([\t\x20-\x7e]*)\n?")
_SIGNATURE = re.compile(r"[0-9a-fA-F]{64}")
_TRAILER_SIGNATURE = "x-amz-trailer-signature"

#: The longest line that is collected, and the most trailers.
MAX_LINE = 4096
MAX_TRAILERS = 32

_STREAMING = "STREAMING-"
#: x-amz-content-sha256 -> (signed, trailer).
_FORMS: Mapping[str, tuple[bool, bool]] = {
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": (True, False),
    "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": (True, True),
    "STREAMING-UNSIGNED-PAYLOAD-TRAILER": (False, True),
}


class _State(enum.Enum):
    SIZE = enum.auto()
    DATA = enum.auto()
    DATA_END = enum.auto()
    TRAILER = enum.auto()
    DONE = enum.auto()


class Decoder:
    """Takes one body apart, however it is cut into pieces.  Once it has raised it is of no use.

    :param decoded_length: bytes of content that were announced; more and fewer are refused.
    :param signed: each chunk has to carry a signature; else extensions are ignored.
    :param trailer: trailers may follow the last chunk (and have to be signed when ``signed``).
    :ivar trailers: lower-case name -> value, as far as they came; without the signature.
    """

    def __init__(
        self,
        decoded_length: int,
        signed: bool,
        trailer: bool,
        verifier: ChunkVerifier | None = None,
    ) -> None:
        self.trailers: dict[str, str] = {}
        self._signed = signed
        self._trailer = trailer
        self._verifier = verifier
        self._head = _SIGNED if signed else _UNSIGNED
        self._missing = decoded_length
        self._left = 0  # bytes of this chunk that are still to come
        self._held = b""  # the beginning of a line
        self._trailer_signature: str | None = None
        self._state = _State.SIZE

    def feed(self, data: bytes) -> list[bytes]:
        """The pieces of content in the next bytes of the body.

        Bytes that are all content come back as the same object.

        :raises IncompleteBody: this is not aws-chunked, or the chunks hold more than was announced.
        :raises MalformedTrailerError: what follows the last chunk is no trailers.
        """
        if self._held:
            data = self._held + data
            self._held = b""
        pieces: list[bytes] = []
        position, end = 0, len(data)
        while position < end:
            if self._state is _State.DATA:
                piece = data[position : position + self._left]
                position += len(piece)
                self._left -= len(piece)
                pieces.append(piece)
                if self._verifier is not None:
                    self._verifier.data(piece)
                if not self._left:
                    self._state = _State.DATA_END
                continue
            stop = data.find(b"\r\n", position, position + MAX_LINE)
            if stop < 0:
                self._hold(data[position:])
                break
            self._line(data[position:stop])
            position = stop + 2
        return pieces

    def finish(self) -> None:
        """The body is over.

        :raises IncompleteBody: it is cut short, or holds less than was announced.
        """
        if self._state is not _State.DONE:
            raise IncompleteBody("The body ends before its last chunk does.")
        if self._missing:
            raise IncompleteBody(
                "The chunks hold fewer bytes than x-amz-decoded-content-length announces."
            )

    def _hold(self, beginning: bytes) -> None:
        if len(beginning) >= MAX_LINE:
            bad = _bad_trailer if self._state is _State.TRAILER else _malformed
            raise bad("a line is too long")
        # No longer than need be: a chunk's data ends here, so all it can hold is half a CRLF.
        if self._state is _State.DATA_END and beginning != b"\r":
            raise _malformed("a chunk is longer than its size says")
        if self._state is _State.DONE:
            raise _malformed("there is more after its end")
        self._held = beginning

    def _line(self, line: bytes) -> None:
        if self._state is _State.SIZE:
            self._size(line)
        elif self._state is _State.DATA_END:
            if line:
                raise _malformed("a chunk is longer than its size says")
            self._end_chunk(_State.SIZE)
        elif self._state is _State.TRAILER:
            if line:
                self._field(line)
            else:
                self._end_trailers()
        else:
            raise _malformed("there is more after its end")

    def _size(self, line: bytes) -> None:
        found = self._head.fullmatch(line)
        if found is None:
            wanted = "a size and a chunk-signature" if self._signed else "a size"
            raise _malformed(f"a chunk does not begin with {wanted}")
        size = int(found[1], 16)
        if size > self._missing:
            raise IncompleteBody(
                "The chunks hold more bytes than x-amz-decoded-content-length announces."
            )
        self._missing -= size
        self._left = size
        if self._verifier is not None and self._signed:
            self._verifier.begin(found[2].decode())
        if size:
            self._state = _State.DATA
        else:
            self._end_chunk(_State.TRAILER)

    def _end_chunk(self, state: _State) -> None:
        if self._verifier is not None:
            self._verifier.end()
        self._state = state

    def _field(self, line: bytes) -> None:
        found = _TRAILER.fullmatch(line)
        if found is None or not self._trailer:
            raise _bad_trailer("a line after the last chunk is no trailer")
        name, value = found[1].decode().lower(), found[2].decode().strip("\t ")
        if self._trailer_signature is not None:
            raise _bad_trailer("there are trailers after their signature")
        if name == _TRAILER_SIGNATURE:
            if not _SIGNATURE.fullmatch(value):
                raise _bad_trailer("the signature of the trailers is not 64 hex digits")
            self._trailer_signature = value
        elif name in self.trailers or len(self.trailers) == MAX_TRAILERS:
            raise _bad_trailer("there are too many trailers, or one comes twice")
        else:
            self.trailers[name] = value

    def _end_trailers(self) -> None:
        if self._signed and self._trailer:
            if self._trailer_signature is None:
                raise _bad_trailer("the trailers are not signed")
            if self._verifier is not None:
                self._verifier.trailers(self.trailers, self._trailer_signature)
        self._state = _State.DONE


def _malformed(what: str) -> IncompleteBody:
    return IncompleteBody(f"The body is not valid aws-chunked data: {what}.")


def _bad_trailer(what: str) -> MalformedTrailerError:
    return MalformedTrailerError(f"The trailers of the body are not valid: {what}.")


def decoder_for(request: S3Request) -> Decoder | None:
    """What takes the body of this request apart; None when it is not aws-chunked.

    Signatures of chunks are checked by what ``request.payload`` gives for it.

    :raises MissingContentLength: x-amz-decoded-content-length is not given.
    :raises NotImplemented: signatures of another kind (ECDSA).
    :raises InvalidArgument: x-amz-content-sha256 names a form that does not exist.
    """
    if not request.chunked_body:
        return None
    payload = request.headers.get("x-amz-content-sha256", "")
    # Content-Encoding: aws-chunked may come with a hash or UNSIGNED-PAYLOAD; then nothing says
    # whether there are signatures or trailers, and none are needed.
    signed, trailer = False, True
    if payload.startswith(_STREAMING):
        form = _FORMS.get(payload)
        if form is None:
            if payload.startswith("STREAMING-AWS4-ECDSA-"):
                raise errors.NotImplemented(
                    "Payloads signed with ECDSA (SigV4A) are not implemented."
                )
            raise InvalidArgument(
                "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, a valid SHA-256, or one of "
                f"{', '.join(_FORMS)}.",
                detail={"ArgumentName": "x-amz-content-sha256", "ArgumentValue": payload},
            )
        signed, trailer = form
    if request.length is None:
        raise MissingContentLength(
            "An aws-chunked body needs its length in x-amz-decoded-content-length."
        )
    make = request.payload.verifier if signed else None
    return Decoder(request.length, signed, trailer, None if make is None else make())


def is_aws_chunked(headers: Mapping[str, str]) -> bool:
    """Whether a request with these headers has an aws-chunked body.

    x-amz-content-sha256 says so, or Content-Encoding does.  The latter alone, without
    x-amz-decoded-content-length, is what a client sends that passes the name on as if it were a
    coding of the object; S3 takes such a body as it is.
    """
    if headers.get("x-amz-content-sha256", "").startswith(_STREAMING):
        return True
    return "x-amz-decoded-content-length" in headers and "aws-chunked" in (
        coding.strip().lower() for coding in headers.get("content-encoding", "").split(",")
    )


def strip_aws_chunked(content_encoding: str) -> str:
    """Content-Encoding without ``aws-chunked``: what the object itself is coded with; maybe ""."""
    codings = (coding.strip() for coding in content_encoding.split(","))
    return ", ".join(coding for coding in codings if coding and coding.lower() != "aws-chunked")
