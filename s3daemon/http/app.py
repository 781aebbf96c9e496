"""The tree above the channel: S3, and the daemon's own paths.

Klein is the tree.  Its S3 branch is called without matching again: Werkzeug would merge slashes and
redirect keys that begin with one, and the target was read from the raw bytes already.
"""

from __future__ import annotations

# Klein asks for this codec with the first request for a health path, and there may be no file
# descriptor left to load it with.
import encodings.idna  # noqa: F401 - loading it is what it is for
import json
from collections.abc import Mapping
from typing import Any, cast

from klein import Klein
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.web.iweb import IRequest

from s3daemon.http.readiness import Readiness
from s3daemon.http.request import Request
from s3daemon.http.s3 import S3Service

#: Paths that are the daemon's own when nobody signs for them (docs/adr, "health paths").
OWN_PATHS = frozenset({b"/healthz", b"/readyz"})

_VERBOSE = b"?verbose"
_JSON = b"application/json"


class Gateway:
    """S3, and what a balancer asks.

    :param ready: whether the store can serve.
    """

    app = Klein()

    def __init__(
        self,
        s3: S3Service,
        ready: Readiness,
    ) -> None:
        self._s3 = s3
        self._ready = ready
        self._said = ""
        self._log = Logger(namespace="s3daemon.http", source=self)
        self._klein = self.app
        self._tree = self._klein.resource()

    def process(self, request: Request) -> None:
        """What the channel calls when a head is complete."""
        if _is_own(request):
            request.render(self._tree)
        else:
            # A coroutine behind a route comes back as a Deferred.
            served = cast("Deferred[None]", self._klein.execute_endpoint("s3", request))
            served.addErrback(self._bug, request)

    @app.route("/", branch=True)
    async def s3(self, request: Request) -> None:
        """Everything that is not the daemon's own."""
        await self._s3.serve(request)

    @app.route("/healthz")
    def healthz(self, request: IRequest) -> bytes:
        """The process answers."""
        return _plain(request, 200, "ok")

    @app.route("/readyz")
    async def readyz(self, request: IRequest) -> bytes:
        """The store answers too, in time; else 503 with the reason."""
        health = await self._ready.ask()
        if health.reason != self._said:
            self._said = health.reason
            if health.ready:
                self._log.info("ready again")
            else:
                self._log.warn("not ready: {reason}", reason=health.reason)
        status = 200 if health.ready else 503
        if _wants_all(request):
            told = {"ready": health.ready, "reason": health.reason or None, **health.facts}
            return _json(request, status, told)
        return _plain(request, status, "ready" if health.ready else "not ready: " + health.reason)

    def _bug(self, failure: Any, request: Request) -> None:
        self._log.failure("while answering", failure)
        request.loseConnection()


def _is_own(request: Request) -> bool:
    head = request.head
    target = head.target.removesuffix(_VERBOSE)
    if target not in OWN_PATHS or head.method not in (b"GET", b"HEAD"):
        return False
    return not any(name == b"authorization" for name, _ in head.fields)


def _wants_all(request: IRequest) -> bool:
    accepts = request.getHeader(b"accept") or b""
    return request.uri.endswith(_VERBOSE) or _JSON in accepts.lower()


def _json(request: IRequest, status: int, told: Mapping[str, object]) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"content-type", _JSON)
    return json.dumps(told, indent=1).encode() + b"\n"


def _plain(request: IRequest, status: int, text: str) -> bytes:
    request.setResponseCode(status)
    request.setHeader(b"content-type", b"text/plain; charset=utf-8")
    return text.encode("utf-8", "replace") + b"\n"
