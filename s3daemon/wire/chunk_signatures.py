"""Signatures of the chunks of one body, and of what trails it.

Source: S3 API reference, "Signature calculations for the Authorization header: transferring payload
in multiple chunks" and "... including trailing headers".  Each signature is made over the one
before it; the first over that of the request.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping

from s3daemon.wire.claim import V4
from s3daemon.wire.errors import SignatureDoesNotMatch

_EMPTY_SHA256 = hashlib.sha256().hexdigest()


class ChunkSignatures:
    """A :class:`~s3daemon.wire.message.ChunkVerifier`; good for one body.

    :param key: the signing key.
    :param stamp: the time in the request's string to sign.
    :param scope: the credential scope.
    :param seed: the signature of the request.
    :param access_key: for the error.
    """

    def __init__(self, key: bytes, stamp: str, scope: str, seed: str, access_key: str) -> None:
        self._key = key
        self._scope = f"{stamp}\n{scope}\n"
        self._previous = seed
        self._access_key = access_key
        self._claimed = ""
        self._hash = hashlib.sha256()

    def begin(self, signature: str) -> None:
        """A chunk begins that claims this signature."""
        self._claimed = signature.lower()
        self._hash = hashlib.sha256()

    def data(self, piece: bytes) -> None:
        """The next bytes of the chunk."""
        self._hash.update(piece)

    def end(self) -> None:
        """The chunk is whole.

        :raises SignatureDoesNotMatch:
        """
        digest = self._hash.hexdigest()
        self._check("PAYLOAD", (f"{_EMPTY_SHA256}\n{digest}",), self._claimed)

    def trailers(self, fields: Mapping[str, str], signature: str) -> None:
        """The trailers, in order, and the signature over them.

        :raises SignatureDoesNotMatch:
        """
        lines = [f"{name}:{value}\n" for name, value in fields.items()]
        # S3 says nothing about an order; with more than one, some clients sort them.
        forms = dict.fromkeys(("".join(lines), "".join(sorted(lines))))
        digests = [hashlib.sha256(form.encode()).hexdigest() for form in forms]
        self._check("TRAILER", digests, signature.lower())

    def _check(self, kind: str, digests: Iterable[str], claimed: str) -> None:
        strings = [
            f"{V4}-{kind}\n{self._scope}{self._previous}\n{digest}".encode() for digest in digests
        ]
        for string in strings:
            signature = hmac.digest(self._key, string, "sha256").hex()
            if hmac.compare_digest(signature, claimed):
                self._previous = signature
                return
        raise SignatureDoesNotMatch(
            detail={
                "AWSAccessKeyId": self._access_key,
                "StringToSign": strings[0].decode(),
                "SignatureProvided": claimed,
                "StringToSignBytes": strings[0].hex(" "),
            }
        )
