"""A stock boto3 client of a gateway in the same process: what it sends goes over a `Wire`."""

from __future__ import annotations

from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.config import Config

from tests.support.inmemory import Response, Wire


class _Raw:
    """What botocore reads an answer from."""

    def __init__(self, response: Response) -> None:
        self._body = response.body
        self.headers = response.headers

    def read(self, amount: int | None = None, **_: Any) -> bytes:
        """The next bytes."""
        piece = self._body if amount is None else self._body[:amount]
        self._body = self._body[len(piece) :]
        return piece

    def stream(self, **_: Any) -> Any:
        """All of it."""
        yield self.read()

    def close(self) -> None:
        """Nothing is open."""


def make_client(wire: Wire, access_key: str = "alice", **config: Any) -> Any:
    """An S3 client; keywords are those of botocore's Config.

    The endpoint is named with https, as botocore sends trailers only then.
    """
    client = boto3.client(
        "s3",
        region_name="us-east-1",
        endpoint_url="https://gateway.test",
        aws_access_key_id=access_key,
        aws_secret_access_key="secret",
        config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, **config),
    )

    def send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        body = request.body or b""
        if hasattr(body, "read"):
            body = body.read()
        headers = {
            name: value.decode() if isinstance(value, bytes) else value
            for name, value in request.headers.items()
            if name.lower() not in ("transfer-encoding", "content-length", "expect")
        }
        target = request.url.removeprefix("https://gateway.test")
        response = wire.request(request.method, target, headers, body)
        return AWSResponse(
            request.url, response.status, HeadersDict(response.headers), _Raw(response)
        )

    client.meta.events.register("before-send.s3", send)
    return client
