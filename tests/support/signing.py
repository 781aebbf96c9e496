"""Signing requests as the S3 documentation describes it, to be held against what verifies them.

Nothing of the gateway is used here.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl, quote, unquote

import attrs

#: When requests are signed unless something else is said; seconds since the epoch.
NOW = 1_764_000_000.0

UNSIGNED = "UNSIGNED-PAYLOAD"


@attrs.frozen
class Signer:
    """Signs with one key for one region.

    :ivar now: seconds since the epoch.
    """

    access_key: str = "AKIDALICE"
    secret_key: str = "alice-secret"
    region: str = "us-east-1"
    service: str = "s3"
    now: float = NOW

    @property
    def stamp(self) -> str:
        """The time of the request: ``yyyymmddThhmmssZ``."""
        return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(self.now))

    @property
    def scope(self) -> str:
        """The credential scope."""
        return f"{self.stamp[:8]}/{self.region}/{self.service}/aws4_request"

    @property
    def key(self) -> bytes:
        """The signing key."""
        key = b"AWS4" + self.secret_key.encode()
        for part in self.scope.split("/"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return key

    def signature(self, string: str) -> str:
        """In hex."""
        return hmac.new(self.key, string.encode(), hashlib.sha256).hexdigest()

    def headers(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
        *,
        host: str = "gateway.test",
        payload: str | None = None,
        sign: Sequence[str] | None = None,
    ) -> dict[str, str]:
        """The header fields to send, those of the signature among them.

        :param target: percent-encoded path and query.
        :param payload: x-amz-content-sha256; the hash of the body unless given.
        :param sign: names to sign instead of all.
        """
        sent = {name.lower(): value for name, value in (headers or {}).items()}
        sent.setdefault("x-amz-date", self.stamp)
        sent["x-amz-content-sha256"] = payload or hashlib.sha256(body).hexdigest()
        signed = {"host": host, **sent}
        names = sorted(signed if sign is None else sign)
        canonical = _canonical(method, target, signed, names, sent["x-amz-content-sha256"])
        sent["authorization"] = (
            f"AWS4-HMAC-SHA256 Credential={self.access_key}/{self.scope}, "
            f"SignedHeaders={';'.join(names)}, Signature={self.signature(self.string(canonical))}"
        )
        return sent

    def presigned(
        self,
        method: str,
        target: str,
        expires: int | str = 300,
        headers: Mapping[str, str] | None = None,
        *,
        host: str = "gateway.test",
        payload: str = UNSIGNED,
        query: Mapping[str, str] | None = None,
    ) -> str:
        """The target with the query parameters of a signature.

        :param headers: that have to be sent with it.
        :param query: further parameters, or others in place of those of the signature.
        """
        signed = {"host": host, **{k.lower(): v for k, v in (headers or {}).items()}}
        parameters = {
            "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
            "X-Amz-Credential": f"{self.access_key}/{self.scope}",
            "X-Amz-Date": self.stamp,
            "X-Amz-Expires": str(expires),
            "X-Amz-SignedHeaders": ";".join(sorted(signed)),
            **(query or {}),
        }
        target += ("&" if "?" in target else "?") + "&".join(
            f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in parameters.items()
        )
        canonical = _canonical(method, target, signed, sorted(signed), payload)
        return f"{target}&X-Amz-Signature={self.signature(self.string(canonical))}"

    def string(self, canonical: str) -> str:
        """The string to sign for a canonical request."""
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        return f"AWS4-HMAC-SHA256\n{self.stamp}\n{self.scope}\n{digest}"

    def chunked(self, seed: str, chunks: Sequence[bytes], trailers: Mapping[str, str]) -> bytes:
        """A whole aws-chunked body with signatures; with a signed trailer if there are any.

        :param seed: the signature of the request.
        """
        empty = hashlib.sha256().hexdigest()
        body = b""
        for chunk in (*chunks, b""):
            seed = self.signature(
                f"AWS4-HMAC-SHA256-PAYLOAD\n{self.stamp}\n{self.scope}\n{seed}\n{empty}\n"
                + hashlib.sha256(chunk).hexdigest()
            )
            body += f"{len(chunk):x};chunk-signature={seed}\r\n".encode() + chunk
            body += b"\r\n" if chunk else b""
        if trailers:
            lines = "".join(f"{name}:{value}\n" for name, value in trailers.items())
            seed = self.signature(
                f"AWS4-HMAC-SHA256-TRAILER\n{self.stamp}\n{self.scope}\n{seed}\n"
                + hashlib.sha256(lines.encode()).hexdigest()
            )
            body += lines.replace("\n", "\r\n").encode()
            body += f"x-amz-trailer-signature:{seed}\r\n".encode()
        return body + b"\r\n"


def signature_of(headers: Mapping[str, str]) -> str:
    """The signature in an Authorization header: what the first chunk's is made over."""
    return headers["authorization"].rpartition("Signature=")[2]


def _canonical(
    method: str, target: str, headers: Mapping[str, str], names: Sequence[str], payload: str
) -> str:
    path, _, query = target.partition("?")
    pairs = sorted(
        (quote(name, safe=""), quote(value, safe=""))
        for name, value in parse_qsl(query, keep_blank_values=True)
    )
    return "\n".join(
        [
            method,
            quote(unquote(path, errors="surrogateescape").encode("utf-8", "surrogateescape")),
            "&".join(f"{name}={value}" for name, value in pairs),
            *(f"{name}:{' '.join(headers.get(name, '').split())}" for name in names),
            "",
            ";".join(names),
            payload,
        ]
    )
