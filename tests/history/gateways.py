"""Gateways as processes of their own, and the way to them over HTTP."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.parse
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from lxml import etree

from tests.history.clients import If, Missing, NotDone, Refused, Unknown
from tests.history.contents import Content, verify

BUCKET = "bucket"
_REPOSITORY = Path(__file__).parents[2]
AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=alice/20260101/us-east-1/s3/aws4_request,"
    " SignedHeaders=host, Signature=00"
)
_SETTINGS = """
[server]
listen = ["tcp:{port}:interface=127.0.0.1"]
[store]
root = "{root}"
durability = "relaxed"
[auth]
mode = "simple"
[limits]
min_part_size = "0B"
"""


class Gateway:
    """A daemon over a root, on a port of its own; it can be killed and started again."""

    def __init__(self, folder: Path, root: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        folder.mkdir()
        self._folder = folder
        (folder / "s3gate.toml").write_text(_SETTINGS.format(port=self.port, root=root))
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return when it answers."""
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-c", "from twisted.scripts.twistd import run; run()"),
                *("--nodaemon", "--pidfile="),
                *("--logfile", "log", "s3gate", "--config", "s3gate.toml"),
            ],
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": str(_REPOSITORY)},
            start_new_session=True,
        )
        for _ in range(300):
            try:
                socket.create_connection(("127.0.0.1", self.port)).close()
                return
            except ConnectionRefusedError:
                assert self._process.poll() is None, (self._folder / "log").read_text()
                time.sleep(0.1)
        raise AssertionError("the gateway does not begin to listen")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it, and all of its processes."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, how)
            self._process.wait()
            self._process = None
            while self._listens():  # workers that are not gone yet
                time.sleep(0.01)

    def _listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port)).close()
        except (ConnectionRefusedError, ConnectionResetError):
            return False
        return True


class HttpConnection:
    """See :class:`~tests.history.clients.Connection`."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._http: http.client.HTTPConnection | None = None

    def __enter__(self) -> HttpConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        http, self._http = self._http, None
        if http is not None:
            http.close()

    def request(
        self,
        method: str,
        key: str = "",
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> tuple[int, Mapping[str, str], bytes]:
        """One request; the connection is kept.  :raises NotDone, Unknown: no whole answer came."""
        target = f"/{BUCKET}/{urllib.parse.quote(key)}" if key else f"/{BUCKET}"
        if self._http is None:
            self._http = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
        try:
            sent = {"Authorization": AUTHORIZATION, **(headers or {})}
            self._http.request(method, target + ("?" + query if query else ""), body, sent)
            answer = self._http.getresponse()
            fields = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, fields, answer.read()
        except ConnectionRefusedError as exc:
            self._close()
            time.sleep(0.05)  # nobody listens: it begins again
            raise NotDone from exc
        except (OSError, http.client.HTTPException) as exc:
            self._close()
            raise Unknown(str(exc)) from exc

    def _change(
        self,
        method: str,
        key: str,
        query: str = "",
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> tuple[Mapping[str, str], bytes]:
        status, fields, answer = self.request(method, key, query, headers, body)
        if status in (200, 204):
            return fields, answer
        if status == 412:
            raise Refused
        if status == 404:
            raise Missing
        if status == 409:
            raise NotDone
        assert status in (500, 503), (status, answer)
        raise Unknown(answer)

    def put(self, key: str, content: Content, condition: If) -> str:
        headers = {**_metadata(content), **_condition(condition)}
        fields, _ = self._change("PUT", key, "", headers, content.data)
        return fields["etag"].strip('"')

    def put_in_parts(self, key: str, content: Content, condition: If) -> str:
        try:
            _, answer = self._change("POST", key, "uploads", _metadata(content))
            upload = _texts(answer, "UploadId")[0]
            document = ""
            for number, part in enumerate(content.parts, 1):
                fields, _ = self._change(
                    "PUT", key, f"partNumber={number}&uploadId={upload}", None, part
                )
                document += f"<Part><PartNumber>{number}</PartNumber><ETag>{fields['etag']}"
                document += "</ETag></Part>"
        except Unknown as exc:
            raise NotDone from exc  # it was not completed
        document = f"<CompleteMultipartUpload>{document}</CompleteMultipartUpload>"
        _, answer = self._change(
            "POST", key, f"uploadId={upload}", _condition(condition), document.encode()
        )
        return _texts(answer, "ETag")[0].strip('"')

    def get(self, key: str) -> str:
        return self._read("GET", key)

    def head(self, key: str) -> str:
        return self._read("HEAD", key)

    def _read(self, method: str, key: str) -> str:
        status, fields, body = self.request(method, key)
        if status == 404:
            raise Missing
        if status in (500, 503):
            raise NotDone
        assert status == 200, (status, body)
        metadata = {name: fields.get(f"x-amz-meta-{name}", "") for name in ("name", "cuts")}
        value = fields["etag"].strip('"')
        size = int(fields["content-length"])
        verify(value, size, metadata, body if method == "GET" else None)
        return value

    def copy(self, source: str, key: str) -> tuple[str | None, str]:
        if source == key:
            raise NotDone  # S3 takes that only with other metadata
        headers = {"x-amz-copy-source": urllib.parse.quote(f"/{BUCKET}/{source}")}
        _, answer = self._change("PUT", key, "", headers)
        return None, _texts(answer, "ETag")[0].strip('"')

    def delete(self, key: str, condition: If) -> None:
        self._change("DELETE", key, "", _condition(condition))

    def list(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        after = ""
        while True:
            query = f"list-type=2&max-keys=3&start-after={urllib.parse.quote(after, safe='')}"
            status, _, answer = self.request("GET", "", query)
            if status != 200:
                raise NotDone
            keys = _texts(answer, "Contents/Key")
            etags = (one.strip('"') for one in _texts(answer, "Contents/ETag"))
            found.update(zip(keys, etags, strict=True))
            if _texts(answer, "IsTruncated") != ["true"]:
                return found
            after = keys[-1]


def _metadata(content: Content) -> dict[str, str]:
    return {f"x-amz-meta-{name}": value for name, value in content.metadata.items()}


def _condition(condition: If) -> dict[str, str]:
    if condition.free:
        return {"If-None-Match": "*"}
    return {} if condition.etag is None else {"If-Match": f'"{condition.etag}"'}


def _texts(document: bytes, path: str) -> list[str]:
    found = [etree.fromstring(document)]
    for step in path.split("/"):
        found = [c for e in found for c in e if etree.QName(c).localname == step]
    return [one.text or "" for one in found]
