"""What a request says the checksum of its body is, and whether that is so.

Sources: S3 user guide, "Checking object integrity for data uploads"; S3 API reference, PutObject
(x-amz-checksum-*, x-amz-sdk-checksum-algorithm, x-amz-trailer) and "Signature calculations ...
including trailing headers".

A value comes in a header field, or in a trailer of an aws-chunked body, which ``x-amz-trailer``
announces.  ``x-amz-sdk-checksum-algorithm`` only repeats which algorithm that is.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from s3daemon.wire import checksums
from s3daemon.wire.checksums import ALGORITHMS, HEADERS, Algorithm
from s3daemon.wire.errors import BadDigest, InvalidRequest, MalformedTrailerError
from s3daemon.wire.message import S3Request

_PREFIX = "x-amz-checksum-"
#: Fields that begin like those of values and are none.
_OTHERS = frozenset({_PREFIX + "algorithm", _PREFIX + "mode", _PREFIX + "type"})
_SDK = "x-amz-sdk-checksum-algorithm"
_SIGNATURE = "x-amz-trailer-signature"


@attrs.frozen
class Announced:
    """The checksum that a request gives for its body.

    :ivar algorithm: None when it gives none.
    :ivar digest: of the header field; None when the value comes in a trailer.
    """

    algorithm: Algorithm | None = None
    digest: bytes | None = None

    def check(self, actual: bytes, trailers: Mapping[str, str]) -> None:
        """Compare the digest of the body with what the client said.

        :param actual: made with :attr:`algorithm`; of no meaning where that is None.
        :param trailers: those of the body, as :attr:`awschunked.Decoder.trailers`.
        :raises MalformedTrailerError: there are others than were announced.
        :raises InvalidRequest: the value of the trailer is none.
        :raises BadDigest: they differ.
        """
        algorithm, expected = self.algorithm, self.digest
        if algorithm is None or expected is not None:
            if trailers:
                raise MalformedTrailerError
        elif trailers.keys() != {algorithm.header}:
            raise MalformedTrailerError
        else:
            expected = _value(algorithm, trailers[algorithm.header], "trailing header")
        if algorithm is not None and actual != expected:
            raise BadDigest(
                f"The {algorithm.name} you specified did not match the calculated checksum."
            )

    def check_document(self, document: bytes, trailers: Mapping[str, str]) -> None:
        """:meth:`check` for a body that is here as a whole."""
        actual = b""
        if self.algorithm is not None:
            hasher = checksums.hasher_of(self.algorithm)
            hasher.update(document)
            actual = hasher.digest()
        self.check(actual, trailers)


#: Nothing is said.
NOTHING = Announced()


def announced(request: S3Request) -> Announced:
    """Read what the head says; pure.

    :raises InvalidRequest: several checksums, an algorithm or a value that is none, or
        x-amz-sdk-checksum-algorithm says something else.
    :raises MalformedTrailerError: a trailer is announced for a body that cannot have one.
    :raises errors.NotImplemented: the library for the algorithm is not installed here.
    """
    headers = request.headers
    given = [name for name in headers if name.startswith(_PREFIX) and name not in _OTHERS]
    trailing = _announced_trailers(headers["x-amz-trailer"]) if "x-amz-trailer" in headers else []
    if len(given) + len(trailing) > 1:
        raise InvalidRequest(
            "Expecting a single x-amz-checksum- header. Multiple checksum Types are not allowed."
        )
    name = (given or trailing or [""])[0]
    algorithm = HEADERS.get(name)
    if name and algorithm is None:
        raise InvalidRequest(
            "The algorithm type you specified in x-amz-checksum- header is invalid.",
            detail={"Header": name},
        )
    if _SDK in headers:
        _check_sdk(headers[_SDK], algorithm)
    if algorithm is None:
        return NOTHING
    checksums.require(algorithm)
    if given:
        return Announced(algorithm, _value(algorithm, headers[name], "header"))
    if not request.chunked_body:
        raise MalformedTrailerError("Only an aws-chunked body can have the trailer announced.")
    return Announced(algorithm)


def requested(headers: Mapping[str, str]) -> Algorithm | None:
    """What x-amz-checksum-algorithm asks for; None when it is not there.

    :raises InvalidRequest: there is no such algorithm.
    :raises errors.NotImplemented: the library for it is not installed here.
    """
    value = headers.get("x-amz-checksum-algorithm")
    if value is None:
        return None
    algorithm = ALGORITHMS.get(value.upper())
    if algorithm is None:
        raise InvalidRequest(
            "Checksum algorithm provided is unsupported. Please try again with any of the valid "
            f"types: [{', '.join(ALGORITHMS)}]"
        )
    checksums.require(algorithm)
    return algorithm


def _announced_trailers(value: str) -> list[str]:
    """The checksums among the names of trailers; nothing else is a trailer of S3."""
    names = [name.strip().lower() for name in value.split(",")]
    names = [name for name in names if name and name != _SIGNATURE]
    for name in names:
        if name not in HEADERS:
            raise InvalidRequest("The value specified in the x-amz-trailer header is not supported")
    return names


def _check_sdk(value: str, algorithm: Algorithm | None) -> None:
    named = ALGORITHMS.get(value.upper())
    if named is not None and algorithm is None:
        raise InvalidRequest(
            f"{_SDK} specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers "
            "were found."
        )
    if named is None or named is not algorithm:
        raise InvalidRequest(f"Value for {_SDK} header is invalid.")


def _value(algorithm: Algorithm, value: str, where: str) -> bytes:
    try:
        return checksums.decode(algorithm.name, value)
    except ValueError:
        raise InvalidRequest(f"Value for {algorithm.header} {where} is invalid.") from None
